"""Undecided pictures against those that are kept: what is there already, and what is new.

Pairs count at a radius as in `dataset.duplicates`; only those that are sure fold a picture away.
"""

import threading
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from flask import current_app
from numpy.typing import NDArray

from curate_app.desk import desk, keep_rule
from curate_app.grouping import GroupPage, grouping
from curate_app.overview import overview
from dataset.catalog import Catalog
from dataset.duplicates import DEFAULT_RADIUS
from dataset.keep_rule import KeepRule, Ranking
from dataset.star_cover import Integers, Pairs, Settlement, Ties

_UNDECIDED, _KEPT = 0, 1
_MOST_LINKED = 60  # of one set of pictures that are the same by decision, each pair is a tie


@dataclass(frozen=True)
class Fold:
    """What of the undecided pictures need not be looked at.

    `repeats` are (picture, kept picture that it surely repeats), `perhaps` the same where that is
    not sure, by ascending picture; `copies` are the worse ones by the best of several undecided
    pictures that show the same.
    """

    repeats: dict[int, int]
    perhaps: dict[int, int]
    copies: dict[int, list[int]]


class Likenesses:
    """The stored pairs and how their pictures rank, read once; folds whatever was judged since."""

    def __init__(self, catalog: Catalog, rule: KeepRule) -> None:
        self.stamp = stamp_of(catalog, rule)
        self._sure = rule.sure
        self._stars_first = _stars_first(rule)
        self._settled: Settlement = catalog.judgements.pairs.settled()
        self._pairs = _with_same(catalog.comparisons.pairs(), self._settled)
        self._pairs = self._pairs.where(~_apart(self._pairs, self._settled))
        # Ranked whatever their judgement is: it may have changed when they are folded.
        contenders = catalog.comparisons.contenders(rule.measures, standing=False)
        contenders = replace(contenders, kept=np.zeros(len(contenders), bool))
        if self._stars_first:
            contenders = replace(contenders, stars=np.zeros(len(contenders), np.int64))
        self._best_first: Integers = contenders.ids[Ranking(rule, contenders).order]

    def fold(
        self, ids: Integers, status: NDArray[np.int8], stars: NDArray[np.int8], radius: int
    ) -> Fold:
        """Fold the pictures `ids` (N,), ascending, by their `status` and `stars` now (N,)."""
        pairs = self._pairs.within(radius)
        one, other = _looked_up(ids, status, pairs.a), _looked_up(ids, status, pairs.b)
        crossing = ((one == _UNDECIDED) & (other == _KEPT)) | (
            (one == _KEPT) & (other == _UNDECIDED)
        )
        crossing_pairs, turned = pairs.where(crossing), one[crossing] == _KEPT
        sure = crossing_pairs.score >= self._sure
        repeats = _nearest(crossing_pairs.where(sure), turned[sure])
        perhaps = _nearest(crossing_pairs.where(~sure), turned[~sure])
        inside = (one == _UNDECIDED) & (other == _UNDECIDED) & (pairs.score >= self._sure)
        return Fold(
            repeats=repeats,
            perhaps={new: kept for new, kept in perhaps.items() if new not in repeats},
            copies=self._copies(pairs.where(inside), repeats, (ids, stars), radius),
        )

    def _copies(
        self,
        pairs: Pairs,
        repeats: dict[int, int],
        starred: tuple[Integers, NDArray[np.int8]],
        radius: int,
    ) -> dict[int, list[int]]:
        gone = np.fromiter(repeats, np.int64, len(repeats))
        pairs = pairs.where(~(np.isin(pairs.a, gone) | np.isin(pairs.b, gone)))
        met = np.union1d(pairs.a, pairs.b)
        ranked = self._best_first[np.isin(self._best_first, met)]
        if self._stars_first:
            ranked = ranked[np.argsort(-_looked_up(*starred, ranked), kind="stable")]
        cover = Ties(ranked, pairs, self._settled).cover(radius)
        copies: dict[int, list[int]] = {}
        for place in np.flatnonzero(cover != np.arange(len(cover))).tolist():
            copies.setdefault(int(ranked[cover[place]]), []).append(int(ranked[place]))
        return copies


