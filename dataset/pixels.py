"""The one decode path: hostile bytes to upright uint8 RGB, or a reason why not."""

import hashlib
import io
import struct
import warnings
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, UnidentifiedImageError

from dataset import containers, drawings, icons
from dataset.composite import Background as Background
from dataset.composite import Pixels as Pixels
from dataset.composite import composite as composite
from dataset.errors import PictureError
from dataset.profiles import to_srgb

Size = tuple[int, int]  # width, height
Tables = tuple[tuple[int, ...], ...]

# Pillow warns of odd metadata, and of sizes that are checked here anyway. Said once and for the
# whole process: to silence it call by call is not safe between threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# Formats that are decoded at all: every other decoder of Pillow stays out of reach of the web.
_FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "TIFF"]
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--", b"<body", b"<script")
# What Pillow raises for bytes that it cannot make sense of.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error)
_ORIENTATION = 0x0112
# What undoes each orientation of EXIF (CIPA DC-008, 4.6.5.1.5).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class PixelLimits:
    """What is still decoded: bytes, pixels (checked in the header, before decoding), sides,
    frames of an animation (of which only the first is decoded)."""

    max_bytes: int = 40_000_000
    max_pixels: int = 60_000_000
    min_side: int = 16
    max_aspect: float = 8.0
    max_frames: int = 2000


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `rgb` is (H, W, 3) uint8, upright, alpha composited on a background."""

    rgb: Pixels
    format: str
    has_alpha: bool
    pixel_sha256: str

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])


@dataclass(frozen=True)
class Raster:
    """A decoded picture as Pillow holds it: `image` is RGB, upright, composited; `data` are its
    bytes, three a pixel, row by row. `width` and `height` are the picture's own, which those of
    `image` are unless it was decoded smaller. `rgba` is there when the picture can be seen
    through: straight alpha, before it was composited. `jpeg_tables` are the quantisation tables of
    a JPEG (64 steps each)."""

    image: Image.Image
    data: bytes
    format: str
    has_alpha: bool
    pixel_sha256: str
    width: int
    height: int
    rgba: Image.Image | None = None
    jpeg_tables: Tables = ()


def decode(
    content: bytes, *, background: Background = "auto", limits: PixelLimits | None = None
) -> Picture:
    """Decode `content`; EXIF orientation and colour profile applied, alpha composited.

    The first frame of an animation, the best entry of an icon, an SVG at 512 px.
    `background="auto"` is white, or black for a picture too bright to be seen on white.
    Raises PictureError with one of the reasons
    empty, too-many-bytes, too-many-pixels, too-many-frames, too-small, odd-aspect: over a limit;
    html, not-an-image: something else than a picture; truncated: it ends too early; broken;
    svg: a drawing, and no renderer is installed; svg-external: a drawing that reaches outside.
    """
    raster = rasterise(content, background=background, limits=limits)
    shape = (raster.image.height, raster.image.width, 3)
    rgb = np.frombuffer(bytearray(raster.data), np.uint8).reshape(shape)  # a copy to write to
    return Picture(rgb, raster.format, raster.has_alpha, raster.pixel_sha256)


def rasterise(
    content: bytes,
    *,
    background: Background = "auto",
    limits: PixelLimits | None = None,
    least_side: int | None = None,
) -> Raster:
    """What `decode` does, for who goes on with Pillow; same arguments, same errors.

    With `least_side` a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as no side falls
    below that; all of the file is still read, and its `pixel_sha256` is of these pixels.
    """
    kind, image, size, tables = _seen(content, limits, least_side)
    rgba = _to_rgba(image)
    if rgba is None:
        return replace(_opaque(_to_rgb(image), kind, size), jpeg_tables=tables)
    del image  # of a large picture one copy less at a time
    return _flattened(rgba, kind, background, size)


def colour_image(
    content: bytes, *, limits: PixelLimits | None = None, least_side: int | None = None
) -> tuple[Image.Image, Size, str]:
    """The picture upright, in sRGB: RGB, or RGBA (straight alpha) where it can be seen through;
    its own size and format. Arguments and errors are those of `rasterise`; nothing is hashed."""
    kind, image, size, _ = _seen(content, limits, least_side)
    rgba = _to_rgba(image)
    return (rgba if rgba and _is_seen_through(rgba) else _to_rgb(rgba or image)), size, kind


def grey_image(
    content: bytes, *, least_side: int, limits: PixelLimits | None = None
) -> Image.Image:
    """The picture in grey (mode L), upright, on its background; no colour profile is applied.

    Same errors as `decode`. A JPEG's colours are not decoded at all.
    """
    _, image, _ = _loaded(content, limits, least_side, "L")
    image, _ = _upright(image)
    rgba = _to_rgba(image)
    if rgba is None:
        return image if image.mode == "L" else _to_rgb(image).convert("L")
    return Image.fromarray(composite(np.asarray(rgba))).convert("L")


def _seen(
    content: bytes, limits: PixelLimits | None, least_side: int | None
) -> tuple[str, Image.Image, Size, Tables]:
    """Format, upright picture in sRGB, its own size and the tables of a JPEG."""
    kind, image, size = _loaded(content, limits, least_side)
    tables = tuple(tuple(table) for table in getattr(image, "quantization", {}).values())
    image, is_turned = _upright(image)
    return kind, to_srgb(image), (size[1], size[0]) if is_turned else size, tables


def _check_bytes(content: bytes, limits: PixelLimits) -> None:
    if not content:
        raise PictureError("empty", "the file has no bytes")
    if len(content) > limits.max_bytes:
        raise PictureError("too-many-bytes", f"{len(content)} bytes, over {limits.max_bytes}")


def _loaded(
    content: bytes, limits: PixelLimits | None, least_side: int | None, mode: str | None = None
) -> tuple[str, Image.Image, Size]:
    """Format, decoded first frame and size of anything that may be a picture."""
    limits = limits or PixelLimits()
    _check_bytes(content, limits)
    if content.startswith(icons.SIGNATURE):
        icon = _load_icon(icons.best_entry(content), limits)
        return "ICO", icon, icon.size
    if drawings.is_drawing(content):
        png = drawings.render(content, lambda part: _check_part(part, limits), limits.max_aspect)
        drawn = _load(_open(png), png, limits)
        return "SVG", drawn, drawn.size
    size = containers.webp_size(content)
    if size is not None:  # Pillow makes a canvas of it as soon as it opens the file
        _check_size(size, limits)
    image = _open(content)
    size = image.size
    return image.format or "", _load(image, content, limits, least_side, mode), size


def _load_icon(entry: icons.IconEntry, limits: PixelLimits) -> Image.Image:
    _check_size((entry.width, entry.height), limits)
    if entry.is_png:
        return _load(_open(entry.content), entry.content, limits)
    try:
        image = Image.open(io.BytesIO(entry.content), formats=["ICO"])
        if entry.bits == 32 and image.getchannel("A").getextrema() == (0, 0):
            masked = icons.with_mask(entry)
            image = Image.open(io.BytesIO(masked.content), formats=["ICO"])
        image.load()
    except (*_BROKEN, Image.DecompressionBombError) as error:
        raise PictureError("broken", f"the icon cannot be decoded: {error}") from error
    return image


def _check_part(content: bytes, limits: PixelLimits) -> None:
    """Refuse a picture inside a drawing that would be too large, or is none."""
    width, height = containers.webp_size(content) or _open(content).size
    if width * height > limits.max_pixels:
        raise PictureError("too-many-pixels", f"{width}x{height} inside a drawing")


def _open(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith(_HTML_STARTS):
            raise PictureError("html", "a web page was served as a picture") from None
        if containers.is_cut(content):
            raise PictureError("truncated", "the file ends in its header") from None
        raise PictureError("not-an-image", "the bytes are no picture of a known format") from None
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels", str(error)) from error
    except _BROKEN as error:
        reason = "truncated" if containers.is_cut(content) else "broken"
        raise PictureError(reason, f"the header cannot be read: {error}") from error
    key = image.info.get("transparency")
    if image.format == "PNG" and content[24] == 16 and isinstance(key, tuple):
        # Pillow keeps the high byte of 16-bit colours, but both of the one that is transparent.
        image.info["transparency"] = tuple(value >> 8 for value in key)
    return image


def _check_size(size: tuple[int, int], limits: PixelLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise PictureError("too-many-pixels", f"{width}x{height} is over {limits.max_pixels} px")
    if min(width, height) < limits.min_side:
        raise PictureError("too-small", f"{width}x{height} has a side under {limits.min_side} px")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise PictureError("odd-aspect", f"{width}x{height} is longer than {limits.max_aspect}:1")


def _check_frames(image: Image.Image, content: bytes, limits: PixelLimits) -> None:
    if image.format == "GIF":
        frames = containers.gif_frames(content, limits.max_frames)
    elif image.format == "TIFF":
        frames = containers.tiff_frames(content, limits.max_frames)
    else:
        frames = getattr(image, "n_frames", 1)  # WebP, AVIF and PNG have it in their header
    if frames > limits.max_frames:
        raise PictureError("too-many-frames", f"an animation of over {limits.max_frames} frames")


def _load(
    image: Image.Image,
    content: bytes,
    limits: PixelLimits,
    least_side: int | None = None,
    mode: str | None = None,
) -> Image.Image:
    """Decode an opened picture that keeps the limits."""
    _check_size(image.size, limits)
    _check_frames(image, content, limits)
    can_shrink = image.format == "JPEG" and (mode or min(image.size) >= 2 * (least_side or 0))
    try:
        if least_side and can_shrink:
            image.draft(mode, (least_side, least_side))
        image.load()
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels", str(error)) from error
    except _BROKEN as error:
        cut = "truncated" in str(error) or containers.is_cut(content)
        reason = "truncated" if cut else "broken"
        raise PictureError(reason, f"the pixels cannot be decoded: {error}") from error
    return image


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """The picture as it is to be seen, and whether its sides changed places."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
        method = _UPRIGHT.get(orientation)
    except Exception:  # broken EXIF of any kind says nothing about the pixels
        return image, False
    return (image, False) if method is None else (image.transpose(method), orientation >= 5)


