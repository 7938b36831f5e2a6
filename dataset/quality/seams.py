"""Seams: straight lines where one picture ends and another begins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels
from dataset.quality.view import Planes, evenly

Lines = NDArray[np.float32]

# Pixels over which a step is taken at the common size: a seam may blur over two of them.
_REACH = 3
# Of the pixels along a seam, every second is looked at at the common size.
_EVERY = 2
# The first seam that `step_shares` tells of lies this many pixels from the border.
FIRST = _REACH + 2
# Parts of its length in which a seam is looked for; the second and third weakest count.
_PARTS = 6
# Added to a step before it is compared with its surroundings (levels of 255).
_NOISE = 12.0
# Points along a seam. Steps of 1 to 3 pixels, how far away the steps are that they are compared
# with, and what they reach at least: in a sharp seam, one that was scaled down, one that was scaled
# up, and at a gap so narrow that its other side lies near.
_POINTS = 160
_SHARP = ((1, 1, 0.35), (2, 2, 0.45), (3, 3, 0.55), (1, 3, 0.45))
# Change along a seam that counts as texture (levels of 255).
_TEXTURE = 2


@dataclass(frozen=True)
class Seam:
    """One seam as the full picture shows it: `strength` is about 1 for the weakest real ones.

    `texture` is the share of its length that has texture on the busier side, `colours` the
    number of colours there (the exponential of their entropy).
    """

    strength: float
    texture: float
    colours: float


def step_shares(planes: Planes) -> Lines:
    """How far a step stands out, summed down each column: (h / 2 + 1, w - 9), the first row is 0.

    Every second row is looked at. A step of `_REACH` pixels counts by how much larger it is than
    those beside it, so that texture, which steps everywhere, counts little.
    """
    rows = np.ascontiguousarray(planes[:, ::_EVERY])
    away = np.abs(rows[:, :, _REACH:] - rows[:, :, :-_REACH])
    step = np.maximum(np.maximum(away[0], away[1]), away[2])
    sums = np.zeros((step.shape[0] + 1, step.shape[1] - 2 * _REACH), np.float32)
    np.cumsum(_standing_out(step, _REACH), axis=0, out=sums[1:])
    return sums


def _standing_out(step: NDArray[np.int16], apart: int) -> Lines:
    """(lines, places) steps against the mean of those `apart` before and after, 0..1.

    The mean, for the other side of a narrow gap is as strong a step on one side.
    """
    beside = (step[:, : -2 * apart] + step[:, 2 * apart :]) >> 1
    middle = step[:, apart:-apart]
    more: Lines = np.maximum(middle - beside, 0) / (middle + np.float32(_NOISE))
    return more


def best_place(
    sums: Lines, along: tuple[int, int], across: tuple[int, int], margin: int
) -> tuple[float, int]:
    """The strongest straight line from along[0] to along[1] and where it is; (0, 0) if none."""
    low = max(0, across[0] + margin - FIRST)
    high = min(sums.shape[1], across[1] - margin - FIRST + 1)
    if high <= low or along[1] - along[0] < 2 * _EVERY * _PARTS:
        return 0.0, 0
    ends = evenly(along[0] // _EVERY, along[1] // _EVERY, _PARTS + 1)
    part = np.diff(sums[ends, low:high], axis=0) / np.diff(ends)[:, None].astype(np.float32)
    mean = part.mean(axis=0)
    weak = np.sort(part, axis=0)[1:3].mean(axis=0)
    lines = 0.5 * mean + 0.5 * weak
    # A picture of stripes has strong lines everywhere: what counts is to stand out.
    usual = float(np.sort(mean)[len(mean) // 2])
    best = int(lines.argmax())
    return float(lines[best]) - usual, low + best + FIRST


def seam(pixels: Pixels, place: float, along: tuple[float, float], blur: float) -> Seam:
    """The seam near column `place`, from row along[0] to along[1], of the full picture.

    `blur` is how many pixels of it make one at the common size.
    """
    height, width = pixels.shape[:2]
    reach = int(np.ceil(1.5 * blur)) + 2 + 6
    left, right = max(0, round(place) - reach), min(width, round(place) + reach + 1)
    rows = evenly(int(along[0]), int(max(along[0], along[1] - 2)), _POINTS)
    strip = pixels[rows, left:right].astype(np.int16)  # (points, columns, 3)
    strength, column, size = 0.0, 0, 1
    for steps, apart, sharp in _SHARP:
        if strip.shape[1] <= steps + 2 * apart:
            continue
        lines = _line_strengths(strip, steps, apart) / sharp
        best = int(lines.argmax())
        if lines[best] > strength:
            strength, column, size = float(lines[best]), best + apart, steps
    before, after = max(0, column - 2), min(strip.shape[1] - 1, column + size + 2)
    below = pixels[np.minimum(rows + 1, height - 1), left:right].astype(np.int16)
    texture = max(
        float((np.abs(below[:, side] - strip[:, side]).max(axis=1) >= _TEXTURE).mean())
        for side in (before, after)
    )
    colours = max(colour_count(strip[:, side]) for side in (before, after))
    return Seam(strength, texture, colours)


def _line_strengths(strip: NDArray[np.int16], steps: int, apart: int) -> Lines:
    """(places,) how fully steps of `steps` pixels stand out along each line of a strip."""
    away = np.abs(strip[:, steps:] - strip[:, :-steps])
    step = np.maximum(np.maximum(away[..., 0], away[..., 1]), away[..., 2])
    out = _standing_out(step, apart)
    parts = np.add.reduceat(out, np.arange(0, _POINTS, -(-_POINTS // _PARTS)), axis=0)
    parts /= np.float32(_POINTS / _PARTS)
    lines: Lines = 0.5 * out.mean(axis=0) + 0.5 * np.sort(parts, axis=0)[1:3].mean(axis=0)
    return lines


def colour_count(colours: NDArray[np.int16]) -> float:
    """How many of 512 colours (n, 3) pixels have: 1 for one, n for n equally frequent ones."""
    coarse = colours >> 5
    counts = np.bincount(coarse[:, 0] * 64 + coarse[:, 1] * 8 + coarse[:, 2])
    shares = counts[counts > 0] / len(colours)
    return float(np.exp(-(shares * np.log(shares)).sum()))
