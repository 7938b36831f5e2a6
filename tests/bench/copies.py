"""Altered copies of real pictures: what the web does to a file, with random strength.

Originals come from tars of real pictures that PEDIGREE_LOGOS, PEDIGREE_PHOTOS and
PEDIGREE_ANIMALS name.
"""

import colorsys
import io
import math
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

Colour = tuple[int, int, int]
Alteration = Callable[[Image.Image, Random], Image.Image]
Transformation = Callable[[Image.Image, Random], bytes]

# Where the originals are and how many of them take part at most.
SETS = {
    "logos": ("PEDIGREE_LOGOS", None),
    "photos": ("PEDIGREE_PHOTOS", None),
    "animals": ("PEDIGREE_ANIMALS", 2000),
}
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LEAST_SIDE = 8
# Quality of a JPEG whose pixels were altered and which was saved again: not the point of the test.
_SAVED_AGAIN = 92
# The contrast below which a picture shows nothing: levels of 255.
_NOTHING = 16
# Chroma (largest less smallest channel) below which a picture has no hue to speak of.
_COLOURLESS = 24.0
# Another colour is one that is so many levels away on that share of what is visible.
_CLEARLY, _LEAST_CHANGED = 48.0, 0.02
_FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
_MARKS = ("SAMPLE", "example.com", "(c) 2024 J. Doe", "stock photo", "PREVIEW", "Do not copy")


def available(kind: str) -> bool:
    """Whether the tar of this set of originals is there."""
    place = os.environ.get(SETS[kind][0])
    return place is not None and Path(place).is_file()


