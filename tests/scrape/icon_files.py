"""Icon files that tests draw: sizes are what they are about."""

import io
import struct

from PIL import Image


def drawn(width: int, height: int = 0, format: str = "PNG", *, colour: int = 0x3366CC) -> bytes:
    """A picture of one colour, square unless `height` says otherwise."""
    rgb = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    written = io.BytesIO()
    Image.new("RGB", (width, height or width), rgb).save(written, format)
    return written.getvalue()


def icon_of(*files: bytes, stated: int = 0) -> bytes:
    """An ICO of PNG files whose directory states `stated` for every side (0 means 256)."""
    directory, bodies = struct.pack("<HHH", 0, 1, len(files)), b""
    start = 6 + 16 * len(files)
    for file in files:
        place = start + len(bodies)
        directory += struct.pack("<BBBBHHII", stated, stated, 0, 0, 1, 32, len(file), place)
        bodies += file
    return directory + bodies


def svg(attributes: str = 'viewBox="0 0 20 10"') -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}><path d="M0 0h9v9z"/></svg>'.encode()
    )
