"""Vectors of pictures in an .npz file, found by SHA-256; they stay on the disk.

Two arrays, never a pickle: `sha256` (N, 32) uint8, the digests of the pictures' files, and
`vectors` (N, D) float16 or float32.
"""

import hashlib
import re
import shutil
import tempfile
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError

_DIGEST_BYTES = 32
_MOST_COLUMNS = 16_384
_ROWS = 4096


class Vectors:
    """The vectors of a file. Raises ConfigError for one that cannot be read, DataError for what is
    not as said above."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
        keys = _first_bytes(digests)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._digests = digests

    def __len__(self) -> int:
        return len(self._digests)

    @cached_property
    def sha256(self) -> str:
        """SHA-256, hexadecimal, of all digests and vectors."""
        arrays = (self._digests, self._vectors)
        found = hashlib.sha256(" ".join(map(_shape, arrays)).encode())
        for array in arrays:
            for start in range(0, len(array), _ROWS):
                found.update(np.ascontiguousarray(array[start : start + _ROWS]).data)
        return found.hexdigest()

    @property
    def name(self) -> str:
        """What the file is called, as far as a pack can name its vectors so."""
        return re.sub(r"[^A-Za-z0-9_-]+", "-", self.path.stem).strip("-") or "embeddings"

    @property
    def length(self) -> int:
        return int(self._vectors.shape[1])

    def of(self, sha256: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vectors (n, D) of digests (n, 32); NaN for a picture that has none."""
        found = np.full((len(sha256), self.length), np.nan, np.float32)
        if not len(self._keys):
            return found
        keys = _first_bytes(np.ascontiguousarray(sha256))
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        rows = self._order[places]
        there = (self._digests[rows] == sha256).all(axis=1)
        found[there] = self._vectors[rows[there]]
        return found

    def count(self, sha256: NDArray[np.uint8]) -> int:
        """How many of the pictures (n, 32) have a vector."""
        if not len(self._keys):
            return 0
        return int(np.isin(_first_bytes(np.ascontiguousarray(sha256)), self._keys).sum())

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
                if 0 in shape:
                    return np.zeros(shape, dtype)
                return np.memmap(plain, dtype, "r", plain.tell(), shape)
            except (ValueError, OverflowError) as error:
                raise self._wrong(f"array {name!r} is damaged or of Python objects") from error

    def _wrong(self, what: str) -> DataError:
        return DataError(
            f"embeddings {self.path}: {what}; write them by numpy.savez(path, sha256=..., "
            "vectors=...)"
        )


def _first_bytes(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(digests[:, :8]).view(">u8")[:, 0].astype(np.uint64)


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
