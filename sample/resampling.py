"""The bootstrap: how far a figure would have come out otherwise with other pictures drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample.significance import wilson_interval

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]

_Z = 1.959964  # 95 %


@dataclass(frozen=True)
class Figure:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def resampled(count: int, replicates: int, seed: int, stream: int) -> Counts:
    """How often each of `count` pictures is taken, (replicates, count), rows summing to count.

    Every `stream` of a seed is another draw: one for each set of pictures.
    """
    random = np.random.default_rng([seed, stream])
    return random.multinomial(count, np.full(count, 1.0 / count), size=replicates)


def figure(value: float, replicated: Numbers, least: float, most: float = np.inf) -> Figure:
    """The value, and 1.96 standard deviations of its replicates to each side, within its range.

    Not the replicates' quantiles: pictures taken twice bias distances upwards (Efron & Tibshirani
    1993, chapter 10), so that those need not even contain the value.
    """
    half = _Z * float(np.std(replicated, ddof=1)) if len(replicated) > 1 else np.inf
    return Figure(value, max(least, value - half), min(most, value + half))


def share(value: float, replicated: Numbers, count: int) -> Figure:
    """The same of a share of `count` pictures, never narrower than Wilson's interval (1927).

    Of none or all of them every replicate is the same, which does not make the share certain.
    """
    found = figure(value, replicated, 0.0, 1.0)
    low, high = wilson_interval(round(value * count), count)
    return Figure(value, min(found.low, low), max(found.high, high))
