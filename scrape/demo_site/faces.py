"""Cat, frog and rabbit from the front, and the features that faces share."""

from scrape.demo_site.canvas import Canvas, ellipse
from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import INK, PINK, WHITE, Colour, darker, lighter, mix
from scrape.demo_site.look import Look

SIDES = (-1, 1)


def paint_cat(canvas: Canvas, look: Look, chance: Chance) -> None:
    fur, stripe = look.main, look.second
    wide, tall = chance.between(0.60, 0.72), chance.between(0.50, 0.58)
    ear, spread = chance.between(0.40, 0.56), chance.between(0.40, 0.52)
    bust(canvas, fur, lighter(fur, 0.5), chance)
    neckwear(canvas, look)
    for side in SIDES:
        inner, outer = side * 0.06, side * (wide - 0.01)
        tip = (side * (spread + 0.06), -0.28 - tall / 2 - ear)
        canvas.polygon([(inner, -0.35), tip, (outer, 0.0)], fur)
        base = (side * spread, -0.38)
        canvas.polygon(
            [
                (base[0] - side * 0.2, base[1] - 0.02),
                (side * (spread + 0.05), tip[1] + 0.17),
                (base[0] + side * 0.13, base[1] + 0.12),
            ],
            PINK,
        )
    canvas.ellipse(0, -0.08, wide, tall, fur)
    with canvas.inside(ellipse(0, -0.08, wide, tall)):
        for x in (-0.2, 0.0, 0.2):
            canvas.line([(x, -0.75), (x * 0.8, -0.36)], 0.1, stripe)
    for side in SIDES:
        canvas.ellipse(side * 0.14, 0.2, 0.2, 0.16, lighter(fur, 0.65))
    iris = chance.pick([(150, 200, 60), (235, 190, 40), (90, 190, 130)])
    eyes(canvas, chance, apart=0.3, y=-0.1, radius=0.165, iris=iris, slit=True)
    canvas.polygon([(-0.1, 0.06), (0.1, 0.06), (0, 0.17)], (232, 100, 120))
    smile(canvas, chance, 0.17)
    whiskers(canvas, WHITE if sum(fur) < 300 else darker(fur, 0.55), 0.2)


def paint_rabbit(canvas: Canvas, look: Look, chance: Chance) -> None:
    fur = look.main
    wide, tall = chance.between(0.46, 0.54), chance.between(0.42, 0.48)
    bust(canvas, fur, lighter(fur, 0.6), chance, top=0.62, wide=0.42)
    neckwear(canvas, look, y=0.72)
    for side in SIDES:
        length, lean = chance.between(0.40, 0.47), side * chance.between(4, 17)
        x, y = side * 0.22 + lean * 0.006, -0.5
        canvas.ellipse(x, y, 0.165, length, fur, lean)
        canvas.ellipse(x, y + 0.02, 0.085, length - 0.11, PINK, lean)
    canvas.ellipse(0, 0.25, wide, tall, fur)
    for side in SIDES:
        canvas.ellipse(side * 0.12, 0.44, 0.17, 0.14, lighter(fur, 0.7))
    eyes(canvas, chance, apart=0.25, y=0.18, radius=0.115, iris=look.second, slit=False, white=0.0)
    canvas.ellipse(0, 0.34, 0.085, 0.06, (235, 110, 130))
    canvas.polygon([(-0.075, 0.5), (0.075, 0.5), (0.07, 0.64), (-0.07, 0.64)], WHITE)
    smile(canvas, chance, 0.4)


