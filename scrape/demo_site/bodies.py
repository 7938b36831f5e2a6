"""Bird, fish, horse and turtle from the side, drawn looking to the right."""

from scrape.demo_site.canvas import Canvas, Outline, ellipse, smooth
from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import INK, WHITE, Colour, darker, lighter
from scrape.demo_site.look import Look

_BEAK: Colour = (247, 168, 40)


def paint_bird(canvas: Canvas, look: Look, chance: Chance) -> None:
    feather, belly = look.main, look.second
    wide, tall = chance.between(0.56, 0.64), chance.between(0.5, 0.56)
    lift = chance.between(-0.15, 0.1)
    for x in (-0.14, 0.14):
        canvas.line([(x, 0.5), (x, 0.86), (x + 0.14, 0.88)], 0.08, darker(_BEAK, 0.2))
    tail = [(-0.35, -0.05), (-0.92, lift - 0.1), (-0.92, lift + 0.22), (-0.35, 0.35)]
    canvas.polygon(tail, darker(feather, 0.35))
    x, y, radius = (
        chance.between(0.22, 0.3),
        chance.between(-0.4, -0.32),
        chance.between(0.36, 0.42),
    )
    reach = x + radius + chance.between(0.24, 0.32)
    canvas.polygon([(x + 0.26, y - 0.14), (reach, y + 0.05), (x + 0.26, y + 0.2)], _BEAK)
    if look.accessory == "crest":
        canvas.polygon([(x - 0.25, y - 0.2), (x - 0.3, y - 0.58), (x + 0.15, y - 0.3)], feather)
    body = ellipse(-0.02, 0.14, wide, tall, -10)
    canvas.polygon(body, feather)
    canvas.disc(x, y, radius, feather)
    with canvas.inside(body):
        canvas.ellipse(0.3, 0.42, 0.5, 0.38, belly, -30)
    canvas.ellipse(-0.2, 0.12, 0.4, 0.26, darker(feather, 0.32), chance.between(-25, 20))
    canvas.disc(x + 0.1, y - 0.05, 0.14, WHITE)
    canvas.disc(x + 0.13, y - 0.04, 0.085, INK)


def paint_fish(canvas: Canvas, look: Look, chance: Chance) -> None:
    scale, fin = look.main, look.second
    wide, tall = chance.between(0.56, 0.68), chance.between(0.42, 0.54)
    spread, reach = chance.between(0.32, 0.46), chance.between(0.88, 0.98)
    tail = [(-0.4, 0.0), (-reach, -spread), (-reach + 0.16, 0.0), (-reach, spread)]
    canvas.polygon(tail, darker(fin, 0.15))
    crest = chance.between(0.18, 0.3)
    canvas.blob([(-0.3, -tall * 0.7), (-0.15, -tall - crest), (0.3, -tall * 0.75)], fin)
    canvas.blob([(-0.2, tall * 0.7), (-0.12, tall + crest * 0.8), (0.15, tall * 0.8)], fin)
    body = ellipse(0.1, 0.0, wide, tall)
    canvas.polygon(body, scale)
    with canvas.inside(body):
        canvas.ellipse(0.1, tall, wide * 0.9, tall * 0.55, lighter(scale, 0.4))
        if look.accessory == "stripes":
            for x in (-0.28, 0.1):
                canvas.line([(x, -0.7), (x + 0.07, 0.0), (x, 0.7)], 0.14, WHITE)
    canvas.ellipse(0.02, 0.12, 0.17, 0.1, fin, chance.between(10, 50))
    canvas.disc(0.42, -0.1, 0.16, WHITE)
    canvas.disc(0.45, -0.09, 0.1, INK)
    canvas.line([(0.5, 0.16), (0.58, 0.15), (0.65, 0.1)], 0.04, darker(scale, 0.6))
    if look.accessory == "bubbles":
        for number in range(3):
            canvas.disc(0.72 + 0.07 * (number % 2), -0.35 - 0.2 * number, 0.06, (225, 244, 255))


