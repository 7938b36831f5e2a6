"""What a score means: conformal p-values, false-discovery q-values, intervals for rates."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]


def conformal_p(scores: ArrayLike, calibration: ArrayLike) -> Numbers:
    """p-values, (m,), of scores of which small ones are suspect, against n calibration scores.

    p = (1 + #calibration <= score) / (n + 1) (Vovk, Gammerman & Shafer 2005): for a score that is
    exchangeable with the calibration scores, P(p <= a) <= a at every a. Never below 1 / (n + 1).
    """
    reference = np.sort(np.asarray(calibration, dtype=np.float64))
    below = np.searchsorted(reference, np.asarray(scores, dtype=np.float64), side="right")
    return np.asarray((1.0 + below) / (len(reference) + 1.0), dtype=np.float64)


def benjamini_hochberg(p_values: ArrayLike) -> Numbers:
    """q-values, (m,): the smallest false-discovery rate at which each p-value would be a finding.

    Benjamini & Hochberg (1995), step-up: q of rank i is the least of p of rank j * m / j, j >= i.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(1.0, np.minimum.accumulate(ranked[::-1])[::-1])
    return q


def wilson_interval(hits: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson (1927) score interval of a rate, 95 % by default; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    rate, zz = hits / trials, z * z / trials
    centre = (rate + zz / 2) / (1 + zz)
    half = z * math.sqrt(rate * (1 - rate) / trials + zz / (4 * trials)) / (1 + zz)
    return max(0.0, centre - half), min(1.0, centre + half)


def fewest_findings(pictures: int, calibration: int, level: float) -> int:
    """How many of `pictures` must have the smallest possible p before their q reaches `level`."""
    return math.ceil(pictures / ((calibration + 1) * level) - 1e-9)
