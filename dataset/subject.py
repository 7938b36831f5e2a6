"""Where the subject of a picture lies: the square of the short side that keeps most of it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Saliency = NDArray[np.float64]

# The short side of the copy that is looked at, at least, and its long side, at most; pixels.
_SIDE, _LONGEST = 32, 128
# Share of what the best window keeps that another one must keep to be as good.
_AS_GOOD = 0.97
# What noise makes of a flat colour, in 0..255 levels.
_NOISE = 12.0
# So many standard deviations from the border's colours are as unlike as can be; less of it counts
# more than its share, so that a small gaudy thing does not outweigh a large dull one.
_UNLIKE, _UNLIKE_POWER = 4.0, 0.7
# How far from the middle, in shares of half a side, the prior falls to 0.6.
_PRIOR = 0.8
# What colours without an edge count, against the strongest edge.
_WITHOUT_EDGE = 0.3


def subject_place(image: Image.Image) -> float:
    """Where the square of the short side goes along the long side of an RGB or RGBA image: 0 is
    the left or top, 0.5 the middle, 1 the right or bottom.

    It stays 0.5 where that keeps as much of the subject as any other place. Of several places as
    good it is the one that has the subject nearest to its own middle. Of a mirrored picture it is
    1 - place to about a pixel of the small copy, but for two subjects that are the same: the one
    on the left or top is taken.
    """
    width, height = image.size
    if width == height:
        return 0.5
    profile = saliency(image).sum(axis=0 if width > height else 1)
    return _best_place(profile, len(profile) * min(width, height) / max(width, height))


def saliency(image: Image.Image) -> Saliency:
    """How much each place of a small copy draws the eye, (h, w), at least 0.

    Colours unlike those of the border count where they make edges, and more near the middle; of a
    picture that can be seen through, all that is opaque counts alike.
    """
    small = _small(image)
    if small.mode == "RGBA":
        return np.asarray(small)[:, :, 3] / 255.0
    colours = _opponent(np.asarray(small).astype(np.float64))  # (h, w, 3)
    drawn = _unlike_border(colours) * (_WITHOUT_EDGE + _edges(colours)) * _prior(*colours.shape[:2])
    return np.maximum(drawn - np.median(drawn), 0.0)


def _best_place(profile: Saliency, window: float) -> float:
    """Where a window of `window` cells keeps most of `profile` (n,), 0 to 1."""
    cells = np.arange(len(profile) + 1)
    sums = np.concatenate([[0.0], np.cumsum(profile)])
    if sums[-1] <= 0.0 or window >= len(profile):
        return 0.5
    places = np.linspace(0.0, 1.0, 257)
    starts = places * (len(profile) - window)
    kept = np.interp(starts + window, cells, sums) - np.interp(starts, cells, sums)

    good = kept >= _AS_GOOD * kept.max()
    if good[len(places) // 2]:
        return 0.5

    # The middle of what the best window sees is where a window is wanted.
    best = starts[np.argmax(kept - 1e-9 * sums[-1] * np.abs(places - 0.5))]
    seen = np.minimum(cells[1:], best + window) - np.maximum(cells[:-1], best)
    mass = profile * np.clip(seen, 0.0, 1.0)
    wanted = ((cells[:-1] + 0.5) * mass).sum() / mass.sum() - window / 2

    away = np.abs(starts - np.clip(wanted, starts[0], starts[-1]))
    away[~good] = np.inf
    nearest = places[away <= away.min() + 1e-9]
    return float(nearest[np.argmin(np.abs(nearest - 0.5))])


def _small(image: Image.Image) -> Image.Image:
    """Averaged over whole blocks; what is left over is cut off at both ends."""
    short, long = sorted(image.size)
    block = max(1, short // _SIDE)
    x, y = (max(block, long // _LONGEST) if side == long else block for side in image.size)
    width, height = image.width // x * x, image.height // y * y
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.reduce((x, y), (left, top, left + width, top + height))


def _opponent(rgb: Saliency) -> Saliency:
    """Luma (ITU-R BT.601) and two colour differences, (h, w, 3) in 0..255 levels."""
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    return np.stack([luma, rgb[..., 2] - luma, rgb[..., 0] - luma], axis=-1)


def _unlike_border(colours: Saliency) -> Saliency:
    """How unlike the colours of the picture's border each place is (Mahalanobis), (h, w), 0..1."""
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])  # (n, 3)
    apart = border - border.mean(axis=0)
    spread = apart.T @ apart / len(border) + _NOISE**2 * np.eye(3)
    away = colours - border.mean(axis=0)
    distance = np.sqrt(((away @ np.linalg.inv(spread)) * away).sum(axis=-1))
    return np.asarray(np.minimum(distance / _UNLIKE, 1.0) ** _UNLIKE_POWER)


def _edges(colours: Saliency) -> Saliency:
    """How much the colours change around each place, (h, w), 0..1."""
    edges = np.zeros(colours.shape[:2])
    down = np.abs(np.diff(colours, axis=0)).sum(axis=2)
    across = np.abs(np.diff(colours, axis=1)).sum(axis=2)
    edges[:-1] += down
    edges[1:] += down
    edges[:, :-1] += across
    edges[:, 1:] += across
    return np.asarray(edges / (edges.max() + 6 * _NOISE))


def _prior(height: int, width: int) -> Saliency:
    """Higher in the middle, where people put their subjects, (h, w)."""
    down, across = (
        np.exp(-0.5 * (((np.arange(side) + 0.5) / side * 2 - 1) / _PRIOR) ** 2)
        for side in (height, width)
    )
    return np.outer(down, across)
