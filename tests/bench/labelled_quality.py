"""A labelled set for the quality scores: real pictures, and the same with one defect put in.

Truth is what was done to a picture. The photographs were all looked at, and those with a frame or
letters of their own are named here; of the logos only a part was, so all count as they are.
"""

import csv
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Chance = np.random.Generator
Maker = Callable[[Image.Image, Chance], Image.Image]

# Photographs that come with the defect: these are no untouched pictures for that issue.
_WITH_LETTERS = {
    "Staffordshire_bullterrier", "rock_beauty", "whippet", "Shih-Tzu", "house_finch", "tree_frog",
    "terrapin", "vizsla", "Blenheim_spaniel",
}  # fmt: skip
_WITH_FRAME = {
    "house_finch", "Japanese_spaniel", "Irish_setter", "vizsla", "barracouta", "loggerhead",
    "goldfish",
}  # fmt: skip
BORN_WITH: dict[str, set[str]] = {"watermark": _WITH_LETTERS, "border": _WITH_FRAME}

_TALE = """the quick story of every small dog that ran along a river and found its way home before
night came over hills and fields where nobody had seen such large prints in wet sand"""
_WORDS = _TALE.split()
_FILTERS = (
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.HAMMING,
)


@dataclass(frozen=True)
class Original:
    """A real picture: `variant` is what captions.csv says of a logo, else empty."""

    name: str
    image: Image.Image
    content: bytes
    variant: str = ""

    @property
    def is_for_tuning(self) -> bool:
        """Cuts are set on one half of the pictures and measured on the other."""
        return zlib.crc32(self.name.encode()) % 2 == 0


def photographs() -> list[Original]:
    return [_original(name, content) for name, content in _files("PEDIGREE_PHOTOS", ".jpg")]


def logos() -> list[Original]:
    """The logos; RGBA as they are. Their brand's plain file beside an icon holds the name."""
    files = dict(_files("PEDIGREE_LOGOS", ""))
    tables = [content for name, content in files.items() if name.endswith(".csv")]
    rows = csv.DictReader(io.StringIO(tables[0].decode())) if tables else iter(())
    variants = {row["file"].removesuffix(".png"): row["variant"] for row in rows}
    found = []
    for name, content in files.items():
        stem = Path(name).stem
        if name.endswith(".png"):
            is_name = variants.get(stem) == "logo" and variants.get(f"{stem}-icon") == "icon"
            variant = "wordmark" if is_name else variants.get(stem, "")
            found.append(_original(name, content, variant))
    return found


def animals() -> list[Original]:
    return [_original(name, content) for name, content in _files("PEDIGREE_ANIMALS", ".jpg")]


def _original(name: str, content: bytes, variant: str = "") -> Original:
    image = Image.open(io.BytesIO(content))
    image.load()
    return Original(Path(name).stem, image, content, variant)


