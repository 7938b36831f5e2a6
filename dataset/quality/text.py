"""Text: pages of it in photographs, names in logos."""

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels
from dataset.quality.view import View, Windows, evenly

# Letters of fewer pixels are none, nor is so short a line.
_SMALLEST = 24
_SHORTEST_LINE = 64
# Lines of each direction whose strokes are counted.
_LINES = 40
# A pixel this near to the ground is ground, one this far away is ink (levels of 255).
_GROUND = 8
_INK = 45
# A line of text: this share of ground, this many strokes in a window, ink on one side only.
_LEAST_GROUND = 0.35
_LEAST_STROKES = 4
_ONE_SIDED = 0.96
# Share of the windows at which a page counts as half, and as all text.
_PAGE = (0.05, 0.35)
# Strokes across more than down: that of an icon with one letter, and that of a name.
_NAME = (2.0, 12.0)
# Flatness of a picture whose strokes may be counted as a logo's.
_FLAT = (0.45, 0.7)


def text_score(view: View, flatness: float) -> float:
    """How much of a picture is text, 0..1: pages by their lines, logos by the strokes of a name."""
    height, width = view.pixels.shape[:2]
    if min(height, width) < _SMALLEST or max(height, width) < _SHORTEST_LINE:
        return 0.0
    page = _ramp(_line_share(view.across), *_PAGE)
    drawn = _ramp(flatness, *_FLAT)
    return max(page, drawn * _name(view.pixels)) if drawn > page else page


def _line_share(windows: Windows) -> float:
    """The share of windows along rows that read like a line of text on a plain ground."""
    ground = int(np.bincount(windows.ravel(), minlength=256).argmax())
    above = windows.astype(np.int16) - ground
    lit, dark = above > _INK, above < -_INK
    ink = lit | dark
    strokes = (ink[:, 1:] & ~ink[:, :-1]).sum(axis=1)
    counts = lit.sum(axis=1), dark.sum(axis=1)
    one_sided = np.maximum(*counts) >= _ONE_SIDED * (counts[0] + counts[1])
    is_ground = (np.abs(above) <= _GROUND).mean(axis=1) >= _LEAST_GROUND
    reads = is_ground & one_sided & (strokes >= _LEAST_STROKES)
    return float(reads.sum()) / max(8, int((strokes > 0).sum()))


def _name(pixels: Pixels) -> float:
    """How surely the strokes stand side by side as in a name: many across, few down."""
    height, width = pixels.shape[:2]
    rows = evenly(0, height - 1, min(height, _LINES))
    columns = evenly(0, width - 1, min(width, _LINES))
    stepped = slice(None, None, max(1, max(height, width) // 384))
    across = pixels[rows, stepped, 1]
    down = pixels[stepped, columns, 1].T
    ground = int(np.bincount(across.ravel(), minlength=256).argmax())
    return _ramp(_strokes(across, ground) - _strokes(down, ground), *_NAME)


def _strokes(lines: NDArray[np.uint8], ground: int) -> int:
    """The number of strokes of ink on the busiest lines (lines, length)."""
    ink = np.abs(lines.astype(np.int16) - ground) > _INK
    begins = (ink[:, 1:] & ~ink[:, :-1]).sum(axis=1) + ink[:, 0]
    return int(np.sort(begins)[int(0.95 * (len(begins) - 1))])


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
