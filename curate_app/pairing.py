"""Which pictures to compare next: where the cut between the best K and the rest is in doubt."""

from collections.abc import Collection
from dataclasses import dataclass, field

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

    def pairs(self, count: int) -> list[Choice]:
        if len(self.pool) < 2:
            return []
        bridges, aimed = self._bridges(), iter(self._aimed_forever())
        found: list[Choice] = []
        while len(found) < count:
            aside = bool(self.dice.random() < ASIDE_SHARE)
            pair = self._random() if aside else next(bridges, None) or next(aimed, None)
            if pair is None:
                break
            left, right = pair if self.dice.random() < 0.5 else pair[::-1]
            found.append(Choice(left=left, right=right, aside=aside))
        return found
