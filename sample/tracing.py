"""Pixels to paths and back: an SVG by vtracer, drawn again by resvg to measure what was lost."""

import io
import re
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from dataset.drawings import MOST_BYTES, SIDE, render
from dataset.errors import PictureError, WorldError
from dataset.pixels import Pixels

_VISIBLE = 32.0  # levels of 255 in one channel, from which a pixel is another to the eye
_HEADER = re.compile(r".*?<svg\b[^>]*>", re.DOTALL)
# vtracer's settings: angles in degrees, lengths in pixels of the 512.
_SHARED: dict[str, Any] = {
    "colormode": "color",
    "hierarchical": "stacked",  # areas lie on each other, so that no seam shows between them
    "mode": "spline",
    "corner_threshold": 60,
    "length_threshold": 4.0,
    "max_iterations": 10,
    "splice_threshold": 45,
    "path_precision": 1,
}
_EXACT = {"color_precision": 8, "layer_difference": 0}
_FLAT_SPECKLE, _SHADED_SPECKLE = 3, 8  # patches of fewer pixels a side are left out
_SHADES = 24  # colours that shades become: by itself vtracer joins even ones into one area


@dataclass(frozen=True)
class Redrawing:
    """What a drawing as paths is, and how far it is from the pixels that it was made of.

    `rms` is the root mean square difference of the premultiplied RGBA in 0..255 levels, `off` the
    share of pixels that differ visibly.
    """

    svg: str
    paths: int
    rms: float
    off: float


def traced(picture: Pixels, original: Pixels, title: str, *, flat: bool) -> Redrawing | None:
    """An SVG of the `picture` (512, 512, 4), of which each pixel is opaque or not there at all,
    compared with the `original` (512, 512, 4); `flat` if it has few colours, else it is given few.
    None for a picture too intricate: an SVG of over 2 MB is of no use as one.

    Raises WorldError when vtracer or resvg is not installed or breaks.
    """
    if picture.shape != (SIDE, SIDE, 4) or original.shape != picture.shape:
        raise ValueError(f"pictures of {picture.shape} and {original.shape} are not {SIDE} a side")
    # Of nothing vtracer would draw a black square.
    svg = _paths(picture, flat) if picture[..., 3].any() else ""
    body = _HEADER.sub("", svg, count=1) or "</svg>"
    box = f'viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" height="{SIDE}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">'
    whole = f"{head}\n<title>{escape(_printable(title))}</title>{body}"
    if len(whole.encode()) > MOST_BYTES:
        return None
    rms, off = difference(redrawn(whole), original)
    return Redrawing(whole, whole.count("<path"), rms, off)


def redrawn(svg: str) -> Pixels:
    """The drawing as pixels (H, W, 4), its longer side of 512; WorldError when that fails."""
    try:
        content = render(svg.encode(), _no_pictures, max_aspect=8.0)
    except PictureError as error:
        raise WorldError(f"{error}; what was traced is not kept") from error
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGBA"))


def difference(one: Pixels, other: Pixels) -> tuple[float, float]:
    """Root mean square difference in levels, and share of pixels that differ visibly, of two
    pictures (H, W, 4), colour weighted by alpha."""
    apart = _premultiplied(one) - _premultiplied(other)
    visible = np.abs(apart).max(axis=2) > _VISIBLE
    return float(np.sqrt(np.square(apart).mean())), float(visible.mean())


def _premultiplied(picture: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    values = picture.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255.0
    return values


def _paths(picture: Pixels, flat: bool) -> str:
    try:
        import vtracer
    except (ImportError, RuntimeError) as error:
        raise WorldError(
            f"vtracer cannot be loaded ({error}); pip install -e '.[stickers]', or --no-svg"
        ) from error
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    (image if flat else _of_few_shades(image)).save(buffer, "PNG")
    settings = _SHARED | _EXACT | {"filter_speckle": _FLAT_SPECKLE if flat else _SHADED_SPECKLE}
    try:
        traced_svg = vtracer.convert_raw_image_to_svg(
            buffer.getvalue(), img_format="png", **settings
        )
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's: derives from BaseException
            raise
        raise WorldError("a picture broke vtracer; leave the paths out with --no-svg") from error
    return str(traced_svg)


def _of_few_shades(image: Image.Image) -> Image.Image:
    """An RGBA image of few colours and the same transparency."""
    shades = image.convert("RGB").quantize(
        _SHADES, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
    )
    few = shades.convert("RGBA")
    few.putalpha(image.getchannel("A"))
    return few


def _printable(text: str) -> str:
    """What XML 1.0 may hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _no_pictures(_content: bytes) -> None:
    raise PictureError("broken", "a traced drawing holds a picture")
