"""Scores that say what is wrong with a picture: nothing on it, or several pictures on it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.pixels import Pixels

# Below this contrast a picture counts as blank; above this score, as a collage.
BLANK_CONTRAST = 3.0
COLLAGE_SCORE = 0.8

# Side in pixels to which a picture is averaged before seams are looked for.
_SIDE = 144
# A colour step between neighbouring pixels that counts as an edge (levels of 255).
_STEP = 10
# Smaller pictures are not asked: at a few pixels a cell every edge looks like a seam.
_SMALLEST_COLLAGE = 64
# A cell of a collage shows something itself; the flat fields of a logo do not (levels of 255).
_CELL_CONTRAST = 6.0


def quality_scores(rgb: Pixels) -> dict[str, float]:
    """Scores of an (H, W, 3) uint8 picture.

    contrast: largest standard deviation of a channel, 0..128 (a blank picture is near 0).
    collage: 0..1, how surely the picture is a grid of pictures with straight seams.
    """
    planes = _reduced(rgb)
    contrast = max(float(plane.std()) for plane in planes)
    collage = _collage(planes) if min(rgb.shape[:2]) >= _SMALLEST_COLLAGE else 0.0
    return {"contrast": round(contrast, 4), "collage": round(collage, 4)}


def _reduced(rgb: Pixels) -> NDArray[np.int16]:
    """The picture averaged to (3, side, side) of int16, where a difference does not wrap."""
    image = Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    planes: NDArray[np.int16] = np.asarray(image).transpose(2, 0, 1).astype(np.int16)
    return planes


def _collage(planes: NDArray[np.int16]) -> float:
    """How surely a picture (3, side, side) is a regular grid of 2x2 to 4x4 pictures, 0..1.

    A seam runs straight across the whole picture where the colour jumps along nearly its whole
    length; every seam of the grid must be there, so the score is that of the weakest one. Every
    cell must show something.
    """
    across = _seams(np.abs(np.diff(planes, axis=2)).max(axis=0))
    down = _seams(np.abs(np.diff(planes, axis=1)).max(axis=0).T)
    best = 0.0
    for columns in (2, 3, 4):
        for rows in (2, 3, 4):
            score = min(_weakest(across, columns), _weakest(down, rows))
            if score > best and _cells_show_something(planes, columns, rows):
                best = score
    return best


def _seams(steps: NDArray[np.int16]) -> NDArray[np.float32]:
    """How far each line of steps (L, lines) stands out as an edge along its length, (lines,)."""
    edges = steps > _STEP
    near = edges[:, :-1] | edges[:, 1:]  # a seam between two pixels may blur over both
    share: NDArray[np.float32] = near.mean(axis=0, dtype=np.float32)
    # In a textured picture every line is full of edges: only what stands out is a seam.
    usual = np.float32(np.quantile(share, 0.8))
    standout: NDArray[np.float32] = (share - usual) / (1 - min(usual, np.float32(0.99)))
    return standout


def _weakest(strength: NDArray[np.float32], parts: int) -> float:
    """The weakest of the parts - 1 seams, each looked for within 2 % around its place."""
    reach = max(1, round(0.02 * _SIDE))
    places = [round(_SIDE * part / parts) - 1 for part in range(1, parts)]
    return min(float(strength[place - reach : place + reach + 1].max()) for place in places)


def _cells_show_something(planes: NDArray[np.int16], columns: int, rows: int) -> bool:
    """Whether every cell of the grid has contrast inside, away from its seams."""
    inset = round(0.03 * _SIDE)
    for row in range(rows):
        for column in range(columns):
            top, left = _SIDE * row // rows, _SIDE * column // columns
            bottom, right = _SIDE * (row + 1) // rows, _SIDE * (column + 1) // columns
            cell = planes[:, top + inset : bottom - inset, left + inset : right - inset]
            if max(float(plane.std()) for plane in cell) < _CELL_CONTRAST:
                return False
    return True
