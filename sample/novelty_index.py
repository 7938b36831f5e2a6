"""The novelty index: nearest neighbours among views of every training picture.

Views collapse to distinct originals, and those to duplicate groups. Exact while the views fit into
the memory given; then coded, with every distance measured exactly.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dataset.atomic_file import atomic_path
from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample import coded_vectors, faiss_search
from sample.coded_vectors import CodedVectors
from sample.embed import Embedder, Vectors
from sample.flat_vectors import Backend, FlatVectors, Measured
from sample.index_file import read_arrays, write_arrays
from sample.pack_views import Rows, pack_pictures
from sample.views import View, declared_views, mirror

__all__ = ["Neighbours", "NoveltyIndex", "build_index", "open_index", "pack_pictures"]

_SCHEMA = "novelty-index/2"
_BATCH = 512
_MAX_BYTES = 2_000_000_000

BackendChoice = Literal["auto", "faiss", "torch"]


@dataclass(frozen=True)
class Neighbours:
    """The nearest distinct groups of B queries, nearest first; every array is (B, k).

    `rows` holds the pack's row of the group's nearest picture, or -1 where there are fewer than k
    groups (there `distances` is infinite); `views` the matched view's place in
    `NoveltyIndex.views`; `mirrored` whether the query matched as its mirror image.
    """

    rows: Rows
    distances: NDArray[np.float64]
    views: Rows
    mirrored: NDArray[np.bool_]


class Store(Protocol):
    """The vectors of an index, however they are kept: finds pairs and measures them exactly."""

    @property
    def backend(self) -> str: ...

    @property
    def recall(self) -> float | None: ...

    def measure(self, both: Vectors, groups: Rows, wanted: int) -> list[Measured]:
        """For each of B queries, (2, B, dim) as they are and mirrored, the pairs among which the
        `wanted` nearest groups are; `groups` (N,) is the group of each original."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `restored` needs."""
        ...


class NoveltyIndex:
    """V views of each of N originals, searched for the nearest distinct groups."""

    def __init__(
        self,
        store: Store,
        rows: Rows,
        groups: Rows,
        views: Sequence[View],
        *,
        embedder: Embedder,
        pack_hash: str,
    ) -> None:
        """`rows` (ascending) and `groups` are (N,)."""
        self.store, self.rows, self.groups = store, rows, groups
        self.views, self.embedder, self.pack_hash = list(views), embedder, pack_hash
        self._group_of = np.unique(groups, return_inverse=True)[1].astype(np.int64)  # (N,) 0..G-1
        self.group_count = int(self._group_of.max(initial=-1)) + 1

    @property
    def backend(self) -> str:
        """What searches: "faiss", "torch" (both exact) or "faiss ivf-pq"."""
        return self.store.backend

    @property
    def recall(self) -> float | None:
        """Share of planted copies whose nearest original a coded index finds; None if exact."""
        return self.store.recall

    def search(self, pictures: Pixels, k: int, progress: Progress | None = None) -> Neighbours:
        """The k nearest distinct groups of (B, H, W, 3) uint8 pictures, each over all views.

        Distances are Euclidean between unit vectors (0..2) in 16 bits, computed in float64; ties
        go to the lower row. The answer does not depend on how the queries are batched.
        """
        found = _no_neighbours(len(pictures), k)
        for start in range(0, len(pictures), _BATCH):
            part = pictures[start : start + _BATCH]
            both = np.stack([self.embedder.embed(part), self.embedder.embed(mirror(part))])
            measured = self.store.measure(both, self._group_of, min(k, self.group_count))
            for query, pairs in enumerate(measured, start):
                self._write(pairs, found, query)
            if progress is not None:
                progress.advance(len(part))
        return found

    def _write(self, measured: Measured, found: Neighbours, query: int) -> None:
        """Keep the best pair of each of one query's nearest groups."""
        pairs, distances = measured.pairs, measured.distances
        order = np.lexsort((pairs.mirrored, pairs.views, pairs.originals, distances))
        first = np.unique(self._group_of[pairs.originals[order]], return_index=True)[1]
        best = order[np.sort(first)][: found.rows.shape[1]]
        found.rows[query, : len(best)] = self.rows[pairs.originals[best]]
        found.distances[query, : len(best)] = distances[best]
        found.views[query, : len(best)] = pairs.views[best]
        found.mirrored[query, : len(best)] = pairs.mirrored[best] == 1

    def save(self, path: Path) -> None:
        """Write the index as one safetensors file, whole or not at all."""
        about = {
            "schema": _SCHEMA,
            "pack_hash": self.pack_hash,
            "embedder": self.embedder.name,
            "views": [asdict(view) for view in self.views],
            "coded": isinstance(self.store, CodedVectors),
            "recall": self.recall,
        }
        arrays = {"rows": self.rows, "groups": self.groups, **self.store.arrays()}
        with atomic_path(path) as partial:
            write_arrays(partial, arrays, about)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        embedder: Embedder,
        pack: PackedDataset,
        views: Sequence[View] | None = None,
        backend: BackendChoice = "auto",
    ) -> "NoveltyIndex":
        """Read an index of `views` (None: the declared ones) or as many of them as had room.

        Raises ConfigError when there is none, DataError when it is damaged or of another pack,
        descriptor or list of views.
        """
        if not path.is_file():
            raise ConfigError(f"no novelty index at {path}; check the path")
        wanted = list(declared_views(pack.width) if views is None else views)
        arrays, about = read_arrays(path, _SCHEMA)
        _refuse_foreign(path, about, embedder, pack, [asdict(view) for view in wanted])
        kept, rows = wanted[: len(about["views"])], arrays["rows"]
        store: Store
        if about["coded"]:
            faiss_search.require()
            store = CodedVectors.restored(arrays, pack, kept, embedder, about["recall"])
        else:
            store = FlatVectors.restored(arrays, _backend(backend))
        found = cls(
            store, rows, arrays["groups"], kept, embedder=embedder, pack_hash=pack.content_hash
        )
        return found


