"""Scores from votes: a Bradley-Terry fit with ties, a left-right bias and honest uncertainty.

P(left beats right) = sigmoid(score[left] - score[right] + bias) (Bradley and Terry 1952); a tie is
half a win for each. Scores have a Gaussian prior, so the mode is unique and what never lost stays
finite; the mode is found by Newton steps, each solved by conjugate gradients on the sparse votes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from curate_app.posterior import PRIOR_SPREAD, Posterior
from dataset.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# How sure the belief in the prior's spread is: the deviation of its logarithm.
_BELIEF = 0.4
_LOG_SPREADS = (np.log(0.2), np.log(6.0))
_SPREAD_TOLERANCE = 5e-3
_MOST_SPREADS = 12


@dataclass(frozen=True, kw_only=True)
class Votes:
    """Comparisons as columns (V,): items by number from 0; outcome 1 left won, 0 tie, -1 right."""

    left: Integers
    right: Integers
    outcome: NDArray[np.int8]

    @staticmethod
    def of(left: ArrayLike, right: ArrayLike, outcome: ArrayLike) -> "Votes":
        """Votes from anything array-like; raises DataError for columns that make no sense."""
        columns = [np.asarray(column) for column in (left, right, outcome)]
        if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
            raise DataError("votes need as many left items as right items and outcomes")
        if any(column.size and column.dtype.kind not in "iub" for column in columns):
            raise DataError("items and outcomes of votes are whole numbers")
        a, b, result = (column.astype(np.int64) for column in columns)
        if (a == b).any():
            raise DataError(f"item {a[a == b][0]} was compared with itself; leave that vote out")
        if not np.isin(result, (-1, 0, 1)).all():
            raise DataError("an outcome is 1 (left won), 0 (a tie) or -1 (right won)")
        return Votes(left=a, right=b, outcome=result.astype(np.int8))

    def __len__(self) -> int:
        return len(self.left)

    def chosen(self, which: NDArray[np.bool_]) -> "Votes":
        return Votes(left=self.left[which], right=self.right[which], outcome=self.outcome[which])

    def counts(self, items: int) -> Integers:
        """In how many votes each item stands (items,)."""
        sides = np.bincount(self.left, minlength=items) + np.bincount(self.right, minlength=items)
        return sides.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Scores (N,) in log-odds and their standard deviations (N,), as means of the posterior, and
    its `mode` (N,): the MAP estimate, which is a little nearer to the prior where votes are few.

    `bias` is the log-odds by which the left one of two equals is chosen, `spread` the standard
    deviation of the prior.
    """

    scores: Floats
    deviations: Floats
    mode: Floats
    bias: float
    bias_deviation: float
    spread: float
    steps: int = 0

    def foretold(self, votes: Votes) -> Floats:
        """The probability (V,) that left wins, of votes that need not have been fitted."""
        gaps = self.scores[votes.left] - self.scores[votes.right] + self.bias
        return np.asarray(expit(gaps), np.float64)


def fit(
    items: int,
    votes: Votes,
    *,
    prior: ArrayLike = 0.0,
    spread: float | None = None,
    with_bias: bool = True,
    start: Fit | None = None,
) -> Fit:
    """The scores of `items` items that the votes tell of, and how sure they are.

    `prior` is the mean of the scores before any vote, one number or (items,). `spread` is the
    prior's standard deviation; None takes the one that the votes make most probable (evidence,
    MacKay 1992), held by a weak belief in 1.5. `start` is
    an earlier fit to begin from: it spares time and changes the spread by 0.5 % at the most.
    For how scores and deviations come about see `Posterior.means_and_deviations`.
    Raises DataError for votes on items that are not there and for a prior that is no number.
    """
    means = _prior_means(items, prior)
    if spread is not None and not 0 < spread < np.inf:
        raise DataError(f"a spread of {spread} is not a positive number")
    ends = np.concatenate([votes.left, votes.right])
    if ends.size and not 0 <= ends.min() <= ends.max() < items:
        raise DataError(f"a vote names item {ends.max()}; there are {items} items, from 0")
    if start is not None and len(start.scores) != items:
        start = None
    # Without votes a score is its prior; leaving those out keeps a young catalogue fast.
    voted = np.flatnonzero(votes.counts(items))
    places = np.zeros(items, np.int64)
    places[voted] = np.arange(len(voted))
    among = Votes(left=places[votes.left], right=places[votes.right], outcome=votes.outcome)
    posterior = Posterior(among, means[voted], spread or PRIOR_SPREAD, with_bias)
    if start is not None:
        posterior.begin_at(start.mode[voted], start.bias, spread or start.spread)
    steps = posterior.climb() if spread or not len(votes) else _learn_spread(posterior)
    averages, found = posterior.means_and_deviations()
    mode, scores, deviations = means.copy(), means.copy(), np.full(items, posterior.spread)
    mode[voted], scores[voted], deviations[voted] = posterior.point[:-1], averages[:-1], found[:-1]
    return Fit(
        scores=scores,
        deviations=deviations,
        mode=mode,
        bias=float(averages[-1]) if with_bias else 0.0,
        bias_deviation=float(found[-1]) if with_bias else 0.0,
        spread=posterior.spread,
        steps=steps,
    )


def _prior_means(items: int, prior: ArrayLike) -> Floats:
    means = np.asarray(prior, np.float64)
    if means.shape not in ((), (items,)):
        raise DataError(f"a prior of shape {means.shape} does not fit {items} items")
    if not np.isfinite(means).all():
        raise DataError("a prior holds values that are no numbers; give every item a finite mean")
    return np.array(np.broadcast_to(means, (items,)))


def _learn_spread(posterior: Posterior) -> int:
    """Bring the spread to where the votes and the belief make it most probable, by secants on the
    slope over its logarithm; the posterior ends at its mode. Returns the Newton steps."""
    belief, steps = np.log(PRIOR_SPREAD), 0
    at, before = np.log(posterior.spread), None
    for _ in range(_MOST_SPREADS):
        steps += posterior.climb(1e-3)
        slope = posterior.spread_slope() - (at - belief) / _BELIEF**2
        bend = -2.0 * posterior.determined - _BELIEF**-2
        if before is not None and before[0] != at:
            secant = (slope - before[1]) / (at - before[0])
            bend = secant if secant < bend / 20 else bend
        before = at, slope
        at = float(np.clip(at - np.clip(slope / bend, -0.7, 0.7), *_LOG_SPREADS))
        posterior.spread = float(np.exp(at))
        if abs(at - before[0]) < _SPREAD_TOLERANCE:
            break
    return steps + posterior.climb()
