"""Scores that say what is wrong with a picture: nothing on it, or several pictures on it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.phash import REDUCED_SIDE, reduced
from dataset.pixels import Pixels

# Below this contrast a picture counts as blank; above this score, as a collage.
BLANK_CONTRAST = 3.0
COLLAGE_SCORE = 0.8

# Side in pixels to which a picture is averaged before seams are looked for; every grid divides it.
_SIDE = REDUCED_SIDE
# A colour step between neighbouring pixels that counts as an edge (levels of 255).
_STEP = 10
# Smaller pictures are not asked: at a few pixels a cell every edge looks like a seam.
_SMALLEST_COLLAGE = 64
# A cell of a collage shows something itself; the flat fields of a logo do not (levels of 255).
_CELL_CONTRAST = 6.0
# Columns and rows of the grids that are looked for.
_GRIDS = (2, 3, 4)


def quality_scores(rgb: Pixels) -> dict[str, float]:
    """Scores of an (H, W, 3) uint8 picture.

    contrast: largest standard deviation of a channel, 0..128 (a blank picture is near 0).
    collage: 0..1, how surely the picture is a grid of pictures with straight seams.
    """
    return reduced_scores(reduced(Image.fromarray(rgb)))


def reduced_scores(image: Image.Image) -> dict[str, float]:
    """The same scores of a picture that `dataset.phash.reduced` has made."""
    square = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    collage = _collage(_planes(square)) if min(image.size) >= _SMALLEST_COLLAGE else 0.0
    return {"contrast": round(_contrast(square), 4), "collage": round(collage, 4)}


def _planes(image: Image.Image) -> NDArray[np.int16]:
    """The channels of an image as (3, H, W) of int16, where a difference does not wrap."""
    return np.stack([np.asarray(plane) for plane in image.split()]).astype(np.int16)


def _contrast(image: Image.Image) -> float:
    """The largest standard deviation of a channel, from its histogram."""
    counts = np.array(image.histogram(), np.float64).reshape(3, 256)
    levels = np.arange(256.0)
    shares = counts / counts[0].sum()
    means = shares @ levels
    variances = (shares * (levels - means[:, None]) ** 2).sum(axis=1)
    return float(np.sqrt(variances.max()))


def _collage(planes: NDArray[np.int16]) -> float:
    """How surely a picture (3, side, side) is a regular grid of 2x2 to 4x4 pictures, 0..1.

    A seam runs straight across the whole picture where the colour jumps along nearly its whole
    length; every seam of the grid must be there, so the score is that of the weakest one. Every
    cell must show something.
    """
    across = _seams(_edges(planes, axis=2))
    down = _seams(_edges(planes, axis=1).T)
    columns = {parts: _weakest(across, parts) for parts in _GRIDS}
    rows = {parts: _weakest(down, parts) for parts in _GRIDS}
    grids = [(min(columns[c], rows[r]), c, r) for c in _GRIDS for r in _GRIDS]
    for score, column_count, row_count in sorted(grids, reverse=True):
        if score <= 0:
            break
        if _cells_show_something(planes, column_count, row_count):
            return score
    return 0.0


def _edges(planes: NDArray[np.int16], axis: int) -> NDArray[np.bool_]:
    """Where a channel jumps between neighbours along `axis`, (side, side - 1) or turned."""
    steps = np.abs(np.diff(planes, axis=axis))
    edges: NDArray[np.bool_] = np.logical_or.reduce(steps > _STEP, axis=0)
    return edges


def _seams(edges: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far each line of edges (L, lines) stands out along its length, (lines - 1,)."""
    near = edges[:, :-1] | edges[:, 1:]  # a seam between two pixels may blur over both
    share = near.mean(axis=0, dtype=np.float32)
    # In a textured picture every line is full of edges: only what stands out is a seam.
    usual = _quantile(share, 0.8)
    standout: NDArray[np.float32] = (share - usual) / (1 - min(usual, np.float32(0.99)))
    return standout


def _quantile(values: NDArray[np.float32], share: float) -> np.float32:
    """numpy's linear quantile, without the generality that costs most of its time."""
    ordered = np.sort(values)
    below, part = divmod(share * (len(ordered) - 1), 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return np.float32(low + (high - low) * np.float32(part))


def _weakest(strength: NDArray[np.float32], parts: int) -> float:
    """The weakest of the parts - 1 seams, each looked for within 2 % around its place."""
    reach = max(1, round(0.02 * _SIDE))
    places = [round(_SIDE * part / parts) - 1 for part in range(1, parts)]
    return min(float(strength[place - reach : place + reach + 1].max()) for place in places)


def _cells_show_something(planes: NDArray[np.int16], columns: int, rows: int) -> bool:
    """Whether every cell of the grid has contrast inside, away from its seams."""
    inset = round(0.03 * _SIDE)
    cells = planes.reshape(3, rows, _SIDE // rows, columns, _SIDE // columns)
    inner = cells[:, :, inset:-inset, :, inset:-inset]  # (3, rows, h, columns, w)
    contrast = inner.std(axis=(2, 4)).max(axis=0)  # (rows, columns)
    return bool((contrast >= _CELL_CONTRAST).all())
