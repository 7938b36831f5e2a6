"""Vectors of the pictures that somebody's own network made: `embeddings.npz` in the data folder.

Two arrays, never a pickle: `sha256` (N, 32) uint8, the digests of the pictures' files, and
`vectors` (N, D) float16 or float32.
"""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError

Floats = NDArray[np.floating[Any]]

EMBEDDINGS_FILE = "embeddings.npz"
_DIGEST_BYTES = 32
_MOST_COLUMNS = 16_384
_LARGEST = 1e12  # a number beyond it is none that a network means; its square must be finite
# Of a vector this many directions are kept, those along which the pictures differ most.
DIRECTIONS = 96


class Embeddings:
    """The vectors by digest; they stay on the disk, so that a million fit into a small memory.

    Raises ConfigError for a file that cannot be read, DataError for what is not as said above.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn: tuple[Floats, Floats] | None = None  # what is taken off (D,), axes (D, K)
        try:
            with zipfile.ZipFile(path) as archive:
                digests = self._array(archive, "sha256")
                self._vectors = self._array(archive, "vectors")
        except OSError as error:
            raise ConfigError(
                f"cannot read embeddings {path}: {error.strerror or error}; check the path"
            ) from error
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as bad:
            raise DataError(f"embeddings {path} are no whole .npz file; write them anew") from bad
        self._check(digests)
        # The first 8 bytes of a digest find it, the whole one makes sure.
        keys = np.ascontiguousarray(digests[:, :8]).view(">u8")[:, 0].astype(np.uint64)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._digests = digests

    def __len__(self) -> int:
        return len(self._digests)

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
        keys = np.ascontiguousarray(wanted[:, :8]).view(">u8")[:, 0].astype(np.uint64)
        places = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        rows = self._order[places] if len(self._keys) else np.zeros(0, np.int64)
        vectors = np.zeros((len(wanted), self._vectors.shape[1]), np.float32)
        if not len(rows):
            return np.zeros(len(wanted), np.bool_), vectors
        found = (self._digests[rows] == wanted).all(axis=1)
        vectors[found] = self._vectors[rows[found]]
        usable = (np.abs(vectors) <= _LARGEST).all(axis=1)  # false for what is no number
        vectors[~usable] = 0
        return found & usable, vectors

    def _check(self, digests: NDArray[Any]) -> None:
        if digests.ndim != 2 or digests.shape[1] != _DIGEST_BYTES or digests.dtype != np.uint8:
            raise self._wrong(f"sha256 is {_shape(digests)}, not (N, 32) uint8")
        vectors = self._vectors
        if vectors.ndim != 2 or vectors.dtype not in (np.float16, np.float32):
            raise self._wrong(f"vectors are {_shape(vectors)}, not (N, D) float16 or float32")
        if len(vectors) != len(digests):
            raise self._wrong(f"there are {len(digests)} digests for {len(vectors)} vectors")
        if not 0 < vectors.shape[1] <= _MOST_COLUMNS:
            raise self._wrong(f"vectors have {vectors.shape[1]} columns, not 1 to {_MOST_COLUMNS}")

    def _array(self, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
        """One array of the file, unpacked beside other temporary files and mapped from there."""
        if f"{name}.npy" not in archive.namelist():
            raise self._wrong(f"there is no array {name!r} in it")
        with archive.open(f"{name}.npy") as packed, tempfile.TemporaryFile() as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
            plain.seek(0)
            try:
                shape, dtype = _header(plain)
                return np.memmap(plain, dtype, "r", plain.tell(), shape)
            except (ValueError, OverflowError) as error:
                raise self._wrong(f"array {name!r} is damaged or of Python objects") from error

    def _wrong(self, what: str) -> DataError:
        return DataError(
            f"embeddings {self.path}: {what}; write them by numpy.savez(path, sha256=..., "
            "vectors=...)"
        )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of a .npy file; raises ValueError for any that holds more than numbers."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("an unknown version")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, in_columns, dtype = read(file)
    if dtype.hasobject or in_columns:
        raise ValueError("Python objects, or columns first")
    return shape, dtype


def _shape(array: NDArray[Any]) -> str:
    return f"{array.shape} {array.dtype}"
