"""The calibration: scores of pictures that the model never saw, by how intricate they are.

A plain drawing is near to everything; so it is compared with plain ones alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataset.pixels import Pixels
from sample.significance import Numbers, conformal_p

# Stratum names, by how many there are: from plain to intricate.
_NAMES = {1: ("all",), 2: ("plain", "intricate"), 3: ("plain", "middling", "intricate")}
MOST_STRATA = max(_NAMES)
_LEVEL_BITS = 5  # differences of fewer than 8 of 256 levels are grain, not drawing


@dataclass(frozen=True)
class Stratum:
    """Calibration ratios, (n,) ascending, of the pictures up to a complexity (bits a value)."""

    name: str
    up_to: float
    ratios: Numbers

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that this many calibration pictures can give."""
        return 1.0 / (len(self.ratios) + 1)

    def rank(self, p: float) -> int:
        """How many of the smallest ratios are spent at this p: the k-th smallest is the border."""
        return math.floor(p * (len(self.ratios) + 1) + 1e-9)

    def threshold(self, p: float) -> float | None:
        """A ratio below this has a p-value of at most `p`; None where no ratio has."""
        rank = self.rank(p)
        if rank < 1 or rank > len(self.ratios):
            return None
        return float(self.ratios[rank - 1])


@dataclass(frozen=True)
class Calibration:
    """The strata, from plain to intricate; the last reaches to infinity."""

    strata: Sequence[Stratum]

    @property
    def ratios(self) -> Numbers:
        """All calibration ratios, (n,) ascending."""
        return np.sort(np.concatenate([stratum.ratios for stratum in self.strata]))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that a picture of any stratum can reach."""
        return max(stratum.smallest_p for stratum in self.strata)

    def place(self, complexities: ArrayLike) -> NDArray[np.intp]:
        """The stratum's number, (B,), of each complexity."""
        borders = [stratum.up_to for stratum in self.strata[:-1]]
        return np.searchsorted(borders, np.asarray(complexities), side="left")

    def p_values(self, ratios: Numbers, complexities: ArrayLike) -> Numbers:
        """Conformal p-values, (B,), of each ratio within its stratum (Mondrian: Vovk 2003)."""
        places, p = self.place(complexities), np.ones(len(ratios))
        for number, stratum in enumerate(self.strata):
            of_it = places == number
            p[of_it] = conformal_p(ratios[of_it], stratum.ratios)
        return p

    def smallest(self, complexities: ArrayLike) -> Numbers:
        """The smallest p-value, (B,), that each picture could have had."""
        return np.array([stratum.smallest_p for stratum in self.strata])[self.place(complexities)]

    def joined(self, ratios: Numbers, complexities: ArrayLike) -> "Calibration":
        """With more scores of pictures known to be new, at the same borders."""
        places = self.place(complexities)
        return Calibration(
            [
                replace(
                    stratum, ratios=np.sort(np.append(stratum.ratios, ratios[places == number]))
                )
                for number, stratum in enumerate(self.strata)
            ]
        )


def calibrate(ratios: Numbers, complexities: Numbers, *, most: int, least: int) -> Calibration:
    """Cut n calibration scores into equal strata: at most `most`, none of fewer than `least`."""
    count = max(1, min(most, MOST_STRATA, len(ratios) // max(least, 1)))
    shares = np.arange(1, count) / count
    borders: list[float] = np.quantile(complexities, shares).tolist() if len(ratios) else []
    empty = [
        Stratum(name, up_to, np.empty(0))
        for name, up_to in zip(_NAMES[count], [*borders, math.inf], strict=True)
    ]
    return Calibration(empty).joined(ratios, complexities)


def complexity(pictures: Pixels) -> Numbers:
    """How much is drawn: bits a value, (B,), of (B, H, W, 3) uint8; 0 for a blank one.

    Shannon's entropy of the differences between neighbours, at 32 levels: about what a lossless
    file would take, without hanging on a compressor's version.
    """
    if not pictures.size:
        return np.zeros(len(pictures))
    coarse = (pictures >> (8 - _LEVEL_BITS)).astype(np.int16)
    across = np.diff(coarse, axis=2).reshape(len(pictures), -1)
    down = np.diff(coarse, axis=1).reshape(len(pictures), -1)
    return (_entropy(across) + _entropy(down)) / 2


def _entropy(differences: NDArray[np.int16]) -> Numbers:
    """Bits a value, (B,), of the empirical distribution of each row of (B, n)."""
    count, length = differences.shape
    if not count or not length:
        return np.zeros(count)
    span = 2 << _LEVEL_BITS
    slots = differences.astype(np.int64) + (1 << _LEVEL_BITS)
    slots += span * np.arange(count)[:, None]
    share = np.bincount(slots.ravel(), minlength=span * count).reshape(count, span) / length
    return np.asarray((share * np.log2(1.0 / np.where(share > 0, share, 1.0))).sum(axis=1))
