"""Many rows of a pack in order, whole: pixels, facts, captions and, if asked for, the files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.packed import PackedDataset, open_pack
from dataset.provenance import Provenance
from dataset.records import Caption

# Facts, captions and pictures of so many rows are read at once; original files one by one.
_BLOCK = 1024


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
    """These rows (n,), ascending, one after another; a block at a time lies in memory."""
    with open_pack(packed.path) as file:
        encoded = file["encoded"] if originals and "encoded" in file else None
        for part in _parts(rows):
            start, stop = int(part[0]), int(part[-1]) + 1
            facts = packed.facts(start, stop)
            captions = _captions(file["captions"], start, stop)
            pixels = file["data"][start:stop]
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
    pass over a large pack does not fill the memory with pages."""
    with open_pack(packed.path) as file:
        for part in _parts(rows):
            start, stop = int(part[0]), int(part[-1]) + 1
            yield file["data"][start:stop][part - start]


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
