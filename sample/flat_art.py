"""Flat art: a drawing in a few colours, enlarged with edges that stay sharp.

Each pixel is a share of one colour and a share of another, as antialiasing left it. These shares
are enlarged, not the colours, and the greatest wins: edges lie where they lay, as sharp as drawn.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.pixels import Pixels
from sample.lab import Floats, distance, lab, neighbourhood

_MOST_COLOURS = 12
_NEAR = 10.0  # Lab: colours nearer than this are one
_PLAIN, _PLAIN_SIDES = 6.0, 5  # a pixel like so many of its nine (itself included) is of one colour
_UNEXPLAINED = 15.0  # Lab: farther from every mixture, a pixel is of a colour of its own
_COUNTED = 700  # pixels that are compared with each other to find the most frequent colour
_FOREIGN = 15.0  # Lab: what a mixture of colours counts as off, of which one is not seen near by
_PADDING = 2
_FIRST = 4  # times that shares are enlarged before they are softened


@dataclass(frozen=True)
class FlatArt:
    """A drawing as shares (H, W, K) of K colours (K, 3) in 0..255; what is left is transparent.

    `off` (H, W) is how far in Lab each pixel lies from what it is taken for.
    """

    colours: Floats
    shares: Floats
    off: Floats

    def enlarged(self, times: int, *, softness: float) -> Pixels:
        """(H * times, W * times, 4) of the colours alone, without any smoothing.

        `softness` is the standard deviation, in pixels of the drawing, of what is averaged before
        the greatest share is found: more makes smoother edges, and loses thin lines.
        """
        nothing = 1.0 - self.shares.sum(axis=2, keepdims=True)
        planes = np.concatenate([self.shares, nothing], axis=2)
        large = [_enlarged(plane, times, softness) for plane in np.moveaxis(planes, 2, 0)]
        best = np.stack(large).argmax(axis=0)
        painted = np.column_stack([self.colours, np.full(len(self.colours), 255.0)])
        painted = np.rint(np.concatenate([painted, np.zeros((1, 4))]))
        pixels: Pixels = painted.astype(np.uint8)[best]
        return pixels


def flat_art(picture: Pixels) -> FlatArt:
    """(H, W, 4) uint8, straight alpha, taken for flat art; `off` tells how well that fits."""
    rgb, alpha = picture[..., :3].astype(np.float64), picture[..., 3:] / 255.0
    seen, there = lab(rgb), picture[..., 3] >= 128
    colours = _plain_colours(rgb, seen, there)
    plain = len(colours)
    least = _least_pixels(there)
    while len(colours) < _MOST_COLOURS:
        shares, off = _shares(rgb, seen, there, colours)
        odd = there & (off > _UNEXPLAINED)
        if odd.sum() < least:
            break
        farthest = seen[odd][off[odd].argmax()]
        alike = distance(seen[odd], farthest) < _NEAR
        colours = np.concatenate([colours, rgb[odd][alike].mean(axis=0, keepdims=True)])
    colours = _without_mixtures(colours, plain)
    shares, off = _shares(rgb, seen, there, colours)
    return FlatArt(colours, shares * alpha, np.where(there, off, 0.0))


def _least_pixels(there: NDArray[np.bool_]) -> float:
    """How many pixels a colour must have."""
    return max(3.0, 0.003 * float(there.sum()))


def _plain_colours(rgb: Floats, seen: Floats, there: NDArray[np.bool_]) -> Floats:
    """The colours (K, 3) of areas, the most frequent first; one at least."""
    alike = distance(neighbourhood(seen, 1), seen[:, :, None]) < _PLAIN
    plain = there & (alike.sum(axis=2) > _PLAIN_SIDES)
    points, values = seen[plain], rgb[plain]
    found: list[Floats] = []
    while len(points) >= _least_pixels(there) and len(found) < _MOST_COLOURS:
        some = points[:: max(1, len(points) // _COUNTED)]
        crowded = (distance(some[:, None], some[None]) < _NEAR).sum(axis=1).argmax()
        apart = distance(points, some[crowded])
        found.append(np.median(values[apart < _NEAR], axis=0))
        points, values = points[apart >= 1.6 * _NEAR], values[apart >= 1.6 * _NEAR]
    if not found:
        drawn = rgb[there] if there.any() else rgb.reshape(-1, 3)
        found.append(np.median(drawn, axis=0))
    return np.stack(found)


def _without_mixtures(colours: Floats, plain: int) -> Floats:
    """Colours (K, 3) without those after the first `plain` that two others explain: what was taken
    for a colour before these were known."""
    kept = list(range(len(colours)))
    for one in reversed(range(plain, len(colours))):
        others = [k for k in kept if k != one]
        mixed = [
            colours[a] + share * (colours[b] - colours[a])
            for a, b in combinations(others, 2)
            for share in np.linspace(0.1, 0.9, 9)
        ]
        if mixed and distance(lab(np.stack(mixed)), lab(colours[one])).min() < _NEAR:
            kept = others
    return colours[kept]


def _shares(
    rgb: Floats, seen: Floats, there: NDArray[np.bool_], colours: Floats
) -> tuple[Floats, Floats]:
    """Shares (H, W, K) and how far each pixel is off, (H, W): of one colour where that is near,
    else of the two that explain it best."""
    known = lab(colours)
    apart = distance(seen[:, :, None], known)  # (H, W, K)
    nearest, off = apart.argmin(axis=2), apart.min(axis=2)
    shares = np.eye(len(colours))[nearest]
    around = neighbourhood(np.where(there, nearest, -1), 2)
    present = np.stack([(around == k).any(axis=2) for k in range(len(colours))], axis=2)
    open_ = there & (off > 0.5 * _NEAR)
    for one, other in combinations(range(len(colours)), 2):
        seen_near = present[open_][:, [one, other]].all(axis=1)
        way = colours[other] - colours[one]
        share = ((rgb[open_] - colours[one]) @ way / max(float(way @ way), 1.0)).clip(0.0, 1.0)
        mixed = lab(colours[one] + share[:, None] * way)
        there_off = distance(mixed, seen[open_]) + np.where(seen_near, 0.0, _FOREIGN)
        better = np.zeros_like(open_)
        better[open_] = there_off < off[open_]
        chosen = better[open_]
        off[better] = there_off[chosen]
        shares[better] = 0.0
        shares[better, one], shares[better, other] = 1.0 - share[chosen], share[chosen]
    return shares, off


def _enlarged(plane: Floats, times: int, softness: float) -> NDArray[np.float32]:
    """(H, W) enlarged and softened, the border repeated beyond itself."""
    padded = np.pad(plane, _PADDING, mode="edge").astype(np.float32)
    size = np.array([padded.shape[1], padded.shape[0]])
    first = Image.fromarray(padded).resize(tuple(_FIRST * size), Image.Resampling.LANCZOS)
    if softness > 0.0:
        first = Image.fromarray(_softened(np.asarray(first), softness * _FIRST))
    large = np.asarray(first.resize(tuple(times * size), Image.Resampling.BICUBIC))
    cut = _PADDING * times
    return large[cut:-cut, cut:-cut]


def _softened(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """(H, W) under a Gaussian of `sigma` pixels."""
    reach = math.ceil(3.0 * sigma)
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    weights = (weights / weights.sum()).astype(np.float32)
    for _ in range(2):  # down, then across
        padded = np.pad(plane, ((reach, reach), (0, 0)), mode="edge")
        moved = (weight * padded[i : i + len(plane)] for i, weight in enumerate(weights))
        plane = np.ascontiguousarray(sum(moved, np.zeros_like(plane)).T)
    return plane
