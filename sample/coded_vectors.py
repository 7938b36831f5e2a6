"""Coded vectors: for packs whose views do not fit into memory whole.

Codes find a shortlist; its vectors are made again from the pack and measured exactly. A missed
neighbour looks novel, so the recall on planted copies is measured while the codes are made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.packed import PackedDataset
from sample.embed import Embedder, Vectors
from sample.faiss_search import Codes
from sample.flat_vectors import Measured, Pairs, distances
from sample.pack_views import Rows, Stored, pack_pictures, pair_vectors, view_vectors
from sample.principal_axes import product
from sample.views import View, apply_view

# Fewer vectors than this teach no code.
LEAST = 10_000
# Vectors that the code is learnt from, for each list and at most.
_EACH_LIST, _TAUGHT = 40, 160_000
# Vectors coded in one go: the library's threads meet once for all of them.
_ADDED = 16_384
# Codes looked up for each group that is wanted, as many are views of the same original; groups that
# are measured exactly for each one wanted, and views of each original.
_CODES, _GROUPS, _VIEWS = 40, 2, 5
# Queries at once: what is measured for them takes some 100 MB.
_BATCH = 64
# Planted copies that the recall is measured on, and how much farther than the nearest vector
# (16-bit rounding) still counts as found.
_PLANTED, _SAME = 200, 1e-3


@dataclass(frozen=True)
class CodedVectors:
    """`codes` of the `views` of the pack's `rows`; `recall` (0..1) of the nearest original."""

    codes: Codes
    pack: PackedDataset
    rows: Rows
    views: Sequence[View]
    embedder: Embedder
    recall: float

    backend = "faiss ivf-pq"

    @classmethod
    def fill(
        cls, pack: PackedDataset, rows: Rows, views: Sequence[View], embedder: Embedder
    ) -> "CodedVectors":
        """Code `views` of the pack's `rows`; nothing but the codes stays in memory."""
        chance = np.random.default_rng(0)
        total = len(rows) * len(views)
        lists = lists_for(total)
        taught = max(LEAST, _EACH_LIST * lists)
        numbers = np.sort(chance.choice(total, taught, replace=False, shuffle=False))
        codes = Codes.fit(_vectors(pack, rows, views, embedder, numbers).astype(np.float32), lists)
        planted = _planted(pack, rows, embedder, chance)
        nearest = np.full(len(planted), np.inf)
        for described, numbers in _numbered(pack, rows, views, embedder):
            codes.add(described, numbers)
            squared = 2.0 - 2.0 * product(described, planted.T).max(axis=0)  # of unit vectors
            nearest = np.minimum(nearest, squared)
        store = cls(codes, pack, rows, views, embedder, 0.0)
        found = store.measure(np.stack([planted, planted]), np.arange(len(rows)), 1)
        there = [pairs.distances.min(initial=np.inf) for pairs in found]
        recall = (np.array(there) <= np.sqrt(np.maximum(nearest, 0)) + _SAME).mean()
        return cls(codes, pack, rows, views, embedder, float(recall))

    @staticmethod
    def bytes_each(dim: int) -> int:
        """Memory for one view of one original."""
        return Codes.bytes_each(dim)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `restored` needs."""
        return {"codes": self.codes.to_bytes()}

    @classmethod
    def restored(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        pack: PackedDataset,
        views: Sequence[View],
        embedder: Embedder,
        recall: float,
    ) -> "CodedVectors":
        """From its `arrays` and the `rows`."""
        codes = Codes.from_bytes(arrays["codes"])
        return cls(codes, pack, arrays["rows"], views, embedder, recall)

    def measure(self, both: Vectors, groups: Rows, wanted: int) -> list[Measured]:
        """Pairs for the `wanted` groups nearest to each of B queries, as far as the codes tell.

        `both` is (2, B, dim), the queries as they are and mirrored; `groups` (N,) the group of
        each original.
        """
        both = both.astype(np.float16).astype(np.float32)
        found: list[Measured] = []
        for start in range(0, both.shape[1], _BATCH):
            found += self._measured(both[:, start : start + _BATCH], groups, wanted)
        return found

    def _measured(self, both: Vectors, groups: Rows, wanted: int) -> list[Measured]:
        count = both.shape[1]
        asked = both.reshape(2 * count, -1)
        squared, numbers = self.codes.nearest(asked, max(16, wanted) * _CODES)
        squared, numbers = squared.reshape(2, count, -1), numbers.reshape(2, count, -1)
        listed = [
            self._shortlist(squared[:, i], numbers[:, i], groups, wanted) for i in range(count)
        ]
        # Different queries ask for the same views: each is made once.
        asked_for = [pairs.views * len(self.rows) + pairs.originals for pairs in listed]
        known, place = np.unique(np.concatenate(asked_for), return_inverse=True)
        vectors = _vectors(self.pack, self.rows, self.views, self.embedder, known)
        ends = np.cumsum([0, *map(len, asked_for)])
        return [
            Measured(
                pairs,
                distances(vectors[place[a:b]], both[pairs.mirrored, i].astype(np.float64)),
            )
            for i, (pairs, (a, b)) in enumerate(zip(listed, pairwise(ends), strict=True))
        ]

    def _shortlist(self, squared: Vectors, numbers: Rows, groups: Rows, wanted: int) -> Pairs:
        """The pairs worth measuring, by the codes' (2, k) squared distances."""
        order = np.argsort(squared, axis=None, kind="stable")
        order = order[numbers.ravel()[order] >= 0]
        mirrored = order // numbers.shape[1]
        views, originals = np.divmod(numbers.ravel()[order], len(self.rows))
        of_pair = groups[originals]
        first = np.sort(np.unique(of_pair, return_index=True)[1])[: _GROUPS * wanted]
        near = (_places(originals) < _VIEWS) & np.isin(of_pair, of_pair[first])
        return Pairs(originals[near], views[near], mirrored[near])