def _to_rgba(image: Image.Image) -> Image.Image | None:
    """RGBA for a picture that has an alpha channel or a transparent palette entry."""
    key = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(key, int):
        values = np.asarray(image)
        alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
        with_alpha = _to_rgb(image)
        with_alpha.putalpha(alpha)
        return with_alpha
    if image.mode == "RGBA":
        return image
    if image.mode in ("LA", "PA", "La", "RGBa") or key is not None:
        return image.convert("RGBA")
    return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise PictureError("broken", "some pixels are not numbers, or infinite")
        scale = 257.0 if values.max(initial=0) > 255 else 1.0
        return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _opaque(rgb: Image.Image, kind: str, size: Size) -> Raster:
    data = rgb.tobytes()
    return Raster(rgb, data, kind, False, _pixel_hash(size, 3, data), *size)


def _flattened(rgba: Image.Image, kind: str, background: Background, size: Size) -> Raster:
    """An RGBA picture on its background; the hash is of what was there before, if seen through."""
    if not _is_seen_through(rgba):
        return _opaque(rgba.convert("RGB"), kind, size)
    shape = (rgba.height, rgba.width, 4)
    pixels = np.frombuffer(bytearray(rgba.tobytes()), np.uint8).reshape(shape)
    pixels[pixels[:, :, 3] == 0] = 0  # colours that nobody can see
    digest = _pixel_hash(size, 4, pixels.data)
    flat = composite(pixels, background)
    del pixels  # a large picture is not held in every form at once
    return Raster(Image.fromarray(flat), flat.tobytes(), kind, True, digest, *size, rgba=rgba)


def _is_seen_through(rgba: Image.Image) -> bool:
    return bool(rgba.getchannel("A").getextrema()[0] != 255)


def _pixel_hash(size: Size, channels: int, data: bytes | memoryview) -> str:
    """SHA-256 of the shape (H, W, channels) and the pixels."""
    digest = hashlib.sha256(repr((size[1], size[0], channels)).encode())
    digest.update(data)
    return digest.hexdigest()
