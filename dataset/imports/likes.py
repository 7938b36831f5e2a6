"""Which rows of an import show the same: by their pixels, or by pHashes that are equal or near."""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.progress import Progress

log = logging.getLogger(__name__)

Integers = NDArray[np.int64]
Pairs = tuple[Integers, Integers]
# Rows (n, C, H, W) at places (n,).
Rows = Callable[[Integers], NDArray[np.uint8]]

# Cells a side, and how alike they must be (correlation), for a near pHash to count.
_CELLS = 16
_ALIKE = 0.95
_PAIRS_AT_ONCE = 8192


def like_pairs(
    rows: Rows, digests: NDArray[np.uint64], phashes: NDArray[np.uint64], radius: int
) -> Pairs:
    """Pairs (P,), (P,) of rows that show the same; `rows` reads those at some places.

    `digests` (N, 2) are of the pixels; `phashes` (N,) are 0 for pictures too flat to be compared.
    Equal hashes count as such; near ones only
    where the pixels agree. Of many rows that are equal only the first is compared with others.
    """
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    same = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
    pairs = [(order[:-1][same], order[1:][same])]
    firsts = np.sort(order[np.r_[True, ~same]]) if len(order) else order
    known = firsts[phashes[firsts] != 0]
    known = known[np.argsort(phashes[known], kind="stable")]
    equal = phashes[known[1:]] == phashes[known[:-1]]
    pairs.append((known[:-1][equal], known[1:][equal]))
    if radius and len(known):
        leaders = known[np.r_[True, ~equal]]
        a, b = _near(phashes[leaders], radius)
        pairs.append(_confirmed(rows, leaders[a], leaders[b]))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


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
