"""What a picture file is and how large, read from its first bytes alone; no pixel is decoded.

Names and types that a site states are not believed: an .ico may be a PNG, a .png a web page.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dataset import drawings, icons
from dataset.errors import PictureError

_PNG = b"\x89PNG\r\n\x1a\n"
# Markers of a JPEG that carry its size (ITU-T T.81, B.1.1.3): all SOFn but DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, 0xFF, *range(0xD0, 0xD9)})
_MOST_SEGMENTS = 2000
_SVG_TAG = re.compile(r"<(?:[\w.-]+:)?svg\b([^>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(width|height|viewBox)\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_NUMBER = re.compile(r"\s*\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(?![\d.]*\s*%)")


@dataclass(frozen=True)
class PictureSize:
    """Format (ico, png, gif, jpg, webp, bmp, avif, svg) and sides in pixels; an icon's are those
    of its best entry, a drawing's those at which it is drawn."""

    format: str
    width: int
    height: int


def size_of(content: bytes) -> PictureSize | None:
    """The size that the header of `content` states; None when it is no picture of these formats,
    has no pixels, or ends within its header."""
    name = _format_of(content)
    try:
        width, height = _READERS[name](content) if name else (0, 0)
    except (struct.error, IndexError, ValueError, PictureError):
        return None
    return PictureSize(name, width, height) if width > 0 and height > 0 else None


def _format_of(content: bytes) -> str:
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            return name
    if content[4:8] == b"ftyp" and content[8:12] in (b"avif", b"avis", b"mif1", b"miaf"):
        return "avif"
    return "svg" if drawings.is_drawing(content) else ""


def _ico(content: bytes) -> tuple[int, int]:
    entry = icons.best_entry(content)
    return entry.width, entry.height


def _png(content: bytes) -> tuple[int, int]:
    if content[12:16] != b"IHDR":
        raise ValueError("a PNG begins with IHDR (PNG specification, 5.6)")
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _gif(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _bmp(content: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", content, 18)
    return abs(width), abs(height)  # a negative height says that rows go down


def _jpeg(content: bytes) -> tuple[int, int]:
    place = 2
    for _ in range(_MOST_SEGMENTS):
        if content[place] != 0xFF:
            raise ValueError("a segment begins with FF")
        marker = content[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        if marker == 0xFF:  # padding
            place += 1
        elif marker in _BARE:
            place += 2
        else:
            (length,) = struct.unpack_from(">H", content, place + 2)
            place += 2 + length
    raise ValueError("no frame in so many segments")


def _webp(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":
        raw = content[24:30]
        if len(raw) < 6:
            raise ValueError("cut")
        return int.from_bytes(raw[:3], "little") + 1, int.from_bytes(raw[3:], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no known kind of WebP")


def _avif(content: bytes) -> tuple[int, int]:
    """The largest `ispe` property of the header: grids and thumbnails have their own."""
    sizes = [
        struct.unpack_from(">II", content, match.end() + 4)
        for match in re.finditer(b"ispe", content[:65_536])
    ]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return width, height


def _svg(content: bytes) -> tuple[int, int]:
    """Sides at which it is drawn: the longer one drawings.SIDE, the other in proportion."""
    tag = _SVG_TAG.search(content[:65_536].decode("utf-8", "replace"))
    found = {name.lower(): text for name, text in _ATTRIBUTE.findall(tag[1] if tag else "")}
    width, height = (_number(found.get(name, "")) for name in ("width", "height"))
    box = [_number(part) for part in re.split(r"[\s,]+", found.get("viewbox", "").strip())]
    if not (width and height) and len(box) == 4:
        width, height = box[2:]
    if not (width and height):
        width = height = 1.0
    scale = drawings.SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _number(text: str) -> float:
    matched = _NUMBER.match(text)
    return float(matched[1]) if matched else 0.0


_SIGNATURES = (
    (icons.SIGNATURE, "ico"),
    (_PNG, "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\xff\xd8\xff", "jpg"),
    (b"RIFF", "webp"),
    (b"BM", "bmp"),
)
_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "ico": _ico,
    "png": _png,
    "gif": _gif,
    "jpg": _jpeg,
    "webp": _webp,
    "bmp": _bmp,
    "avif": _avif,
    "svg": _svg,
}
