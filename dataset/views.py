"""Hashes of parts of a picture and of its mirror image, taken from its small luma.

A crop is found because the hash of the whole crop is near that of the same part of the picture.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.fingerprint import LUMA_SIDE

# Spans of one axis that a crop may have left (from, to; 0..1): with a twelfth of a side cut off
# anywhere, each end of the span that is left is within 2.5 % of the nearest of these.
_SPANS = ((0.0, 1.0), (0.0, 0.925), (0.0375, 0.9625), (0.075, 1.0), (0.075, 0.925))
_ORDER = 8
# Coefficients are known to about this much (levels of luma, summed over the DCT).
_DOUBT = 80.0
# And neighbouring averages to about this much (levels).
_DOUBTFUL_STEP = 2.0


@dataclass(frozen=True)
class View:
    """A part of a picture: its spans across and down, and whether it is mirrored."""

    across: tuple[float, float]
    down: tuple[float, float]
    is_mirrored: bool = False

    @property
    def is_whole(self) -> bool:
        return self.across == self.down == (0.0, 1.0)

    @property
    def warp(self) -> tuple[float, ...]:
        """(6,) of the affine map from this view's (x, y) in 0..1 to the picture's."""
        (left, right), (top, bottom) = self.across, self.down
        if self.is_mirrored:
            return (left - right, 0.0, right, 0.0, bottom - top, top)
        return (right - left, 0.0, left, 0.0, bottom - top, top)


# The whole picture comes first, its mirror image second.
VIEWS = (
    View(_SPANS[0], _SPANS[0]),
    View(_SPANS[0], _SPANS[0], is_mirrored=True),
    *(View(x, y) for x, y in itertools.product(_SPANS, _SPANS) if not x == y == _SPANS[0]),
)
WARPS = np.array([view.warp for view in VIEWS])  # (V, 6)


def view_codes(luma: NDArray[np.uint8], view: View) -> NDArray[np.uint64]:
    """The pHash of one view of (N, 32, 32) luma, (N,)."""
    low = _coefficients(luma, view)
    bits = low > np.median(low, axis=1)[:, None]
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def certain_bits(luma: NDArray[np.uint8], view: View = VIEWS[0]) -> NDArray[np.uint64]:
    """Which bits of a view's pHash are certain, (N,) words: the others lie so near the median
    that any change of the file may turn them, as half of them do in symmetric drawings."""
    low = _coefficients(luma, view)
    sure = np.abs(low - np.median(low, axis=1)[:, None]) > _DOUBT
    return np.packbits(sure, axis=1).view(">u8")[:, 0].astype(np.uint64)


def shape_codes(luma: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Which of 8x8 cells are brighter than halfway between the darkest and the brightest, (N,)."""
    cells = luma.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)
    halfway = (cells.min(axis=1) + cells.max(axis=1)) / 2
    return np.packbits(cells > halfway[:, None], axis=1).view(">u8")[:, 0].astype(np.uint64)


def second_distances(
    mine: NDArray[np.float64], theirs: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """In how many bits dHash (of 64) and 256-bit pHash of luma that lies over each other, twice
    (N, 32, 32), differ: certain bits alone, (N,) and (N,)."""
    steps = [np.diff(_averages(8) @ luma @ _averages(9).T, axis=2) for luma in (mine, theirs)]
    coarse = _opposed(steps[0], steps[1], _DOUBTFUL_STEP)
    basis = np.cos(np.pi * np.arange(16)[:, None] * (np.arange(LUMA_SIDE) + 0.5) / LUMA_SIDE)
    low = [(basis @ luma @ basis.T).reshape(len(luma), 256) for luma in (mine, theirs)]
    above = [values - np.median(values, axis=1)[:, None] for values in low]
    return coarse, _opposed(above[0], above[1], _DOUBT)


def _opposed(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], doubt: float
) -> NDArray[np.int64]:
    """How many values have opposite signs and are none too small on either side, (N,)."""
    opposed = (mine * theirs < 0) & (np.minimum(np.abs(mine), np.abs(theirs)) > doubt)
    counts: NDArray[np.int64] = opposed.sum(axis=tuple(range(1, opposed.ndim)))
    return counts


def _averages(count: int) -> NDArray[np.float64]:
    """What takes 32 values to `count` averages of equal spans, (count, 32)."""
    edges = np.arange(LUMA_SIDE + 1) / LUMA_SIDE
    spans = np.arange(count + 1) / count
    cover = np.clip(edges, spans[:-1, None], spans[1:, None])
    averages: NDArray[np.float64] = np.diff(cover, axis=1) * count
    return averages


def _coefficients(luma: NDArray[np.uint8], view: View) -> NDArray[np.float64]:
    """The lowest 8x8 DCT coefficients of a part of (N, 32, 32) luma, (N, 64)."""
    rows = _basis(view.down)
    columns = _basis(view.across)
    if view.is_mirrored:
        columns = columns * np.where(np.arange(_ORDER) % 2, -1.0, 1.0)[:, None]
    low = np.matmul(rows, np.matmul(luma.astype(np.float64), columns.T))  # (N, 8, 8)
    coefficients: NDArray[np.float64] = low.reshape(len(luma), _ORDER * _ORDER)
    return coefficients


def _basis(span: tuple[float, float]) -> NDArray[np.float64]:
    """The DCT-II over a part of an axis of 32 pixels, (8, 32), in the scale of the whole.

    The cosine is integrated over what each pixel has in the span; for the whole axis the sinc
    that this brings is divided out again, which leaves the DCT-II itself.
    """
    start, end = span
    width = end - start
    edges = np.clip(np.arange(LUMA_SIDE + 1) / LUMA_SIDE, start, end)
    order = np.arange(1, _ORDER)[:, None]
    sines = np.sin(np.pi * order * (edges - start) / width)
    basis = np.empty((_ORDER, LUMA_SIDE))
    basis[0] = np.diff(edges)
    basis[1:] = np.diff(sines, axis=1) * width / (np.pi * order)
    basis[1:] /= np.sinc(order / (2 * LUMA_SIDE * width))
    return basis * (LUMA_SIDE / width)
