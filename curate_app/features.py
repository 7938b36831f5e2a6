"""Numbers that a picture can be told by, from what the catalogue stores of it: nothing is decoded.

Layout, edges and texture come from the 32x32 luma of its fingerprint, colours from the 16x16 colour
differences, the rest from its quality scores, its size and its file.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.appearances import AppearanceBlock
from dataset.fingerprint import COLOUR_SIDE, LUMA_SIDE, Looks

Floats = NDArray[np.floating[Any]]

# Scores that follow from the size are left out: that is there already.
MEASURES = (
    *("contrast", "brightness", "dark", "bright", "entropy", "flatness", "detail", "upscaled"),
    *("sharpness", "text", "watermark", "border", "collage", "compression", "content"),
)
# What a group of features is called for people, by its name.
GROUPS = {
    "layout": "light and shade",
    "edges": "shapes",
    "texture": "detail",
    "places": "where colours are",
    "colours": "colours",
    "scores": "quality scores",
    "file": "size and file",
}

_LOW = 8  # frequencies of the layout, a side
_CELLS = 4  # of edges and of places, a side
_BANDS = 8  # of the spectrum
_HUES = 12
_GREYS = 8
_WIDEST = 4.0  # robust standard deviations; what lies beyond says no more


@dataclass(frozen=True)
class Columns:
    """Which columns belong to which group: slices by the group's name, in order."""

    slices: dict[str, slice]

    @property
    def width(self) -> int:
        return max((part.stop for part in self.slices.values()), default=0)


def raw_features(block: AppearanceBlock) -> dict[str, Floats]:
    """The features of B pictures by group, each (B, D of the group), not scaled yet."""
    return {**look_features(block.looks), **_fact_features(block)}


def look_features(looks: Looks) -> dict[str, Floats]:
    """The features that B looks alone give, by group: (B, D of the group)."""
    luma = looks["luma"].astype(np.float32) / 255
    colour = (looks["colour"].astype(np.float32) - 128) / 64
    spectrum = _spectrum(luma)
    return {
        "layout": np.ascontiguousarray(spectrum[:, :_LOW, :_LOW].reshape(len(luma), -1)),
        "edges": _edges(luma),
        "texture": _texture(spectrum),
        "places": _cell_means(colour),
        "colours": _colours(luma, colour),
    }


def _spectrum(luma: Floats) -> Floats:
    """The two-dimensional DCT-II of each picture, orthonormal: (B, 32, 32)."""
    basis = _dct_basis(LUMA_SIDE)
    spectrum: Floats = basis @ luma @ basis.T
    return spectrum


@functools.cache
def _dct_basis(side: int) -> Floats:
    places = (np.arange(side) + 0.5) / side
    basis = np.cos(np.pi * np.arange(side)[:, None] * places) * np.sqrt(2 / side)
    basis[0] /= np.sqrt(2)
    single: Floats = basis.astype(np.float32)
    return single


def _edges(luma: Floats) -> Floats:
    """Strength and directions of the edges in 4x4 cells, against those of the picture: (B, 80).

    The first Fourier coefficients of the histograms of directions of a HOG (Dalal, Triggs 2005).
    """
    across, down = np.zeros_like(luma), np.zeros_like(luma)
    across[:, :, 1:-1] = luma[:, :, 2:] - luma[:, :, :-2]
    down[:, 1:-1] = luma[:, 2:] - luma[:, :-2]
    strength = np.hypot(across, down)
    safe = np.maximum(strength, 1e-6)
    # Twice and four times the angle: an edge has no sign.
    cos2, sin2 = (across**2 - down**2) / safe, 2 * across * down / safe
    cos4, sin4 = (cos2**2 - sin2**2) / safe, 2 * cos2 * sin2 / safe
    parts = np.stack([_cells(part) for part in (strength, cos2, sin2, cos4, sin4)], axis=-1)
    level = strength.mean(axis=(1, 2)) + 0.02
    parts = parts.reshape(len(luma), -1) / level[:, None]
    rooted: Floats = np.sign(parts) * np.sqrt(np.abs(parts))
    return rooted


def _cells(values: Floats) -> Floats:
    """The means of 4x4 cells: (B, S, S) becomes (B, 4, 4)."""
    return _reduced(values, _CELLS)


def _reduced(values: Floats, side: int) -> Floats:
    """Averages (B, S, S) to (B, side, side), as two products, which is fast."""
    pooling = _pooling(values.shape[1], side)
    means: Floats = pooling @ values @ pooling.T
    return means


