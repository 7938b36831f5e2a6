"""Animals from a seed: each picture is a pure function of (seed, kind, index)."""

from PIL import Image

from scrape.demo_site.animals import SPECIES
from scrape.demo_site.canvas import Canvas, Pose
from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import ACCENTS
from scrape.demo_site.look import Look, Species


def animal_look(seed: int, kind: str, index: int) -> Look:
    """What the animal `index` of `kind` is like; cheap, nothing is drawn."""
    chance, species = Chance(seed, f"look of {kind}", index), SPECIES[kind]
    breed = chance.pick(sorted(species.coats))
    coat = chance.pick(species.coats[breed])
    return Look(
        breed=breed,
        coat=coat.name,
        main=chance.colour(coat.main),
        second=chance.colour(coat.second),
        accessory=chance.pick(species.accessories),
        accent=chance.pick(sorted(ACCENTS)),
        facing="right" if chance.coin(0.88) else "left",
    )


def animal_size(seed: int, kind: str, index: int) -> tuple[int, int]:
    """Width and height in pixels: sides of 192 to 320, at most 5:4, square three times of four."""
    chance = Chance(seed, f"size of {kind}", index)
    if chance.coin(0.75):
        side = 192 + 16 * chance.below(9)
        return side, side
    short = 192 + 16 * chance.below(5)
    long = int(short * chance.between(1.08, 1.25))
    return (long, short) if chance.coin() else (short, long)


def draw_animal(seed: int, kind: str, index: int) -> Image.Image:
    chance, look = Chance(seed, f"drawing of {kind}", index), animal_look(seed, kind, index)
    species = SPECIES[kind]
    canvas = Canvas(
        *animal_size(seed, kind, index),
        chance.colour(chance.pick(species.grounds)),
        _pose(chance, look, species),
    )
    species.paint(canvas, look, chance)
    return canvas.finished()


def _pose(chance: Chance, look: Look, species: Species) -> Pose:
    """Shifted by up to 6 % of the side, 0.84 to 1.08 of the size, turned by up to 4 degrees."""
    return Pose(
        x=chance.between(-0.12, 0.12),
        y=chance.between(-0.12, 0.12),
        scale=chance.between(0.84, 1.08),
        turn=chance.between(-4, 4),
        mirrored=species.side_view and look.facing == "left",
    )