def paint_frog(canvas: Canvas, look: Look, chance: Chance) -> None:
    skin, belly = look.main, look.second
    wide, tall = chance.between(0.72, 0.84), chance.between(0.42, 0.5)
    apart, eye = chance.between(0.36, 0.46), chance.between(0.22, 0.26)
    canvas.ellipse(0, 0.72, 0.6, 0.45, darker(skin, 0.12))
    canvas.ellipse(0, 0.78, 0.4, 0.36, belly)
    for side in SIDES:
        canvas.ellipse(side * 0.62, 0.86, 0.24, 0.14, skin, side * chance.between(5, 20))
        canvas.disc(side * apart, -0.4, eye + 0.07, skin)
    canvas.ellipse(0, 0.1, wide, tall, skin)
    with canvas.inside(ellipse(0, 0.1, wide, tall)):
        canvas.ellipse(0, 0.62, wide * 0.9, 0.34, belly)
        for _ in range(chance.below(4)):
            spot = chance.between(-0.5, 0.5), chance.between(-0.3, -0.1)
            canvas.disc(*spot, chance.between(0.05, 0.09), darker(skin, 0.3))
    gaze = chance.between(-0.06, 0.06), chance.between(-0.05, 0.05)
    for side in SIDES:
        canvas.disc(side * apart, -0.42, eye, WHITE)
        canvas.disc(side * apart + gaze[0], -0.42 + gaze[1], eye * 0.58, INK)
        canvas.disc(side * 0.09, 0.02, 0.03, darker(skin, 0.5))
    curve = chance.between(0.12, 0.26)
    corner = 0.2 - curve * 0.3
    mouth = [(-0.52, corner), (-0.28, 0.2 + curve * 0.5), (0, 0.2 + curve * 0.7)]
    mouth += [(-x, y) for x, y in reversed(mouth[:-1])]
    canvas.line(mouth, 0.075, darker(skin, 0.65))
    if look.accessory == "crown":
        crown = [(-0.2, -0.35), (-0.25, -0.72), (-0.1, -0.52), (0, -0.8)]
        crown += [(0.1, -0.52), (0.25, -0.72), (0.2, -0.35)]
        canvas.polygon(crown, (250, 205, 50))
    neckwear(canvas, look, y=0.66)


def bust(
    canvas: Canvas, fur: Colour, chest: Colour, chance: Chance, top: float = 0.3, wide: float = 0.5
) -> None:
    """Neck and shoulders that leave the picture at its lower edge."""
    wide += chance.between(-0.06, 0.08)
    body = [(-wide, 1.6), (-wide * 0.86, 0.8), (0, top), (wide * 0.86, 0.8), (wide, 1.6)]
    canvas.blob(body, mix(fur, INK, 0.12))
    canvas.ellipse(0, 1.05, wide * 0.5, 0.4, chest)


def neckwear(canvas: Canvas, look: Look, y: float = 0.56) -> None:
    """A collar with a bell, a bow or a scarf around the neck at height `y`."""
    colour = look.accent_colour
    if look.accessory == "collar":
        canvas.line([(-0.38, y), (0, y + 0.1), (0.38, y)], 0.14, colour)
        canvas.disc(0, y + 0.17, 0.08, (250, 210, 70))
    elif look.accessory == "bow":
        for side in SIDES:
            canvas.polygon([(0, y + 0.1), (side * 0.3, y - 0.06), (side * 0.3, y + 0.28)], colour)
        canvas.disc(0, y + 0.1, 0.08, darker(colour))
    elif look.accessory == "scarf":
        canvas.line([(-0.42, y), (0, y + 0.1), (0.42, y)], 0.22, colour)
        canvas.line([(0.2, y + 0.08), (0.28, y + 0.42)], 0.18, darker(colour, 0.2))


def eyes(
    canvas: Canvas,
    chance: Chance,
    *,
    apart: float,
    y: float,
    radius: float,
    iris: Colour,
    slit: bool,
    white: float = 0.03,
) -> None:
    """Two eyes at (+-apart, y) that look the same way, with a light in each."""
    radius *= chance.between(0.92, 1.12)
    gaze = chance.between(-0.35, 0.35) * radius, chance.between(-0.2, 0.2) * radius
    for side in SIDES:
        x = side * apart
        if white:
            canvas.disc(x, y, radius + white, darker(iris, 0.6))
        canvas.disc(x, y, radius, iris)
        across = radius * (0.5 if slit else 0.62)
        canvas.ellipse(x + gaze[0], y + gaze[1], across, radius * (0.85 if slit else 0.62), INK)
        canvas.disc(x + gaze[0] + 0.045, y + gaze[1] - 0.06, radius * 0.24, WHITE)


def smile(canvas: Canvas, chance: Chance, y: float) -> None:
    """A mouth like a rounded w, hanging from (0, y)."""
    depth, width = chance.between(0.08, 0.15), chance.between(0.16, 0.24)
    canvas.line([(0, y), (0, y + 0.07)], 0.035, INK)
    for side in SIDES:
        path = [(0, y + 0.07), (side * width * 0.5, y + depth + 0.05), (side * width, y + 0.04)]
        canvas.line(path, 0.035, INK)


def whiskers(canvas: Canvas, colour: Colour, y: float) -> None:
    for side in SIDES:
        for drop in (-0.06, 0.08):
            canvas.line(
                [(side * 0.26, y + drop * 0.5), (side * 0.72, y + drop * 1.6)], 0.022, colour
            )