def build_index(
    pack: PackedDataset,
    embedder: Embedder,
    *,
    views: Sequence[View] | None = None,
    max_bytes: int = _MAX_BYTES,
    backend: BackendChoice = "auto",
) -> NoveltyIndex:
    """Index the pack's train split under `views` (None: the declared ones).

    Exactly if they fit into `max_bytes`; else as codes if those fit and faiss is there; else the
    first views that fit. Raises DataError when the split is empty.
    """
    rows = pack.rows("train")
    if not len(rows):
        raise DataError(f"pack {pack.path} has no training pictures; pack again")
    wanted = list(declared_views(pack.width) if views is None else views)
    searched = _backend(backend)
    whole = max(1, max_bytes // (len(rows) * FlatVectors.bytes_each(embedder.dim)))
    as_codes = max_bytes // (len(rows) * CodedVectors.bytes_each(embedder.dim))
    store: Store
    if whole < len(wanted) and searched == "faiss" and as_codes > whole and _enough(rows, wanted):
        wanted = wanted[:as_codes]
        store = CodedVectors.fill(pack, rows, wanted, embedder)
    else:
        wanted = wanted[:whole]
        store = FlatVectors.fill(pack, rows, wanted, embedder, searched)
    groups = pack.column("group")[rows].astype(np.int64)
    if not groups.any():  # a foreign pack, whose rows carry no facts
        groups = rows.astype(np.int64)
    return NoveltyIndex(store, rows, groups, wanted, embedder=embedder, pack_hash=pack.content_hash)


def open_index(
    path: Path | None,
    pack: PackedDataset,
    embedder: Embedder,
    *,
    views: Sequence[View] | None = None,
    max_bytes: int = _MAX_BYTES,
    backend: BackendChoice = "auto",
) -> NoveltyIndex:
    """Load the index at `path`, or build it and, with a path, save it there; raises as both do."""
    if path is not None and path.exists():
        return NoveltyIndex.load(path, embedder=embedder, pack=pack, views=views, backend=backend)
    index = build_index(pack, embedder, views=views, max_bytes=max_bytes, backend=backend)
    if path is not None:
        index.save(path)
    return index


def _backend(choice: BackendChoice) -> Backend:
    """Raises ConfigError where faiss is asked for and missing."""
    if choice == "faiss":
        faiss_search.require()
    if choice == "auto":
        return "faiss" if faiss_search.is_there() else "torch"
    return choice


def _enough(rows: Rows, views: Sequence[View]) -> bool:
    return len(rows) * len(views) >= coded_vectors.LEAST


def _no_neighbours(queries: int, k: int) -> Neighbours:
    shape = (queries, k)
    return Neighbours(
        np.full(shape, -1, dtype=np.int64),
        np.full(shape, np.inf),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.bool_),
    )


def _refuse_foreign(
    path: Path,
    about: dict[str, Any],
    embedder: Embedder,
    pack: PackedDataset,
    wanted: list[dict[str, Any]],
) -> None:
    if about["pack_hash"] != pack.content_hash:
        raise DataError(f"novelty index {path} belongs to another pack than {pack.path}; delete it")
    if about["embedder"] != embedder.name:
        raise DataError(
            f"novelty index {path} was made with {about['embedder']}, not {embedder.name}; "
            "delete it"
        )
    listed = about["views"]
    if not listed or listed != wanted[: len(listed)]:
        raise DataError(f"novelty index {path} has another list of views; delete it")
