"""Short keys of the rows of a pack, by which rows are compared within a pack and between packs."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from dataset.packed import PackedDataset
from dataset.progress import Progress

Keys = NDArray[np.uint64]
_KEY_BYTES = 8
_TEXT_ROWS = 8192


def keys_of_pictures(data: NDArray[np.uint8]) -> Keys:
    """For each of (n, ...) the first 64 bits of the SHA-256 of its bytes, (n,)."""
    rows = np.ascontiguousarray(data).reshape(len(data), -1)
    digests = b"".join(hashlib.sha256(row.data).digest()[:_KEY_BYTES] for row in rows)
    return np.frombuffer(digests, np.uint64)


def picture_keys(packed: PackedDataset, title: str = "pictures") -> Keys:
    """A key of the exact pixels of every row (N,); read a few megabytes at a time."""
    found = np.zeros(len(packed), np.uint64)
    with Progress(title, len(packed), "pictures") as progress:
        for start, data in packed.blocks():
            found[start : start + len(data)] = keys_of_pictures(data)
            progress.advance(len(data))
    return found


def original_keys(packed: PackedDataset) -> Keys:
    """The first 64 bits of the SHA-256 of every original file (N,), 0 where it is not known."""
    digests = np.ascontiguousarray(packed.column("sha256"))
    return digests.view(np.uint64).reshape(-1, 4)[:, 0].copy() if len(digests) else _none()


def text_keys(packed: PackedDataset, name: str) -> NDArray[np.int64]:
    """A key of every text of one column (N,), equal for equal texts within this process only."""
    found = np.zeros(len(packed), np.int64)
    for start in range(0, len(packed), _TEXT_ROWS):
        texts = packed.texts(name, start, start + _TEXT_ROWS)
        found[start : start + len(texts)] = [hash(text) for text in texts]
    return found


def count_texts(packed: PackedDataset, name: str) -> dict[str, int]:
    """How many rows have each text of one column; counted a block at a time."""
    counts: dict[str, int] = {}
    for start in range(0, len(packed), _TEXT_ROWS):
        for text in packed.texts(name, start, start + _TEXT_ROWS):
            counts[text] = counts.get(text, 0) + 1
    return dict(sorted(counts.items()))


def _none() -> Keys:
    return np.zeros(0, np.uint64)
