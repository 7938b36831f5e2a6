"""WebDataset: tars SPLIT-000000.tar of samples KEY.cls, KEY.json, KEY.png, KEY.txt.

The key is the row of the pack, .cls the number of the class (-1 for none; export.json names them),
.txt the best caption, .json all that is known. Times and owners are fixed: equal packs, equal tars.
"""

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from dataset.exports.folders import ExportFolder, export_folder
from dataset.exports.options import ExportOptions, ExportReport, by_split
from dataset.exports.pictures import KEEP, picture_file
from dataset.exports.records import credits_of, label_of, mark_of, report_of, rows_of
from dataset.exports.texts import json_line, provenance_of, texts_of
from dataset.packed import PackedDataset
from dataset.packed_rows import PackedRow

FORMAT = "webdataset"
# A tar is filled to a multiple of this.
_BLOCK = 512
_TEXTS = (".cls", ".json", ".txt")


def export(
    packed: PackedDataset, rows: NDArray[np.int64], target: Path, options: ExportOptions
) -> ExportReport:
    """Write the shards into the folder `target`; heeds originals, background and the
    sizes of shards."""
    parts = by_split(packed, rows)
    mark = mark_of(FORMAT, packed, parts, options)
    with export_folder(target, mark, replace=options.replace) as folder:
        shards = _Shards(folder, options)
        with credits_of(folder) as credits, closing(shards):
            for row in rows_of(packed, parts, options, FORMAT):
                members = list(_sample(packed, row, options.background or KEEP))
                shard = shards.add(row.fact.split, members)
                picture = next(name for name, _ in members if not name.endswith(_TEXTS))
                credits.add(row.fact, f"{shard}/{picture}")
    return report_of(FORMAT, target, parts, folder)


def _sample(packed: PackedDataset, row: PackedRow, background: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a row's members, in order of their names."""
    label = row.fact.label
    suffix, content = picture_file(row, background)
    caption = "".join(texts_of(row))
    members = {
        "cls": str(label).encode(),
        "json": json_line(provenance_of(row, label_of(packed, label))).encode(),
        suffix: content,
        "txt": caption.encode(),
    }
    for kind in sorted(members):
        yield f"{row.fact.row:09d}.{kind}", members[kind]


class _Shards:
    """The tar that is being filled, and the next one when it is full or the split ends."""

    def __init__(self, folder: ExportFolder, options: ExportOptions) -> None:
        self._folder, self._options = folder, options
        self._tar: BinaryIO | None = None
        self._path = Path()
        self._split, self._number, self._pictures, self._bytes = "", 0, 0, 0

    def add(self, split: str, members: Sequence[tuple[str, bytes]]) -> str:
        """Write a row's members; returns the name of the shard that they are in."""
        size = sum(_size(content) for _, content in members)
        if split != self._split:
            self.close()
            self._split, self._number = split, 0
        elif self._is_full(size):
            self.close()
            self._number += 1
        tar = self._tar or self._open()
        for name, content in members:
            tar.write(_header(name, len(content)))
            tar.write(content)
            tar.write(bytes(-len(content) % _BLOCK))
        self._pictures, self._bytes = self._pictures + 1, self._bytes + size
        return self._path.name

    def _is_full(self, size: int) -> bool:
        most, largest = self._options.shard_pictures, self._options.shard_bytes
        return bool((most and self._pictures >= most) or (largest and self._bytes + size > largest))

    def _open(self) -> BinaryIO:
        self._path = self._folder.path(f"{self._split}-{self._number:06d}.tar")
        self._tar = self._path.open("wb")
        self._pictures = self._bytes = 0
        return self._tar

    def close(self) -> None:
        if self._tar is not None:
            with self._tar as tar:
                self._tar = None
                tar.write(bytes(2 * _BLOCK))
                tar.write(bytes(-tar.tell() % tarfile.RECORDSIZE))
            self._folder.count(self._path.stat().st_size)


@cache
def _blank_header() -> bytes:
    info = tarfile.TarInfo()
    info.mode, info.uname, info.gname = 0o444, "pedigree", "pedigree"
    return info.tobuf(tarfile.USTAR_FORMAT)


def _header(name: str, size: int) -> bytes:
    """The header (POSIX ustar) of a member: tarfile makes the same one, five times as slowly."""
    header = bytearray(_blank_header())
    header[: len(name)] = name.encode("ascii")
    header[124:135] = b"%011o" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _size(content: bytes) -> int:
    """What a member takes in a tar: its header, and its content in whole blocks."""
    return _BLOCK + -(-len(content) // _BLOCK) * _BLOCK
