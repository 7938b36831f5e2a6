"""A supersampled drawing surface with unit coordinates: the short side runs from -1 to 1."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scrape.demo_site.colours import Colour

Point = tuple[float, float]
Outline = NDArray[np.float64]  # (N, 2) points, x to the right and y down

_OVERSAMPLE = 3
_CIRCLE = np.linspace(0, 2 * np.pi, 48, endpoint=False)


@dataclass(frozen=True)
class Pose:
    """Where a drawing stands: shift in units, size, turn in degrees, mirrored left to right."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    turn: float = 0.0
    mirrored: bool = False


class Canvas:
    """Flat shapes on one colour, or on nothing (`background=None` gives an RGBA picture)."""

    def __init__(
        self, width: int, height: int, background: Colour | None, pose: Pose | None = None
    ) -> None:
        size = (width * _OVERSAMPLE, height * _OVERSAMPLE)
        self._transparent = background is None
        mode = "RGBA" if background is None else "RGB"
        self._image = Image.new(mode, size, background or (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)
        self._centre = np.array(size) / 2
        self._unit = min(size) / 2
        self.pose = pose or Pose()

    def polygon(self, points: Sequence[Point] | Outline, fill: Colour) -> None:
        self._draw.polygon(self._place(points), fill=fill)

    def ellipse(
        self, x: float, y: float, across: float, down: float, fill: Colour, turn: float = 0.0
    ) -> None:
        """An ellipse around (x, y) with the half axes `across` and `down`, turned clockwise."""
        self.polygon(ellipse(x, y, across, down, turn), fill)

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        self.ellipse(x, y, radius, radius, fill)

    def blob(self, points: Sequence[Point], fill: Colour) -> None:
        """A closed smooth shape through `points`."""
        self.polygon(smooth(points, closed=True), fill)

    def line(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """A smooth line of even `width` through `points`, with round ends."""
        path = smooth(points, closed=False) if len(points) > 2 else np.array(points)
        pixels = width * self.pose.scale * self._unit
        placed = self._place(path)
        self._draw.line(placed, fill=fill, width=max(round(pixels), 1), joint="curve")
        for x, y in (placed[0], placed[-1]):
            half = pixels / 2
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    @contextmanager
    def moved(self, x: float, y: float, scale: float) -> Iterator[None]:
        """In the block, (0, 0) is the present (x, y) and lengths are `scale` times as long."""
        outer = self.pose
        start = np.array([[-x if outer.mirrored else x, y]])
        shift = turned(start, outer.turn)[0] * outer.scale
        self.pose = Pose(
            x=outer.x + float(shift[0]),
            y=outer.y + float(shift[1]),
            scale=outer.scale * scale,
            turn=outer.turn,
            mirrored=outer.mirrored,
        )
        try:
            yield
        finally:
            self.pose = outer

    @contextmanager
    def inside(self, *outlines: Outline) -> Iterator[None]:
        """Whatever is drawn in the block shows only inside the outlines."""
        mask = Image.new("L", self._image.size, 0)
        stencil = ImageDraw.Draw(mask)
        for outline in outlines:
            stencil.polygon(self._place(outline), fill=255)
        below, self._image = self._image, self._image.copy()
        self._draw = ImageDraw.Draw(self._image)
        try:
            yield
        finally:
            below.paste(self._image, (0, 0), mask)
            self._image = below
            self._draw = ImageDraw.Draw(self._image)

    def finished(self) -> Image.Image:
        """The picture at its real size."""
        if self._transparent:  # averaged with premultiplied alpha, so that edges get no dark rim
            return self._image.convert("RGBa").reduce(_OVERSAMPLE).convert("RGBA")
        return self._image.reduce(_OVERSAMPLE)

    def _place(self, points: Sequence[Point] | Outline) -> list[Point]:
        """Unit coordinates to pixels of the supersampled surface."""
        outline = np.array(points, dtype=np.float64)
        if self.pose.mirrored:
            outline = outline * (-1.0, 1.0)
        placed = turned(outline, self.pose.turn) * self.pose.scale + (self.pose.x, self.pose.y)
        pixels = placed * self._unit + self._centre
        return [(float(x), float(y)) for x, y in pixels]


def turned(outline: Outline, degrees: float) -> Outline:
    """`outline` turned clockwise around the origin."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    rotated: Outline = outline @ np.array([[cosine, sine], [-sine, cosine]])
    return rotated


def ellipse(x: float, y: float, across: float, down: float, turn: float = 0.0) -> Outline:
    circle = np.stack([np.cos(_CIRCLE) * across, np.sin(_CIRCLE) * down], axis=1)
    return shifted(turned(circle, turn), x, y)


def shifted(outline: Outline, x: float, y: float) -> Outline:
    moved: Outline = outline + np.array([x, y])
    return moved


def regular(corners: int, radius: float, turn: float = 0.0) -> Outline:
    """A regular polygon with its first corner on top."""
    angles = np.arange(corners) * 2 * np.pi / corners - np.pi / 2
    return turned(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), turn)


def smooth(points: Sequence[Point] | Outline, *, closed: bool, steps: int = 8) -> Outline:
    """A Catmull-Rom curve through `points`, as (N, 2) points."""
    knots = np.array(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    pieces = []
    for t in np.linspace(0, 1, steps, endpoint=False):
        pieces.append(
            0.5
            * (
                2 * start
                + (end - before) * t
                + (2 * before - 5 * start + 4 * end - after) * t**2
                + (3 * start - before - 3 * end + after) * t**3
            )
        )
    curve = np.stack(pieces, axis=1).reshape(-1, 2)  # (knots * steps, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])
