"""Collages: several pictures in one, in grids or unequal parts, with or without gaps."""

from dataclasses import dataclass, field

import numpy as np

from dataset.quality.border import Frame
from dataset.quality.seams import Lines, Seam, best_place, colour_count, seam, step_shares
from dataset.quality.view import View

# Above this score a picture counts as a collage.
COLLAGE_SCORE = 0.8

# Smaller pictures are not asked: at a few pixels a cell every edge looks like a seam.
_SMALLEST = 64
# No cell is thinner than this, in pixels at the common size of 144.
_THINNEST = 12
# How often the parts of a picture are cut again.
_DEPTH = 3
# What a line must reach at the common size before the full picture is asked about it.
_WORTH_ASKING = 0.13
# Strength of a seam that counts nothing, and in full.
_WEAK, _STRONG = 0.75, 1.45
# Strength of the weakest seam of a grid of drawings that counts in full.
_DRAWN = 1.9
# Beside the seam of two photographs there is texture and there are many colours.
_TEXTURE = (0.3, 0.5)
_COLOURS = (2.5, 5.0)
# Colours that every cell of a grid of drawings shows at least.
_CELL_COLOURS = 2.3

Box = tuple[int, int, int, int]  # left, top, right, bottom at the common size


@dataclass
class _Cuts:
    """What was found so far: seams with the share of the side that each runs along, and parts."""

    seams: list[tuple[int, float, Seam]] = field(default_factory=list)  # depth, length, seam
    quarters: list[Box] = field(default_factory=list)  # the parts of the parts


def collage_score(view: View, frame: Frame) -> float:
    """How surely a picture is several pictures, 0..1; `frame` around them is not looked at.

    The strongest straight line across the whole picture is where it is cut in two, and each part
    is cut again. Along a real seam the full picture jumps between two neighbouring pixels, at
    one and the same place along its whole length; edges in the world waver and fade.
    """
    height, width = view.luma.shape
    if min(height, width) < _SMALLEST:
        return 0.0
    sums = step_shares(view.planes), step_shares(view.planes.transpose(0, 2, 1))
    box = (
        int(np.ceil(frame.left * width)),
        int(np.ceil(frame.top * height)),
        width - int(np.ceil(frame.right * width)),
        height - int(np.ceil(frame.bottom * height)),
    )
    cuts = _Cuts()
    _cut(view, sums, box, 0, cuts)
    return max(_of_photographs(cuts), _of_drawings(view, cuts))


def _cut(view: View, sums: tuple[Lines, Lines], box: Box, depth: int, cuts: _Cuts) -> None:
    """Cut a box at its strongest line, and its parts again."""
    if depth == 2:
        cuts.quarters.append(box)
    left, top, right, bottom = box
    upright, x = best_place(sums[0], (top, bottom), (left, right), _THINNEST)
    level, y = best_place(sums[1], (left, right), (top, bottom), _THINNEST)
    if depth == _DEPTH or max(upright, level) < _WORTH_ASKING:
        return
    height, width = view.luma.shape
    rows, columns = view.pixels.shape[0] / height, view.pixels.shape[1] / width
    if upright >= level:
        found = seam(view.pixels, x * columns, (top * rows, bottom * rows), columns)
        length, parts = (bottom - top) / height, ((left, top, x, bottom), (x, top, right, bottom))
    else:
        turned = view.pixels.transpose(1, 0, 2)
        found = seam(turned, y * rows, (left * columns, right * columns), rows)
        length, parts = (right - left) / width, ((left, top, right, y), (left, y, right, bottom))
    if found.strength < _WEAK:
        return
    cuts.seams.append((depth, length, found))
    for part in parts:
        _cut(view, sums, part, depth + 1, cuts)


def _of_photographs(cuts: _Cuts) -> float:
    """Every seam adds its own evidence, as far as it is long and runs between photographs."""
    doubt = 1.0
    for _, length, found in cuts.seams:
        content = min(_ramp(found.texture, *_TEXTURE), _ramp(found.colours, *_COLOURS))
        doubt *= 1.0 - length * _ramp(found.strength, _WEAK, _STRONG) * content
    return 1.0 - doubt


def _of_drawings(view: View, cuts: _Cuts) -> float:
    """Flat drawings have neither texture nor many colours: there only a grid counts, and only
    one whose every cell shows several colours."""
    first = [found.strength for depth, _, found in cuts.seams if depth == 0]
    second = [found.strength for depth, _, found in cuts.seams if depth == 1]
    if not first or len(second) < 2:
        return 0.0
    score = _ramp(min(first + second), _WEAK, _DRAWN)
    if score < 0.5:
        return score
    for left, top, right, bottom in cuts.quarters:
        cell = view.planes[:, top + 3 : bottom - 3, left + 3 : right - 3].reshape(3, -1)
        if colour_count(cell.T) < _CELL_COLOURS:
            return 0.0
    return score


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
