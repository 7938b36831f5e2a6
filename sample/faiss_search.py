"""The door to faiss: nearest vectors exactly, and coded vectors for packs too large for that."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError
from sample.embed import Vectors


def _module() -> Any:
    """faiss, or None where it is missing or broken."""
    try:
        import faiss
    except (ImportError, RuntimeError):
        return None
    return faiss


faiss = _module()

Rows = NDArray[np.int64]

# Where faiss changes from its own loop to a matrix product, in queries x dim. Its own number
# (128,000) leaves 200 queries at 512 dimensions three times slower than they need be.
_PRODUCT_FROM = 2_000
# Principal components in a code; of vectors with fewer numbers, all. Four bits for each: as good a
# shortlist as 8 bits for two, and learnt a hundred times faster.
_CODED = 128
# Lists that are searched, at least, and as a share of all.
_PROBES, _SHARE = 64, 16


def is_there() -> bool:
    """Whether faiss can be used."""
    return faiss is not None


def require() -> None:
    """Raise ConfigError where faiss is missing."""
    if faiss is None:
        raise ConfigError("faiss is not installed; pip install -e '.[sample]', or take torch")


def one_thread() -> None:
    """Let this thread's searches stay in it: faiss's own threads meet at barriers, and on a busy
    machine two were four times slower than one."""
    faiss.omp_set_num_threads(1)


def nearest(queries: Vectors, vectors: Vectors, k: int) -> tuple[Vectors, Rows]:
    """Squared distances and places, (Q, k), of the k nearest of (n, dim) `vectors`, nearest first.

    Right up to float32's rounding of |x|^2 + |y|^2 - 2 x.y.
    """
    faiss.cvar.distance_compute_blas_threshold = _PRODUCT_FROM
    found: tuple[Vectors, Rows] = faiss.knn(queries, vectors, k)
    return found


class Codes:
    """Vectors as codes, half a byte a number, in lists of like ones: searched approximately.

    An inverted file with product quantisation, Jégou et al. 2011.
    """

    def __init__(self, index: Any) -> None:
        self._index = index
        inverted = faiss.extract_index_ivf(index)
        inverted.nprobe = max(_PROBES, inverted.nlist // _SHARE)

    @staticmethod
    def bytes_each(dim: int) -> int:
        """Memory for one vector: its code and its number."""
        return _code_numbers(dim) // 2 + 8

    @classmethod
    def fit(cls, vectors: Vectors, lists: int) -> "Codes":
        """Learn the code from (n, dim) `vectors`, and to share vectors out among `lists`."""
        numbers = _code_numbers(vectors.shape[1])
        kind = f"PCAR{numbers},IVF{lists},PQ{numbers}x4fs"
        index = faiss.index_factory(vectors.shape[1], kind)
        index.train(vectors)
        return cls(index)

    def add(self, vectors: Vectors, numbers: Rows) -> None:
        """Add (n, dim) `vectors`, to be found as `numbers`."""
        self._index.add_with_ids(vectors, numbers)

    def nearest(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """Approximate squared distances and numbers, (Q, k); -1 where fewer were found."""
        found: tuple[Vectors, Rows] = self._index.search(queries, k)
        return found

    def to_bytes(self) -> NDArray[np.uint8]:
        """All of it as one array of bytes."""
        content: NDArray[np.uint8] = faiss.serialize_index(self._index)
        return content

    @classmethod
    def from_bytes(cls, content: NDArray[np.uint8]) -> "Codes":
        """What `to_bytes` gave; the content must be trusted: faiss does not check it."""
        return cls(faiss.deserialize_index(content))


def _code_numbers(dim: int) -> int:
    """Principal components that are coded, two to a byte."""
    return min(_CODED, dim // 2 * 2)
