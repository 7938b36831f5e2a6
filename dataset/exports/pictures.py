"""A row of a pack as a file: PNG of the packed pixels, or the file that it was made from."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.packed_rows import PackedRow

# Level 6 takes twice the time for files of the same size at 32 px, and four times the time for
# ones 12 % smaller at 128 px.
_LEVEL = 1
KEEP = "keep"
_COLOURS = {"white": "#ffffff", "black": "#000000"}
_SUFFIXES = {
    "JPEG": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "WEBP": "webp",
    "BMP": "bmp",
    "AVIF": "avif",
    "TIFF": "tif",
    "ICO": "ico",
    "SVG": "svg",
}
# So many files a folder at most: hubs refuse more, and listings become slow.
_PER_FOLDER = 10_000


def picture_file(row: PackedRow, background: str = KEEP) -> tuple[str, bytes]:
    """Suffix and content: the original where there is one of a known format, else a PNG, of RGBA
    laid on `background` unless that is "keep"."""
    suffix = _SUFFIXES.get(row.fact.original_format.upper())
    if row.original and suffix:
        return suffix, row.original
    return "png", encode_png(flattened(row.pixels, background))


def flattened(pixels: NDArray[np.uint8], background: str) -> NDArray[np.uint8]:
    """(..., 4, H, W) laid on white, black or #rrggbb: (..., 3, H, W); others stay as they are."""
    if background == KEEP or pixels.shape[-3] != 4:
        return pixels
    named = _COLOURS.get(background, background)
    ground = np.frombuffer(bytes.fromhex(named[1:]), np.uint8).astype(np.uint16)[:, None, None]
    alpha = pixels[..., 3:, :, :].astype(np.uint16)
    mixed = (pixels[..., :3, :, :] * alpha + ground * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """(C, H, W) uint8 of 1, 3 or 4 channels as PNG: grey, RGB, RGBA."""
    rows = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    image = Image.fromarray(rows[:, :, 0] if rows.shape[2] == 1 else rows)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_LEVEL)
    return buffer.getvalue()


def numbered(folder: str, row: int, suffix: str, count: int) -> str:
    """The name of a row's file below `folder`, which `count` files share: folder/00000012.png, or
    folder/0003/00031234.png when they are many."""
    part = f"{row // _PER_FOLDER:04d}/" if count > _PER_FOLDER else ""
    return f"{folder}/{part}{row:08d}.{suffix}"
