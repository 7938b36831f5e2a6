"""How a picture is brought to the pack's size: one recipe, recorded whole in the pack."""

from typing import Any

import numpy as np
from PIL import Image

from dataset.composite import Background, composite
from dataset.pack_selection import PackConfig
from dataset.pixels import PixelLimits, Pixels, Size, colour_image
from dataset.resizing import Box, resize
from dataset.sharpening import sharpen
from dataset.subject import subject_place

# The keys of PackConfig that decide how a picture looks in the pack.
RECIPE = (
    "size",
    "channels",
    "fit",
    "background",
    "resample",
    "linear_light",
    "sharpness",
)
# The store holds only what was taken in, perhaps under other limits than the default ones.
ACCEPTED = PixelLimits(max_bytes=1 << 40, min_side=1, max_aspect=1e9)

_MODES = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}
_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# A large JPEG is decoded smaller, but never below so many times the size it is brought to. That
# changes a channel by 0.4 of 255 levels on average (and the median of an edge of two colours may
# become the other one); at 32 px it saves more than the resize costs.
_DECODED_OVER_SIZE = 2.5


def recipe(config: PackConfig) -> dict[str, Any]:
    """The part of a config that decides how a picture looks, JSON-ready."""
    return {key: getattr(config, key) for key in RECIPE}


def prepared(content: bytes, config: PackConfig) -> Pixels:
    """The file of a picture as a row of the pack: (C, size, size) uint8, C by `config.channels`.

    Raises PictureError when it cannot be decoded.
    """
    image, size = decoded(content, config)
    square = prepare_picture(image, config, size)
    pixels = np.frombuffer(square.tobytes(), np.uint8).reshape(config.size, config.size, -1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def decoded(
    content: bytes, config: PackConfig, limits: PixelLimits = ACCEPTED
) -> tuple[Image.Image, Size]:
    """The picture as far as `prepare_picture` needs it (RGB or RGBA), and its own size.

    A JPEG may come smaller than it is. Raises PictureError when it cannot be decoded.
    """
    least = None if config.linear_light else round(_DECODED_OVER_SIZE * config.size)
    image, size, _ = colour_image(content, limits=limits, least_side=least)
    return image, size


def prepare(pixels: Pixels, config: PackConfig) -> Pixels:
    """One (H, W, 3) picture, or (H, W, 4) with straight alpha, as (size, size, C) uint8.

    C is 1, 3 or 4 by `config.channels`. Without an alpha channel in the pack, transparent pixels
    lie on `config.background`; with one, an opaque picture is opaque.
    """
    square = prepare_picture(Image.fromarray(pixels), config)
    return np.array(square).reshape(config.size, config.size, -1)


def prepare_picture(
    image: Image.Image, config: PackConfig, size: Size | None = None
) -> Image.Image:
    """What `prepare` does, from an RGB or RGBA image to one of mode L, RGB or RGBA.

    `size` is the picture's own, where the image was decoded smaller.
    """
    mode, side = _MODES[config.channels], (config.size, config.size)
    if image.mode == mode == "RGB" and image.size == side and config.sharpness == 1.0:
        return image  # no time is spent on it
    box = window(image, config, size)
    if config.channels != "rgba":
        image = _flat(image, config.background)
    if config.channels == "grey" and not config.linear_light:
        image = image.convert("L")  # the luma of ITU-R BT.601, as a JPEG has it
    return _squared(image, config, box, size or image.size)


def window(image: Image.Image, config: PackConfig, size: Size | None = None) -> Box:
    """The part of a picture of `size` (that of `image`) that is kept: its left, top, right and
    bottom in pixels of the picture."""
    width, height = size or image.size
    if width == height or config.fit in ("pad", "stretch"):
        return (0.0, 0.0, float(width), float(height))
    place = subject_place(image) if config.fit == "subject" else 0.5
    short = min(width, height)
    left, top = (width - short) * place, (height - short) * place
    return (left, top, left + short, top + short)


def _squared(image: Image.Image, config: PackConfig, box: Box, size: Size) -> Image.Image:
    """The window `box` of a picture as the pack has it, on its padding where it is not square."""
    side, (width, height) = config.size, size
    inner = (side, side)
    if config.fit == "pad" and width != height:
        scale = side / max(height, width)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = _toned(_resized(image, config, box, inner, width), config)
    if inner == (side, side):
        return picture
    if config.channels == "rgba":
        square = Image.new("RGBA", (side, side))
    else:
        square = Image.new(image.mode, (side, side), _padding(image)).convert(picture.mode)
    square.paste(picture, ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return square


def _resized(
    image: Image.Image, config: PackConfig, box: Box, inner: Size, width: int
) -> Image.Image:
    """The window of a picture that was `width` wide, at the size `inner`."""
    # libjpeg decodes at a whole fraction, and fills up the last column and row.
    fraction = round(width / image.width) or 1
    left, top, right, bottom = (edge / fraction for edge in box)
    part = (left, top, right, bottom)
    if image.size == inner and part == (0.0, 0.0, *image.size):
        return image
    filter_ = _FILTERS[config.resample]
    return resize(image, inner, filter_, part, linear_light=config.linear_light)


def _toned(image: Image.Image, config: PackConfig) -> Image.Image:
    """The picture in the pack's channels, and sharpened: before it lies on padding, into which
    its edges would ring."""
    if config.channels == "rgba":
        image = _without_unseen(image.convert("RGBA"))
    elif config.channels == "grey":
        image = image.convert("L")
    return image if config.sharpness == 1.0 else sharpen(image, config.sharpness)


def _padding(image: Image.Image) -> int | tuple[int, ...]:
    """The median colour of the picture's edge, so that no frame appears."""
    width, height = image.size
    edges = [(0, 0, width, 1), (0, height - 1, width, height)]
    edges += [(0, 0, 1, height), (width - 1, 0, width, height)]
    channels = len(image.getbands())
    pixels = [np.asarray(image.crop(edge)).reshape(-1, channels) for edge in edges]
    median = np.median(np.concatenate(pixels), axis=0).astype(int).tolist()
    return int(median[0]) if channels == 1 else tuple(median)


def _flat(image: Image.Image, background: Background) -> Image.Image:
    if image.mode != "RGBA":
        return image
    return Image.fromarray(composite(np.asarray(image), background))


def _without_unseen(image: Image.Image) -> Image.Image:
    """Transparent black where nothing is seen, whatever the file has hidden there."""
    pixels = np.array(image)
    hidden = pixels[:, :, 3] == 0
    if not hidden.any():
        return image
    pixels[hidden] = 0
    return Image.fromarray(pixels)