class Arrivals:
    """The fold of one app's catalogue, kept from page to page; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._likenesses: Likenesses | None = None
        self._fold = Fold({}, {}, {})
        self._key: tuple[object, ...] = ()

    def fold(self, catalog: Catalog, rule: KeepRule, radius: int) -> Fold:
        """The fold as the catalogue stands now, with the pairs that are stored."""
        with self._lock, overview().reading(catalog) as view:
            stamp = stamp_of(catalog, rule)
            if self._likenesses is None or self._likenesses.stamp != stamp:
                self._likenesses = Likenesses(catalog, rule)
            key = (stamp, view.stamp(), radius)
            if self._key != key:
                self._fold = self._likenesses.fold(view.ids, view.status, view.stars, radius)
                self._key = key
            return self._fold


def arrivals_of(catalog: Catalog, radius: int = DEFAULT_RADIUS) -> tuple[Fold, GroupPage]:
    """The fold of the present app, and how far the comparison of new pictures has come; new ones
    are compared as for the screen of duplicates, behind the page where they are many."""
    rule = keep_rule()[0]
    compared = grouping(desk().catalog_path).page(catalog, rule, radius, limit=0)
    found = current_app.extensions.setdefault("arrivals", Arrivals())
    assert isinstance(found, Arrivals)
    return found.fold(catalog, rule, radius), compared


def stamp_of(catalog: Catalog, rule: KeepRule) -> tuple[object, ...]:
    """Changes when what `Likenesses` reads does; stars only where the ranks have to be made anew
    for them."""
    asks_stars = "stars" in rule.order and not _stars_first(rule)
    return (
        catalog.edges.stamp(),
        catalog.judgements.pairs.last_id(),
        catalog.columns.marks().scores,
        catalog.judgements.last_event_id() if asks_stars else 0,
        rule,
    )


def _stars_first(rule: KeepRule) -> bool:
    """Whether of pictures that are all undecided the stars say first which one is best."""
    return next((name for name in rule.order if name != "judged"), "") == "stars"


def _looked_up(ids: Integers, column: NDArray[np.int8], wanted: Integers) -> NDArray[np.int8]:
    """What `column` (N,) says of each of the `wanted`; -1 for a picture that is not among `ids`."""
    if not len(ids):
        return np.full(len(wanted), -1, np.int8)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    found: NDArray[np.int8] = np.where(ids[places] == wanted, column[places], -1).astype(np.int8)
    return found


def _nearest(pairs: Pairs, turned: NDArray[np.bool_]) -> dict[int, int]:
    """The nearest kept picture of each new one; the kept one is `a` where a pair is `turned`."""
    new, kept = np.where(turned, pairs.b, pairs.a), np.where(turned, pairs.a, pairs.b)
    order = np.lexsort((kept, -pairs.score, pairs.bits, new))
    found, first = np.unique(new[order], return_index=True)
    return dict(zip(found.tolist(), kept[order][first].tolist(), strict=True))


def _with_same(pairs: Pairs, settled: Settlement) -> Pairs:
    """The stored pairs, and those that are the same by decision as pairs 0 bits apart."""
    said = [
        pair
        for those in settled.same.all().values()
        for pair in combinations(those[:_MOST_LINKED], 2)
    ]
    a, b = np.array(said, np.int64).reshape(-1, 2).T
    return Pairs(
        np.concatenate([pairs.a, a]),
        np.concatenate([pairs.b, b]),
        np.concatenate([pairs.bits, np.zeros(len(said), np.int64)]),
        np.concatenate([pairs.score, np.ones(len(said))]),
    )


def _apart(pairs: Pairs, settled: Settlement) -> NDArray[np.bool_]:
    """Which pairs a person told apart (M,)."""
    if not settled.apart:
        return np.zeros(len(pairs), bool)
    ends = zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)
    return np.array([settled.are_apart(a, b) for a, b in ends], bool)
