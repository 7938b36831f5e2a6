"""Picture files as hostile and broken sites serve them, drawn byte by byte."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.scrape.drawings import picture

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR, _WITH_ALPHA = 2, 6
# Adam7: first column, first row, step in x, step in y of the seven passes (PNG, 8.2).
_PASSES = [
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
]  # fmt: skip


def image(number: int, mode: str = "RGB", side: int = 48) -> Image.Image:
    """The picture of `number` as Pillow holds it."""
    return Image.open(io.BytesIO(picture(number, side=side))).convert(mode)


def saved(drawn: Image.Image, format: str, **options: object) -> bytes:
    written = io.BytesIO()
    drawn.save(written, format, **options)
    return written.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG with its length and CRC."""
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = _TRUE_COLOUR,
        interlace: int = 0, before: bytes = b"") -> bytes:  # fmt: skip
    """A PNG of filtered `rows`, with the chunks of `before` in front of them."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IDAT", zlib.compress(rows))
    return _SIGNATURE + chunk(b"IHDR", head) + before + body + chunk(b"IEND", b"")


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header says so, with next to no pixels behind it."""
    return png(width, height, bytes(100))


def interlaced(number: int, side: int = 48) -> bytes:
    """An Adam7 PNG of the picture of `number`."""
    pixels = np.asarray(image(number, side=side))
    rows = b"".join(_rows(pixels[y::dy, x::dx]) for x, y, dx, dy in _PASSES)
    return png(side, side, rows, interlace=1)


def sixteen_bits(number: int, side: int = 48) -> bytes:
    """A PNG of 16 bits a channel, half of it seen through."""
    pixels = np.asarray(image(number, "RGBA", side)).astype(np.uint16) * 257
    pixels[: side // 2, :, 3] = 0x8000
    return png(side, side, _rows(pixels.astype(">u2")), depth=16, colour=_WITH_ALPHA)


def _rows(pixels: NDArray[np.generic]) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def with_text_bomb(number: int) -> bytes:
    """A good PNG with a compressed text of 64 MB in front of its pixels."""
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64_000_000), 9))
    return png(48, 48, _rows(np.asarray(image(number))), before=bomb)


def with_profile_bomb(number: int) -> bytes:
    """A good PNG whose colour profile unpacks to 64 MB."""
    bomb = chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(64_000_000), 9))
    return png(48, 48, _rows(np.asarray(image(number))), before=bomb)


def with_bad_crc(number: int, kind: bytes) -> bytes:
    """A PNG whose first chunk of `kind` does not match its checksum."""
    good = bytearray(picture(number))
    at = good.index(kind)
    length = struct.unpack_from(">I", good, at - 4)[0]
    good[at + 4 + length] ^= 255
    return bytes(good)


def long_film(frames: int) -> bytes:
    """A GIF of so many frames, all of them the same."""
    single = saved(Image.new("P", (16, 16)), "GIF")
    head = 13 + 3 * 2 ** ((single[10] & 7) + 1)
    return single[:head] + single[head:-1] * frames + b";"


def with_exif(number: int, exif: bytes) -> bytes:
    return saved(image(number), "JPEG", exif=exif)


def icon(number: int, inside: str) -> bytes:
    """An ICO of one picture, as `png` or `bmp`."""
    return saved(image(number, "RGBA"), "ICO", sizes=[(48, 48)], bitmap_format=inside)


def icon_pointing_outside(number: int) -> bytes:
    good = bytearray(icon(number, "png"))
    struct.pack_into("<I", good, 18, 1_000_000)
    return bytes(good)


def palette_with_transparency(number: int) -> bytes:
    return saved(image(number, "P"), "PNG", transparency=0)
