"""The pictures of a class with their votes and stars, as the catalogue has them, and what fits make
of them as they change."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curate_app.overview import Overview
from curate_app.posterior import BIAS_SPREAD, PRIOR_SPREAD
from curate_app.ranking import Fit, Votes, fit
from dataset.catalog import Catalog
from dataset.catalog.votes import VoteColumns
from dataset.records import STATUSES

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# What a star is worth before any vote, in log-odds; no stars count as three.
STAR_STEP = 0.75
_MIDDLE_STARS = 3
_REJECT = STATUSES.index("reject")


@dataclass(frozen=True, kw_only=True)
class Field:
    """The pictures of a class by number from 0: ids (N,) ascending, stars (N,), which of them are
    still contenders (N,), and the votes among them, oldest first: `aside` and `who` (V,)."""

    ids: Integers
    stars: NDArray[np.int8]
    contender: NDArray[np.bool_]
    votes: Votes
    aside: NDArray[np.bool_]
    who: NDArray[np.object_]


@dataclass(frozen=True)
class _Cast:
    """All votes that count, at `stamp`, with the rows (V,) of their pictures in the overview, which
    stay as they are when pictures are added."""

    stamp: str
    columns: VoteColumns
    left: Integers
    right: Integers
    who: NDArray[np.object_]


class Fields:
    """Reads the fields of a catalogue; votes are read once, and new ones added as long as none was
    undone. Used by one thread at a time."""

    def __init__(self, view: Overview) -> None:
        self._view = view
        self._cast: _Cast | None = None

    def stamp(self, catalog: Catalog) -> str:
        """Changes whenever a field does; cheap."""
        with self._view.reading(catalog) as view:
            return f"{catalog.votes.stamp()} {view.stamp()}"

    def of(self, catalog: Catalog, label: str | None) -> tuple[str, Field]:
        """A class at this moment, and its stamp: the pictures that are not rejected, and rejected
        ones with votes, which still tell of those that they met. None is all pictures."""
        with self._view.reading(catalog) as view:
            stamp, cast = self.stamp(catalog), self._votes(catalog, view)
            chosen = view.status != _REJECT
            inside = np.ones(len(cast.left), np.bool_)
            if label is not None:
                code = view.labels.index(label) if label in view.labels else -1
                chosen &= view.label == code
                inside = (view.label[cast.left] == code) & (view.label[cast.right] == code)
            left, right = cast.left[inside], cast.right[inside]
            chosen[left] = chosen[right] = True
            rows = np.flatnonzero(chosen)
            places = np.empty(len(view), np.int32)  # only those of `rows` are ever touched
            places[rows] = np.arange(len(rows), dtype=np.int32)
            return stamp, Field(
                ids=view.ids[rows],
                stars=view.stars[rows],
                contender=view.status[rows] != _REJECT,
                votes=Votes(
                    left=places[left].astype(np.int64),
                    right=places[right].astype(np.int64),
                    outcome=cast.columns.outcome[inside],
                ),
                aside=cast.columns.aside[inside],
                who=cast.who[inside],
            )

    def judged(self, catalog: Catalog) -> list[str]:
        """The classes in which a picture has votes or stars, in the order of their names."""
        with self._view.reading(catalog) as view:
            cast = self._votes(catalog, view)
            told = view.stars > 0
            told[cast.left] = told[cast.right] = True
            return sorted(view.counts("label", told))

    def _votes(self, catalog: Catalog, view: Overview) -> _Cast:
        stamp, held = catalog.votes.stamp(), self._cast
        if held is not None and held.stamp == stamp:
            return held
        if held is not None and len(held.left) and _undone(held.stamp) == _undone(stamp):
            new = catalog.votes.standing(int(held.columns.id[-1]))
            columns = _joined(held.columns, new)
        else:
            held, new = None, catalog.votes.standing()
            columns = new
        left, right = (
            np.searchsorted(view.ids, side).astype(np.int64) for side in (new.left, new.right)
        )
        who = np.array(new.who, np.object_)
        if held is not None:
            left, right = np.append(held.left, left), np.append(held.right, right)
            who = np.append(held.who, who)
        self._cast = _Cast(stamp, columns, left, right, who)
        return self._cast


def _undone(stamp: str) -> str:
    return stamp.partition("-")[2]


def _joined(older: VoteColumns, newer: VoteColumns) -> VoteColumns:
    return VoteColumns(
        id=np.append(older.id, newer.id),
        left=np.append(older.left, newer.left),
        right=np.append(older.right, newer.right),
        outcome=np.append(older.outcome, newer.outcome),
        aside=np.append(older.aside, newer.aside),
        who=older.who + newer.who,
    )


def prior_means(among: Field) -> Floats:
    """What the stars make of each picture (N,) before any vote."""
    steps = np.where(among.stars > 0, among.stars - _MIDDLE_STARS, 0)
    return STAR_STEP * steps.astype(np.float64)


def fitted_to(among: Field, start: Fit) -> Fit:
    """The fit of the votes that are not aside, begun at an older one."""
    votes = among.votes.chosen(~among.aside)
    first = start.steps == 0
    return fit(len(among.ids), votes, prior=prior_means(among), start=None if first else start)


def before_votes(among: Field) -> Fit:
    """What is known of a class that no vote was fitted for; no step was taken."""
    prior = prior_means(among)
    return Fit(
        scores=prior,
        deviations=np.full(len(prior), PRIOR_SPREAD),
        mode=prior,
        bias=0.0,
        bias_deviation=BIAS_SPREAD,
        spread=PRIOR_SPREAD,
    )


def carried(older: Fit, then: Field, now: Field) -> Fit:
    """An older fit for the pictures of this moment: new ones stand where their stars put them."""
    if then is now:
        return older
    fresh = before_votes(now)
    scores, mode = fresh.scores.copy(), fresh.mode.copy()
    deviations = np.full(len(scores), older.spread)
    _common, old, new = np.intersect1d(then.ids, now.ids, assume_unique=True, return_indices=True)
    scores[new], mode[new] = older.scores[old], older.mode[old]
    deviations[new] = older.deviations[old]
    return replace(older, scores=scores, mode=mode, deviations=deviations)


def is_same(a: Field, b: Field) -> bool:
    """Whether nothing has changed that a fit or a choice of pairs depends on."""
    columns = zip(_columns(a), _columns(b), strict=True)
    return all(np.array_equal(one, other) for one, other in columns)


def _columns(a: Field) -> tuple[NDArray[np.generic], ...]:
    votes = a.votes.left, a.votes.right, a.votes.outcome
    return (a.ids, a.stars, a.contender, a.aside, *votes)
