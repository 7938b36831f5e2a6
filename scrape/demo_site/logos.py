"""Logos of invented brands: a bold shape in one strong colour with a contrasting symbol."""

from dataclasses import dataclass

from PIL import Image

from scrape.demo_site.brands import brand_name, describe
from scrape.demo_site.canvas import Canvas, Pose
from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import WHITE, Colour, Tint, tint
from scrape.demo_site.logo_shapes import ROOM, SHAPES, WIDE_ROOM
from scrape.demo_site.logo_symbols import SYMBOLS, paint_letter

_STRONG = (
    tint("navy", 222, 0.65, 0.25),
    tint("blue", 212, 0.8, 0.46),
    tint("red", 358, 0.75, 0.46),
    tint("orange", 24, 0.92, 0.52),
    tint("green", 145, 0.6, 0.32),
    tint("teal", 178, 0.7, 0.33),
    tint("purple", 276, 0.5, 0.4),
    tint("black", 240, 0.1, 0.14),
    tint("pink", 334, 0.75, 0.56),
)
_PALE: dict[str, Colour] = {"white": WHITE, "yellow": (255, 214, 70), "cream": (255, 240, 205)}
_LETTER = "a {colour} letter {letter}"
# Every shape meets every symbol (or the initial) before any pair comes again.
_PAIRS = tuple((shape, symbol) for shape in SHAPES for symbol in (*SYMBOLS, _LETTER))


@dataclass(frozen=True)
class Logo:
    """What one logo shows; `description` says it in words."""

    name: str
    slug: str
    shape: str
    symbol: str
    strong: Tint
    pale: str
    rim: bool
    transparent: bool
    description: str


def logo(seed: int, index: int) -> Logo:
    """Logo `index`, under 560; cheap, nothing is drawn."""
    chance = Chance(seed, "look of logo", index)
    name = brand_name(index, seed)
    order = Chance(seed, f"pairs of logos {index // len(_PAIRS)}").shuffled(_PAIRS)
    shape, symbol = order[index % len(_PAIRS)]
    colours = Chance(seed, f"colours of {shape} with {symbol}").shuffled(_STRONG)
    strong, pale = colours[index // len(_PAIRS)], chance.pick(sorted(_PALE))
    if strong.name == "orange":  # yellow and cream are lost on it
        pale = "white"
    transparent = index % 5 in (1, 3)
    said = symbol.format(colour=pale, letter=name[0])
    article = "an" if strong.name[0] in "aeiou" else "a"
    ground = " on a transparent background" if transparent else " on white"
    mark = f"{article} {strong.name} {shape}"
    return Logo(
        name=name,
        slug="-".join(name.lower().split()),
        shape=shape,
        symbol=symbol,
        strong=strong,
        pale=pale,
        rim=chance.coin(0.15),
        transparent=transparent,
        description=describe(name, mark, said, ground, chance),
    )


def logo_size(seed: int, index: int) -> tuple[int, int]:
    chance = Chance(seed, "size of logo", index)
    side = 192 + 16 * chance.below(5)
    return (side, side) if chance.coin(0.75) else (int(side * chance.between(1.1, 1.25)), side)


def draw_logo(seed: int, index: int) -> Image.Image:
    """An RGBA picture when the logo is transparent, else RGB on white."""
    chance, look = Chance(seed, "drawing of logo", index), logo(seed, index)
    pose = Pose(
        x=chance.between(-0.06, 0.06),
        y=chance.between(-0.06, 0.06),
        scale=chance.between(0.86, 1.06),
    )
    canvas = Canvas(*logo_size(seed, index), None if look.transparent else WHITE, pose)
    strong, pale = chance.colour(look.strong), _PALE[look.pale]
    canvas.polygon(SHAPES[look.shape], strong)
    height, room = ROOM.get(look.shape, WIDE_ROOM)
    if look.rim:
        canvas.polygon(SHAPES[look.shape] * 0.9, pale)
        canvas.polygon(SHAPES[look.shape] * 0.76, strong)
        room *= 0.8
    with canvas.moved(0, height, room * chance.between(0.9, 1.12)):
        if look.symbol == _LETTER:
            paint_letter(canvas, look.name[0], pale)
        else:
            SYMBOLS[look.symbol](canvas, pale)
    return canvas.finished()
