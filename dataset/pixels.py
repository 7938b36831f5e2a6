"""The one decode path: hostile bytes to upright uint8 RGB, or a reason why not."""

import hashlib
import io
import struct
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from dataset.errors import PictureError

Pixels = NDArray[np.uint8]
Background = Literal["auto", "white", "black"]

# Pillow warns of odd metadata, and of sizes that are checked here anyway. Said once and for the
# whole process: to silence it call by call is not safe between threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# Formats that are decoded at all: every other decoder of Pillow stays out of reach of the web.
_FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "ICO", "AVIF", "TIFF"]
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--", b"<body", b"<script")
# Pictures whose visible part is brighter than this on average vanish on white (0..255 luma).
_TOO_BRIGHT_FOR_WHITE = 225.0
# Weights of red, green and blue in luma (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class PixelLimits:
    """What is still decoded: bytes, pixels (checked in the header, before decoding), sides."""

    max_bytes: int = 40_000_000
    max_pixels: int = 60_000_000
    min_side: int = 16
    max_aspect: float = 8.0


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


def decode(
    content: bytes, *, background: Background = "auto", limits: PixelLimits | None = None
) -> Picture:
    """Decode `content`; EXIF orientation applied, alpha composited, first frame of an animation.

    `background="auto"` is white, or black for a picture too bright to be seen on white.
    Raises PictureError with reason empty, too-many-bytes, html, not-an-image, too-many-pixels,
    too-small, odd-aspect, truncated or broken.
    """
    limits = limits or PixelLimits()
    if not content:
        raise PictureError("empty", "the file has no bytes")
    if len(content) > limits.max_bytes:
        raise PictureError("too-many-bytes", f"{len(content)} bytes, over {limits.max_bytes}")
    image = _open(content)
    _check_size(image.size, limits)
    upright = _load(image)
    rgba = _to_rgba(upright)
    has_alpha = rgba is not None and bool((rgba[..., 3] < 255).any())
    if has_alpha and rgba is not None:
        return Picture(composite(rgba, background), image.format or "", True, _pixel_hash(rgba))
    rgb = np.ascontiguousarray(rgba[..., :3]) if rgba is not None else _to_rgb(upright)
    return Picture(rgb, image.format or "", False, _pixel_hash(rgb))


def composite(rgba: Pixels, background: Background = "auto") -> Pixels:
    """Lay (H, W, 4) straight-alpha pixels on a background; returns (H, W, 3) uint8."""
    alpha = rgba[..., 3:].astype(np.float32) / 255.0
    colour = rgba[..., :3].astype(np.float32)
    if background == "auto":
        visible = float(alpha.sum())
        luma = float((colour @ _LUMA * alpha[..., 0]).sum())
        bright = visible > 0 and luma / visible > _TOO_BRIGHT_FOR_WHITE
        background = "black" if bright else "white"
    ground = 255.0 if background == "white" else 0.0
    mixed = colour * alpha + ground * (1.0 - alpha)
    flat: Pixels = np.rint(mixed).astype(np.uint8)
    return flat


def _open(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith(_HTML_STARTS):
            raise PictureError("html", "a web page was served as a picture") from None
        raise PictureError("not-an-image", "the bytes are no picture of a known format") from None
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels", str(error)) from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise PictureError("broken", f"the header cannot be read: {error}") from error


def _check_size(size: tuple[int, int], limits: PixelLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise PictureError("too-many-pixels", f"{width}x{height} is over {limits.max_pixels} px")
    if min(width, height) < limits.min_side:
        raise PictureError("too-small", f"{width}x{height} has a side under {limits.min_side} px")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise PictureError("odd-aspect", f"{width}x{height} is longer than {limits.max_aspect}:1")


def _load(image: Image.Image) -> Image.Image:
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels", str(error)) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        reason = "truncated" if "truncated" in str(error) else "broken"
        raise PictureError(reason, f"the pixels cannot be decoded: {error}") from error
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF of any kind says nothing about the pixels
        return image


def _to_rgba(image: Image.Image) -> Pixels | None:
    """(H, W, 4) for a picture that has an alpha channel or a transparent palette entry."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return None


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        scale = 257.0 if values.max(initial=0) > 255 else 1.0
        grey = np.clip(values / scale, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))


def _pixel_hash(pixels: Pixels) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()
