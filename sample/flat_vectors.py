"""Flat vectors: every view of every original in memory, searched exactly.

Short keys rank, whole vectors measure. Whatever a key says could be near enough is measured, so
the answer is that of a search through the whole vectors, with faiss as with torch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dataset.pack_decoding import processors
from dataset.packed import PackedDataset
from sample import faiss_search, torch_search
from sample.embed import Embedder, Vectors
from sample.pack_views import Rows, Stored, pack_pictures, view_vectors
from sample.principal_axes import MOST_AXES, ROUNDING, PrincipalAxes
from sample.views import View, apply_view

Backend = Literal["faiss", "torch"]
Search = Callable[[Vectors, Vectors, int], tuple[Vectors, Rows]]

# Originals searched at once in one view: their keys in 32 bits take 32 MB.
_BLOCK = 65_536
# Memory for the lists of one round.
_LIST_BYTES = 128_000_000
# The backends work out |x - y|^2 as |x|^2 + |y|^2 - 2 x.y in float32: wrong by 1e-6 or so.
_SEARCH_ERROR = 1e-5
# Pairs measured at once: in 64 bits their vectors take some 12 MB.
_PAIRS = 4_096
# Vectors that the principal axes are fitted to.
_FITTED = 8_192


@dataclass(frozen=True)
class Pairs:
    """Pairs of one query with a view of an original; every array is (n,), `mirrored` 0 or 1."""

    originals: Rows
    views: Rows
    mirrored: Rows

    def take(self, places: NDArray[np.intp] | slice) -> "Pairs":
        """Those of these places."""
        return Pairs(self.originals[places], self.views[places], self.mirrored[places])


@dataclass(frozen=True)
class Measured:
    """Pairs and their exact distances, (n,)."""

    pairs: Pairs
    distances: NDArray[np.float64]


@dataclass(frozen=True)
class FlatVectors:
    """`vectors` (V, N, dim) of unit length and their `keys` (V, N, length), searched exactly."""

    vectors: Stored
    keys: Stored
    axes: PrincipalAxes
    backend: Backend
    recall: float | None = None  # of an approximate search; this one misses nothing

    @staticmethod
    def bytes_each(dim: int) -> int:
        """Memory for one view of one original."""
        return 2 * (dim + min(dim, MOST_AXES) + 1)

    @classmethod
    def fill(
        cls,
        pack: PackedDataset,
        rows: Rows,
        views: Sequence[View],
        embedder: Embedder,
        backend: Backend,
    ) -> "FlatVectors":
        """Describe `views` of the pack's `rows`; a few batches of memory more than the result."""
        axes = _fitted_axes(pack, rows, views, embedder)
        vectors = np.empty((len(views), len(rows), embedder.dim), dtype=np.float16)
        keys = np.empty((len(views), len(rows), axes.length), dtype=np.float16)
        for view, start, described in view_vectors(pack, rows, views, embedder):
            part = slice(start, start + len(described))
            vectors[view, part], keys[view, part] = described, axes.keys(described)
        return cls(vectors, keys, axes, backend)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `restored` needs."""
        mean, axes = self.axes.mean, self.axes.axes
        return {"vectors": self.vectors, "keys": self.keys, "mean": mean, "axes": axes}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], backend: Backend) -> "FlatVectors":
        """From its `arrays`, with any backend."""
        axes = PrincipalAxes(arrays["mean"], arrays["axes"])
        return cls(arrays["vectors"], arrays["keys"], axes, backend)

    def measure(self, both: Vectors, groups: Rows, wanted: int) -> list[Measured]:
        """All pairs that can decide which `wanted` groups are nearest to each of B queries.

        `both` is (2, B, dim), the queries as they are and mirrored; `groups` (N,) the group of
        each original, at least `wanted` of them different.
        """
        # What is asked twice is answered once: a model that has collapsed asks one thing only.
        rounded = both.transpose(1, 0, 2).astype(np.float16).reshape(both.shape[1], -1)
        different, which = np.unique(rounded, axis=0, return_inverse=True)
        asked = different.astype(np.float32).reshape(-1, 2, both.shape[2]).transpose(1, 0, 2)
        answers: dict[int, Measured] = {}
        left, fetch, whole = list(range(asked.shape[1])), 2 * wanted + 16, False
        while left:
            step = self._at_once(fetch)
            for start in range(0, len(left), step):
                part = left[start : start + step]
                lists = self._listed(asked[:, part], fetch, whole)
                decide = partial(self._decisive, asked[:, part], lists, groups, wanted)
                with ThreadPoolExecutor(processors(), "pairs") as workers:
                    found = zip(part, workers.map(decide, range(len(part))), strict=True)
                    answers |= {query: pairs for query, pairs in found if pairs is not None}
            left = [query for query in left if query not in answers]
            # Keys say little of a picture that is about as far from everything, as a blank one is.
            fetch, whole = 3 * fetch if whole else fetch, True
        return [answers[query] for query in which.ravel().tolist()]

    def _at_once(self, fetch: int) -> int:
        """How many queries' lists fit into the memory meant for them."""
        views, count, _ = self.keys.shape
        each = 2 * 8 * views * min(fetch, count) * -(-count // _BLOCK)
        return max(1, int(_LIST_BYTES // each))

    def _listed(self, both: Vectors, fetch: int, whole: bool) -> "_Lists":
        """The originals whose keys are nearest, or whose vectors as a `whole`: `fetch` from each
        block of each view."""
        asked = both.reshape(-1, both.shape[-1])
        asked, table = (asked, self.vectors) if whole else (self.axes.keys(asked), self.keys)
        blocks = list(self._blocks())
        depth = min(fetch, max(stop - start for _, start, stop in blocks))
        squared = np.full((len(blocks), len(asked), depth), np.inf, dtype=np.float32)
        originals = np.zeros(squared.shape, dtype=np.int32)
        search, workers = _search(self.backend)

        def look(number: int) -> None:
            view, start, stop = blocks[number]
            most = min(depth, stop - start)
            block = table[view, start:stop].astype(np.float32)
            squared[number, :, :most], places = search(asked, block, most)
            originals[number, :, :most] = places + start

        with workers:
            list(workers.map(look, range(len(blocks))))
        return _Lists(
            squared,
            originals,
            np.array([view for view, _, _ in blocks]),
            np.array([stop - start <= depth for _, start, stop in blocks]),
            0.0 if whole else ROUNDING,
        )

    def _blocks(self) -> Iterator[tuple[int, int, int]]:
        views, count, _ = self.keys.shape
        for view in range(views):
            for start in range(0, count, _BLOCK):
                yield view, start, min(start + _BLOCK, count)

    def _decisive(
        self, both: Vectors, lists: "_Lists", groups: Rows, wanted: int, query: int
    ) -> Measured | None:
        """One query's pairs, measured; None if its lists may end before the `wanted`-th group.

        `both` is (2, B, dim).
        """
        squared, pairs = lists.pairs(query)
        ask = both[:, query].astype(np.float64)
        # The best pair of each group, nearest first: of that many groups the distance is known to
        # be at most ...
        best = np.sort(np.unique(groups[pairs.originals], return_index=True)[1])[: 2 * wanted]
        if len(best) < wanted:
            return None
        known = self._distances(ask, pairs.take(best))
        border = np.partition(known, wanted - 1)[wanted - 1]
        # ... and no pair that is as near as that has a longer distance between its keys.
        bound = np.square(border + lists.excess) + _SEARCH_ERROR
        if bound >= lists.reach(query):
            return None
        near = pairs.take(slice(int(np.searchsorted(squared, bound, side="right"))))
        measured = self._distances(ask, near)
        kept = np.flatnonzero(measured <= border)
        return Measured(near.take(kept), measured[kept])

    def _distances(self, ask: NDArray[np.float64], pairs: Pairs) -> NDArray[np.float64]:
        found = [
            distances(self.vectors[part.views, part.originals], ask[part.mirrored])
            for start in range(0, len(pairs.originals), _PAIRS)
            for part in [pairs.take(slice(start, start + _PAIRS))]
        ]
        return np.concatenate(found)


@dataclass(frozen=True)
class _Lists:
    """The nearest keys, each list ascending: `squared` distances and `originals`, both
    (blocks, 2 B, depth); the `views` of the blocks, whether a list is of its `whole` block, and by
    how much (`excess`) a key's distance may be more than that of its vector."""

    squared: Vectors
    originals: NDArray[np.int32]
    views: NDArray[np.int64]
    whole: NDArray[np.bool_]
    excess: float

    def _of(self, query: int) -> slice:
        """As it is and mirrored, in the second axis."""
        return slice(query, None, self.squared.shape[1] // 2)

    def reach(self, query: int) -> float:
        """The squared distance up to which nothing is missing from the query's lists."""
        return float(self.squared[~self.whole, self._of(query), -1].min(initial=np.inf))

    def pairs(self, query: int) -> tuple[Vectors, Pairs]:
        """What is listed for one query, nearest first: squared distances and pairs."""
        squared = self.squared[:, self._of(query)]  # (blocks, 2, depth)
        originals = self.originals[:, self._of(query)].ravel()
        order = np.argsort(squared, axis=None, kind="stable")
        order = order[: np.searchsorted(squared.ravel()[order], np.inf)]
        block, mirrored, _ = np.unravel_index(order, squared.shape)
        pairs = Pairs(originals[order].astype(np.int64), self.views[block], mirrored)
        return squared.ravel()[order], pairs


def distances(vectors: Stored, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distances between rows, (n, dim) and (n, dim), in float64."""
    apart = vectors.astype(np.float64)
    apart -= asked
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", apart, apart)))


def _search(backend: Backend) -> tuple[Search, ThreadPoolExecutor]:
    """The exact search, and the threads to run it in: torch's own, or of faiss one for each."""
    if backend == "torch":
        return torch_search.nearest, ThreadPoolExecutor(1, "views")
    workers = ThreadPoolExecutor(processors(), "views", faiss_search.one_thread)
    return faiss_search.nearest, workers


def _fitted_axes(
    pack: PackedDataset, rows: Rows, views: Sequence[View], embedder: Embedder
) -> PrincipalAxes:
    """Fitted to the first view of originals spread evenly over `rows`."""
    some = rows[np.linspace(0, len(rows) - 1, min(_FITTED, len(rows))).astype(np.intp)]
    return PrincipalAxes.fit(embedder.embed(apply_view(pack_pictures(pack, some), views[0])))
