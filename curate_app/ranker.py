"""The app's ranking: fits kept up to date with the votes, the next pairs, and how things stand.

One `Ranker` serves all requests of an app (`ranker()`); the command line makes one of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from flask import current_app
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.records import ImageFilter

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Two pictures to be compared, by id, as they are to be shown; pass `aside` on to the vote."""

    left: int
    right: int
    aside: bool = False


@dataclass(frozen=True, kw_only=True)
class Four:
    """Four different pictures of which the best is chosen (and then, perhaps, the worst)."""

    ids: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """How many of the votes set aside (without ties) the fit foretells: `low` to `high` is the 95 %
    interval (Wilson 1927); 0 to 1 without any."""

    accuracy: float
    low: float
    high: float
    votes: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a class stands: arrays (N,) of all contenders, best score first.

    Scores are log-odds: a picture beats one that lies 1.0 lower 73 times of 100. `deviations` are
    their standard deviations, `probability` that of being truly among the best `k`; the list's
    first `k` are expected to hold `expected_wrong` pictures that do not belong there, and
    `settled` is when that is few enough to stop. `tied` are those which the votes can tell from
    neither side of the cut (probability 5 to 95 %).
    """

    label: str | None
    k: int
    contenders: int
    votes: int
    fitted_votes: int
    aside_votes: int
    people: int
    ids: Integers
    scores: Floats
    deviations: Floats
    vote_counts: Integers
    probability: Floats
    tied: NDArray[np.bool_]
    expected_wrong: float
    settled: bool
    heldout: HeldOut
    left_bias: float  # log-odds that the left one of two equals is chosen
    left_bias_deviation: float
    fresh: bool = True  # False: newer votes are being fitted at this moment


class Ranker:
    """The fits of all classes; a label of None is all pictures, "" those without one."""

    def next_pairs(
        self,
        catalog: Catalog,
        label: str | None = None,
        count: int = 1,
        exclude_pairs: Collection[tuple[int, int]] = (),
    ) -> list[Pairing]:
        """Up to `count` different pairs worth a vote, most useful first; fewer or none when there
        are too few contenders. `exclude_pairs` (either way round) are not given out: those that
        lie on screens already."""
        ids = self._contenders(catalog, label)
        excluded = {frozenset(pair) for pair in exclude_pairs}
        rng = np.random.default_rng()
        found: list[Pairing] = []
        for _ in range(20 * count if len(ids) > 1 else 0):
            left, right = (int(one) for one in rng.choice(ids, 2, replace=False))
            if frozenset((left, right)) not in excluded and len(found) < count:
                excluded.add(frozenset((left, right)))
                found.append(Pairing(left=left, right=right, aside=bool(rng.random() < 0.1)))
        return found

    def next_fours(
        self,
        catalog: Catalog,
        label: str | None = None,
        count: int = 1,
        exclude_pairs: Collection[tuple[int, int]] = (),
    ) -> list[Four]:
        """Up to `count` groups of four, as `next_pairs`; no picture is in two of them."""
        ids = self._contenders(catalog, label)
        order = [int(one) for one in np.random.default_rng().permutation(ids)]
        groups = [order[start : start + 4] for start in range(0, 4 * count, 4)]
        return [Four(ids=(g[0], g[1], g[2], g[3])) for g in groups if len(g) == 4]

    def standing(
        self, catalog: Catalog, label: str | None = None, k: int | None = None
    ) -> Standing:
        """How the class stands; `k` None is the class's target, else 10 % of the contenders."""
        ids = self._contenders(catalog, label)
        n = len(ids)
        k = min(k or max(round(0.1 * n), 1), n)
        return Standing(
            label=label,
            k=k,
            contenders=n,
            votes=0,
            fitted_votes=0,
            aside_votes=0,
            people=0,
            ids=ids,
            scores=np.zeros(n),
            deviations=np.full(n, 1.5),
            vote_counts=np.zeros(n, np.int64),
            probability=np.full(n, k / max(n, 1)),
            tied=np.ones(n, np.bool_),
            expected_wrong=k * (1 - k / max(n, 1)),
            settled=False,
            heldout=HeldOut(accuracy=0.0, low=0.0, high=1.0, votes=0),
            left_bias=0.0,
            left_bias_deviation=0.5,
        )

    def scored(self, catalog: Catalog) -> tuple[Integers, Floats, Floats]:
        """(ids ascending, scores, deviations) of every picture with a vote or stars."""
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)

    def _contenders(self, catalog: Catalog, label: str | None) -> Integers:
        records = catalog.images.all(ImageFilter(label=label))
        return np.array([one.id for one in records if one.status != "reject"], np.int64)


def ranker() -> Ranker:
    """The running app's ranker, made at first use."""
    found = current_app.extensions.setdefault("ranker", Ranker())
    assert isinstance(found, Ranker)
    return found
