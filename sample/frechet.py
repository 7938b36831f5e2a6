"""The Fréchet distance between two sets of vectors, each taken for a normal distribution.

Heusel et al. 2017; in the vectors of Inception v3 it is the FID.
"""

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from sample.embed import Vectors
from sample.resampling import Counts, Numbers

Matrix = NDArray[np.float64]


def refusal(name: str, dim: int, count: int) -> str | None:
    """Why the distance cannot be had of `count` pictures in a space of `dim` numbers, or None.

    With no more pictures than numbers the covariance is singular: the distance says more of the
    count than of the pictures.
    """
    if count > dim:
        return None
    return (
        f"{name} needs more than {dim} pictures of each set, as many numbers as a vector has;"
        f" there are {count}: draw more, or go by the kernel distance, which needs no covariance"
    )


def frechet_distance(first: Vectors, second: Vectors) -> float:
    """The squared distance |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) of (n, D) and (m, D), in float64.

    0 for the same set, to about 1e-10 of the variance. Raises DataError for a set without more
    vectors than they have numbers.
    """
    for vectors in (first, second):
        reason = refusal("the Fréchet distance", vectors.shape[1], len(vectors))
        if reason is not None:
            raise DataError(reason)
    return _between(_moments(first), _moments(second))


def replicated_frechet(
    first: Vectors, second: Vectors, first_counts: Counts, second_counts: Counts
) -> Numbers:
    """The distance of each pair of resampled sets, (R,); the counts are (R, n) and (R, m)."""
    return np.array(
        [
            _between(_moments(first, one), _moments(second, other))
            for one, other in zip(first_counts, second_counts, strict=True)
        ]
    )


def _moments(vectors: Vectors, counts: Counts | None = None) -> tuple[Numbers, Matrix]:
    """The mean (D,) and the covariance (D, D) of `vectors`, each taken `counts` times."""
    taken = vectors if counts is None else vectors[counts > 0]
    weights = np.ones(len(taken)) if counts is None else counts[counts > 0].astype(np.float64)
    exact = taken.astype(np.float64)
    mean = weights @ exact / weights.sum()
    exact -= mean
    return mean, (exact.T * weights) @ exact / (weights.sum() - 1.0)


def _between(one: tuple[Numbers, Matrix], other: tuple[Numbers, Matrix]) -> float:
    (mean, covariance), (other_mean, other_covariance) = one, other
    apart = float(np.square(mean - other_mean).sum())
    spread = float(np.trace(covariance) + np.trace(other_covariance))
    # With S = L L', tr (S1 S2)^½ is the sum of the singular values of L1' L2: no root of a number
    # that rounding made negative.
    shared = np.linalg.svd(_root(covariance).T @ _root(other_covariance), compute_uv=False).sum()
    return apart + spread - 2.0 * float(shared)


def _root(covariance: Matrix) -> Matrix:
    """L with L L' = `covariance` (D, D), which may be singular."""
    values, axes = np.linalg.eigh(covariance)
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)
