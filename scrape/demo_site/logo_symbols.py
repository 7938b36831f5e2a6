"""Symbols on logos, by the words that a description uses; each fits the square from -1 to 1."""

from collections.abc import Callable

import numpy as np

from scrape.demo_site.canvas import Canvas, Point, ellipse, regular, shifted
from scrape.demo_site.colours import Colour

Painter = Callable[[Canvas, Colour], None]


def _star(canvas: Canvas, colour: Colour) -> None:
    outer, inner = regular(5, 1.0), regular(5, 0.42, 36)
    corners = np.stack([outer, inner], axis=1).reshape(-1, 2)  # outer and inner in turn
    canvas.polygon(shifted(corners, 0, 0.06), colour)


def _bolt(canvas: Canvas, colour: Colour) -> None:
    points = [(0.25, -1.0), (-0.6, 0.15), (-0.08, 0.15), (-0.28, 1.0), (0.6, -0.2), (0.08, -0.2)]
    canvas.polygon(points, colour)


def _leaf(canvas: Canvas, colour: Colour) -> None:
    outline = [(0.7, -0.8), (0.62, 0.1), (0.1, 0.52), (-0.44, 0.42), (-0.36, -0.18), (0.1, -0.62)]
    canvas.blob(outline, colour)
    canvas.line([(-0.35, 0.3), (-0.72, 0.75)], 0.16, colour)


def _waves(canvas: Canvas, colour: Colour) -> None:
    for y in (-0.35, 0.35):
        heights = (0.12, -0.22, 0.12, -0.22, 0.12)
        path = [(x, y + lift) for x, lift in zip((-0.95, -0.5, 0, 0.5, 0.95), heights, strict=True)]
        canvas.line(path, 0.3, colour)


def _mountains(canvas: Canvas, colour: Colour) -> None:
    peaks = [(-1, 0.7), (-0.42, -0.3), (-0.14, 0.14), (0.3, -0.75), (1, 0.7)]
    canvas.polygon(peaks, colour)


def _sun(canvas: Canvas, colour: Colour) -> None:
    canvas.disc(0, 0, 0.46, colour)
    for inner, outer in zip(regular(8, 0.64), regular(8, 0.96), strict=True):
        canvas.line([_point(inner), _point(outer)], 0.18, colour)


def _moon(canvas: Canvas, colour: Colour) -> None:
    angles = np.linspace(0.28 * np.pi, 1.72 * np.pi, 40)
    outer = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 0.9
    back = angles[::-1]
    inner = np.stack([np.cos(back) * 0.6 + 0.42, np.sin(back) * 0.76], axis=1)
    canvas.polygon(np.concatenate([outer, inner]), colour)


def _arrow(canvas: Canvas, colour: Colour) -> None:
    points = [(0, -0.95), (0.8, -0.05), (0.3, -0.05), (0.3, 0.9), (-0.3, 0.9), (-0.3, -0.05)]
    canvas.polygon([*points, (-0.8, -0.05)], colour)


def _flame(canvas: Canvas, colour: Colour) -> None:
    outline = [(0.1, -1.0), (0.42, -0.35), (0.6, -0.55), (0.68, 0.35), (0.0, 0.95)]
    canvas.blob([*outline, (-0.68, 0.35), (-0.5, -0.3), (-0.2, -0.1)], colour)


def _pine(canvas: Canvas, colour: Colour) -> None:
    for top, foot, half in ((-1.0, -0.3, 0.45), (-0.6, 0.15, 0.62), (-0.15, 0.62, 0.8)):
        canvas.polygon([(0, top), (half, foot), (-half, foot)], colour)
    canvas.polygon([(-0.14, 0.6), (0.14, 0.6), (0.14, 0.98), (-0.14, 0.98)], colour)


def _crown(canvas: Canvas, colour: Colour) -> None:
    points = [(-0.85, 0.65), (-0.95, -0.5), (-0.45, 0.0), (0, -0.75), (0.45, 0.0), (0.95, -0.5)]
    canvas.polygon([*points, (0.85, 0.65)], colour)