def _files(variable: str, ending: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file in the tar that the environment names, none without it."""
    path = os.environ.get(variable, "")
    if not path:
        return
    with tarfile.open(path) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            stream = tar.extractfile(member) if member.name.endswith(ending) else None
            if stream is not None:
                yield member.name, stream.read()


def on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image)
    return ground.convert("RGB")


def jpeg(image: Image.Image, chance: Chance) -> bytes:
    return _bytes(image, "JPEG", quality=int(chance.integers(72, 96)))


def png(image: Image.Image, chance: Chance) -> bytes:
    return _bytes(image, "PNG", compress_level=1)


def _bytes(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def harmless(image: Image.Image, chance: Chance) -> Image.Image:
    """Cropped, shrunk and perhaps mirrored: changed, but without a defect."""
    width, height = image.size
    share = chance.uniform(0.7, 1.0)
    x, y = (int(chance.uniform(0, 1 - share) * side) for side in image.size)
    image = image.crop((x, y, x + int(width * share), y + int(height * share)))
    scale = chance.uniform(0.55, 1.0)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    mirrored = Image.Transpose.FLIP_LEFT_RIGHT
    return image.transpose(mirrored) if chance.random() < 0.5 else image


def blurred(image: Image.Image, chance: Chance) -> Image.Image:
    """Out of focus, of a disc or a bell 0.8 to 2.5 % of the side wide."""
    radius = chance.uniform(0.008, 0.025) * min(image.size)
    kind = ImageFilter.GaussianBlur if chance.random() < 0.5 else ImageFilter.BoxBlur
    return image.filter(kind(radius))


def darkened(image: Image.Image, chance: Chance) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(chance.uniform(0.05, 0.2))


def over_exposed(image: Image.Image, chance: Chance) -> Image.Image:
    mean = float(np.asarray(image).mean())
    gain = max(2.0, chance.uniform(1.6, 2.4) * 160.0 / max(mean, 1.0))
    return image.point(lambda value: min(255, int(value * gain)))


def emptied(image: Image.Image, chance: Chance) -> Image.Image:
    """One colour, a smooth ramp, or hardly any contrast left."""
    kind = int(chance.integers(3))
    colour = tuple(int(value) for value in chance.integers(0, 256, 3))
    ground = Image.new("RGB", image.size, colour)
    if kind == 0:
        noise = Image.effect_noise(image.size, chance.uniform(0, 6)).convert("RGB")
        return Image.blend(ground, noise, 0.15)
    if kind == 1:
        ramp = Image.linear_gradient("L").resize(image.size).rotate(90 * int(chance.integers(4)))
        other = Image.new("RGB", image.size, tuple(255 - value for value in colour))
        return Image.composite(ground, other, ramp.resize(image.size))
    return Image.blend(ground, image, chance.uniform(0.02, 0.06))


def strip(image: Image.Image, chance: Chance) -> Image.Image:
    """Cut to 2.7 to 5 times as long as high."""
    width, height = image.size
    part = chance.uniform(2.7, 5.0)
    if chance.random() < 0.5:
        high = min(height, max(16, round(width / part)))
        top = int(chance.integers(0, height - high + 1))
        return image.crop((0, top, min(width, round(high * part)), top + high))
    wide = min(width, max(16, round(height / part)))
    left = int(chance.integers(0, width - wide + 1))
    return image.crop((left, 0, left + wide, min(height, round(wide * part))))


def shrunk(image: Image.Image, chance: Chance) -> Image.Image:
    side = int(chance.integers(32, 96))
    scale = side / min(image.size)
    size = tuple(max(side, round(length * scale)) for length in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def upscaled(image: Image.Image, chance: Chance) -> Image.Image:
    """Enlarged 1.5 to 4 times, after it was made small enough to have all detail."""
    factor = chance.uniform(1.5, 4.0)
    start = chance.uniform(0.35, 0.7)
    small = tuple(max(24, round(side * start)) for side in image.size)
    size = tuple(round(side * factor) for side in small)
    shrunken = image.resize((small[0], small[1]), Image.Resampling.LANCZOS)
    return shrunken.resize((size[0], size[1]), _FILTERS[int(chance.integers(len(_FILTERS)))])


def _words(chance: Chance, count: int) -> str:
    return " ".join(_WORDS[int(chance.integers(len(_WORDS)))] for _ in range(count))


def watermarked(image: Image.Image, chance: Chance) -> Image.Image:
    """Half-transparent letters: once in a corner, large in the middle, or tiled and turned."""
    width, height = image.size
    sheet = Image.new("L", (2 * max(image.size),) * 2, 0)
    draw = ImageDraw.Draw(sheet)
    kind = int(chance.integers(3))
    text = "© " + _words(chance, int(chance.integers(1, 4))).title()
    share = {0: (0.045, 0.08), 1: (0.10, 0.2), 2: (0.05, 0.09)}[kind]
    font = ImageFont.load_default(max(12, chance.uniform(*share) * min(image.size)))
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    wide, high = int(right - left), int(bottom - top)
    if kind == 0:
        x = int(chance.choice([8, max(8, width - wide - 8)]))
        draw.text((x, int(chance.choice([4, height - bottom - 6]))), text, 255, font)
    elif kind == 1:
        draw.text(((width - wide) / 2, (height - high) / 2), text, 255, font)
    else:
        for row, y in enumerate(range(0, sheet.height, max(1, int(3.5 * high)))):
            for x in range(-(row % 2) * wide // 2, sheet.width, wide + 3 * high):
                draw.text((x, y), text, 255, font)
        sheet = sheet.rotate(chance.uniform(-40, 40))
        sheet = sheet.crop((width // 2, height // 2, width // 2 + width, height // 2 + height))
    opacity = chance.uniform(0.3, 0.9)
    mask = sheet.crop((0, 0, width, height)).point([round(level * opacity) for level in range(256)])
    colour = "white" if chance.random() < 0.75 else "black"
    return Image.composite(Image.new("RGB", image.size, colour), image, mask)


def bordered(image: Image.Image, chance: Chance) -> Image.Image:
    """1.5 to 12 % of the side in one colour, around it or on two opposite sides."""
    width, height = image.size
    wide = max(2, round(chance.uniform(0.015, 0.12) * min(image.size)))
    sides = int(chance.integers(4))
    across = 0 if sides == 2 else wide
    down = 0 if sides == 3 else wide
    colour = tuple(int(value) for value in chance.integers(0, 256, 3))
    if chance.random() < 0.6:
        colour = ((0, 0, 0), (255, 255, 255))[int(chance.integers(2))]
    corner = np.asarray(image)[0, 0].astype(int)
    if np.abs(corner - colour).max() < 60:  # white around white is none
        colour = tuple(255 - value for value in colour)
    ground = Image.new("RGB", (width + 2 * across, height + 2 * down), colour)
    ground.paste(image, (across, down))
    return ground


def page_of_text(image: Image.Image, chance: Chance) -> Image.Image:
    """A screenshot of text on a plain ground; half the time with the picture on its lower part."""
    width, height = int(chance.integers(360, 1000)), int(chance.integers(300, 800))
    is_dark = chance.random() < 0.3
    paper = int(chance.integers(0, 45) if is_dark else chance.integers(225, 256))
    ink = int(chance.integers(200, 256) if is_dark else chance.integers(0, 90))
    page = Image.new("RGB", (width, height), (paper,) * 3)
    draw = ImageDraw.Draw(page)
    size = chance.uniform(11, 28)
    font, margin = ImageFont.load_default(size), int(chance.uniform(10, 50))
    y = margin
    while y < height - margin:
        line = ""
        while draw.textlength(line, font) < (width - 2 * margin) * chance.uniform(0.6, 0.9):
            line += _words(chance, 1) + " "
        draw.text((margin, y), line, (ink,) * 3, font)
        y += int(size * (1.4 if chance.random() < 0.85 else 2.4))
    if chance.random() < 0.4:
        part = image.resize((width - 2 * margin, int(height * chance.uniform(0.25, 0.45))))
        page.paste(part, (margin, height - part.height - margin))
    return page


def collage_of(pictures: list[Image.Image], chance: Chance) -> Image.Image:
    """2x1 to 4x4 cells or one large beside two or three small, with or without gaps."""
    kind = int(chance.integers(4))
    columns, rows = (int(value) for value in chance.integers(1, 5, 2))
    if kind == 0:
        columns, rows = ((2, 1), (1, 2), (2, 2), (3, 1))[int(chance.integers(4))]
    while columns * rows < 2:
        columns, rows = (int(value) for value in chance.integers(1, 5, 2))
    width = int(chance.integers(400, 900))
    height = int(width * chance.uniform(0.6, 1.3))
    gap = 0 if chance.random() < 0.4 else max(1, round(chance.uniform(0.002, 0.03) * width))
    shade = int(chance.choice([0, 255, 255, int(chance.integers(256))]))
    sheet = Image.new("RGB", (width, height), (shade,) * 3)
    xs, ys = np.linspace(0, width, columns + 1), np.linspace(0, height, rows + 1)
    boxes = [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for c in range(columns) for r in range(rows)]
    if kind == 1:  # one large, others beside or under it
        cut, parts = chance.uniform(0.45, 0.7), int(chance.integers(2, 4))
        steps = np.linspace(0, 1, parts + 1)
        boxes = [(0, 0, cut, 1), *((cut, a, 1, b) for a, b in pairwise(steps))]
        if chance.random() < 0.5:
            boxes = [(y0, x0, y1, x1) for x0, y0, x1, y1 in boxes]
        boxes = [(x0 * width, y0 * height, x1 * width, y1 * height) for x0, y0, x1, y1 in boxes]
    for box in boxes:
        x0, y0, x1, y1 = (round(float(value)) for value in box)
        x0, y0 = x0 + gap * (x0 > 0), y0 + gap * (y0 > 0)
        picture = pictures[int(chance.integers(len(pictures)))]
        sheet.paste(_filling(picture, x1 - x0, y1 - y0), (x0, y0))
    return _passed_on(sheet, gap, shade, chance)


def _passed_on(sheet: Image.Image, gap: int, shade: int, chance: Chance) -> Image.Image:
    """As such sheets are found: at times with a frame, at times made smaller or larger."""
    if gap and chance.random() < 0.5:
        framed = Image.new("RGB", (sheet.width + 2 * gap, sheet.height + 2 * gap), (shade,) * 3)
        framed.paste(sheet, (gap, gap))
        sheet = framed
    if chance.random() < 0.4:
        scale = chance.uniform(0.5, 1.25)
        size = (round(sheet.width * scale), round(sheet.height * scale))
        sheet = sheet.resize(size, Image.Resampling.LANCZOS)
    return sheet


def _filling(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of a picture, as large as a cell."""
    scale = max(width / image.width, height / image.height)
    wide, high = width / scale, height / scale
    left, top = max(0.0, (image.width - wide) / 2), max(0.0, (image.height - high) / 2)
    box = (left, top, min(image.width, left + wide), min(image.height, top + high))
    return image.resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC, box)


def sheet_of_small(pictures: list[Image.Image], chance: Chance) -> Image.Image:
    """A grid of 2x2 to 8x8 small pictures of one size, with or without gaps."""
    columns, rows = (int(value) for value in chance.integers(2, 9, 2))
    cell = int(chance.choice([32, 48, 64]))
    gap = 0 if chance.random() < 0.5 else int(chance.integers(1, 6))
    shade = int(chance.choice([0, 255]))
    size = (columns * (cell + gap) - gap, rows * (cell + gap) - gap)
    sheet = Image.new("RGB", size, (shade,) * 3)
    for place in range(columns * rows):
        y, x = divmod(place, columns)
        part = pictures[int(chance.integers(len(pictures)))].convert("RGB")
        part = part.resize((cell, cell), Image.Resampling.BICUBIC)
        sheet.paste(part, (x * (cell + gap), y * (cell + gap)))
    return _passed_on(sheet, gap, shade, chance)