def originals(kind: str, limit: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every picture of a set, or of `limit` spread evenly over it, by name."""
    variable, most = SETS[kind]
    with tarfile.open(os.environ[variable]) as tar:
        members = sorted(
            (m for m in tar if m.isfile() and m.name.lower().endswith(_SUFFIXES)),
            key=lambda member: member.name,
        )
        for wanted in (most, limit):
            if wanted is not None and wanted < len(members):
                members = [members[n * len(members) // wanted] for n in range(wanted)]
        for member in members:
            file = tar.extractfile(member)
            assert file is not None
            yield member.name, file.read()


def opened(content: bytes) -> Image.Image:
    """The picture upright, as RGBA where a pixel is transparent, as RGB otherwise."""
    file = Image.open(io.BytesIO(content))
    kind = file.format
    image = ImageOps.exif_transpose(file)
    alpha = image.has_transparency_data
    image = image.convert("RGBA" if alpha else "RGB")
    if alpha and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    image.info = {"format": kind}
    return image


def chance(name: str, transformation: str) -> Random:
    """The one source of chance for a copy: the same copy in every run."""
    return Random(f"{name}/{transformation}")


def flattened(image: Image.Image, colour: Colour) -> Image.Image:
    """RGB: `image` on a uniform ground."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, (*colour, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def shows_nothing(image: Image.Image) -> bool:
    """Whether all visible pixels have nearly one colour and fill the frame."""
    if image.mode == "RGBA":
        return all(shows_nothing(flattened(image, ground)) for ground in (_WHITE, _BLACK))
    return all(high - low < _NOTHING for low, high in image.convert("RGB").getextrema())  # type: ignore[misc]


def applies(transformation: str, image: Image.Image) -> bool:
    """Whether this copy can be made of `image` at all: alpha is laid only where there is some."""
    return image.mode == "RGBA" or not transformation.startswith("alpha")


def vanishes(transformation: str, image: Image.Image) -> bool:
    """Whether the copy shows nothing of `image`: white on white, or black on black."""
    if transformation in KEEPS_ALPHA or image.mode != "RGBA":
        return shows_nothing(image)
    return shows_nothing(flattened(image, _BLACK if transformation == "alpha_black" else _WHITE))


def _encoded(image: Image.Image, like: Image.Image) -> bytes:
    """In the format of the original: JPEG stays JPEG, all others become PNG."""
    buffer = io.BytesIO()
    if like.info.get("format") == "JPEG":
        image.convert("RGB").save(buffer, "JPEG", quality=_SAVED_AGAIN)
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _jpeg(image: Image.Image, rng: Random) -> bytes:
    buffer = io.BytesIO()
    flattened(image, _WHITE).save(buffer, "JPEG", quality=rng.randint(30, 95))
    return buffer.getvalue()


def _resize(image: Image.Image, rng: Random) -> Image.Image:
    scale = rng.uniform(0.3, 2.0)
    width, height = (max(_LEAST_SIDE, round(side * scale)) for side in image.size)
    return image.resize((width, height), rng.choice(_FILTERS))


def _crop(image: Image.Image, rng: Random) -> Image.Image:
    """5 to 10 % of width and of height go, shared out between the opposite sides."""
    left, right = _cut(image.width, rng)
    top, bottom = _cut(image.height, rng)
    return image.crop((left, top, image.width - right, image.height - bottom))


def _cut(side: int, rng: Random) -> tuple[int, int]:
    total = max(1, round(side * rng.uniform(0.05, 0.10)))
    first = rng.randint(0, total)
    return first, total - first


def _crop_sides(image: Image.Image, rng: Random) -> Image.Image:
    """5 to 10 % go off every side: up to 36 % of the area."""
    width, height = image.size
    left, right = (max(1, round(width * rng.uniform(0.05, 0.10))) for _ in range(2))
    top, bottom = (max(1, round(height * rng.uniform(0.05, 0.10))) for _ in range(2))
    return image.crop((left, top, width - right, height - bottom))


def _border(image: Image.Image, rng: Random) -> Image.Image:
    any_colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    colour = rng.choice((_WHITE, _BLACK, any_colour))
    if rng.random() < 0.5:
        shares = [rng.uniform(0.03, 0.15)] * 4
    else:
        shares = [rng.uniform(0.03, 0.15) for _ in range(4)]
    left, right = (max(1, round(image.width * share)) for share in shares[:2])
    top, bottom = (max(1, round(image.height * share)) for share in shares[2:])
    if shares[0] == shares[1] == shares[2]:  # one width all around, as a frame has
        left = right = top = bottom = max(1, round(min(image.size) * shares[0]))
    framed = Image.new("RGB", (image.width + left + right, image.height + top + bottom), colour)
    framed.paste(flattened(image, _WHITE), (left, top))
    return framed


def _flip(image: Image.Image, rng: Random) -> Image.Image:
    return ImageOps.mirror(image)


def _gamma(image: Image.Image, rng: Random) -> Image.Image:
    exponent = rng.uniform(0.6, 1.6)
    table = [round(255 * (level / 255) ** exponent) for level in range(256)]
    if image.mode == "RGBA":
        return image.point(table * 3 + list(range(256)))
    return image.point(table * 3)


def _noise(image: Image.Image, rng: Random) -> Image.Image:
    pixels = np.asarray(flattened(image, _WHITE), np.float32)
    grain = np.random.default_rng(rng.getrandbits(64)).standard_normal(pixels.shape, np.float32)
    noisy = pixels + rng.uniform(2.0, 12.0) * grain
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _blur(image: Image.Image, rng: Random) -> Image.Image:
    sigma = rng.uniform(0.5, 2.0) * max(image.size) / 256
    return flattened(image, _WHITE).filter(ImageFilter.GaussianBlur(sigma))


def _watermark(image: Image.Image, rng: Random) -> Image.Image:
    """Text over the picture: at a place, along the diagonal, or tiled all over it."""
    marked = flattened(image, _WHITE).convert("RGBA")
    layer = _mark(image.size, rng)
    return Image.alpha_composite(marked, layer).convert("RGB")


def _mark(size: tuple[int, int], rng: Random) -> Image.Image:
    width, height = size
    words, shade = rng.choice(_MARKS), rng.choice((0, 128, 255))
    ink = (shade, shade, shade, round(255 * rng.uniform(0.25, 0.6)))
    how = rng.choice(("place", "diagonal", "tiled"))
    share = {"place": (0.3, 0.6), "diagonal": (0.5, 0.8), "tiled": (0.2, 0.35)}[how]
    text = _text(words, ink, rng.uniform(*share) * width, most_high=height / 4)
    layer = Image.new("RGBA", size)
    if how == "place":
        x = rng.randint(0, max(0, width - text.width))
        y = rng.randint(0, max(0, height - text.height))
        layer.paste(text, (x, y))
    elif how == "diagonal":
        text = text.rotate(math.degrees(math.atan2(height, width)), expand=True)
        layer.paste(text, ((width - text.width) // 2, (height - text.height) // 2))
    else:
        step_x, step_y = round(text.width * 1.5) + 1, round(text.height * 3) + 1
        for row, y in enumerate(range(-step_y // 2, height, step_y)):
            for x in range(-(row % 2) * step_x // 2, width, step_x):
                layer.paste(text, (x, y))
    return layer


def _text(words: str, ink: tuple[int, int, int, int], wide: float, most_high: float) -> Image.Image:
    """`words` about `wide` pixels wide, and never higher than `most_high`."""
    probe = ImageFont.load_default(size=32)
    left, top, right, bottom = probe.getbbox(words)
    scale = min(wide / (right - left), most_high / (bottom - top))
    font = ImageFont.load_default(size=max(4.0, 32 * scale))
    box = [round(edge) for edge in font.getbbox(words)]
    text = Image.new("RGBA", (max(1, box[2] - box[0]), max(1, box[3] - box[1])), (*ink[:3], 0))
    ImageDraw.Draw(text).text((-box[0], -box[1]), words, font=font, fill=ink)
    return text


def _grey(image: Image.Image, rng: Random) -> Image.Image:
    return flattened(image, _WHITE).convert("L").convert("RGB")


def _rotate(image: Image.Image, rng: Random) -> Image.Image:
    flat = flattened(image, _WHITE)
    degrees = rng.choice((-1, 1)) * rng.uniform(1.0, 5.0)
    corners = rng.choice(("edge", "white", "cropped"))
    fill = _edge_colour(flat) if corners == "edge" else _WHITE
    turned = flat.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill)
    if corners != "cropped":
        return turned
    # What is sure to be inside the turned picture: w - h tan, h - w tan at these small angles.
    slope = math.tan(math.radians(abs(degrees))) / 2
    x = min(math.ceil(flat.height * slope) + 1, flat.width // 4)
    y = min(math.ceil(flat.width * slope) + 1, flat.height // 4)
    return turned.crop((x, y, flat.width - x, flat.height - y))


def _edge_colour(image: Image.Image) -> Colour:
    """The median colour of the outermost pixels."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = np.median(edge, axis=0)
    return int(red), int(green), int(blue)


def _alpha_white(image: Image.Image, rng: Random) -> Image.Image:
    return flattened(image, _WHITE)


def _alpha_black(image: Image.Image, rng: Random) -> Image.Image:
    return flattened(image, _BLACK)


def _recolour(image: Image.Image, rng: Random) -> Image.Image:
    """All hues turned by 60 to 300 degrees; where that is hardly to be seen, all is tinted."""
    turn, hue, depth = rng.uniform(60, 300), rng.random(), rng.uniform(0.6, 1.0)
    pixels = np.asarray(image.convert("RGB"), np.float32)
    hsv = np.asarray(image.convert("RGB").convert("HSV")).copy()
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + round(turn * 256 / 360)) % 256
    new = Image.fromarray(hsv, "HSV").convert("RGB")
    change = np.abs(np.asarray(new, np.float32) - pixels).max(axis=2)
    visible = np.ones(change.shape, bool)
    if image.mode == "RGBA":
        visible = np.asarray(image.getchannel("A")) > 16
    shown = pixels[visible] if visible.any() else pixels.reshape(-1, 3)
    chroma = float((shown.max(axis=1) - shown.min(axis=1)).mean())
    if chroma < _COLOURLESS or np.mean(change[visible] > _CLEARLY) < _LEAST_CHANGED:
        new = Image.fromarray(_tinted(pixels, hue, depth, bright=float(shown.mean()) > 200))
    if image.mode == "RGBA":
        new.putalpha(image.getchannel("A"))
    return new


def _tinted(
    pixels: NDArray[np.float32], hue: float, depth: float, *, bright: bool
) -> NDArray[np.uint8]:
    """Black becomes a colour and white stays; in a bright picture the other way round."""
    light = pixels.mean(axis=2, keepdims=True) / 255
    ink = 255 * np.array(colorsys.hsv_to_rgb(hue, depth, 0.85), np.float32)
    tinted = np.rint(ink * light if bright else ink + (255 - ink) * light)
    levels: NDArray[np.uint8] = np.clip(tinted, 0, 255).astype(np.uint8)
    return levels


def _invert(image: Image.Image, rng: Random) -> Image.Image:
    new = ImageOps.invert(image.convert("RGB"))
    if image.mode == "RGBA":
        new.putalpha(image.getchannel("A"))
    return new


def _saved(alter: Alteration) -> Transformation:
    return lambda image, rng: _encoded(alter(image, rng), image)


# Every name to what makes the copy's bytes of the decoded, upright original (RGB or RGBA).
TRANSFORMATIONS: dict[str, Transformation] = {
    "jpeg": _jpeg,
    "resize": _saved(_resize),
    "crop": _saved(_crop),
    "crop_sides": _saved(_crop_sides),
    "border": _saved(_border),
    "flip": _saved(_flip),
    "gamma": _saved(_gamma),
    "noise": _saved(_noise),
    "blur": _saved(_blur),
    "watermark": _saved(_watermark),
    "grey": _saved(_grey),
    "rotate": _saved(_rotate),
    "alpha_white": _saved(_alpha_white),
    "alpha_black": _saved(_alpha_black),
    "recolour": _saved(_recolour),
    "invert": _saved(_invert),
}
# Those that leave transparent pixels transparent; all others lay the picture on a ground.
KEEPS_ALPHA = frozenset({"resize", "crop", "crop_sides", "flip", "gamma", "recolour", "invert"})
