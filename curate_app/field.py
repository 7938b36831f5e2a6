"""The pictures of a class with their votes and stars, and what fits make of them as they change."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curate_app.posterior import BIAS_SPREAD, PRIOR_SPREAD
from curate_app.ranking import Fit, Votes, fit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# What a star is worth before any vote, in log-odds; no stars count as three.
STAR_STEP = 0.75
_MIDDLE_STARS = 3


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
