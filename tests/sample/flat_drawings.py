"""Small antialiased flat drawings, as a model of 32 px draws them, for the tests of stickers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dataset.pixels import Pixels

WHITE, RED, BLUE, BLACK = (255, 255, 255), (214, 40, 57), (29, 92, 190), (20, 20, 24)
Colour = tuple[int, int, int]
_FINE = 16  # times that a drawing is made larger first


def flat(draw: Callable[[ImageDraw.ImageDraw], None], ground: Colour, side: int = 32) -> Pixels:
    """What `draw` leaves on a canvas of 512, made small: (side, side, 3)."""
    canvas = Image.new("RGB", (32 * _FINE, 32 * _FINE), ground)
    draw(ImageDraw.Draw(canvas))
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX))


def ring(ground: Colour = WHITE, colour: Colour = RED, side: int = 32) -> Pixels:
    """A ring, its hole of the ground's colour."""

    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.ellipse((72, 72, 440, 440), fill=colour)
        pen.ellipse((190, 190, 322, 322), fill=ground)

    return flat(draw, ground, side)


def two_colours(ground: Colour = WHITE, side: int = 32) -> Pixels:
    """A blue bar over a red disc."""

    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.ellipse((80, 80, 430, 430), fill=RED)
        pen.rectangle((200, 60, 300, 450), fill=BLUE)

    return flat(draw, ground, side)


def tile(ground: Colour = (255, 190, 11), colour: Colour = WHITE) -> Pixels:
    """A white bar on a colour of its own that goes to the border."""
    return flat(lambda pen: pen.rectangle((150, 200, 360, 300), fill=colour), ground)


def fading(side: int = 32) -> Pixels:
    """A ground that goes over into what is on it."""
    down, across = np.indices((side, side)) - (side - 1) / 2.0
    light = 255.0 - 200.0 * np.exp(-(down**2 + across**2) / (0.09 * side**2))
    return np.repeat(np.rint(light).astype(np.uint8)[..., None], 3, axis=2)


def noise(side: int = 32, seed: int = 0) -> Pixels:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (side, side, 3)).astype(np.uint8)


def save(folder: Path, pictures: dict[str, Pixels]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / name)
    return folder
