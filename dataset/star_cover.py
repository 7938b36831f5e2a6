"""Groups on paper: pictures are ranks (0 is the best), pairs are columns, decisions are facts.

Nothing here knows a catalogue: the same pairs, ranks and decisions give the same groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dataset.records import PairVerdict

# Bits of a 64-bit pHash in which pictures of the same may differ where nobody says otherwise.
DEFAULT_RADIUS = 10
Integers = NDArray[np.int64]


class Sets:
    """Disjoint sets of numbers (union-find); a set is named by its smallest member."""

    def __init__(self, members: Iterable[int] = ()) -> None:
        self._root = {member: member for member in members}

    def __contains__(self, member: int) -> bool:
        return member in self._root

    def find(self, member: int) -> int:
        root = self._root
        found = root.setdefault(member, member)
        while root[found] != found:
            root[found] = root[root[found]]
            found = root[found]
        return found

    def join(self, a: int, b: int) -> bool:
        """Make one set of the two of `a` and `b`; False when they were one."""
        low, high = sorted((self.find(a), self.find(b)))
        self._root[high] = low
        return low != high

    def all(self) -> dict[int, list[int]]:
        """Every set by its name, members ascending."""
        found: dict[int, list[int]] = {}
        for member in sorted(self._root):
            found.setdefault(self.find(member), []).append(member)
        return found


@dataclass(frozen=True)
class Settlement:
    """Decisions without contradiction: who is the same, who must never meet, what was overruled.

    `apart` holds pairs of names of sets, both ways round.
    """

    same: Sets = field(default_factory=Sets)
    apart: dict[int, set[int]] = field(default_factory=dict)
    overruled: tuple[PairVerdict, ...] = ()

    def are_apart(self, a: int, b: int) -> bool:
        """Whether a person keeps the two apart, or two that are the same as they."""
        if a not in self.same or b not in self.same:
            return False
        return self.same.find(b) in self.apart.get(self.same.find(a), ())


def settle(
    decisions: Sequence[PairVerdict], content: Mapping[int, str] | None = None
) -> Settlement:
    """Take the newest decisions first; an older one that contradicts them is overruled.

    "Same" goes over any chain, so that A = B, B = C and A ≠ C contradict each other, too. Of
    decisions of one batch, "different" comes first, then the order is that of `content`, the
    SHA-256 by id, so that no order of intake changes who is overruled.
    """
    name = content or {}

    def age(decision: PairVerdict) -> tuple[int | str, ...]:
        low, high = sorted((name.get(decision.a, ""), name.get(decision.b, "")))
        return (-decision.since, decision.verdict, low, high, decision.a, decision.b)

    same, overruled = Sets(), []
    apart: dict[int, set[int]] = {}
    for decision in sorted(decisions, key=age):
        a, b = same.find(decision.a), same.find(decision.b)
        if decision.verdict == "different" and a != b:
            apart.setdefault(a, set()).add(b)
            apart.setdefault(b, set()).add(a)
        elif decision.verdict == "same" and b not in apart.get(a, ()):
            same.join(a, b)
            _inherit(apart, min(a, b), max(a, b))
        else:
            overruled.append(decision)
    return Settlement(same, apart, tuple(overruled))


def _inherit(apart: dict[int, set[int]], name: int, old: int) -> None:
    """Let the set `name` keep apart from whoever kept apart from `old`, which is in it now."""
    for other in apart.pop(old, set()) if old != name else ():
        apart.setdefault(name, set()).add(other)
        apart[other].remove(old)
        apart[other].add(name)


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures as columns (M,): ranks `a` and `b`, bits of distance, score 0..1."""

    a: Integers
    b: Integers
    bits: Integers
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.a)

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        return Pairs(self.a[chosen], self.b[chosen], self.bits[chosen], self.score[chosen])

    def within(self, radius: int) -> "Pairs":
        return self.where(self.bits <= radius)

    def nearest_first(self) -> "Pairs":
        """Each pair with its worse picture as `a`; by `a`, then nearest, surest, best `b` first."""
        worse, better = np.maximum(self.a, self.b), np.minimum(self.a, self.b)
        order = np.lexsort((better, -self.score, self.bits, worse))
        return Pairs(worse[order], better[order], self.bits[order], self.score[order])


def star_cover(count: int, pairs: Pairs, apart: dict[int, set[int]] | None = None) -> Integers:
    """The keeper of each of `count` pictures (N,): itself, or the nearest keeper that covers it.

    `pairs` come as `nearest_first` orders them. From the best picture down, each is kept unless a
    kept one is paired with it; then it joins the nearest. So there are no chains, and what would
    go is near a better one that stays. Two pictures that are `apart` never have one keeper.
    """
    keeper = list(range(count))
    kept_apart: dict[int, set[int]] = {}  # the members of a group that somebody must not meet
    for picture in apart or ():
        kept_apart[picture] = {picture}
    for worse, better in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True):
        if keeper[worse] != worse or keeper[better] != better:
            continue
        if apart and worse in apart:
            group = kept_apart.setdefault(better, set())
            if not group.isdisjoint(apart[worse]):
                continue
            group.add(worse)
        keeper[worse] = better
    return np.array(keeper, np.int64)