def lists_for(vectors: int) -> int:
    """Lists to share out so many vectors among: about twice the square root, a power of two."""
    most = min(vectors, _TAUGHT) // _EACH_LIST
    return int(2 ** np.floor(np.log2(min(most, 2 * np.sqrt(vectors)))))


def _places(originals: Rows) -> NDArray[np.int64]:
    """For each entry, how many entries before it are of the same original."""
    order = np.argsort(originals, kind="stable")
    run = originals[order]
    starts = np.flatnonzero(np.concatenate([[True], run[1:] != run[:-1]])) if len(run) else order
    sizes = np.diff(np.append(starts, len(run)))
    places = np.empty(len(run), dtype=np.int64)
    places[order] = np.arange(len(run)) - np.repeat(starts, sizes)
    return places


def _numbered(
    pack: PackedDataset, rows: Rows, views: Sequence[View], embedder: Embedder
) -> Iterator[tuple[Vectors, Rows]]:
    """Every view of every original, many at a time: vectors, and view * N + original of each."""
    vectors, numbers = [], []
    left = len(rows) * len(views)
    for view, start, described in view_vectors(pack, rows, views, embedder):
        vectors.append(described)
        numbers.append(view * len(rows) + start + np.arange(len(described)))
        left -= len(described)
        if sum(map(len, vectors)) >= _ADDED or not left:
            yield np.concatenate(vectors), np.concatenate(numbers)
            vectors, numbers = [], []


def _vectors(
    pack: PackedDataset,
    rows: Rows,
    views: Sequence[View],
    embedder: Embedder,
    numbers: Rows,
) -> Stored:
    """(n, dim): the vectors of the views of originals numbered view * N + original."""
    view, original = np.divmod(numbers, len(rows))
    return pair_vectors(pack, rows[original], view, views, embedder)


def _planted(
    pack: PackedDataset, rows: Rows, embedder: Embedder, chance: np.random.Generator
) -> Vectors:
    """Copies, a little zoomed, shifted and turned: (n, dim)."""
    chosen = rows[chance.integers(0, len(rows), _PLANTED)]
    vectors = []
    for picture in pack_pictures(pack, chosen):
        zoom, degrees = chance.uniform(0.8, 1.0), chance.uniform(-6, 6)
        right, down = chance.uniform(-0.15, 0.15, 2)
        view = View(name="planted", zoom=zoom, right=right, down=down, degrees=degrees)
        vectors.append(embedder.embed(apply_view(picture[None], view)))
    planted = np.concatenate(vectors)
    return planted.astype(np.float16).astype(np.float32)
