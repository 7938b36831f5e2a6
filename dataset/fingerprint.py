"""What pictures are compared by: small canonical looks of a picture, with their hashes.

A picture has up to four looks: composited on white and on black when it can be seen through, each
whole and with its uniform borders trimmed off.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from dataset.phash import (
    ALPHA,
    DHASH,
    FINE,
    PHASH,
    REDUCED_SIDE,
    difference_bits,
    frequency_bits,
    reduced,
    words,
)
from dataset.pixels import PixelLimits, Raster, grey_image

# A change of anything below that alters what is written is a new version.
FINGERPRINT = "looks/1"

# What a transparent picture lies on.
OPAQUE, ON_WHITE, ON_BLACK = 0, 1, 2
# How much of the picture a look shows.
WHOLE, TRIMMED = 0, 1

LUMA_SIDE = 32
COLOUR_SIDE = 16

# One look: the place and size (pixels) of what it shows, its hashes as 64-bit words, its luma and
# its two colour differences (Cb, Cr; ITU-R BT.601, 128 is none).
LOOK = np.dtype(
    [
        ("ground", "u1"),
        ("frame", "u1"),
        ("is_flat", "u1"),
        ("has_lost", "u1"),
        ("left", "<f4"),
        ("top", "<f4"),
        ("width", "<f4"),
        ("height", "<f4"),
        ("phash", "<u8"),
        ("dhash", "<u8"),
        ("fine", "<u8", (4,)),
        ("luma", "u1", (LUMA_SIDE, LUMA_SIDE)),
        ("colour", "u1", (COLOUR_SIDE, COLOUR_SIDE, 2)),
    ]
)

_NO_LIMITS = PixelLimits(min_side=1, max_aspect=1e9)

Looks = NDArray[np.void]  # an array of LOOK
Numbers = NDArray[np.int64]
Box = tuple[float, float, float, float]  # left, top, right, bottom; 0..1 of the picture

# Below this standard deviation of luma a look shows nothing that a hash could tell (0..128).
FLAT_CONTRAST = 2.5

# Borders are looked for in a picture of this many pixels a side.
_PROBE_SIDE = 72
# How far a pixel of a border may be from its colour (levels of 255), and how many of a line may.
_BORDER_LEVELS = 24
_BORDER_OUTLIERS = 1
# A frame in a frame in a frame; antialiased seams take a round each.
_ROUNDS = 6
# What fills less of a side than this cannot be told from other specks.
_LEAST_CONTENT = 0.02
# What fills less of a side than this lies in a border that says nothing of it.
_PADDED = 0.7
EVERYTHING: Box = (0.0, 0.0, 1.0, 1.0)
# Alpha that counts as seen (of 255), and what may vanish at a rim, of the picture's side.
_SEEN_ALPHA = 48
_LOST_RIM = 0.03


@dataclass(frozen=True)
class Fingerprints:
    """Looks of pictures: `looks` (L,) and the picture `owners` (L,) each belongs to.

    Owners are positions 0..P-1, ascending; all looks of a picture lie together. Pictures are in
    order of their content's hash, so that nothing depends on when they came.
    """

    looks: Looks
    owners: Numbers

    @cached_property
    def is_padded(self) -> NDArray[np.bool_]:
        """(L,) whole looks that are mostly border, and have a trimmed one that shows it all."""
        whole, next_one = self.looks[:-1], self.looks[1:]
        padded = np.zeros(len(self.looks), np.bool_)
        padded[:-1] = (
            (whole["frame"] == WHOLE)
            & (next_one["frame"] == TRIMMED)
            & (whole["ground"] == next_one["ground"])
            & (next_one["is_flat"] == 0)
            & (whole["has_lost"] == 0)
            & (self.owners[:-1] == self.owners[1:])
            & (
                np.minimum(next_one["width"] / whole["width"], next_one["height"] / whole["height"])
                < _PADDED
            )
        )
        return padded

    def of(self, owner: int) -> Looks:
        """The looks of one picture."""
        start, end = np.searchsorted(self.owners, [owner, owner + 1])
        return self.looks[start:end]


def fingerprint(raster: Raster, small: Image.Image) -> Looks:
    """The looks of a picture, (1..4,) of LOOK; `small` is what `reduced(raster.image)` made."""
    size = (raster.width, raster.height)
    if raster.rgba is None:
        return np.concatenate(_looks(raster.image, small, OPAQUE, size))
    small = reduced(raster.rgba)  # weighs colours by alpha
    parts = []
    for ground in (ON_WHITE, ON_BLACK):
        parts += _looks(raster.rgba, small, ground, size)
    return np.concatenate(parts)


def _looks(
    image: Image.Image, small: Image.Image, ground: int, size: tuple[int, int]
) -> list[Looks]:
    """The whole look of a picture on one ground, and the trimmed one where there is a border."""
    whole = _on_ground(small, ground)
    looks = [_look(whole, ground, WHOLE, (0.0, 0.0, *size))]
    looks[0]["has_lost"] = ground != OPAQUE and _has_lost(small, whole, ground)
    box = content_box(whole)
    if box == EVERYTHING:
        return looks
    content = _on_ground(_cut(image, _scaled(box, image.size)), ground)
    if min(box[2] - box[0], box[3] - box[1]) < _PADDED:
        # Once more from nearby: a pixel of the first probe may be much of what is left.
        box = _within(box, content_box(content))
        content = _on_ground(_cut(image, _scaled(box, image.size)), ground)
    if min(box[2] - box[0], box[3] - box[1]) < _LEAST_CONTENT:
        looks[0]["is_flat"] = 1
        return looks
    looks.append(_look(content, ground, TRIMMED, _scaled(box, size)))
    looks[1]["has_lost"] = looks[0]["has_lost"]
    return looks


def _within(outer: Box, inner: Box) -> Box:
    """A box inside another one, in shares of the whole."""
    (left, top, right, bottom), (west, north, east, south) = outer, inner
    width, height = right - left, bottom - top
    return left + west * width, top + north * height, left + east * width, top + south * height


def _scaled(box: Box, size: tuple[int, int]) -> Box:
    return box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]


def _cut(image: Image.Image, box: Box) -> Image.Image:
    """A part of an image, its large sides averaged as `reduced` does."""
    sides = [box[2] - box[0], box[3] - box[1]]
    width, height = (REDUCED_SIDE if s >= 2 * REDUCED_SIDE else max(1, round(s)) for s in sides)
    return image.resize((width, height), Image.Resampling.BOX, box=box)


def _on_ground(image: Image.Image, ground: int) -> Image.Image:
    if ground == OPAQUE:
        return image
    colour = (255, 255, 255, 255) if ground == ON_WHITE else (0, 0, 0, 255)
    return Image.alpha_composite(Image.new("RGBA", image.size, colour), image).convert("RGB")


def _look(image: Image.Image, ground: int, frame: int, place: Box) -> Looks:
    grey = image.convert("L")
    luma = np.asarray(grey.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.LANCZOS))
    fine = np.asarray(grey.resize((64, 64), Image.Resampling.LANCZOS))
    colours = image.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX).convert("YCbCr")
    look = np.zeros(1, LOOK)
    look["ground"], look["frame"] = ground, frame
    look["is_flat"] = luma.std() < FLAT_CONTRAST
    look["left"], look["top"] = place[:2]
    look["width"], look["height"] = place[2] - place[0], place[3] - place[1]
    look["phash"] = words(frequency_bits(luma, 8))
    look["dhash"] = words(difference_bits(grey.resize((9, 8), Image.Resampling.LANCZOS)))
    look["fine"] = words(frequency_bits(fine, 16))
    look["luma"] = luma
    look["colour"] = np.asarray(colours)[:, :, 1:]
    return look


def content_box(image: Image.Image) -> Box:
    """What is left of an RGB image without its uniform borders; frames in frames are followed."""
    width, height = (min(side, _PROBE_SIDE) for side in image.size)
    probe = np.asarray(image.resize((width, height), Image.Resampling.BOX)).astype(np.int16)
    left, top, right, bottom = 0, 0, width, height
    for _ in range(_ROUNDS):
        part = probe[top:bottom, left:right]
        over, under = _border(part), _border(part[::-1])
        if over + under >= len(part):
            break
        part = part[over : len(part) - under]
        turned = part.transpose(1, 0, 2)
        before, behind = _border(turned), _border(turned[::-1])
        if before + behind >= len(turned) or over + under + before + behind == 0:
            break
        top, bottom, left, right = top + over, bottom - under, left + before, right - behind
    return left / width, top / height, right / width, bottom / height


def _border(lines: NDArray[np.int16]) -> int:
    """How many of the first lines (n, length, 3) are of one colour, that of the very first."""
    colour = np.sort(lines[0], axis=0)[len(lines[0]) // 2]
    if not _is_plain(lines[:1], colour)[0]:
        return 0
    plain = _is_plain(lines, colour)
    return int(len(lines) if plain.all() else np.argmin(plain))


def _is_plain(lines: NDArray[np.int16], colour: NDArray[np.int16]) -> NDArray[np.bool_]:
    strange = (np.abs(lines - colour) > _BORDER_LEVELS).any(axis=2).sum(axis=1)
    plain: NDArray[np.bool_] = strange <= _BORDER_OUTLIERS
    return plain


def _has_lost(rgba: Image.Image, composited: Image.Image, ground: int) -> bool:
    """Whether a part at the rim cannot be seen on this ground, such as black letters on black."""
    seen = rgba.getchannel("A").point(lambda alpha: 255 * (alpha > _SEEN_ALPHA)).getbbox()
    colour = "white" if ground == ON_WHITE else "black"
    difference = ImageChops.difference(composited, Image.new("RGB", composited.size, colour))
    levels = difference.point(lambda level: 255 * (level > _BORDER_LEVELS))
    left = levels.getbbox()
    if seen is None or left is None:
        return seen is not None
    rims = (abs(a - b) / side for a, b, side in zip(seen, left, rgba.size * 2, strict=True))
    return max(rims) > _LOST_RIM


def content_side(looks: Looks) -> float:
    """The shortest side, in pixels, of what a picture shows without its borders, on the ground
    where that is more."""
    last = {int(look["ground"]): min(float(look["width"]), float(look["height"])) for look in looks}
    return max(last.values())


def hash_texts(looks: Looks, rgba: Image.Image | None = None) -> dict[str, str]:
    """The hashes of the first look as hexadecimal text, by algorithm and version; that of the
    alpha channel, too, where `rgba` is of one colour, which shows no shape of its own."""
    first = looks[0]
    shape = {} if rgba is None else _alpha_hash(reduced(rgba))
    return {
        **shape,
        PHASH: f"{first['phash']:016x}",
        DHASH: f"{first['dhash']:016x}",
        FINE: "".join(f"{word:016x}" for word in first["fine"]),
    }


def _alpha_hash(rgba: Image.Image) -> dict[str, str]:
    colours = np.asarray(rgba)
    seen = colours[colours[:, :, 3] > _SEEN_ALPHA][:, :3]
    if not len(seen) or np.ptp(seen, axis=0).max() > _BORDER_LEVELS:
        return {}
    alpha = rgba.getchannel("A").resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.LANCZOS)
    return {ALPHA: f"{words(frequency_bits(np.asarray(alpha), 8))[0]:016x}"}


def phash_of_file(content: bytes) -> str:
    """The pHash alone of an encoded picture, 16 hexadecimal digits, for who needs no more.

    A JPEG is decoded in grey and as small as the hash allows, which changes few bits. Borders
    stay. Raises PictureError as `dataset.pixels.decode` does.
    """
    grey = reduced(grey_image(content, least_side=2 * LUMA_SIDE, limits=_NO_LIMITS))
    luma = np.asarray(grey.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.LANCZOS))
    return f"{words(frequency_bits(luma, 8))[0]:016x}"


def read(content: bytes) -> Looks:
    """The looks of a stored fingerprint (that of `tobytes`)."""
    return np.frombuffer(content, LOOK)
