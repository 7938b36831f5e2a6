"""The pack as its readers see it: one HDF5 file whose pictures are memory-mapped."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.pack_columns import columns_of
from dataset.pack_measure import rows_at_once
from dataset.pack_opening import SCHEMA, class_names, json_attribute, open_pack
from dataset.pack_trailer import check_trailer
from dataset.provenance import (
    NUMBER_COLUMNS,
    REAL_COLUMNS,
    SPLITS,
    TEXT_COLUMNS,
    Provenance,
    Split,
)
from dataset.records import Caption

__all__ = ["SCHEMA", "PackedDataset", "open_pack"]

_BLOCK = 1024


class PackedDataset:
    """A pack, open for reading; holds a path and an offset, no file handle, so it may be forked.

    `data` is (N, C, H, W) uint8, `labels` (N,) int64 with -1 for none, in the order of the file.
    Raises ConfigError when there is no such file, DataError when it is not a whole pack of this
    schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if self.path.is_file():
            check_trailer(self.path)
        with open_pack(self.path) as file:
            data, labels = file["data"], file["labels/label"]
            self.shape: tuple[int, int, int, int] = data.shape
            self._offset = int(data.id.get_offset()) if len(data) else 0
            self.labels: NDArray[np.int64] = labels[:].astype(np.int64)
            self.label_names: list[str] = class_names(labels, self.path)
            self.splits: NDArray[np.uint8] = file["split"][:].astype(np.uint8)
            self.content_hash = str(file.attrs["content_hash"])
            self.config = json_attribute(file, "config", self.path)
            self.attributes: dict[str, Any] = dict(file.attrs)
            self.schemes: list[str] = sorted(columns_of(file, "labels"))
            _check_range(self.labels, len(self.label_names), "label", self.path)
            _check_range(self.splits.astype(np.int64), len(SPLITS), "split", self.path)
        self._facts: tuple[int, list[Provenance]] | None = None

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
        """All pictures, (N, C, H, W) uint8, read-only, straight from the page cache.

        Raises DataError when the file was replaced by another pack since this one was opened."""
        if not len(self):
            return np.zeros(self.shape, np.uint8)
        with self._open():
            return np.memmap(self.path, np.uint8, "r", offset=self._offset, shape=self.shape)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """The pictures from `start` up to `stop` (n, C, H, W), read and not mapped: they count for
        this process's memory no longer than they are held."""
        start, stop, _ = slice(start, stop).indices(len(self))
        size = int(np.prod(self.shape[1:]))
        count = max(stop - start, 0)
        found = np.fromfile(self.path, np.uint8, count * size, offset=self._offset + start * size)
        if len(found) != count * size:
            raise DataError(f"pack {self.path} became shorter while it was read; pack again")
        return found.reshape(count, *self.shape[1:])

    def gather(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The pictures of these rows, (n, C, H, W), in their order, copied into `out` if given: to
        ask for new memory at every batch takes as long as the copy. Raises IndexError outside
        0..N-1."""
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a pack of {len(self)}")
        # Within bounds nothing is clipped; the other modes copy through a buffer.
        return self.data.take(rows, axis=0, out=out, mode="clip")

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """All pictures in order, a few megabytes at a time: (first row, (n, C, H, W))."""
        step = rows_at_once(self.shape[1:])
        for start in range(0, len(self), step):
            yield start, self.read(start, start + step)

    def rows(self, split: Split) -> NDArray[np.int64]:
        """The row numbers of one split, ascending."""
        if split not in SPLITS:
            raise ConfigError(f"unknown split {split!r}; it is one of {', '.join(SPLITS)}")
        return np.flatnonzero(self.splits == SPLITS.index(split)).astype(np.int64)

    def provenance(self, row: int) -> Provenance:
        """Where one row came from; raises IndexError outside 0..N-1."""
        self._require(row)
        start = row - row % _BLOCK
        if self._facts is None or self._facts[0] != start:
            self._facts = (start, self.facts(start, start + _BLOCK))
        return self._facts[1][row - start]

    def facts(self, start: int = 0, stop: int | None = None) -> list[Provenance]:
        """Where the rows from `start` up to `stop` came from."""
        with self._open() as file:
            return _read_facts(file, start, len(self) if stop is None else min(stop, len(self)))

    def __iter__(self) -> Iterator[Provenance]:
        """The provenance of every row in order; a million rows never lie in memory at once."""
        with self._open() as file:
            for start in range(0, len(self), _BLOCK):
                yield from _read_facts(file, start, min(start + _BLOCK, len(self)))

    def column(self, name: str) -> NDArray[Any]:
        """One column of the provenance that holds numbers: (N,), of `sha256` uint8 (N, 32).

        Raises DataError when the pack has no such column."""
        with self._open() as file:
            found: NDArray[Any] = file[f"provenance/{name}"][:]
        return found

    def texts(self, name: str, start: int = 0, stop: int | None = None) -> list[str]:
        """One column of the provenance that holds texts, from `start` up to `stop`.

        Raises DataError when the pack has no such column."""
        with self._open() as file:
            array = file[f"provenance/{name}"]
            found: list[str] = _texts(array, start, len(self) if stop is None else stop)
        return found

    def captions(self, row: int) -> list[Caption]:
        """All captions of one row; raises IndexError outside 0..N-1."""
        self._require(row)
        with self._open() as file:
            start, end = _ends(file["captions/offsets"], row, len(file["captions/text"]))
            texts = file["captions/text"].asstr()[start:end]
            origins = file["captions/origin"].asstr()[start:end]
        return [Caption(text=t, origin=o) for t, o in zip(texts, origins, strict=True)]

    def original(self, row: int) -> bytes | None:
        """The file that one row was made from, or None where the pack does not carry it."""
        self._require(row)
        with self._open() as file:
            if "encoded" not in file:
                return None
            start, end = _ends(file["encoded/offsets"], row, len(file["encoded/blob"]))
            return bytes(file["encoded/blob"][start:end].tobytes()) or None

    def embedding(self, name: str) -> NDArray[np.float32]:
        """The vectors of this kind, (N, D); raises ConfigError when the pack has none of it."""
        with self._open() as file:
            there = sorted(columns_of(file, "embeddings")) if "embeddings" in file else []
            if name not in there:
                known = ", ".join(there) or "none"
                raise ConfigError(
                    f"pack {self.path} has no embedding {name!r}; it has {known}: choose another,"
                    " or pack again with --set embeddings=FILE.npz"
                )
            found: NDArray[np.float32] = file[f"embeddings/{name}"][:]
        return found

    def scheme(self, name: str) -> tuple[NDArray[np.int64], list[str]]:
        """The labels (N,) of one scheme, -1 for none, and the names of its classes."""
        with self._open() as file:
            if name not in self.schemes:
                known = ", ".join(self.schemes)
                raise ConfigError(f"pack {self.path} has no labels {name!r}; it has {known}")
            array = file[f"labels/{name}"]
            labels, names = array[:].astype(np.int64), class_names(array, self.path)
            _check_range(labels, len(names), f"label of {name}", self.path)
            return labels, names

    def _require(self, row: int) -> None:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a pack of {len(self)}")

    @contextmanager
    def _open(self) -> Iterator[h5py.File]:
        """The file, as long as it is still the same pack."""
        with open_pack(self.path) as file:
            if str(file.attrs["content_hash"]) != self.content_hash:
                raise DataError(
                    f"pack {self.path} was replaced by another one while it was in use; start again"
                )
            yield file

    def __getstate__(self) -> dict[str, Any]:
        return {
            key: value for key, value in self.__dict__.items() if key not in ("data", "_facts")
        } | {"_facts": None}


def _ends(offsets: h5py.Dataset, row: int, most: int) -> tuple[int, int]:
    """Where the entries of one row start and end; raises ValueError when that is nowhere."""
    start, end = (int(place) for place in offsets[row : row + 2])
    if not 0 <= start <= end <= most:
        raise ValueError(f"{offsets.name[1:]} of row {row} point nowhere")
    return start, end


def _check_range(values: NDArray[np.int64], classes: int, what: str, path: Path) -> None:
    lowest, highest = int(values.min(initial=-1)), int(values.max(initial=-1))
    if lowest < -1 or highest >= classes:
        wrong = lowest if lowest < -1 else highest
        raise DataError(
            f"pack {path}: a {what} is {wrong}, there are {classes} classes; pack again"
        )


def _texts(array: h5py.Dataset, start: int, stop: int) -> list[str]:
    if array.id.get_storage_size() == 0:
        return [""] * len(range(*slice(start, stop).indices(len(array))))
    found: list[str] = array.asstr()[start:stop].tolist()
    return found


def _read_facts(file: h5py.File, start: int, stop: int) -> list[Provenance]:
    columns: dict[str, list[Any]] = {"row": list(range(start, stop))}
    group = file["provenance"]
    for name in TEXT_COLUMNS:
        columns[name] = _texts(group[name], start, stop)
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
