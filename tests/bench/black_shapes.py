"""Shapes drawn in black on nothing: all alike to whoever drops the alpha."""

import math
from collections.abc import Callable, Iterator

from PIL import Image, ImageDraw

_SIDE = 256
_BLACK, _NOTHING = (0, 0, 0, 255), (0, 0, 0, 0)
_Pen = ImageDraw.ImageDraw


def black_shapes() -> Iterator[tuple[str, Image.Image]]:
    """Name and picture, RGBA, 256 pixels a side."""
    for name, draw in _SHAPES.items():
        image = Image.new("RGBA", (_SIDE, _SIDE), _NOTHING)
        draw(ImageDraw.Draw(image))
        yield name, image


def _star(pen: _Pen, points: int, inner: float) -> None:
    corners = []
    for n in range(2 * points):
        angle, radius = math.pi * (n / points - 0.5), 116 * (inner if n % 2 else 1.0)
        corners.append((128 + radius * math.cos(angle), 128 + radius * math.sin(angle)))
    pen.polygon(corners, fill=_BLACK)


def _ring(pen: _Pen, width: int) -> None:
    pen.ellipse((12, 12, 244, 244), fill=_BLACK)
    pen.ellipse((12 + width, 12 + width, 244 - width, 244 - width), fill=_NOTHING)


def _bars(pen: _Pen, boxes: list[tuple[int, int, int, int]]) -> None:
    for box in boxes:
        pen.rectangle(box, fill=_BLACK)


def _words(pen: _Pen, text: str) -> None:
    pen.text((128, 128), text, fill=_BLACK, font_size=340 / len(text), anchor="mm")


_SHAPES: dict[str, Callable[[_Pen], None]] = {
    "circle": lambda pen: pen.ellipse((12, 12, 244, 244), fill=_BLACK),
    "ellipse": lambda pen: pen.ellipse((12, 80, 244, 176), fill=_BLACK),
    "half": lambda pen: pen.pieslice((12, 12, 244, 244), 0, 180, fill=_BLACK),
    "three quarters": lambda pen: pen.pieslice((12, 12, 244, 244), 30, 300, fill=_BLACK),
    "square": lambda pen: pen.rectangle((40, 40, 216, 216), fill=_BLACK),
    "rounded": lambda pen: pen.rounded_rectangle((16, 60, 240, 196), 50, fill=_BLACK),
    "bar": lambda pen: pen.rectangle((12, 108, 244, 148), fill=_BLACK),
    "pillar": lambda pen: pen.rectangle((108, 12, 148, 244), fill=_BLACK),
    "triangle": lambda pen: pen.polygon([(128, 16), (240, 236), (16, 236)], fill=_BLACK),
    "wedge": lambda pen: pen.polygon([(16, 16), (240, 16), (128, 236)], fill=_BLACK),
    "arrow": lambda pen: pen.polygon([(16, 16), (236, 128), (16, 236), (70, 128)], fill=_BLACK),
    "diamond": lambda pen: pen.polygon([(128, 12), (220, 128), (128, 244), (36, 128)], fill=_BLACK),
    "star": lambda pen: _star(pen, 5, 0.4),
    "sun": lambda pen: _star(pen, 12, 0.7),
    "spark": lambda pen: _star(pen, 4, 0.25),
    "ring": lambda pen: _ring(pen, 40),
    "thin ring": lambda pen: _ring(pen, 14),
    "cross": lambda pen: _bars(pen, [(104, 16, 152, 240), (16, 104, 240, 152)]),
    "stripes": lambda pen: _bars(pen, [(16, y, 240, y + 30) for y in range(20, 240, 64)]),
    "columns": lambda pen: _bars(pen, [(x, 16, x + 30, 240) for x in range(20, 240, 64)]),
    "corner": lambda pen: _bars(pen, [(24, 24, 80, 232), (24, 176, 232, 232)]),
    "stairs": lambda pen: _bars(
        pen, [(16 + 56 * n, 184 - 56 * n, 72 + 56 * n, 240) for n in range(4)]
    ),
    "A": lambda pen: _words(pen, "A"),
    "B": lambda pen: _words(pen, "B"),
    "word": lambda pen: _words(pen, "Shop"),
    "long word": lambda pen: _words(pen, "Pedigree"),
}
