"""How good predictions are, each figure with its count and a 95 % interval."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from curate_app.lesson import Figure

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64]

_Z = 1.959964
# Fewer examples than these say nothing that a person should rely on.
LEAST_OF_EACH = 10
LEAST_RATED = 20
LEAST_VOTES = 20


def sorting(
    scores: Doubles, kept: NDArray[np.bool_], groups: Numbers, widen: float = 1.0
) -> Figure:
    """How often a kept picture has a higher score than a rejected one: the area under the ROC.

    Near duplicates (the same number in `groups`) count as one picture in the interval, which is
    that of Newcombe (2006, method 5), `widen` times as wide: it holds for areas of 0 and 1, too.
    """
    good, bad = (len(np.unique(groups[which])) for which in (kept, ~kept))
    found = Figure(
        name="sorting",
        meaning="a kept picture is predicted above a rejected one",
        chance=0.5,
        count=len(scores),
    )
    if min(good, bad) < LEAST_OF_EACH:
        lacks = f"{good} kept and {bad} rejected; it takes {LEAST_OF_EACH} of each"
        return _lacking(found, lacks)
    area = area_under_curve(scores, kept)
    return _measured(found, area, *area_interval(area, good, bad, widen))


def area_under_curve(scores: Doubles, positive: NDArray[np.bool_]) -> float:
    """The share of (positive, negative) pairs in right order, ties half (Mann and Whitney)."""
    count = int(positive.sum())
    ranks = average_ranks(scores)[positive].sum()
    return float((ranks - count * (count + 1) / 2) / (count * (len(scores) - count)))


def area_interval(area: float, good: int, bad: int, widen: float = 1.0) -> tuple[float, float]:
    """The 95 % interval of an area under the curve from `good` and `bad` independent pictures."""
    half = (good + bad) / 2 - 1

    def away(true: float) -> float:
        """By how many deviations the area lies off, squared, less what the interval allows."""
        variance = true * (1 - true) / (good * bad)
        variance *= 1 + half * ((1 - true) / (2 - true) + true / (1 + true))
        return (area - true) ** 2 - (widen * _Z) ** 2 * variance

    low = _crossing(away, 0.0, area) if area > 0 else 0.0
    high = _crossing(away, 1.0, area) if area < 1 else 1.0
    return low, high


def _crossing(away: Callable[[float], float], outer: float, inner: float) -> float:
    """Where `away` is 0, between `outer` (above 0) and `inner` (below), by halving."""
    for _ in range(60):
        middle = (outer + inner) / 2
        outer, inner = (middle, inner) if away(middle) > 0 else (outer, middle)
    return (outer + inner) / 2


def average_ranks(values: Doubles) -> Doubles:
    """The ranks 1..N of N values; equal ones share the mean of theirs."""
    _distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Doubles = (last - (counts - 1) / 2)[place]
    return ranks


def ordering(scores: Doubles, stars: Doubles, groups: Numbers, widen: float = 1.0) -> Figure:
    """How well scores and stars agree in rank (Spearman), near duplicates counted as one; the
    interval by Fisher's transform with the error of Bonett and Wright (2000), `widen` times."""
    found = Figure(
        name="ordering",
        meaning="scores and stars rank pictures alike",
        chance=0.0,
        count=len(scores),
    )
    distinct = len(np.unique(groups))
    if distinct < LEAST_RATED or len(np.unique(stars)) < 2:
        lacks = f"{distinct} rated by stars; it takes {LEAST_RATED}, of two ratings or more"
        return _lacking(found, lacks)
    ranks, wanted = average_ranks(scores), average_ranks(stars)
    if np.ptp(ranks) == 0:
        return _lacking(found, "all predictions are equal")
    agreement = float(np.corrcoef(ranks, wanted)[0, 1])
    error = widen * _Z * math.sqrt((1 + agreement**2 / 2) / (distinct - 3))
    middle = math.atanh(min(max(agreement, -0.9999), 0.9999))
    return _measured(found, agreement, math.tanh(middle - error), math.tanh(middle + error))


def deciding(
    name: str,
    meaning: str,
    left: Doubles,
    right: Doubles,
    outcome: Numbers,
    widen: float = 1.0,
) -> Figure:
    """The share of votes between two pictures that the scores foretell, ties left out; the interval
    is `widen` times as wide as that of Wilson."""
    told = outcome != 0
    hits = np.sign(left - right)[told] == np.sign(outcome)[told]
    count = len(hits)
    found = Figure(name=name, meaning=meaning, chance=0.5, count=count)
    if count < LEAST_VOTES:
        return _lacking(found, f"{count} votes; it takes {LEAST_VOTES}")
    return _measured(found, float(hits.mean()), *share_interval(int(hits.sum()), count, widen))


def share_interval(hits: int, count: int, widen: float = 1.0) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z = hits / count, widen * _Z
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count)
    half *= math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _measured(figure: Figure, value: float, low: float, high: float) -> Figure:
    return replace(figure, value=value, low=min(low, value), high=max(high, value))


def _lacking(figure: Figure, missing: str) -> Figure:
    return replace(figure, missing=missing)
