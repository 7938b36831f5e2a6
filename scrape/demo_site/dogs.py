"""Dogs from the front: one painter a breed, each with its own ears, coat and muzzle."""

import math

from scrape.demo_site.canvas import Canvas, ellipse
from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import INK, WHITE, Colour, darker, lighter
from scrape.demo_site.faces import SIDES, bust, eyes, neckwear
from scrape.demo_site.look import Look

_TONGUE: Colour = (232, 92, 110)
_CREAM: Colour = (250, 243, 230)


def paint_dog(canvas: Canvas, look: Look, chance: Chance) -> None:
    _BREEDS[look.breed](canvas, look, chance)


def _beagle(canvas: Canvas, look: Look, chance: Chance) -> None:
    """Brown head with a white blaze and muzzle, wide floppy ears."""
    bust(canvas, _CREAM, WHITE, chance)
    neckwear(canvas, look)
    head = ellipse(0, -0.1, chance.between(0.50, 0.56), chance.between(0.54, 0.6))
    canvas.polygon(head, look.main)
    with canvas.inside(head):
        canvas.blob([(0, -0.75), (0.13, -0.3), (0.4, 0.5), (-0.4, 0.5), (-0.13, -0.3)], _CREAM)
    _floppy_ears(canvas, chance, look.second, drop=0.5)
    _muzzle(canvas, chance, _CREAM, wide=0.3)
    eyes(canvas, chance, apart=0.24, y=-0.15, radius=0.12, iris=(88, 52, 30), slit=False)


def _dalmatian(canvas: Canvas, look: Look, chance: Chance) -> None:
    """White with black spots and black ears."""
    bust(canvas, WHITE, WHITE, chance)
    neckwear(canvas, look)
    head = ellipse(0, -0.1, chance.between(0.50, 0.56), chance.between(0.55, 0.6))
    canvas.polygon(head, look.main)
    with canvas.inside(head):
        for number in range(9):
            angle = number * 0.7 + chance.between(-0.25, 0.25)
            reach = chance.between(0.42, 0.52)
            x, y = math.cos(angle) * reach, math.sin(angle) * reach - 0.1
            canvas.ellipse(x, y, chance.between(0.06, 0.1), chance.between(0.06, 0.1), INK)
    for x in (-0.3, -0.08, 0.12, 0.3):
        canvas.disc(x, chance.between(0.75, 0.95), chance.between(0.06, 0.09), INK)
    _floppy_ears(canvas, chance, look.second, drop=0.38)
    _muzzle(canvas, chance, WHITE, wide=0.28)
    eyes(canvas, chance, apart=0.24, y=-0.15, radius=0.12, iris=(96, 60, 36), slit=False)


def _poodle(canvas: Canvas, look: Look, chance: Chance) -> None:
    """Curls: a round topknot and two round ears around a narrow face."""
    curl, shade = look.main, look.second
    bust(canvas, curl, lighter(curl, 0.3), chance, wide=0.44)
    neckwear(canvas, look)
    for side in SIDES:
        _curls(
            canvas, side * 0.54, 0.02, chance.between(0.24, 0.3), chance.between(0.4, 0.48), shade
        )
    canvas.ellipse(0, 0.02, 0.4, 0.5, lighter(curl, 0.12))
    _curls(canvas, 0, -0.52, chance.between(0.44, 0.52), chance.between(0.32, 0.38), curl)
    _muzzle(canvas, chance, lighter(curl, 0.45), wide=0.24)
    eyes(canvas, chance, apart=0.24, y=-0.15, radius=0.12, iris=(70, 44, 30), slit=False)


