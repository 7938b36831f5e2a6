"""Precision, recall, density and coverage: does one set lie where the other does, and all over it?

Balls around each vector, reaching to its k-th neighbour in its own set, stand for where a set lies
(Kynkäänniemi et al. 2019; Naeem et al. 2020, whose density and coverage outliers disturb less).
"""

from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor

from dataset.errors import DataError
from sample.embed import Vectors
from sample.resampling import Counts, Numbers

NEAREST = 5  # Naeem et al. 2020
_KEPT = 8 * NEAREST  # neighbours remembered, of which a resampled set lacks some
_BLOCK = 512
_SAME = 1e-12  # of the squared lengths: nothing but rounding is left of a difference
# A neighbour right on the border of a ball is in it, whatever the rounding of its distance.
_BORDER = 1.0 + 1e-6


@dataclass(frozen=True)
class Manifold:
    """How two sets lie; precision, recall and coverage are 0..1, density may exceed 1."""

    precision: float  # share of the drawn within the real balls: are they good?
    recall: float  # share of the real within the drawn balls: is everything there?
    density: float  # mean number of real balls around a drawn one, over k
    coverage: float  # share of the real balls that hold a drawn one


def least_pictures() -> int:
    """How many pictures of each set it takes for every ball to have its radius."""
    return NEAREST + 1


def manifold(real: Vectors, drawn: Vectors) -> Manifold:
    """The four figures of (n, D) real and (m, D) drawn vectors, with k = 5.

    Raises DataError for fewer than 6 vectors.
    """
    ones = [np.ones((1, len(vectors)), dtype=np.int64) for vectors in (real, drawn)]
    return Manifold(*(float(value) for value in replicated_manifold(real, drawn, *ones)[0]))


def replicated_manifold(
    real: Vectors, drawn: Vectors, real_counts: Counts, drawn_counts: Counts
) -> Numbers:
    """The figures of each pair of resampled sets, (R, 4) in the order of `Manifold`.

    A vector taken twice counts twice, but is no neighbour of itself.
    """
    for vectors in (real, drawn):
        if len(vectors) < least_pictures():
            raise DataError(
                f"precision and recall need {least_pictures()} pictures, there are {len(vectors)}"
            )
    one, other = (torch.from_numpy(np.ascontiguousarray(v)).double() for v in (real, drawn))
    near, near_other = _neighbours(one), _neighbours(other)
    found = [
        _Tally(_radii(near, a), _radii(near_other, b), a, b)
        for a, b in zip(_weights(real_counts), _weights(drawn_counts), strict=True)
    ]
    for start in range(0, len(one), _BLOCK):  # of 50,000 pictures no table of all pairs would fit
        rows = slice(start, start + _BLOCK)
        across = _distances(one[rows], other)  # (n, m)
        for tally in found:
            tally.add(across, rows)
    return np.array([astuple(tally.figures()) for tally in found])


def _weights(counts: Counts) -> list[Tensor]:
    return list(torch.from_numpy(np.ascontiguousarray(counts)).float())


class _Tally:
    """The figures of one resampling with weights `a` (n,) of the real and `b` (m,) of the drawn,
    from some rows of the table of distances after others."""

    def __init__(self, real_radii: Tensor, drawn_radii: Tensor, a: Tensor, b: Tensor) -> None:
        self._real, self._drawn = _BORDER * real_radii, _BORDER * drawn_radii
        self._a, self._b = a, b
        self._balls = torch.zeros_like(b)  # (m,): how many real balls each drawn one is in
        self._found, self._covered = torch.zeros_like(a), torch.zeros_like(a)

    def add(self, across: Tensor, rows: slice) -> None:
        """The distances (k, m) of these rows of the real ones."""
        in_real = (across <= self._real[rows, None]).float()
        in_drawn = (across <= self._drawn[None]).float()
        self._balls += self._a[rows] @ in_real
        self._found[rows] = in_drawn @ self._b
        self._covered[rows] = in_real @ self._b

    def figures(self) -> Manifold:
        return Manifold(
            precision=_share(self._b, self._balls > 0),
            recall=_share(self._a, self._found > 0),
            density=_share(self._b, self._balls) / NEAREST,
            coverage=_share(self._a, self._covered > 0),
        )


def _share(weights: Tensor, values: Tensor) -> float:
    """The weighted mean of (n,) values: sums of whole numbers, so in float64 they are exact."""
    return float((weights.double() * values.double()).sum() / weights.double().sum())


def _neighbours(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Distances and places, (n, K), of the nearest others of each of (n, D) vectors."""
    kept = min(_KEPT, len(vectors) - 1)
    distances, places = [], []
    for start in range(0, len(vectors), _BLOCK):
        part = _distances(vectors[start : start + _BLOCK], vectors)
        rows = torch.arange(len(part))
        part[rows, start + rows] = torch.inf
        nearest = part.topk(kept, dim=1, largest=False)
        distances.append(nearest.values)
        places.append(nearest.indices)
    return torch.cat(distances), torch.cat(places)


def _radii(near: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
    """The distance (n,) to the k-th neighbour, each of which counts by its weight."""
    distances, places = near
    enough = weights[places].cumsum(dim=1) >= NEAREST
    # Where not even all that is remembered is enough, the last is nearest to the truth.
    last = torch.where(enough.any(dim=1), enough.double().argmax(dim=1), enough.shape[1] - 1)
    return distances.gather(1, last[:, None])[:, 0]


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """(n, m) float32 of (n, D) and (m, D) float64; the same vector twice is at 0."""
    lengths = one.square().sum(dim=1)[:, None] + other.square().sum(dim=1)[None]
    squared = torch.addmm(lengths, one, other.T, alpha=-2.0)
    return torch.where(squared < _SAME * lengths, 0.0, squared).sqrt().float()
