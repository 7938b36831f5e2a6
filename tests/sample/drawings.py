"""Small drawn pictures, packs of them, and folders of them, for the tests of this stage."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dataset.pack_writer import write_pack
from dataset.pixels import Pixels
from dataset.provenance import Provenance, Split

SIDE = 32
CLASSES = ("round", "angular")


def drawing(seed: int, side: int = SIDE) -> Pixels:
    """A few coloured shapes on a coloured ground, (side, side, 3); the seed alone decides it."""
    chance = np.random.default_rng(seed)
    image = Image.new("RGB", (96, 96), _colour(chance, 150, 256))
    pen = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(2, 5))):
        (x, y), (w, h) = chance.integers(0, 66, 2), chance.integers(22, 62, 2)
        box = (int(x), int(y), int(x + w), int(y + h))
        colour = _colour(chance, 0, 170)
        shape = int(chance.integers(0, 4))
        if shape == 0:
            pen.ellipse(box, fill=colour)
        elif shape == 1:
            pen.rectangle(box, fill=colour)
        elif shape == 2:
            pen.polygon([(box[0], box[3]), (box[2], box[3]), (int(x), int(y))], fill=colour)
        else:
            pen.line(box, fill=colour, width=9)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def drawings(seeds: Sequence[int], side: int = SIDE) -> Pixels:
    """(B, side, side, 3)."""
    return np.stack([drawing(seed, side) for seed in seeds])


def provenance(row: int, split: Split = "train", **changes: object) -> Provenance:
    """A plausible origin; every row is a group of its own."""
    facts: dict[str, object] = {
        "row": row,
        "image_id": 100 + row,
        "label": row % 2,
        "caption": f"Drawing number {row}",
        "url": f"https://pictures.example/{row}.png",
        "page_url": f"https://pictures.example/{row}",
        "source": "drawn",
        "author": "A. Hand",
        "licence": "CC0-1.0",
        "licence_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "group": row,
        "split": split,
    }
    return Provenance(**{**facts, **changes})  # type: ignore[arg-type]


def write_drawn_pack(
    path: Path, *, train: int = 120, cal: int = 60, test: int = 30, side: int = SIDE
) -> Path:
    """Drawing i in row i; training rows first."""
    sizes: list[tuple[Split, int]] = [("train", train), ("cal", cal), ("test", test)]
    splits = [split for split, size in sizes for _ in range(size)]
    pictures = drawings(range(len(splits)), side)
    facts = [provenance(row, split) for row, split in enumerate(splits)]
    return write_pictures(path, pictures, facts)


def write_pictures(path: Path, pictures: Pixels, facts: Sequence[Provenance]) -> Path:
    """A pack of (N, H, W, 3) pictures with their origins."""
    labels = np.array([fact.label for fact in facts], dtype=np.int64)
    data = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    write_pack(path, data, labels, list(CLASSES), facts, {})
    return path


def save_pictures(folder: Path, pictures: Pixels, ending: str = "png") -> Path:
    """000.png, 001.png ... in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03d}.{ending}")
    return folder


def _colour(chance: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = chance.integers(low, high, 3)
    return int(red), int(green), int(blue)
