"""How many per cent of a set are copies: corrected for false alarms and for copies overlooked.

The estimate is that of a prevalence from an imperfect test (Rogan & Gladen 1978); its interval
carries the doubt about the test itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sample.significance import Numbers, wilson_interval

_DRAWS = 2000  # of the rate of false alarms; from a fixed seed: the same counts, the same answer
_SHARES, _DETECTIONS, _FALSE = 401, 15, 11  # values that are tried
_LEAST_LIKELY = math.exp(-(1.959964**2) / 2)  # of the likeliest: 95 %, as Wilks (1938) has it


@dataclass(frozen=True)
class Chances:
    """A rate as a Beta distribution: `hits` for, `misses` against."""

    hits: float
    misses: float

    @property
    def mean(self) -> float:
        return self.hits / (self.hits + self.misses)

    def draw(self, chance: np.random.Generator) -> Numbers:
        return np.asarray(chance.beta(self.hits, self.misses, _DRAWS), dtype=np.float64)


@dataclass(frozen=True)
class CopiedShare:
    """The share of copies among `judged` pictures, 0..1, and its 95 % interval.

    `counted` are those nearer than new pictures mostly are, each on its own. `rate` is None where
    nothing is known of the error rates (no calibration).
    """

    judged: int
    counted: int
    rate: float | None
    interval: tuple[float, float]


def false_alarm_chances(rank: int, calibration: int, flagged: int, trials: int) -> Chances:
    """The rate of false alarms of a border at the `rank`-th smallest of n calibration scores.

    That is Beta(k, n + 1 - k) whatever the scores' distribution (an order statistic), updated by
    `flagged` of `trials` new pictures that had no part in the calibration.
    """
    return Chances(rank + flagged, calibration + 1 - rank + trials - flagged)


def copied_share(
    judged: int,
    counted: int,
    false_alarms: Sequence[tuple[float, Chances]],
    found: int,
    planted: int,
) -> CopiedShare:
    """Estimate the share from `counted` of `judged` pictures.

    `false_alarms` are the rates by stratum with the stratum's weight in the set (sum 1); `found`
    of `planted` copies were counted in the audit. How a model's copies are disguised is not known:
    they are found at least as often as the planted ones (lower bound), at most always. The
    interval is of all shares that some such rate, and some rate of false alarms out of its own
    95 %, makes likely enough.
    """
    if not judged or not false_alarms or not planted:
        return CopiedShare(judged, counted, None, (0.0, 1.0))
    chance = np.random.default_rng(0)
    drawn = np.sum([weight * of.draw(chance) for weight, of in false_alarms], axis=0)  # (draws,)
    false = np.quantile(drawn, np.linspace(0.025, 0.975, _FALSE))
    shares = np.sin(np.linspace(0.0, np.pi / 2, _SHARES)) ** 2  # dense towards none and all
    likelihood = np.zeros(_SHARES)
    for detection in np.linspace(wilson_interval(found, planted)[0], 1.0, _DETECTIONS):
        # A copy is not counted less often than a new picture.
        gain = np.maximum(detection - false, 0.0)
        of_this = _binomial(counted, judged, shares[:, None] * gain + false)  # (shares, false)
        likelihood = np.maximum(likelihood, of_this.max(axis=1))
    likely = shares[likelihood >= _LEAST_LIKELY * likelihood.max()]
    low, high = float(likely.min()), float(likely.max())
    false_mean = sum(weight * of.mean for weight, of in false_alarms)
    mean_gain = max((1.0 + found / planted) / 2 - false_mean, 1e-9)
    rate = min(1.0, max(0.0, (counted / judged - false_mean) / mean_gain))
    return CopiedShare(judged, counted, min(high, max(low, rate)), (low, high))


def _binomial(hits: int, trials: int, rates: Numbers) -> Numbers:
    """The likelihood of each rate up to a factor: 1 at the rate that was seen."""
    rates = np.clip(rates, 1e-12, 1 - 1e-12)
    seen = min(max(hits / trials, 1e-12), 1 - 1e-12)
    log = hits * np.log(rates / seen) + (trials - hits) * np.log((1 - rates) / (1 - seen))
    return np.asarray(np.exp(log), dtype=np.float64)
