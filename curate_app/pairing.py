"""Which pictures to compare next: where the cut between the best K and the rest is in doubt."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from curate_app.top_k import cut_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Pair = tuple[int, int]

# This share of all pairs is drawn by lot and kept out of the fit, to measure it honestly.
ASIDE_SHARE = 0.1
# No pair comes again before so many votes.
REST = 50
# The share of the items that compete for the next votes.
_IN_DOUBT = 1 / 3
_FEWEST_IN_DOUBT = 8
_TRIES = 12
# Items further from the cut than this many deviations need not be joined to the others.
_REACH = 2.5


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What a choice of pairs is made from: scores and deviations (N,) of items by number from 0,
    how many are wanted, the votes so far (V, 2), oldest first, and pairs (a < b) that must not
    meet: near duplicates, and what lies on a screen already."""

    scores: Floats
    deviations: Floats
    k: int
    voted: Integers = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    barred: Collection[Pair] = frozenset()

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A pair of items to compare, as it is to be shown; `aside` keeps its vote out of the fit."""

    left: int
    right: int
    aside: bool = False


def choose_pairs(pool: Pool, count: int, dice: np.random.Generator) -> list[Choice]:
    """Up to `count` different pairs, in the order in which they should be asked.

    As long as the votes leave the items in several parts, pairs that join two of them come first
    (a random spanning tree); then pairs aimed at the cut. Every tenth pair, by lot, is drawn from
    all pairs and goes aside. Sides are drawn by lot. The same dice give the same pairs.
    """
    return _Chooser(pool, dice).pairs(count)


def choose_fours(pool: Pool, count: int, dice: np.random.Generator) -> list[tuple[int, ...]]:
    """Up to `count` groups of four items, none in two of them: neighbours in a sampled order, so
    that the best of them is hard to tell and worth knowing."""
    return _Chooser(pool, dice).fours(count)


def doubt(scores: Floats, deviations: Floats, k: int) -> Floats:
    """How much a vote on each item (N,) would tell about who is among the best `k`: its deviation
    times how near the cut it lies, in deviations."""
    distance = (scores - cut_of(scores, k)) / deviations
    return np.asarray(deviations * np.exp(-(distance**2) / 2), np.float64)


class _Chooser:
    """Draws pairs that are not barred, each only once."""

    def __init__(self, pool: Pool, dice: np.random.Generator) -> None:
        self.pool, self.dice = pool, dice
        recent = pool.voted[-REST:].tolist()
        self.taken = {_sorted(a, b) for a, b in recent} | {_sorted(a, b) for a, b in pool.barred}
        self.weights = doubt(pool.scores, pool.deviations, pool.k)
        self.in_doubt = max(round(_IN_DOUBT * len(pool)), _FEWEST_IN_DOUBT)

    def pairs(self, count: int) -> list[Choice]:
        if len(self.pool) < 2:
            return []
        bridges, aimed = self._bridges(), self._aimed()
        found: list[Choice] = []
        while len(found) < count:
            aside = bool(self.dice.random() < ASIDE_SHARE)
            pair = self._random() if aside else next(bridges, None) or next(aimed, None)
            if pair is None:
                break
            left, right = pair if self.dice.random() < 0.5 else pair[::-1]
            found.append(Choice(left=left, right=right, aside=aside))
        return found

    def fours(self, count: int) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []
        used: set[int] = set()
        for order in self._orders():
            free = [item for item in order if item not in used]
            while len(free) >= 4 and len(found) < count:
                group = self._group(free)
                if group is None:
                    break
                found.append(tuple(self.dice.permutation(group).tolist()))
                used.update(group)
                free = [item for item in free if item not in used]
            if len(found) == count:
                break
        return found

    def _group(self, order: list[int]) -> list[int] | None:
        """The first four of `order` of which no two are barred from each other."""
        group: list[int] = []
        for item in order:
            if all(_sorted(item, other) not in self.taken for other in group):
                group.append(item)
                if len(group) == 4:
                    return group
        return None

    def _take(self, a: int, b: int) -> Pair | None:
        """The pair, unless it is taken; from now on it is."""
        pair = _sorted(a, b)
        if a == b or pair in self.taken:
            return None
        self.taken.add(pair)
        return pair

    def _random(self) -> Pair | None:
        """Any pair, each as likely as any other."""
        for _ in range(_TRIES):
            pair = self._take(*self.dice.integers(0, len(self.pool), 2).tolist())
            if pair:
                return pair
        return None

    def _bridges(self) -> Iterator[Pair]:
        """Pairs that join the parts into which the votes leave the items that may be in the top."""
        size, voted = len(self.pool), self.pool.voted
        graph = sparse.coo_matrix((np.ones(len(voted)), (voted[:, 0], voted[:, 1])), (size, size))
        _count, parts = csgraph.connected_components(graph, directed=False)
        near = np.flatnonzero(self._reach() < _REACH)
        # One item of every part, by lot; a path through them is a tree with even branches.
        order = self.dice.permutation(near)
        _labels, first = np.unique(parts[order], return_index=True)
        path = self.dice.permutation(order[first]).tolist()
        for a, b in pairwise(path):
            pair = self._take(a, b)
            if pair:
                yield pair

    def _aimed(self) -> Iterator[Pair]:
        """Neighbours in sampled orders of the items in doubt, those most in doubt first."""
        for order in self._orders():
            weights = self.weights[order]
            for start in np.argsort(-(weights[:-1:2] + weights[1::2]), kind="stable").tolist():
                pair = self._take(order[2 * start], order[2 * start + 1])
                if pair:
                    yield pair

    def _orders(self) -> Iterator[list[int]]:
        """The items in doubt in orders that their scores may truly have (Thompson 1933)."""
        pool = self.pool
        for _ in range(_TRIES):
            chance = self.weights * (1 + 1e-9 * self.dice.random(len(pool)))  # ties by lot
            among = np.argsort(-chance, kind="stable")[: self.in_doubt]
            drawn = self.dice.normal(pool.scores[among], pool.deviations[among])
            order = among[np.argsort(-drawn, kind="stable")]
            yield order[: len(order) // 2 * 2].tolist()

    def _reach(self) -> Floats:
        """How far each item (N,) is from the cut, in its deviations."""
        pool = self.pool
        return np.abs(pool.scores - cut_of(pool.scores, pool.k)) / pool.deviations


def _sorted(a: int, b: int) -> Pair:
    return (a, b) if a < b else (b, a)
