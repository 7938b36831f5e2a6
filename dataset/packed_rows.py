"""Many rows of a pack in order, whole: pixels, facts, captions and, if asked for, the files.

What is read is held against the checks of the pack, so that no damaged picture passes as a sound
one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.packed import PackedDataset, open_pack
from dataset.provenance import Provenance
from dataset.records import Caption

# Facts, captions and pictures of so many rows are read at once; original files one by one.
_BLOCK = 1024
_MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class PackedRow:
    """One row: `pixels` (C, H, W) uint8, the best caption first; `original` is the file that the
    row was made from, b"" where it was not asked for or is not there."""

    pixels: NDArray[np.uint8]
    fact: Provenance
    captions: tuple[Caption, ...]
    original: bytes = b""


def read_rows(
    packed: PackedDataset, rows: NDArray[np.int64], *, originals: bool = False
) -> Iterator[PackedRow]:
    """These rows (n,), ascending, one after another; a block at a time lies in memory.

    Raises DataError for pictures that are not those that were packed, naming their rows.
    """
    with open_pack(packed.path) as file:
        encoded = file["encoded"] if originals and "encoded" in file else None
        pictures = _Pictures(packed, file)
        for part in _parts(rows):
            start, stop = int(part[0]), int(part[-1]) + 1
            facts = packed.facts(start, stop)
            captions = _captions(file["captions"], start, stop)
            pixels = pictures.read(start, stop)
            for row in part.tolist():
                place = row - start
                yield PackedRow(
                    pixels=pixels[place],
                    fact=facts[place],
                    captions=captions[place],
                    original=b"" if encoded is None else _file(encoded, row),
                )


def read_pixels(packed: PackedDataset, rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """The pictures of these rows, ascending, in blocks (n, C, H, W); read, not mapped, so that a
    pass over a large pack does not fill the memory with pages.

    Raises DataError as `read_rows` does.
    """
    with open_pack(packed.path) as file:
        pictures = _Pictures(packed, file)
        for part in _parts(rows):
            start, stop = int(part[0]), int(part[-1]) + 1
            yield pictures.read(start, stop)[part - start]


class _Pictures:
    """The pictures of an open pack, held against its check of each few rows as they are read."""

    def __init__(self, packed: PackedDataset, file: Any) -> None:
        checks = file["checks/data"]
        self._path, self._data = packed.path, file["data"]
        self._count, self._rows = len(packed), int(checks.attrs["rows"])
        fits = 0 < self._rows <= _BLOCK
        if not fits or checks.shape != (-(-self._count // self._rows), 32):
            raise DataError(
                f"pack {packed.path}: checks/data is damaged; see python -m dataset verify"
            )
        self._checks: NDArray[np.uint8] = checks[:]

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """The pictures from `start` up to `stop`; whole checks are read, so some more rows."""
        first = start // self._rows
        begin = first * self._rows
        end = min(-(-stop // self._rows) * self._rows, self._count)
        pixels: NDArray[np.uint8] = self._data[begin:end]
        wrong = []
        for place, row in enumerate(range(0, len(pixels), self._rows), first):
            digest = hashlib.sha256(pixels[row : row + self._rows].data).digest()
            if digest != self._checks[place].tobytes():
                last = min((place + 1) * self._rows, self._count) - 1
                wrong.append(f"{place * self._rows}-{last}")
        if wrong:
            more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
            raise DataError(
                f"pack {self._path} is damaged: rows {', '.join(wrong[:_MOST_NAMED])}{more} are "
                "not the pictures that were packed; pack again or fetch it again"
            )
        return pixels[start - begin : stop - begin]


def has_originals(packed: PackedDataset) -> bool:
    """Whether the pack carries the files that its rows were made from."""
    with open_pack(packed.path) as file:
        return "encoded" in file


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows that lie in the same block of the file."""
    if len(rows):
        yield from np.split(rows, np.flatnonzero(np.diff(rows // _BLOCK)) + 1)


def _captions(group: Any, start: int, stop: int) -> Sequence[tuple[Caption, ...]]:
    ends = group["offsets"][start : stop + 1].tolist()
    first, last = ends[0], ends[-1]
    texts = group["text"].asstr()[first:last].tolist()
    origins = group["origin"].asstr()[first:last].tolist()
    read = [Caption(text=t, origin=o) for t, o in zip(texts, origins, strict=True)]
    return [tuple(read[a - first : b - first]) for a, b in pairwise(ends)]


def _file(encoded: Any, row: int) -> bytes:
    start, end = (int(place) for place in encoded["offsets"][row : row + 2])
    found: bytes = encoded["blob"][start:end].tobytes()
    return found