def paint_horse(canvas: Canvas, look: Look, chance: Chance) -> None:
    coat, mane = look.main, look.second
    neck = chance.between(0.0, 0.12)
    fall = chance.between(0.0, 0.14)
    hair = [(0.12, -0.82), (-0.2, -0.78), (-0.52, -0.5), (-0.74 - fall, -0.05)]
    hair += [(-0.82 - fall, 0.5), (-0.9, 1.0), (-0.9, 1.6), (-0.4, 1.6), (-0.2, 0.0)]
    canvas.blob(hair, mane)
    for x in (-0.06, 0.14):
        canvas.polygon([(x - 0.12, -0.62), (x + 0.02, -1.0), (x + 0.13, -0.62)], darker(coat, 0.15))
    canvas.blob(_horse_outline(neck, chance.between(-0.05, 0.08)), coat)
    canvas.ellipse(0.66, 0.2, 0.21, 0.18, lighter(coat, 0.35), 35)
    if look.accessory == "blaze":
        canvas.line([(0.26, -0.6), (0.44, -0.3), (0.62, -0.02)], 0.12, WHITE)
    if look.accessory == "bridle":
        canvas.line([(0.44, -0.22), (0.34, 0.1), (0.34, 0.26)], 0.09, look.accent_colour)
        canvas.line([(0.0, -0.62), (0.04, -0.3), (0.1, 0.1)], 0.09, look.accent_colour)
    lock = chance.between(0.16, 0.28)
    canvas.blob([(-0.08, -0.84), (0.2, -0.8), (0.24 + lock / 3, -0.62 + lock), (0.06, -0.6)], mane)
    canvas.disc(0.2, -0.34, 0.12, WHITE)
    canvas.disc(0.22, -0.34, 0.09, INK)
    canvas.disc(0.74, 0.16, 0.05, darker(coat, 0.6))
    canvas.line([(0.5, 0.36), (0.62, 0.34), (0.74, 0.34)], 0.04, darker(coat, 0.6))


def _horse_outline(neck: float, chin: float) -> list[tuple[float, float]]:
    """Head and neck, looking right, leaving the picture at its lower edge."""
    return [
        (-0.06, -0.78),
        (0.2, -0.7),
        (0.42, -0.42),
        (0.7, -0.02),
        (0.84, 0.2),
        (0.76, 0.4),
        (0.52, 0.42),
        (0.3, 0.24 + chin),
        (0.1, 0.2 + chin),
        (0.06, 0.5),
        (0.22 + neck, 1.0),
        (0.3 + neck, 1.7),
        (-0.72, 1.7),
        (-0.62, 0.6),
        (-0.46, 0.0),
        (-0.3, -0.5),
    ]


def paint_turtle(canvas: Canvas, look: Look, chance: Chance) -> None:
    shell, skin = look.main, look.second
    high, wide = chance.between(0.70, 0.88), chance.between(0.58, 0.66)
    stretch, raised = chance.between(-0.1, 0.0), chance.between(-0.14, 0.1)
    canvas.polygon([(-wide + 0.05, 0.3), (-0.9, 0.5), (-wide + 0.1, 0.5)], skin)
    for x in (-0.46, 0.28):
        step = chance.between(-0.08, 0.08)
        canvas.line([(x, 0.4), (x + step, 0.7)], 0.27, skin)
    x, y = 0.74 + stretch, 0.02 + raised
    canvas.line([(0.4, 0.36), (0.62, 0.3), (x - 0.03, y + 0.05)], 0.24, skin)
    canvas.ellipse(x, y, 0.23, 0.2, skin)
    dome = _dome(wide, high)
    canvas.polygon(dome, shell)
    with canvas.inside(dome):
        _plates(canvas, chance, wide, high, darker(shell, 0.35))
    canvas.line([(-wide - 0.05, 0.4), (0, 0.43), (wide + 0.05, 0.4)], 0.13, lighter(shell, 0.3))
    canvas.disc(x + 0.07, y - 0.06, 0.085, WHITE)
    canvas.disc(x + 0.09, y - 0.06, 0.055, INK)
    smile = [(x + 0.02, y + 0.09), (x + 0.12, y + 0.1), (x + 0.19, y + 0.05)]
    canvas.line(smile, 0.03, darker(skin, 0.6))
    if look.accessory == "hat":
        canvas.line([(x - 0.2, y - 0.19), (x + 0.2, y - 0.19)], 0.07, look.accent_colour)
        canvas.line([(x - 0.02, y - 0.22), (x - 0.02, y - 0.3)], 0.22, look.accent_colour)


def _dome(wide: float, high: float) -> Outline:
    """The upper half of an ellipse, standing on y = 0.4."""
    rim = [(-wide, 0.42), (-wide * 0.93, 0.42 - high * 0.45), (-wide * 0.62, 0.42 - high * 0.84)]
    rim += [(0.0, 0.42 - high), *((-x, y) for x, y in reversed(rim))]
    return smooth(rim, closed=False)


def _plates(canvas: Canvas, chance: Chance, wide: float, high: float, colour: Colour) -> None:
    """Big dark plates on the shell."""
    size = chance.between(0.9, 1.15)
    canvas.ellipse(0, 0.42 - high * 0.55, wide * 0.24 * size, high * 0.24, colour)
    for side in (-1, 1):
        canvas.ellipse(
            side * wide * 0.6, 0.42 - high * 0.38, wide * 0.18 * size, high * 0.2, colour
        )
        canvas.ellipse(side * wide * 0.32, 0.42 - high * 0.05, wide * 0.2, high * 0.1, colour)