def _cross(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon([(-0.28, -0.85), (0.28, -0.85), (0.28, 0.85), (-0.28, 0.85)], colour)
    canvas.polygon([(-0.85, -0.28), (0.85, -0.28), (0.85, 0.28), (-0.85, 0.28)], colour)


def _ring(canvas: Canvas, colour: Colour) -> None:
    outer, inner = ellipse(0, 0, 0.85, 0.85), ellipse(0, 0, 0.45, 0.45)
    joined = np.concatenate([outer, outer[:1], inner[::-1][-1:], inner[::-1], outer[:1]])
    canvas.polygon(joined, colour)


SYMBOLS: dict[str, Painter] = {
    "a {colour} five-pointed star": _star,
    "a {colour} lightning bolt": _bolt,
    "a single {colour} leaf": _leaf,
    "two {colour} waves": _waves,
    "two {colour} mountain peaks": _mountains,
    "a {colour} sun with eight rays": _sun,
    "a {colour} crescent moon": _moon,
    "a {colour} arrow pointing up": _arrow,
    "a {colour} flame": _flame,
    "a {colour} pine tree": _pine,
    "a {colour} three-pointed crown": _crown,
    "a {colour} cross": _cross,
    "a {colour} ring": _ring,
}

# Capital letters as straight strokes.
_STROKES: dict[str, tuple[tuple[Point, Point], ...]] = {
    "A": (((-0.65, 0.8), (0, -0.8)), ((0, -0.8), (0.65, 0.8)), ((-0.38, 0.3), (0.38, 0.3))),
    "E": (
        ((-0.45, -0.8), (-0.45, 0.8)),
        ((-0.45, -0.8), (0.5, -0.8)),
        ((-0.45, 0), (0.35, 0)),
        ((-0.45, 0.8), (0.5, 0.8)),
    ),
    "F": (((-0.4, -0.8), (-0.4, 0.8)), ((-0.4, -0.8), (0.5, -0.8)), ((-0.4, 0), (0.35, 0))),
    "H": (((-0.55, -0.8), (-0.55, 0.8)), ((0.55, -0.8), (0.55, 0.8)), ((-0.55, 0), (0.55, 0))),
    "K": (((-0.5, -0.8), (-0.5, 0.8)), ((-0.5, 0.1), (0.5, -0.8)), ((-0.15, -0.15), (0.55, 0.8))),
    "L": (((-0.4, -0.8), (-0.4, 0.8)), ((-0.4, 0.8), (0.5, 0.8))),
    "M": (
        ((-0.7, 0.8), (-0.7, -0.8)),
        ((-0.7, -0.8), (0, 0.2)),
        ((0, 0.2), (0.7, -0.8)),
        ((0.7, -0.8), (0.7, 0.8)),
    ),
    "N": (((-0.55, 0.8), (-0.55, -0.8)), ((-0.55, -0.8), (0.55, 0.8)), ((0.55, 0.8), (0.55, -0.8))),
    "T": (((-0.65, -0.8), (0.65, -0.8)), ((0, -0.8), (0, 0.8))),
    "V": (((-0.65, -0.8), (0, 0.8)), ((0, 0.8), (0.65, -0.8))),
    "W": (
        ((-0.85, -0.8), (-0.45, 0.8)),
        ((-0.45, 0.8), (0, -0.4)),
        ((0, -0.4), (0.45, 0.8)),
        ((0.45, 0.8), (0.85, -0.8)),
    ),
    "Z": (((-0.55, -0.8), (0.55, -0.8)), ((0.55, -0.8), (-0.55, 0.8)), ((-0.55, 0.8), (0.55, 0.8))),
}
LETTERS = tuple(_STROKES)


def paint_letter(canvas: Canvas, letter: str, colour: Colour) -> None:
    for start, end in _STROKES[letter]:
        canvas.line([start, end], 0.36, colour)


def _point(row: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Point:
    return float(row[0]), float(row[1])