@functools.cache
def _pooling(length: int, side: int) -> Floats:
    """(side, length): the mean of each part of a line."""
    pooling: Floats = np.eye(side, dtype=np.float32).repeat(length // side, axis=1)
    pooling *= np.float32(side / length)
    return pooling


def _cell_means(colour: Floats) -> Floats:
    return np.concatenate([_cells(colour[..., i]).reshape(len(colour), -1) for i in (0, 1)], axis=1)


def _texture(spectrum: Floats) -> Floats:
    """Energy by frequency, from coarse to fine, and how much of it runs across: (B, 9)."""
    rows, columns = np.indices((LUMA_SIDE, LUMA_SIDE))
    radius = np.hypot(rows, columns)
    edges = np.geomspace(1, LUMA_SIDE * 1.42, _BANDS + 1)
    energy = (spectrum**2).reshape(len(spectrum), -1)
    bands = [
        ((radius >= low) & (radius < high)).ravel().astype(np.float32)
        for low, high in itertools.pairwise(edges)
    ]
    wide = ((columns > rows) & (radius >= 1)).ravel().astype(np.float32)
    tall = ((rows > columns) & (radius >= 1)).ravel().astype(np.float32)
    sums = np.log(energy @ np.stack([*bands, wide, tall], axis=1) + 1e-4)
    return np.concatenate([sums[:, :-2], (sums[:, -2] - sums[:, -1])[:, None]], axis=1)


def _colours(luma: Floats, colour: Floats) -> Floats:
    """Hues, greys and moments, wherever they are in the picture: (B, 33)."""
    parts = _reduced(luma, COLOUR_SIDE), colour[..., 0], colour[..., 1]
    grey, blue, red = (part.reshape(len(luma), -1) for part in parts)  # (B, 256) each
    strength = np.hypot(blue, red)
    turn = (np.arctan2(red, blue) * np.float32(_HUES / (2 * np.pi))) % _HUES
    hues = np.sqrt(_histogram(turn, strength, _HUES, is_round=True))
    greys = _histogram(grey * (_GREYS - 1), np.ones_like(grey), _GREYS)
    moments = [m for part in (grey, blue, red, strength) for m in _moments(part)]
    plain = (strength < 0.1).mean(axis=1)
    return np.concatenate(
        [hues, greys, np.stack([*moments, plain], axis=1)], axis=1, dtype=np.float32
    )


def _histogram(places: Floats, weights: Floats, bins: int, is_round: bool = False) -> Floats:
    """Mean weights (B, bins) of values (B, P) by place 0..bins - 1, each shared by its two
    nearest bins; the last one is beside the first where it is round."""
    count, pixels = places.shape
    lower = places.astype(np.int32)
    share = (places - lower) * weights
    start = np.arange(count, dtype=np.int32)[:, None] * bins
    upper = (lower + 1) % bins if is_round else np.minimum(lower + 1, bins - 1)
    lower = lower % bins if is_round else np.clip(lower, 0, bins - 1)
    sums = np.bincount((lower + start).ravel(), (weights - share).ravel(), count * bins)
    sums += np.bincount((upper + start).ravel(), share.ravel(), count * bins)
    found: Floats = np.maximum(sums, 0).reshape(count, bins) / pixels
    return found


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, deviation and the cube root of the third moment, each (B,)."""
    mean = values.mean(axis=1)
    away = values - mean[:, None]
    square = away * away
    return mean, np.sqrt(square.mean(axis=1)), np.cbrt((square * away).mean(axis=1))


def _fact_features(block: AppearanceBlock) -> dict[str, Floats]:
    width, height = block.width.astype(np.float64), block.height.astype(np.float64)
    weight = block.byte_count / (width * height)
    file = [np.log(width * height), np.log(width / height), np.log(weight), block.has_alpha]
    scores = block.scores.copy()
    content = MEASURES.index("content")
    scores[:, content] = np.log(np.maximum(scores[:, content], 1))
    # What is not known counts as usual, and that it is not known is a feature of its own.
    unknown = np.isnan(scores).astype(np.float32)
    return {
        "scores": np.concatenate([scores, unknown], axis=1),
        "file": np.stack(file, axis=1).astype(np.float32),
    }


class Standard:
    """Scales features to a like size, robustly, as a sample of the pictures has them.

    A group counts as much as another one, however many columns it has: the expected square of a
    group's row is 1.
    """

    def __init__(self, sample: Sequence[dict[str, Floats]]) -> None:
        names = list(sample[0]) if sample else []
        self._scales: dict[str, tuple[Floats, Floats]] = {}
        slices, start = {}, 0
        for name in names:
            middle, scale = _robust_scale(np.concatenate([part[name] for part in sample]))
            self._scales[name] = middle, scale / np.float32(np.sqrt(max(1, (scale > 0).sum())))
            slices[name] = slice(start, start + len(middle))
            start += len(middle)
        self.columns = Columns(slices)

    def scaled(self, features: dict[str, Floats]) -> Floats:
        """(B, D) float32 of the groups' features; NaN (not known) becomes 0, the usual."""
        parts = []
        for name, (middle, scale) in self._scales.items():
            # The share of each column is in the scale: what lies too far away is cut off by it.
            root = np.float32(_WIDEST / np.sqrt(max(1, (scale > 0).sum())))
            part = np.clip((features[name] - middle) * scale, -root, root)
            parts.append(np.nan_to_num(part, copy=False, nan=0.0))
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _robust_scale(values: Floats) -> tuple[Floats, Floats]:
    """The medians (D,) and one over the deviations (D,) by quartiles; 0 for what never changes.

    Where most are alike, such as transparency, the standard deviation stands in.
    """
    known = ~np.isnan(values)
    usable = known.any(axis=0)
    filled = np.where(usable, values, 0)
    low, middle, high = np.nanpercentile(filled, [25, 50, 75], axis=0).astype(np.float32)
    spread = (high - low) / np.float32(1.349)
    deviation = np.nanstd(filled, axis=0).astype(np.float32)
    spread = np.where(spread > 0.1 * deviation, spread, deviation)
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0)
    return middle, scale.astype(np.float32)
