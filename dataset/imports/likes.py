"""Which rows of an import show the same: by their pixels, or by pHashes that are equal or near."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.progress import Progress
from dataset.splits import components

log = logging.getLogger(__name__)

Integers = NDArray[np.int64]
Pairs = tuple[Integers, Integers]
# Rows (n, C, H, W) at places (n,).
Rows = Callable[[Integers], NDArray[np.uint8]]

# Cells a side, and how alike they must be (correlation), for a near pHash to count.
_CELLS = 16
_ALIKE = 0.95
_PAIRS_AT_ONCE = 8192


@dataclass(frozen=True)
class Likes:
    """Which rows show the same: `equal` joins each with the next of its kind, so that a kind is a
    chain; `near` joins the first of one kind with the first of another that is like it."""

    equal: Pairs
    near: Pairs

    def beside_held(self, own: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Which rows (N,) are equal or near to one whose split, in `own` (N,), comes later."""
        kind = components(len(own), *self.equal)
        latest = own.copy()
        np.maximum.at(latest, kind, own)
        reached = latest.copy()
        a, b = kind[self.near[0]], kind[self.near[1]]
        np.maximum.at(reached, a, latest[b])
        np.maximum.at(reached, b, latest[a])
        return own < reached[kind]

    def components(self, without: NDArray[np.bool_]) -> Integers:
        """The smallest row (N,) that each is connected with, past none of some rows (N,)."""
        pairs = zip(self.equal, self.near, strict=True)
        a, b = (np.concatenate(sides) for sides in pairs)
        both = ~without[a] & ~without[b]
        return components(len(without), a[both], b[both])


def find_likes(
    rows: Rows,
    digests: NDArray[np.uint64],
    phashes: NDArray[np.uint64],
    groups: Integers,
    radius: int,
) -> Likes:
    """Which rows show the same; `rows` reads those at some places.

    `digests` (N, 2) are of the pixels; `phashes` (N,) are 0 for pictures too flat to be compared;
    `groups` (N,) are the source's own, 0 for none. Equal ones count as such; near pHashes only
    where the pixels agree. Of many rows that are equal only the first is compared with others.
    """
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    same = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
    firsts = np.sort(order[np.r_[True, ~same]]) if len(order) else order
    known, alike = _chained(firsts, phashes)
    _, grouped = _chained(np.arange(len(groups)), groups)
    equal = [(order[:-1][same], order[1:][same]), alike, grouped]
    near: Pairs = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    if radius and len(known):
        leaders = known[np.r_[True, phashes[known[1:]] != phashes[known[:-1]]]]
        a, b = _near(phashes[leaders], radius)
        near = _confirmed(rows, leaders[a], leaders[b])
    first, second = (np.concatenate(side) for side in zip(*equal, strict=True))
    return Likes((first, second), near)


def _chained(places: Integers, keys: NDArray[Any]) -> tuple[Integers, Pairs]:
    """Places that have a key other than 0, in order of it, and those that share one in pairs."""
    known = places[keys[places] != 0]
    known = known[np.argsort(keys[known], kind="stable")]
    same = keys[known[1:]] == keys[known[:-1]]
    return known, (known[:-1][same], known[1:][same])


def _near(codes: NDArray[np.uint64], radius: int) -> Pairs:
    """Places of codes within `radius` bits; a smaller one where there would be too many pairs."""
    from dataset.hamming import near_pairs  # compiled loops take a while to load

    while radius:
        try:
            a, b, _ = near_pairs(codes, radius, threads=2)
            return a, b
        except DataError:
            radius //= 2
            log.warning("too many pictures look alike; likes are sought within %d bits", radius)
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _confirmed(rows: Rows, a: Integers, b: Integers) -> Pairs:
    """The pairs whose pixels, reduced to a few cells and freed of brightness and contrast, agree:
    a pHash alone takes many small drawings for each other."""
    kept = np.zeros(len(a), np.bool_)
    with Progress("compare", len(a), "pairs") as progress:
        for start in range(0, len(a), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            kept[part] = (_cells(rows, a[part]) * _cells(rows, b[part])).sum(axis=1) >= _ALIKE
            progress.advance(len(a[part]))
    return a[kept], b[kept]


def _cells(rows: Rows, places: Integers) -> NDArray[np.float32]:
    """Rows as vectors (n, cells) of mean 0 and length 1; a flat one is all zeros."""
    unique, where = np.unique(places, return_inverse=True)
    grey = rows(unique).mean(axis=1, dtype=np.float32)  # (n, H, W)
    step = max(grey.shape[1] // _CELLS, 1)
    side = grey.shape[1] // step
    cut = grey[:, : side * step, : side * step].reshape(-1, side, step, side, step)
    vectors = cut.mean(axis=(2, 4)).reshape(len(unique), -1)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    cells: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-6))[where]
    return cells
