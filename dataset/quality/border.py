"""Borders: bars of one colour along the sides, with a straight edge to the picture."""

from dataclasses import dataclass

import numpy as np

from dataset.pixels import Pixels
from dataset.quality.view import View, evenly

# Points along a side, and the share of the picture that a border is looked for in.
_POINTS = 64
_DEEPEST = 0.16
# Mean distance from its middle colour that the outermost line may have, and that a further line
# of the border may have: JPEG lets the picture bleed into it (levels of 255).
_OUTERMOST = 7.0
_SAME = 12.0
# A step from the border to the picture (levels of 255), the lines that it may take, and the share
# of the side that makes it.
_STEP = 20
_BLEEDING = 5
_STRAIGHT = 0.75


@dataclass(frozen=True)
class Frame:
    """How surely there is a border, 0..1, and how deep it is on each side, as shares of 1."""

    score: float
    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


def frame(view: View) -> Frame:
    """The border around a picture, or on two opposite sides of it."""
    if not view.is_judged:
        return Frame(0.0)
    pixels = view.pixels
    columns, rows = pixels.transpose(1, 0, 2), pixels
    left, top = _side(columns), _side(rows)
    right, bottom = _side(columns[::-1]), _side(rows[::-1])
    across, down = min(left[0], right[0]), min(top[0], bottom[0])
    return Frame(
        max(across, down),
        left=left[1] if left[0] > 0.5 else 0.0,
        right=right[1] if right[0] > 0.5 else 0.0,
        top=top[1] if top[0] > 0.5 else 0.0,
        bottom=bottom[1] if bottom[0] > 0.5 else 0.0,
    )


def _side(lines: Pixels) -> tuple[float, float]:
    """How surely the first lines (lines, length, 3) are a border, and its share of all lines."""
    count, length = lines.shape[:2]
    # The corners belong to the border of another side.
    points = evenly(17 * length // 100, 83 * length // 100, _POINTS)
    first = lines[0, points].astype(np.int16)
    colour = np.sort(first, axis=0)[_POINTS // 2]
    if np.abs(first - colour).max(axis=1).mean() > _OUTERMOST:
        return 0.0, 0.0
    deep = max(_BLEEDING + 4, int(count * _DEEPEST))
    away = np.abs(lines[:deep, points].astype(np.int16) - colour)  # (deep, points, 3)
    differs = np.maximum(np.maximum(away[..., 0], away[..., 1]), away[..., 2])
    plain = differs.mean(axis=1, dtype=np.float32) <= _SAME
    depth = int(np.argmin(plain))
    if depth == 0 or depth + 2 > len(plain):  # 0 too when all lines are plain
        return 0.0, 0.0
    beyond = differs[depth : depth + _BLEEDING].max(axis=0) > _STEP
    parts = beyond.reshape(4, -1).mean(axis=1)
    straight = 0.5 * float(beyond.mean()) + 0.5 * float(parts.min())
    return min(1.0, straight / _STRAIGHT), depth / count