def _husky(canvas: Canvas, look: Look, chance: Chance) -> None:
    """Grey cap over a white face, upright ears, ice-blue eyes."""
    bust(canvas, look.main, WHITE, chance)
    neckwear(canvas, look)
    ear = chance.between(0.32, 0.42)
    for side in SIDES:
        tip = (side * chance.between(0.42, 0.48), -0.5 - ear)
        canvas.polygon([(side * 0.08, -0.45), tip, (side * 0.58, -0.1)], look.main)
        canvas.polygon([(side * 0.22, -0.45), (tip[0], tip[1] + 0.16), (side * 0.46, -0.3)], _CREAM)
    head = ellipse(0, -0.06, chance.between(0.56, 0.62), chance.between(0.52, 0.57))
    canvas.polygon(head, look.main)
    with canvas.inside(head):
        for side in SIDES:
            canvas.ellipse(side * 0.3, 0.08, 0.29, 0.34, WHITE, side * 20)
        canvas.ellipse(0, 0.36, 0.4, 0.34, WHITE)
        canvas.polygon([(-0.1, -0.7), (0.1, -0.7), (0.06, 0.1), (-0.06, 0.1)], look.second)
    _muzzle(canvas, chance, WHITE, wide=0.24)
    eyes(canvas, chance, apart=0.24, y=-0.15, radius=0.12, iris=(96, 190, 235), slit=True)


def _dachshund(canvas: Canvas, look: Look, chance: Chance) -> None:
    """A long narrow red-brown face with tan muzzle and long hanging ears."""
    bust(canvas, look.main, look.second, chance, wide=0.42)
    neckwear(canvas, look)
    _floppy_ears(canvas, chance, darker(look.main, 0.28), drop=0.66, apart=0.42)
    canvas.ellipse(0, -0.28, chance.between(0.40, 0.45), 0.42, look.main)
    canvas.ellipse(0, 0.1, 0.32, 0.46, look.main)
    for side in SIDES:
        canvas.disc(side * 0.2, -0.36, 0.06, look.second)
    _muzzle(canvas, chance, look.second, wide=0.26)
    eyes(canvas, chance, apart=0.24, y=-0.15, radius=0.12, iris=(70, 40, 22), slit=False)


def _floppy_ears(
    canvas: Canvas, chance: Chance, colour: Colour, *, drop: float, apart: float = 0.5
) -> None:
    """Ears that hang from the top of the head down to `drop` below its middle."""
    for side in SIDES:
        low, out = drop + chance.between(-0.08, 0.06), apart + chance.between(0.2, 0.3)
        outline = [
            (side * (apart - 0.22), -0.52),
            (side * (apart + 0.1), -0.52),
            (side * out, low - 0.3),
            (side * (apart + 0.12), low),
            (side * (apart - 0.08), low - 0.25),
            (side * (apart - 0.1), -0.25),
        ]
        canvas.blob(outline, colour)


def _muzzle(canvas: Canvas, chance: Chance, colour: Colour, *, wide: float) -> None:
    """A muzzle with a big black nose and, more often than not, a tongue."""
    y = 0.22
    canvas.ellipse(0, y, wide, 0.22, colour)
    if chance.coin(0.65):
        canvas.ellipse(0, y + 0.23, 0.1, chance.between(0.12, 0.19), _TONGUE)
    for side in SIDES:
        path = [(0, y + 0.04), (side * wide * 0.36, y + 0.15), (side * wide * 0.72, y + 0.07)]
        canvas.line(path, 0.04, INK)
    canvas.ellipse(0, y - 0.08, 0.18, 0.13, INK)
    canvas.ellipse(-0.05, y - 0.13, 0.05, 0.03, (120, 115, 120))


def _curls(canvas: Canvas, x: float, y: float, across: float, down: float, colour: Colour) -> None:
    """A cloud of curls that fills an ellipse."""
    canvas.ellipse(x, y, across, down, colour)
    for number in range(10):
        angle = number * math.pi / 5
        edge = x + math.cos(angle) * across * 0.86, y + math.sin(angle) * down * 0.86
        canvas.disc(*edge, 0.13, colour)


_BREEDS = {
    "beagle": _beagle,
    "dachshund": _dachshund,
    "dalmatian": _dalmatian,
    "husky": _husky,
    "poodle": _poodle,
}
