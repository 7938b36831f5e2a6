"""The best K: how surely each item is among them, how many places are wrong, when to stop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from dataset.errors import DataError

Floats = NDArray[np.float64]

# The top is settled when no more than this share of it is expected to be wrong, or less than a
# quarter of one place (few places would otherwise have to be surer than anybody asks).
SETTLED_SHARE = 0.02
SETTLED_PLACES = 0.25
# What the votes can tell from neither side of the cut.
TIED = (0.05, 0.95)
# From so many open items, and places on either side of the cut, the cut is nearly known.
_MANY, _MANY_PLACES = 300, 25
# Numbers drawn in all; the same ones each time, so that the same votes give the same answer.
_DRAWN = 3_000_000
_MOST_DRAWS, _FEWEST_DRAWS = 8_192, 192
_SEED = 20_521
# Beyond this many deviations nothing is left to chance.
_FAR = 5.0


@dataclass(frozen=True, kw_only=True)
class Top:
    """The best `k` of N items: who is in it at present, the probability (N,) of truly belonging
    there, whether that is open (N,), and how many of the `k` are expected not to."""

    k: int
    inside: NDArray[np.bool_]
    probability: Floats
    tied: NDArray[np.bool_]
    expected_wrong: float
    settled: bool


def most_wrong(k: int) -> float:
    """The expected number of wrong places of `k` at which the top is settled."""
    return max(SETTLED_SHARE * k, SETTLED_PLACES)


def limit_of(k: int, size: int) -> float:
    """`most_wrong` for the best `k` of `size`: of the smaller side of the cut, since what is wrong
    on one is wrong on the other. 99 of 100 drawn by lot are 99 % right, and tell nothing."""
    return most_wrong(min(k, size - k))


def top_of(scores: ArrayLike, deviations: ArrayLike, k: int) -> Top:
    """The best `k` by score; of equal scores the earlier item is in it.

    The true scores are taken as independent Gaussians and drawn many times over: an item belongs
    there in the share of the draws in which it is one of the best `k`; of many items the same comes
    out without drawing. So the probabilities add up
    to `k`. That items which were compared with each other move together is left out, which errs
    to the side of caution. Raises DataError for arrays that do not fit each other, for scores that
    are no numbers and a `k` that is negative.
    """
    means, spreads = np.asarray(scores, np.float64), np.asarray(deviations, np.float64)
    if means.ndim != 1 or means.shape != spreads.shape:
        raise DataError("a top needs one deviation for each score")
    if not (np.isfinite(means).all() and np.isfinite(spreads).all() and (spreads >= 0).all()):
        raise DataError("scores must be numbers, and their deviations not negative")
    if k < 0:
        raise DataError(f"a top of {k} is none; choose 0 or more")
    size = len(means)
    k = min(k, size)
    inside = np.zeros(size, np.bool_)
    inside[np.argsort(-means, kind="stable")[:k]] = True
    probability = inside.astype(np.float64)
    if 0 < k < size:
        low, high = means - _FAR * spreads, means + _FAR * spreads
        # Surely in: fewer than k others reach its lowest; surely out: k others never fall so far.
        surely_in = low > np.partition(high, size - k - 1)[size - k - 1]
        open_ = ~surely_in & (high >= np.partition(low, size - k)[size - k])
        probability = surely_in.astype(np.float64)
        left = k - int(surely_in.sum())
        size_open = np.count_nonzero(open_)
        is_smooth = size_open >= _MANY and _MANY_PLACES <= left <= size_open - _MANY_PLACES
        found = _by_threshold if is_smooth else _drawn
        probability[open_] = found(means[open_], spreads[open_], left)
    wrong = float((1 - probability[inside]).sum())
    return Top(
        k=k,
        inside=inside,
        probability=probability,
        tied=(probability > TIED[0]) & (probability < TIED[1]),
        expected_wrong=wrong,
        settled=bool(wrong <= limit_of(k, size)),
    )


def cut_of(scores: Floats, k: int) -> float:
    """Midway between the `k`-th and the next score; the end that there is when all are on one
    side."""
    if not 0 < k < len(scores):
        return float(scores.min() if k else scores.max()) if len(scores) else 0.0
    edge = np.partition(scores, (len(scores) - k - 1, len(scores) - k))
    return float(edge[len(scores) - k - 1] + edge[len(scores) - k]) / 2


def _by_threshold(means: Floats, spreads: Floats, k: int) -> Floats:
    """The probability (N,) of being among the best `k` of many items: of lying above the cut, which
    is a Gaussian of its own, and by which the probabilities add up to `k`.

    Within 0.015 of what drawing gives, for as many items as `_MANY`.
    """
    spreads, blur = np.maximum(spreads, 1e-9), 0.0
    low, high = float(means.min()) - _FAR * 2, float(means.max()) + _FAR * 2
    for _ in range(2):  # first as if the cut were known, then with its variance
        width = np.sqrt(spreads**2 + blur)
        edges = low, high
        for _ in range(50):
            cut = (edges[0] + edges[1]) / 2
            chances: Floats = np.asarray(ndtr((means - cut) / width), np.float64)
            edges = (cut, edges[1]) if chances.sum() > k else (edges[0], cut)
        slope = (np.exp(-(((means - cut) / width) ** 2) / 2) / width).sum() / np.sqrt(2 * np.pi)
        blur = float((chances * (1 - chances)).sum() / slope**2) if slope else 0.0
    return chances


def _drawn(means: Floats, spreads: Floats, k: int) -> Floats:
    """The share of draws (N,) in which each item is among the best `k` of these."""
    size = len(means)
    if not 0 < k < size:
        return np.full(size, float(k > 0))
    dice = np.random.default_rng(_SEED)
    draws = int(np.clip(_DRAWN // size, _FEWEST_DRAWS, _MOST_DRAWS))
    block = max(_DRAWN // 12 // size, 1)
    counts = np.zeros(size, np.int64)
    for start in range(0, draws, block):
        shape = (min(block, draws - start), size)
        found = means + spreads * dice.standard_normal(shape, np.float32)
        best = np.argpartition(found, size - k, axis=1)[:, size - k :]
        counts += np.bincount(best.ravel(), minlength=size)
    # Equal items have equal chances: that much need not be left to the dice.
    kinds = np.unique(np.stack([means, spreads]), axis=1, return_inverse=True)[1].ravel()
    return np.asarray((np.bincount(kinds, counts / draws) / np.bincount(kinds))[kinds], np.float64)
