"""The novelty index: exact nearest neighbours among views of every training picture.

The only door to faiss. Views collapse to distinct originals, and those to duplicate groups.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dataset.atomic_file import atomic_path
from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.embed import Embedder, Vectors
from sample.pictures import as_colour, preparation
from sample.views import View, apply_view, declared_views, mirror

_SCHEMA = "novelty-index/1"
_BATCH = 256
# faiss computes |x - y|^2 as |x|^2 + |y|^2 - 2xy in float32: wrong by up to about 1e-6 for unit
# vectors. Whatever lies within this of the border is measured again, exactly.
_SEARCH_ERROR = 1e-5

Rows = NDArray[np.int64]


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


class NoveltyIndex:
    """V views of each of N originals as vectors, searched exactly (faiss's flat search)."""

    def __init__(
        self,
        vectors: Vectors,
        rows: Rows,
        groups: Rows,
        views: Sequence[View],
        *,
        embedder: Embedder,
        pack_hash: str,
    ) -> None:
        """`vectors` is (V, N, dim) of unit length; `rows` (ascending) and `groups` are (N,)."""
        self.vectors, self.rows, self.groups = vectors, rows, groups
        self.views, self.embedder, self.pack_hash = list(views), embedder, pack_hash
        self._group_of = np.unique(groups, return_inverse=True)[1].astype(np.int64)  # (N,) 0..G-1
        self.group_count = int(self._group_of.max(initial=-1)) + 1

    def search(self, pictures: Pixels, k: int, progress: Progress | None = None) -> Neighbours:
        """The k nearest distinct groups of (B, H, W, 3) uint8 pictures, each over all views.

        Distances are Euclidean between unit vectors (0..2), computed in float64; ties go to the
        lower row. The answer does not depend on how the queries are batched.
        """
        found = _no_neighbours(len(pictures), k)
        for start in range(0, len(pictures), _BATCH):
            part = pictures[start : start + _BATCH]
            self._search_batch(part, found, start)
            if progress is not None:
                progress.advance(len(part))
        return found

    def _search_batch(self, pictures: Pixels, found: Neighbours, start: int) -> None:
        """Search for `pictures` and write the answers into `found` from row `start` on."""
        both = np.stack(
            [self.embedder.embed(pictures), self.embedder.embed(mirror(pictures))]
        )  # (2, B, dim): as they are, mirrored
        wanted = min(found.rows.shape[1], self.group_count)
        fetch = min(wanted + 8, len(self.rows))
        while True:
            squared, originals = self._fetch(both, fetch)
            nearest = self._nearest_per_group(squared, originals)  # (B, G)
            border = np.partition(nearest, wanted - 1, axis=1)[:, wanted - 1]  # (B,)
            # Complete when each view's list reaches beyond the k-th group: what was not fetched is
            # farther in every view.
            reach = squared[..., -1].min(axis=(0, 2))  # (B,)
            if fetch == len(self.rows) or (reach > border + 2 * _SEARCH_ERROR).all():
                break
            fetch = min(2 * fetch, len(self.rows))
        for b in range(len(pictures)):
            near = np.nonzero(squared[:, b] <= border[b] + 2 * _SEARCH_ERROR)
            self._write_exact(both[:, b], near, originals[:, b][near], found, start + b)

    def _fetch(self, both: Vectors, fetch: int) -> tuple[Vectors, Rows]:
        """Squared distances and originals, (2, B, V, fetch), of the nearest in each view."""
        queries = both.reshape(-1, both.shape[-1])
        with _workers() as workers:
            found = list(workers.map(lambda view: faiss.knn(queries, view, fetch), self.vectors))
        shape = (2, both.shape[1], len(self.vectors), fetch)
        squared = np.stack([distances for distances, _ in found], axis=1).reshape(shape)
        originals = np.stack([ids for _, ids in found], axis=1).reshape(shape)
        return squared, originals

    def _nearest_per_group(self, squared: Vectors, originals: Rows) -> Vectors:
        count = squared.shape[1]
        nearest = np.full((count, self.group_count), np.inf, dtype=np.float32)
        query = np.broadcast_to(np.arange(count)[None, :, None, None], originals.shape)
        np.minimum.at(nearest, (query, self._group_of[originals]), squared)
        return nearest

    def _write_exact(
        self,
        both: Vectors,
        near: tuple[NDArray[np.intp], ...],
        originals: Rows,
        found: Neighbours,
        query: int,
    ) -> None:
        """Measure one query's candidates in float64 and keep the best of each group.

        `both` is (2, dim); `near` holds the candidates' (mirrored, view, place).
        """
        mirrored, views, _ = near
        apart = self.vectors[views, originals].astype(np.float64) - both[mirrored]
        distances = np.sqrt(np.square(apart).sum(axis=1))
        order = np.lexsort((mirrored, views, originals, distances))
        first = np.unique(self._group_of[originals[order]], return_index=True)[1]
        best = order[np.sort(first)][: found.rows.shape[1]]
        found.rows[query, : len(best)] = self.rows[originals[best]]
        found.distances[query, : len(best)] = distances[best]
        found.views[query, : len(best)] = views[best]
        found.mirrored[query, : len(best)] = mirrored[best] == 1

    def save(self, path: Path) -> None:
        """Write the index as one safetensors file, whole or not at all."""
        about = {
            "schema": _SCHEMA,
            "pack_hash": self.pack_hash,
            "embedder": self.embedder.name,
            "views": json.dumps([view.name for view in self.views]),
        }
        arrays: dict[str, NDArray[np.generic]] = {
            "vectors": self.vectors,
            "rows": self.rows,
            "groups": self.groups,
        }
        with atomic_path(path) as partial:
            save_file(arrays, partial, metadata=about)

    @classmethod
    def load(cls, path: Path, *, embedder: Embedder, pack: PackedDataset) -> "NoveltyIndex":
        """Read an index; raises DataError when it is damaged or of another pack or descriptor."""
        if not path.is_file():
            raise ConfigError(f"no novelty index at {path}; check the path")
        views = declared_views(pack.width)
        try:
            with safe_open(path, "numpy") as file:
                about = file.metadata() or {}
                _refuse_foreign(path, about, embedder, pack, [view.name for view in views])
                vectors, rows, groups = map(file.get_tensor, ("vectors", "rows", "groups"))
        except (SafetensorError, json.JSONDecodeError) as error:
            raise DataError(f"novelty index {path} is damaged ({error}); delete it") from error
        kept = views[: len(vectors)]
        return cls(vectors, rows, groups, kept, embedder=embedder, pack_hash=pack.content_hash)


def build_index(
    pack: PackedDataset, embedder: Embedder, *, max_bytes: int = 2_000_000_000
) -> NoveltyIndex:
    """Index the pack's train split: as many of the declared views as `max_bytes` can hold.

    Raises DataError when the split is empty.
    """
    rows = pack.rows("train")
    if not len(rows):
        raise DataError(f"pack {pack.path} has no training pictures; pack again")
    views = declared_views(pack.width)
    room = max_bytes // (len(rows) * embedder.dim * 4)
    views = views[: max(1, room)]
    vectors = np.empty((len(views), len(rows), embedder.dim), dtype=np.float32)
    with Progress("indexing training pictures", len(rows), "pictures") as progress:
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            pictures = pack_pictures(pack, rows[part])
            for of_view, view in zip(vectors, views, strict=True):
                of_view[part] = embedder.embed(apply_view(pictures, view))
            progress.advance(len(pictures))
    groups = np.array([pack.provenance(int(row)).group for row in rows], dtype=np.int64)
    return NoveltyIndex(
        vectors, rows, groups, views, embedder=embedder, pack_hash=pack.content_hash
    )


def pack_pictures(pack: PackedDataset, rows: Rows) -> Pixels:
    """Rows of a pack as (B, H, W, 3) uint8: grey three times, RGBA on the pack's background."""
    pictures = pack.data[rows].transpose(0, 2, 3, 1)
    background = preparation(pack).background if pack.channels == 4 else "auto"
    return np.ascontiguousarray(as_colour(pictures, background))


def _workers() -> ThreadPoolExecutor:
    """Threads that share out the views, one faiss thread each.

    faiss's own threads meet at barriers: on a busy machine two were four times slower than one.
    """
    return ThreadPoolExecutor(os.cpu_count(), "views", faiss.omp_set_num_threads, (1,))


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
    about: dict[str, str],
    embedder: Embedder,
    pack: PackedDataset,
    declared: list[str],
) -> None:
    if about.get("schema") != _SCHEMA:
        raise DataError(f"{path} is no novelty index of this version; delete it to build it again")
    if about.get("pack_hash") != pack.content_hash:
        raise DataError(f"novelty index {path} belongs to another pack than {pack.path}; delete it")
    if about.get("embedder") != embedder.name:
        raise DataError(
            f"novelty index {path} was made with {about.get('embedder')}, not {embedder.name}; "
            "delete it"
        )
    listed = json.loads(about.get("views", "[]"))
    if not listed or listed != declared[: len(listed)]:
        raise DataError(f"novelty index {path} has another list of views; delete it")
