"""The pictures of a pack as vectors: views of its rows, described in threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dataset.pack_decoding import processors
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.embed import Embedder, Vectors
from sample.pictures import as_colour, preparation
from sample.views import View, apply_view

Rows = NDArray[np.int64]

# 16-bit numbers in memory and on disk. Queries are rounded alike, so that a picture is at distance
# 0 from itself; of other distances it moves the fourth digit at most.
Stored = NDArray[np.float16]

_BATCH = 256


def pack_pictures(pack: PackedDataset, rows: Rows) -> Pixels:
    """Rows of a pack as (B, H, W, 3) uint8: grey three times, RGBA on the pack's background."""
    pictures = pack.data[rows].transpose(0, 2, 3, 1)
    background = preparation(pack).background if pack.channels == 4 else "auto"
    return np.ascontiguousarray(as_colour(pictures, background))


def view_vectors(
    pack: PackedDataset, rows: Rows, views: Sequence[View], embedder: Embedder
) -> Iterator[tuple[int, int, Vectors]]:
    """Every view of every row, some rows at a time: (view, first place in `rows`, (b, dim)).

    With a progress bar, in as many threads as there are cores.
    """
    with (
        ThreadPoolExecutor(processors(), "views") as workers,
        Progress("indexing training pictures", len(rows), "pictures") as progress,
    ):
        for start in range(0, len(rows), _BATCH):
            pictures = pack_pictures(pack, rows[start : start + _BATCH])
            described = workers.map(partial(_described, embedder, pictures), views)
            for number, vectors in enumerate(described):
                yield number, start, vectors
            progress.advance(len(pictures))


def pair_vectors(
    pack: PackedDataset,
    rows: Rows,
    numbers: NDArray[np.integer],
    views: Sequence[View],
    embedder: Embedder,
) -> Stored:
    """(n, dim): the picture in each of n rows, seen through the view of that number."""
    vectors = np.empty((len(rows), embedder.dim), dtype=np.float16)

    def fill(number: int) -> None:
        places = np.flatnonzero(numbers == number)
        for start in range(0, len(places), _BATCH):
            part = places[start : start + _BATCH]
            pictures = pack_pictures(pack, rows[part])
            vectors[part] = _described(embedder, pictures, views[number])

    with ThreadPoolExecutor(processors(), "pairs") as workers:
        list(workers.map(fill, np.unique(numbers).tolist()))
    return vectors


def _described(embedder: Embedder, pictures: Pixels, view: View) -> Vectors:
    return embedder.embed(apply_view(pictures, view))
