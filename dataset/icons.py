"""The directory of an ICO file: which of its pictures is the best, told before any is decoded."""

import struct
from dataclasses import dataclass

from dataset.errors import PictureError

SIGNATURE = b"\0\0\1\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_DIRECTORY = struct.Struct("<HHH")
_ENTRY = struct.Struct("<BBBBHHII")


@dataclass(frozen=True)
class IconEntry:
    """One picture of an icon: its real size and depth, and its bytes as a file of their own.

    `content` is a PNG, or an ICO whose directory has this one entry (a DIB with its AND mask).
    """

    width: int
    height: int
    bits: int
    content: bytes

    @property
    def is_png(self) -> bool:
        return self.content.startswith(_PNG)


def best_entry(content: bytes) -> IconEntry:
    """The entry of most pixels, and of most bits a pixel among those.

    Sizes come from the entry's own header: the directory has a byte a side and is often wrong.
    Raises PictureError with reason truncated (the best entry lies beyond the end) or broken.
    """
    if len(content) < _DIRECTORY.size:
        raise PictureError("truncated", "the icon ends in its directory")
    count = _DIRECTORY.unpack_from(content)[2]
    if count == 0:
        raise PictureError("broken", "the icon's directory is empty")
    if len(content) < _DIRECTORY.size + count * _ENTRY.size:
        raise PictureError("truncated", f"the icon ends in its directory of {count} entries")
    best: tuple[int, int, int] | None = None  # (pixels, bits, place)
    for place in range(count):
        width, height, bits = _measured(content, place)
        if best is None or (width * height, bits) > best[:2]:
            best = width * height, bits, place
    assert best is not None
    return _extracted(content, best[2])


def _fields(content: bytes, place: int) -> tuple[int, int, int, int]:
    """Width, height (a byte each, 0 means 256), length and offset as the directory has them."""
    fields = _ENTRY.unpack_from(content, _DIRECTORY.size + place * _ENTRY.size)
    return fields[0] or 256, fields[1] or 256, fields[6], fields[7]


def _measured(content: bytes, place: int) -> tuple[int, int, int]:
    """Width, height and bits a pixel of one entry; the directory's word when it has no header."""
    width, height, _length, offset = _fields(content, place)
    head = content[offset : offset + 26]
    if head.startswith(_PNG) and len(head) == 26:
        width, height = struct.unpack_from(">II", head, 16)
        return width, height, 32
    if len(head) == 26 and struct.unpack_from("<I", head)[0] == 12:  # BITMAPCOREHEADER
        width, height, _planes, bits = struct.unpack_from("<HHHH", head, 4)
        return width, height // 2, bits
    if len(head) == 26 and 40 <= struct.unpack_from("<I", head)[0] <= 124:  # BITMAPINFOHEADER, V5
        width, height, _planes, bits = struct.unpack_from("<IiHH", head, 4)
        return width, abs(height) // 2, bits
    return width, height, 0


def _extracted(content: bytes, place: int) -> IconEntry:
    width, height, bits = _measured(content, place)
    _width, _height, length, offset = _fields(content, place)
    if offset + length > len(content):
        raise PictureError("truncated", f"entry {place + 1} of the icon lies beyond its end")
    if bits == 0:
        raise PictureError("broken", f"entry {place + 1} of the icon is neither a PNG nor a DIB")
    if content.startswith(_PNG, offset):
        return IconEntry(width, height, bits, content[offset:])
    return IconEntry(width, height, bits, _alone(content[offset : offset + length], bits))


def _alone(dib: bytes, bits: int) -> bytes:
    """An ICO file of one DIB; `bits` 32 has Pillow take alpha from the pixels, else the mask."""
    width, height = struct.unpack_from("<Ii", dib, 4) if dib[0] != 12 else (0, 0)
    directory = _DIRECTORY.pack(0, 1, 1)
    start = _DIRECTORY.size + _ENTRY.size
    sides = (width & 0xFF, (height // 2) & 0xFF)
    return directory + _ENTRY.pack(*sides, 0, 0, 1, bits, len(dib), start) + dib


def with_mask(entry: IconEntry) -> IconEntry:
    """The same DIB with its AND mask in place of an alpha channel that was left empty."""
    dib = entry.content[_DIRECTORY.size + _ENTRY.size :]
    return IconEntry(entry.width, entry.height, 24, _alone(dib, 24))
