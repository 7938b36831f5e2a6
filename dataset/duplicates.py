"""Groups of pictures that show the same, and which one of each stays."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.keep_rule import Contenders, KeepRule, Ranking
from dataset.likeness import LARGEST_RADIUS, refresh_edges
from dataset.records import Change, PairVerdict
from dataset.star_cover import DEFAULT_RADIUS, Integers, Settlement, Ties, component_counts

__all__ = [
    "DEFAULT_RADIUS",
    "RADII",
    "Comparison",
    "DuplicateGroup",
    "RadiusCounts",
    "connected_pairs",
    "duplicate_groups",
    "mark_duplicates",
    "radius_table",
]

WHO = "duplicates"
# Every radius offered, in certain bits of a 64-bit pHash.
RADII = range(0, LARGEST_RADIUS + 1)


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that show the same: the suggested keeper first, then the others, best first.

    `bits` are the members' pHash distances from the keeper, None where only another member or a
    person's word ties them. `diameter` is the largest known distance of any two members. A group
    is a `chain` when two members are tied to it but not to each other.
    """

    keeper: int
    members: tuple[int, ...]
    reason: str
    diameter: int
    bits: tuple[int | None, ...] = ()
    chain: bool = False


@dataclass(frozen=True)
class RadiusCounts:
    """What a radius would do: tied pairs, chains of them (connected components) and the pictures
    in those; groups of the star cover, and the undecided pictures that would go."""

    radius: int
    pairs: int
    components: int
    pictures: int
    groups: int
    would_go: int


