"""Principal axes: a short key for every vector; keys never lie farther apart than their vectors.

What the search ranks by. A key is the vector's place on the leading axes and the length of the
rest: |key(x) - key(y)| <= |x - y|, by the Pythagorean theorem and the triangle inequality.
"""

from dataclasses import dataclass

import numpy as np

from sample.embed import Vectors

# Axes kept; the rest's length is one number more, so that a key is 128 numbers at most.
MOST_AXES = 127
# Multiplications up to which the matrix product of numpy's library stays in the thread that asks.
_ONE_THREAD = 262_144
# How far rounding (float32 arithmetic, keys stored in 16 bits) may move the distance of two keys
# of vectors of unit length.
ROUNDING = 2e-3


@dataclass(frozen=True)
class PrincipalAxes:
    """`mean` (dim,) and orthonormal `axes` (dim, m), most spread first."""

    mean: Vectors
    axes: Vectors

    @classmethod
    def fit(cls, vectors: Vectors) -> "PrincipalAxes":
        """The axes along which (n, dim) vectors spread most."""
        mean = vectors.mean(axis=0)
        apart = (vectors - mean).astype(np.float64)
        axes = np.linalg.eigh(apart.T @ apart)[1][:, ::-1][:, :MOST_AXES]
        return cls(mean, np.ascontiguousarray(axes, dtype=np.float32))

    @property
    def length(self) -> int:
        """Numbers in a key."""
        return int(self.axes.shape[1]) + 1

    def keys(self, vectors: Vectors) -> Vectors:
        """(n, dim) to (n, length)."""
        apart = vectors - self.mean
        along = product(apart, self.axes)  # (n, m)
        rest = np.square(apart).sum(axis=1) - np.square(along).sum(axis=1)
        return np.column_stack([along, np.sqrt(np.maximum(rest, 0.0))]).astype(np.float32)


def product(left: Vectors, right: Vectors) -> Vectors:
    """left @ right, a few rows at a time: in one piece the library's own threads would join in, and
    wait for each other; beside ours that made the building of an index twice as slow."""
    step = max(1, _ONE_THREAD // right.size)
    parts, rest = divmod(len(left), step)
    whole = left[: parts * step].reshape(parts, step, left.shape[1]) @ right
    tail = left[len(left) - rest :] @ right
    return np.concatenate([whole.reshape(parts * step, right.shape[1]), tail])
