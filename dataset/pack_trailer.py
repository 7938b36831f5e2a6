"""The last 80 bytes of a pack, past the end of the HDF5 file: a checksum of all but the pictures.

The HDF5 library may loop for ever on damaged structures, so they are checked before it sees them.
A file without a trailer, such as one that HDF5 opened for writing since, goes unchecked here.
"""

import hashlib
import os
import struct
from pathlib import Path
from typing import BinaryIO

from dataset.errors import DataError

_MAGIC = b"\r\nPEDIGREE PACK 1\x1a\n\0\0\0\0\0\0\0\0\0\0\0\0\0"  # 32 bytes
_PLACE = struct.Struct("<QQ")  # where data starts, and how many bytes it has
SIZE = len(_MAGIC) + _PLACE.size + 32
_STEP = 1 << 22
# Opening a pack reads so much at most: a second or less from any disk.
QUICK = 64 << 20


def write_trailer(path: Path, offset: int, length: int) -> None:
    """Append the trailer; `data` is the `length` bytes from `offset` on."""
    head = _MAGIC + _PLACE.pack(offset, length)
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        digest = _digest(file, offset, length, end, head)
        file.seek(end)
        file.write(head + digest)


def check_trailer(path: Path, most: int | None = QUICK) -> None:
    """Raises DataError when a byte that is no picture's was altered since packing.

    Looks at nothing when there are more than `most` such bytes, or no trailer."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < SIZE:
            return
        file.seek(size - SIZE)
        trailer = file.read(SIZE)
        if not trailer.startswith(_MAGIC):
            return
        head, digest = trailer[:-32], trailer[-32:]
        offset, length = _PLACE.unpack(head[len(_MAGIC) :])
        end = size - SIZE
        if offset + length > end:
            raise DataError(f"pack {path} is truncated or its end is damaged; pack again")
        if most is not None and end - length > most:
            return
        if _digest(file, offset, length, end, head) != digest:
            raise DataError(
                f"pack {path} is damaged: bytes besides the pictures were altered after packing; "
                "pack again"
            )


def _digest(file: BinaryIO, offset: int, length: int, end: int, head: bytes) -> bytes:
    digest = hashlib.sha256(head)
    for start, stop in ((0, offset), (offset + length, end)):
        file.seek(start)
        for place in range(start, stop, _STEP):
            digest.update(file.read(min(_STEP, stop - place)))
    return digest.digest()