class Comparison:
    """The pairs of a catalogue, its decisions and its pictures, read once; asks no more of it.

    Every answer is a function of what was read, whatever the order in which pictures came.
    `without` are pictures that cannot stay for another reason; `sure_only` leaves out pairs that
    are less sure than the rule wants of what nobody looks at; `among` are the only pictures to
    compare, if not all (whole groups of all give the same groups again); `settled` is what the
    decisions come to, where that was read before. Needs `refresh_edges` before.
    """

    def __init__(
        self,
        catalog: Catalog,
        rule: KeepRule | None = None,
        without: Collection[int] = (),
        *,
        sure_only: bool = False,
        among: Collection[int] | None = None,
        settled: Settlement | None = None,
    ) -> None:
        rule = rule or KeepRule()
        settled = settled or catalog.judgements.pairs.settled()
        self.overruled: tuple[PairVerdict, ...] = settled.overruled
        self.contenders: Contenders = catalog.comparisons.contenders(rule.measures, among)
        self.ranking = Ranking(rule, self.contenders)
        gone = np.isin(self.contenders.ids, list(without))
        # Places of the contenders by rank, best first (N,).
        self._places: Integers = self.ranking.order[~gone[self.ranking.order]]
        self.ids: Integers = self.contenders.ids[self._places]  # best first (N,)
        pairs = catalog.comparisons.pairs(among)
        if sure_only:
            pairs = pairs.where(pairs.score >= rule.sure)
        self.ties = Ties(self.ids, pairs, settled)

    def groups(self, radius: int) -> list[DuplicateGroup]:
        """The star cover at `radius` bits, in order of the keepers' merit."""
        cover = self.ties.cover(radius)
        members: dict[int, list[int]] = {}
        for rank in np.flatnonzero(cover != np.arange(len(cover))).tolist():
            members.setdefault(int(cover[rank]), []).append(rank)
        distances, diameters, tied = self._inside(cover, radius)
        groups, ids = [], self.ids.tolist()
        for keeper, others in sorted(members.items()):
            ranks = [keeper, *others]
            groups.append(
                DuplicateGroup(
                    keeper=ids[keeper],
                    members=tuple(ids[rank] for rank in ranks),
                    reason=self._reason(keeper, others[0]),
                    diameter=diameters[keeper],
                    bits=(0, *(distances.get(other) for other in others)),
                    chain=tied[keeper] + self._decided(ranks) < len(ranks) * len(others) // 2,
                )
            )
        return groups

    def marks(self, groups: Sequence[DuplicateGroup]) -> list[Change]:
        """Rejections of the undecided pictures that would go, in order of id."""
        changes = [
            Change(
                image_id=loser,
                field="status",
                value="reject",
                reason=f"duplicate of #{group.keeper}",
            )
            for group in groups
            for loser in group.members[1:]
            if loser in self.undecided
        ]
        return sorted(changes, key=lambda change: change.image_id)

    @cached_property
    def undecided(self) -> frozenset[int]:
        """The contenders that nobody kept yet."""
        return frozenset(self.contenders.ids[~self.contenders.kept].tolist())

    def table(self) -> list[RadiusCounts]:
        """The exact counts of every radius."""
        counts = component_counts(self.ties.all, RADII)
        undecided = ~self.contenders.kept[self._places]
        table = []
        for radius, (pairs, components, pictures) in zip(RADII, counts, strict=True):
            cover = self.ties.cover(radius)
            lost = cover != np.arange(len(cover))
            groups, going = len(np.unique(cover[lost])), int((lost & undecided).sum())
            table.append(RadiusCounts(radius, pairs, components, pictures, groups, going))
        return table

    def _reason(self, best: int, other: int) -> str:
        return self.ranking.reason(int(self._places[best]), int(self._places[other]))

    def _inside(
        self, cover: Integers, radius: int
    ) -> tuple[dict[int, int], Counter[int], Counter[int]]:
        """Of the stored pairs inside groups: bits from the keeper by rank, and by the keeper's
        rank the largest distance and the number of pairs that tie at `radius`."""
        pairs = self.ties.known
        pairs = pairs.where(cover[pairs.a] == cover[pairs.b])
        distances: dict[int, int] = {}
        diameters: Counter[int] = Counter()
        tied: Counter[int] = Counter()
        keepers = cover[pairs.a].tolist()
        for a, b, bits, keeper in zip(
            pairs.a.tolist(), pairs.b.tolist(), pairs.bits.tolist(), keepers, strict=True
        ):
            diameters[keeper] = max(diameters[keeper], bits)
            tied[keeper] += bits <= radius and not self.ties.are_same(a, b)
            if keeper in (a, b):
                distances[a + b - keeper] = bits
        return distances, diameters, tied

    def _decided(self, ranks: Sequence[int]) -> int:
        """How many pairs of `ranks` are the same by decision."""
        sizes = Counter(int(self.ties.roots[rank]) for rank in ranks).values()
        return sum(size * (size - 1) // 2 for size in sizes)


def duplicate_groups(
    catalog: Catalog, radius: int | None = None, rule: KeepRule | None = None
) -> list[DuplicateGroup]:
    """Groups of pictures that are not rejected, in order of their keepers' merit.

    Quality-ordered star cover: walking from the best picture down, each is kept unless a kept one
    lies within `radius`; then it joins the nearest kept one. So no chains, and every picture that
    would go is near a better one that stays. What a person called the same is one group at any
    radius, what they called different never is. Needs `refresh_edges` before.
    """
    return Comparison(catalog, rule).groups(DEFAULT_RADIUS if radius is None else radius)


def radius_table(catalog: Catalog, rule: KeepRule | None = None) -> list[RadiusCounts]:
    """What every radius would do, from one reading of the catalogue."""
    return Comparison(catalog, rule).table()


def mark_duplicates(
    catalog: Catalog,
    radius: int = DEFAULT_RADIUS,
    rule: KeepRule | None = None,
    *,
    who: str = WHO,
    dry_run: bool = False,
) -> tuple[int | None, list[Change]]:
    """Reject the worse pictures of every group as one batch, which one undo takes back.

    What was judged before is left alone, and no file is touched; pairs that are less sure than the
    rule's `sure` wait for somebody to look at them. Returns (batch, changes); the
    batch is None when nothing was written. Raises ConfigError for a radius that is not stored.
    """
    require_radius(radius)
    refresh_edges(catalog)  # which may take minutes, and keeps nobody waiting here
    if dry_run:
        with catalog.snapshot():
            return None, _marks(catalog, radius, rule)
    with catalog.transaction():  # nobody who judges meanwhile is overruled
        refresh_edges(catalog)
        changes = _marks(catalog, radius, rule)
        return catalog.judgements.apply(changes, who=who, verb="mark"), changes


def _marks(catalog: Catalog, radius: int, rule: KeepRule | None) -> list[Change]:
    comparison = Comparison(catalog, rule, sure_only=True)
    return comparison.marks(comparison.groups(radius))


def require_radius(radius: int) -> None:
    """Raise ConfigError for a radius that the stored pairs do not reach."""
    if radius not in RADII:
        raise ConfigError(f"--radius {radius} is out of range; choose 0 to {LARGEST_RADIUS} bits")


def connected_pairs(
    catalog: Catalog, radius: int, among: Collection[int] | None = None
) -> list[tuple[int, int]]:
    """Pairs of all pictures, or of those `among`, that tie them at `radius`, judged or not: for
    splits, which no pair may cross.

    With what a person called the same, over whichever pictures, and without what they called
    different.
    """
    settled = catalog.judgements.pairs.settled()
    near = catalog.comparisons.pairs().within(radius)
    pairs = [
        (a, b)
        for a, b in zip(near.a.tolist(), near.b.tolist(), strict=True)
        if not settled.are_apart(a, b) and (among is None or (a in among and b in among))
    ]
    same = (
        pair
        for those in settled.same.all().values()
        for pair in pairwise([one for one in those if among is None or one in among])
    )
    return sorted({*pairs, *same})