class Ties:
    """Which pictures are tied to which: stored pairs, corrected by what a person decided.

    `ids` (N,) are the pictures best first, so that their place is their rank; `pairs` speak of
    ids, those of pictures that are not among `ids` are left out.
    """

    def __init__(self, ids: Integers, pairs: Pairs, settlement: Settlement) -> None:
        ranked = _ranked(ids, pairs)
        rank = {int(image_id): place for place, image_id in enumerate(ids)}
        # The best one (rank) of those that are the same by decision, for each rank (N,).
        self.roots = np.arange(len(ids))
        self._same: list[list[int]] = []
        for those in settlement.same.all().values():
            present = sorted(rank[image_id] for image_id in those if image_id in rank)
            if len(present) > 1:
                self.roots[present] = present[0]
                self._same.append(present)
        self._apart = self._apart_by_rank(settlement, rank)
        root_a, root_b = self.roots[ranked.a], self.roots[ranked.b]
        if self._apart:
            met = np.array(
                [
                    b not in self._apart.get(a, ())
                    for a, b in zip(root_a.tolist(), root_b.tolist(), strict=True)
                ],
                bool,
            )
            ranked, root_a, root_b = ranked.where(met), root_a[met], root_b[met]
        self._between = Pairs(root_a, root_b, ranked.bits, ranked.score).where(root_a != root_b)
        self._between = self._between.nearest_first()
        self.known = ranked  # every stored pair that no decision forbids
        self.all = self._with_decided(ranked)

    def _apart_by_rank(self, settlement: Settlement, rank: dict[int, int]) -> dict[int, set[int]]:
        """Roots that must not meet, both ways round."""
        root_of: dict[int, int] = {}
        for name, those in settlement.same.all().items():
            present = [rank[image_id] for image_id in those if image_id in rank]
            if present:
                root_of[name] = min(present)
        apart: dict[int, set[int]] = {}
        for name, others in settlement.apart.items():
            found = {root_of[other] for other in others if other in root_of}
            if name in root_of and found:
                apart[root_of[name]] = found
        return apart

    def _with_decided(self, ranked: Pairs) -> Pairs:
        """The pairs, those that are the same by decision 0 bits apart, stored or not."""
        inside = self.roots[ranked.a] == self.roots[ranked.b]
        stored = {
            frozenset(pair)
            for pair in zip(ranked.a[inside].tolist(), ranked.b[inside].tolist(), strict=True)
        }
        new = [
            (those[0], other)
            for those in self._same
            for other in those[1:]
            if frozenset((those[0], other)) not in stored
        ]
        a, b = np.array(new, np.int64).reshape(-1, 2).T
        return Pairs(
            np.concatenate([ranked.a, a]),
            np.concatenate([ranked.b, b]),
            np.concatenate([np.where(inside, 0, ranked.bits), np.zeros(len(new), np.int64)]),
            np.concatenate([ranked.score, np.ones(len(new))]),
        )

    def cover(self, radius: int) -> Integers:
        """The rank of every picture's keeper (N,); those that are the same have one keeper."""
        cover = star_cover(len(self.roots), self._between.within(radius), self._apart)
        keepers: Integers = cover[self.roots]
        return keepers

    def are_same(self, a: int, b: int) -> bool:
        """Whether two ranks are the same by decision."""
        return bool(self.roots[a] == self.roots[b])


def _ranked(ids: Integers, pairs: Pairs) -> Pairs:
    """`pairs` of ids as pairs of places in `ids`, without those of other pictures."""
    by_id = np.argsort(ids, kind="stable")
    ascending = ids[by_id]
    if not len(ids):
        return pairs.where(np.zeros(len(pairs), bool))
    places = [
        np.minimum(np.searchsorted(ascending, ends), len(ids) - 1) for ends in (pairs.a, pairs.b)
    ]
    inside = (ascending[places[0]] == pairs.a) & (ascending[places[1]] == pairs.b)
    ranked = Pairs(by_id[places[0]], by_id[places[1]], pairs.bits, pairs.score)
    return ranked.where(inside)


def component_counts(pairs: Pairs, radii: Sequence[int]) -> list[tuple[int, int, int]]:
    """For each of the ascending `radii`: (pairs, connected components, pictures in them).

    One pass over the pairs in order of distance, joining sets as Kruskal does.
    """
    order = np.argsort(pairs.bits, kind="stable")
    columns = (pairs.a[order].tolist(), pairs.b[order].tolist())
    ends = np.searchsorted(pairs.bits[order], radii, side="right").tolist()
    sets, seen = Sets(), 0
    pictures: set[int] = set()
    joins, counts = 0, []
    for end in ends:
        for a, b in zip(columns[0][seen:end], columns[1][seen:end], strict=True):
            joins += sets.join(a, b)
            pictures.add(a)
            pictures.add(b)
        seen = end
        counts.append((end, len(pictures) - joins, len(pictures)))
    return counts


def connected(edges: Iterable[tuple[int, int]], members: Iterable[int]) -> dict[int, int]:
    """The smallest member that each of `members` is connected to over any chain of `edges`."""
    sets = Sets(members)
    inside = list(sets.all())
    for a, b in edges:
        if a in sets and b in sets:
            sets.join(a, b)
    return {member: sets.find(member) for member in inside}
