"""The pack as its readers see it: one HDF5 file whose pictures are memory-mapped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.provenance import (
    NUMBER_COLUMNS,
    REAL_COLUMNS,
    SPLITS,
    TEXT_COLUMNS,
    Provenance,
    Split,
)
from dataset.records import Caption

SCHEMA = 1
_BLOCK = 1024


class PackedDataset:
    """A pack, open for reading; holds a path and an offset, no file handle, so it may be forked.

    `data` is (N, C, H, W) uint8, `labels` (N,) int64 with -1 for none, in the order of the file.
    Raises ConfigError when there is no such file, DataError when it is not a whole pack of this
    schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with open_pack(self.path) as file:
            data = file["data"]
            self.shape: tuple[int, int, int, int] = data.shape
            self._offset = int(data.id.get_offset())
            self.labels: NDArray[np.int64] = file["labels/label"][:].astype(np.int64)
            self.label_names: list[str] = json.loads(file["labels/label"].attrs["names"])
            self.splits: NDArray[np.uint8] = file["split"][:]
            self.content_hash = str(file.attrs["content_hash"])
            self.config: dict[str, Any] = json.loads(file.attrs["config"])
            self.attributes: dict[str, Any] = dict(file.attrs)
            self.schemes: list[str] = sorted(file["labels"])
        self._facts: tuple[int, list[Provenance]] | None = None
        if self.path.stat().st_size < self._offset + int(np.prod(self.shape)):
            raise DataError(f"pack {self.path} is truncated; pack again (python -m dataset pack)")

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def channels(self) -> int:
        return self.shape[1]

    @property
    def height(self) -> int:
        return self.shape[2]

    @property
    def width(self) -> int:
        return self.shape[3]

    @cached_property
    def data(self) -> NDArray[np.uint8]:
        """All pictures, (N, C, H, W) uint8, read-only, straight from the page cache."""
        return np.memmap(self.path, np.uint8, "r", offset=self._offset, shape=self.shape)

    def rows(self, split: Split) -> NDArray[np.int64]:
        """The row numbers of one split, ascending."""
        if split not in SPLITS:
            raise ConfigError(f"unknown split {split!r}; it is one of {', '.join(SPLITS)}")
        return np.flatnonzero(self.splits == SPLITS.index(split)).astype(np.int64)

    def provenance(self, row: int) -> Provenance:
        """Where one row came from; raises IndexError outside 0..N-1."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a pack of {len(self)}")
        start = row - row % _BLOCK
        if self._facts is None or self._facts[0] != start:
            self._facts = (start, self.facts(start, start + _BLOCK))
        return self._facts[1][row - start]

    def facts(self, start: int = 0, stop: int | None = None) -> list[Provenance]:
        """Where the rows from `start` up to `stop` came from."""
        with open_pack(self.path) as file:
            return _read_facts(file, start, len(self) if stop is None else min(stop, len(self)))

    def __iter__(self) -> Iterator[Provenance]:
        """The provenance of every row in order; a million rows never lie in memory at once."""
        with open_pack(self.path) as file:
            for start in range(0, len(self), _BLOCK):
                yield from _read_facts(file, start, min(start + _BLOCK, len(self)))

    def column(self, name: str) -> NDArray[Any]:
        """One column of the provenance that holds numbers: (N,), of `sha256` uint8 (N, 32).

        Raises DataError when the pack has no such column."""
        with open_pack(self.path) as file:
            found: NDArray[Any] = file[f"provenance/{name}"][:]
        return found

    def captions(self, row: int) -> list[Caption]:
        """All captions of one row, the best first."""
        with open_pack(self.path) as file:
            start, end = (int(place) for place in file["captions/offsets"][row : row + 2])
            texts = file["captions/text"].asstr()[start:end]
            origins = file["captions/origin"].asstr()[start:end]
        return [Caption(text=t, origin=o) for t, o in zip(texts, origins, strict=True)]

    def original(self, row: int) -> bytes | None:
        """The file that one row was made from, or None where the pack does not carry it."""
        with open_pack(self.path) as file:
            if "encoded" not in file:
                return None
            start, end = (int(place) for place in file["encoded/offsets"][row : row + 2])
            return bytes(file["encoded/blob"][start:end].tobytes()) or None

    def embedding(self, name: str) -> NDArray[np.float32]:
        """The vectors of this kind, (N, D); raises ConfigError when the pack has none of it."""
        with open_pack(self.path) as file:
            there = sorted(file["embeddings"]) if "embeddings" in file else []
            if name not in there:
                known = ", ".join(there) or "none"
                raise ConfigError(f"pack {self.path} has no embedding {name!r}; it has {known}")
            found: NDArray[np.float32] = file[f"embeddings/{name}"][:]
        return found

    def scheme(self, name: str) -> tuple[NDArray[np.int64], list[str]]:
        """The labels (N,) of one scheme, -1 for none, and the names of its classes."""
        with open_pack(self.path) as file:
            if f"labels/{name}" not in file:
                known = ", ".join(sorted(file["labels"]))
                raise ConfigError(f"pack {self.path} has no labels {name!r}; it has {known}")
            array = file[f"labels/{name}"]
            return array[:].astype(np.int64), json.loads(array.attrs["names"])

    def __getstate__(self) -> dict[str, Any]:
        return {
            key: value for key, value in self.__dict__.items() if key not in ("data", "_facts")
        } | {"_facts": None}


@contextmanager
def open_pack(path: Path) -> Iterator[h5py.File]:
    """Open a pack of this schema for reading; every failure is one line that names the file."""
    if not path.is_file():
        raise ConfigError(f"no pack at {path}; make one (python -m dataset pack) or check the path")
    try:
        with h5py.File(path, "r") as file:
            _check(file, path)
            yield file
    except OSError as error:
        raise DataError(
            f"{path} is no readable HDF5 file ({_first_line(error)}); pack again"
        ) from error
    except (KeyError, json.JSONDecodeError) as error:
        raise DataError(f"pack {path} is incomplete ({_first_line(error)}); pack again") from error


def _check(file: h5py.File, path: Path) -> None:
    if "schema" not in file.attrs or "data" not in file:
        raise DataError(
            f"{path} is an HDF5 file but no pack of Pedigree; make one with python -m dataset pack"
        )
    schema = int(file.attrs["schema"])
    if schema != SCHEMA:
        age = "a newer" if schema > SCHEMA else "an older"
        raise DataError(
            f"pack {path} has schema {schema} of {age} Pedigree, this one reads {SCHEMA}; "
            "pack again"
        )
    data = file["data"]
    if data.dtype != np.uint8 or data.ndim != 4 or data.chunks is not None:
        raise DataError(f"pack {path}: data is not a contiguous (N, C, H, W) uint8 array")


def _read_facts(file: h5py.File, start: int, stop: int) -> list[Provenance]:
    columns: dict[str, list[Any]] = {"row": list(range(start, stop))}
    group = file["provenance"]
    for name in TEXT_COLUMNS:
        columns[name] = group[name].asstr()[start:stop].tolist()
    for name in NUMBER_COLUMNS:
        columns[name] = group[name][start:stop].tolist()
    for name in REAL_COLUMNS:
        values = group[name][start:stop].tolist()
        columns[name] = [None if np.isnan(value) else value for value in values]
    digests, hashes = group["sha256"][start:stop], group["phash"][start:stop].tolist()
    known = digests.any(axis=1).tolist()
    columns["sha256"] = [
        digest.tobytes().hex() if is_known else ""
        for digest, is_known in zip(digests, known, strict=True)
    ]
    columns["phash"] = [f"{value:016x}" if value else "" for value in hashes]
    columns["label"] = file["labels/label"][start:stop].tolist()
    columns["split"] = [SPLITS[code] for code in file["split"][start:stop].tolist()]
    names = list(columns)
    return [
        Provenance(**dict(zip(names, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
