"""Vectors of the pictures that somebody's own network made: `embeddings.npz` in the data folder,
as dataset/vectors.py reads it, and the directions in which they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.vectors import Vectors

Floats = NDArray[np.floating[Any]]

EMBEDDINGS_FILE = "embeddings.npz"
_DIGEST_BYTES = 32
_LARGEST = 1e12  # a number beyond it is none that a network means; its square must be finite
# Of a vector this many directions are kept, those along which the pictures differ most.
DIRECTIONS = 96


class Embeddings:
    """The vectors by digest; they stay on the disk, so that a million fit into a small memory.

    Raises ConfigError for a file that cannot be read, DataError for what is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn: tuple[Floats, Floats] | None = None  # what is taken off (D,), axes (D, K)
        self._vectors = Vectors(path)

    def __len__(self) -> int:
        return len(self._vectors)

    def learn_axes(self, sha256: Sequence[str]) -> int:
        """Find the directions along which the pictures named differ most; returns how many."""
        found, vectors = self._look_up(sha256)
        known = vectors[found]
        if len(known) < 2:
            raise DataError(
                f"embeddings {self.path} are of other pictures: none of the {len(sha256)} looked "
                "for is there; make them of this catalogue's files"
            )
        middle = known.mean(axis=0, dtype=np.float32)
        _u, sizes, axes = np.linalg.svd(known - middle, full_matrices=False)
        kept = min(DIRECTIONS, int((sizes > max(1e-4 * float(sizes[0]), 1e-12)).sum()))
        if not kept:
            raise DataError(
                f"embeddings {self.path}: the vectors are all alike and tell nothing; make them "
                "by a network that tells pictures apart"
            )
        # Whitened to the root: directions that matter more keep some of their weight.
        weights = np.sqrt(np.sqrt(len(known)) / np.maximum(sizes[:kept], 1e-12))
        self._turn = middle, (axes[:kept] * weights[:, None]).T.astype(np.float32)
        return kept

    def features(self, sha256: Sequence[str]) -> Floats:
        """(B, up to 96): each picture's vector along the axes learned; NaN for one without."""
        assert self._turn is not None, "learn_axes comes first"
        middle, axes = self._turn
        found, vectors = self._look_up(sha256)
        features: Floats = (vectors - middle) @ axes
        features[~found] = np.nan
        return features

    def _look_up(self, sha256: Sequence[str]) -> tuple[NDArray[np.bool_], Floats]:
        """Which of the pictures have a vector (B,), and their vectors (B, D), 0 without."""
        wanted = np.frombuffer(bytes.fromhex("".join(sha256)), np.uint8).reshape(-1, _DIGEST_BYTES)
        vectors = self._vectors.of(wanted)
        # False for what is no number.
        found: NDArray[np.bool_] = np.all(np.abs(vectors) <= _LARGEST, axis=1)
        vectors[~found] = 0
        return found, vectors
