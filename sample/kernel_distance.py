"""The kernel distance between two sets of vectors, whatever their distributions.

The unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³ of Bińkowski et al.
2018; in the vectors of Inception v3 it is the KID. As it is unbiased, few pictures make it
uncertain but not larger, and it may come out below zero.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.errors import DataError
from sample.embed import Vectors
from sample.resampling import Counts, Numbers

LEAST = 2  # vectors of each set
_BLOCK = 1024  # rows of a kernel matrix held at once


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation over random subsets."""

    mean: float
    deviation: float


def kernel_distance(first: Vectors, second: Vectors) -> float:
    """The distance of (n, D) and (m, D) over all pairs, in float64; the order changes nothing.

    Raises DataError for fewer than 2 vectors.
    """
    return float(replicated_kernel(first, second, _once(first), _once(second))[0])


def subset_distance(
    first: Vectors, second: Vectors, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The distance as it is usually published, over `subsets` random subsets of `size`.

    The subsets are those of torchmetrics under torch.manual_seed(seed). Raises DataError when a
    set is smaller than a subset.
    """
    if min(len(first), len(second)) < size:
        raise DataError(
            f"subsets of {size} cannot be taken from {min(len(first), len(second))} pictures"
        )
    generator = torch.Generator().manual_seed(seed)
    found = [
        kernel_distance(
            first[torch.randperm(len(first), generator=generator)[:size].numpy()],
            second[torch.randperm(len(second), generator=generator)[:size].numpy()],
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def replicated_kernel(
    first: Vectors, second: Vectors, first_counts: Counts, second_counts: Counts
) -> Numbers:
    """The distance of each pair of resampled sets, (R,); the counts are (R, n) and (R, m).

    A vector that was taken twice makes no pair with itself, so that the replicates are unbiased.
    """
    for vectors in (first, second):
        if len(vectors) < LEAST:
            raise DataError(f"the kernel distance needs {LEAST} pictures, there are {len(vectors)}")
    one, other = first.astype(np.float64), second.astype(np.float64)
    a, b = first_counts.astype(np.float64), second_counts.astype(np.float64)
    across = _pairs(one, other, a, b) / (a.sum(axis=1) * b.sum(axis=1))
    return np.asarray(_within(one, a) + _within(other, b) - 2.0 * across, dtype=np.float64)


def _within(vectors: Numbers, counts: Numbers) -> Numbers:
    """The mean kernel of two different vectors of one set, (R,)."""
    own = (np.square(vectors).sum(axis=1) / vectors.shape[1] + 1.0) ** 3
    total = _pairs(vectors, vectors, counts, counts) - np.square(counts) @ own
    pairs = counts.sum(axis=1) ** 2 - np.square(counts).sum(axis=1)
    return np.asarray(total / np.maximum(pairs, 1.0), dtype=np.float64)


def _pairs(one: Numbers, other: Numbers, a: Numbers, b: Numbers) -> Numbers:
    """The sum of the kernel over all pairs, weighted by the counts `a` (R, n), `b` (R, m): (R,)."""
    total = np.zeros(len(a))
    for start in range(0, len(one), _BLOCK):
        rows = slice(start, start + _BLOCK)
        kernel = (one[rows] @ other.T / one.shape[1] + 1.0) ** 3  # (n, m)
        total += ((a[:, rows] @ kernel) * b).sum(axis=1)
    return total


def _once(vectors: Vectors) -> NDArray[np.int64]:
    return np.ones((1, len(vectors)), dtype=np.int64)
