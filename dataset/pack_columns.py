"""The columns of a pack on their way into the file: each is written and hashed block by block.

A column's digest is SHA-256 over its contents in order of rows; the pack's content hash is SHA-256
over name, type, shape and digest of every column in order of their names. So a reader finds the
same hash again, however the rows were cut into blocks.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.provenance import SPLITS

_READ_ROWS = 4096
_CAPTION_CHUNK, _BLOB_CHUNK = 4096, 1 << 20
_MOST_MEASURED = 1 << 15
_TRAIN, _CAL = SPLITS.index("train"), SPLITS.index("cal")
# Under these no column has contents of its own: another name for data, and sums over it.
_DERIVED = ("images", "checks/", "stats/")


class Column(Protocol):
    """What the content hash asks of a column."""

    @property
    def name(self) -> str: ...

    def digest(self) -> bytes: ...


class TextColumn:
    """UTF-8 strings of any length (count,); one that stays empty takes no room."""

    def __init__(self, file: h5py.File, name: str, count: int | None) -> None:
        self.name = name
        chunks = {} if count is not None else {"maxshape": (None,), "chunks": (_CAPTION_CHUNK,)}
        self.dataset = file.create_dataset(name, (count or 0,), h5py.string_dtype(), **chunks)
        self._grows, self._row, self._digest = count is None, 0, hashlib.sha256()

    def append(self, values: Sequence[str]) -> None:
        # HDF5 strings end at a NUL, and lone surrogates are no UTF-8: neither may come from a text.
        clean = [value.replace("\0", "").encode("utf-8", "replace") for value in values]
        end = self._row + len(clean)
        if self._grows:
            self.dataset.resize((end,))
        if any(clean):
            self.dataset[self._row : end] = np.array(clean, object)
        self._digest.update(_framed(clean))
        self._row = end

    def skip(self, rows: int) -> None:
        """So many empty strings."""
        self._digest.update(bytes(8 * rows))
        self._row += rows

    def digest(self) -> bytes:
        return self._digest.digest()


class NumberColumn:
    """Numbers (count,) or (count, width), contiguous; rows that are skipped hold `fill`."""

    def __init__(
        self,
        file: h5py.File,
        name: str,
        count: int,
        dtype: type[np.generic],
        *,
        width: int | None = None,
        fill: float = 0,
    ) -> None:
        self.name, self.dtype, self._fill = name, np.dtype(dtype), fill
        self._tail = () if width is None else (width,)
        self.dataset = file.create_dataset(
            name, (count, *self._tail), self.dtype, fillvalue=self.dtype.type(fill)
        )
        self._row, self._digest = 0, hashlib.sha256()

    def append(self, values: NDArray[Any]) -> None:
        values = np.ascontiguousarray(values, self.dtype)
        self.dataset[self._row : self._row + len(values)] = values
        self._digest.update(values.data)
        self._row += len(values)

    def skip(self, rows: int) -> None:
        """So many rows of `fill`."""
        self._digest.update(np.full((rows, *self._tail), self._fill, self.dtype).data)
        self._row += rows

    def digest(self) -> bytes:
        return self._digest.digest()


class PictureColumn:
    """`data` itself (count, C, H, W): written at its place in the file, past HDF5, and measured in
    another thread: SHA-256 of each `rows` rows, and the mean and deviation of what trains (of a
    large pack that of every so-manieth row)."""

    name = "data"

    def __init__(
        self, file: h5py.File, path: Path, count: int, shape: tuple[int, int, int], rows: int
    ) -> None:
        self._file, self._rows, self._shape = file, rows, shape
        # All room at once, not filled with zeros first: the place of every row is known.
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((count, *shape))
        made = h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, space, layout)
        self._offset = made.get_offset() if count else 0
        self._descriptor = os.open(path, os.O_WRONLY)
        self._blocks: list[bytes] = []
        self._block, self._filled = hashlib.sha256(), 0
        self._cal, self._has_cal = hashlib.sha256(), False
        self._stride, self._measured = -(-count // _MOST_MEASURED) or 1, 0
        self._sum = np.zeros(shape[0])
        self._squares = np.zeros(shape[0])
        self._pixels = 0

    def write(self, row: int, data: NDArray[np.uint8]) -> None:
        place, rest = (
            self._offset + row * int(np.prod(self._shape)),
            memoryview(data.data).cast("B"),
        )
        while rest:
            written = os.pwrite(self._descriptor, rest, place)
            place, rest = place + written, rest[written:]

    def measure(self, data: NDArray[np.uint8], splits: NDArray[np.uint8]) -> None:
        start = 0
        while start < len(data):
            part = data[start : start + self._rows - self._filled]
            self._block.update(part.data)
            self._filled, start = self._filled + len(part), start + len(part)
            if self._filled == self._rows:
                self._close_block()
        held = data[splits == _CAL] if (splits == _CAL).any() else data[:0]
        self._has_cal |= len(held) > 0
        self._cal.update(held.data)
        first = -self._measured % self._stride
        self._measured += len(data)
        trained = data[first :: self._stride][splits[first :: self._stride] == _TRAIN]
        for channel in range(self._shape[0]):
            counts = _histogram(trained[:, channel])
            values = np.arange(256) / 255
            self._sum[channel] += counts @ values
            self._squares[channel] += counts @ values**2
        self._pixels += len(trained) * self._shape[1] * self._shape[2]

    def finish(self) -> None:
        """Write the sums beside the pictures."""
        self._close_block()
        checks = np.frombuffer(b"".join(self._blocks), np.uint8).reshape(-1, 32)
        self._file.create_dataset("checks/data", data=checks).attrs["rows"] = self._rows
        mean = self._sum / max(self._pixels, 1)
        variance = self._squares / max(self._pixels, 1) - mean**2
        self._file.create_dataset("stats/mean", data=mean)
        self._file.create_dataset("stats/deviation", data=np.sqrt(np.maximum(variance, 0)))

    def digest(self) -> bytes:
        return hashlib.sha256(b"".join(self._blocks)).digest()

    def seal(self) -> str:
        """SHA-256, hexadecimal, over the pictures of the split cal; "" when there are none."""
        return self._cal.hexdigest() if self._has_cal else ""

    def close(self) -> None:
        os.close(self._descriptor)

    def _close_block(self) -> None:
        if self._filled:
            self._blocks.append(self._block.digest())
            self._block, self._filled = hashlib.sha256(), 0


class RaggedText:
    """For every row any number of entries of several texts each: one growing column a text."""

    def __init__(self, file: h5py.File, group: str, names: Sequence[str], count: int) -> None:
        self._texts = [TextColumn(file, f"{group}/{name}", None) for name in names]
        self._offsets = NumberColumn(file, f"{group}/offsets", count + 1, np.int64)
        self._offsets.append(np.zeros(1, np.int64))
        self._end = 0

    def append(self, entries: Sequence[Sequence[Sequence[str]]], rows: int) -> None:
        """`entries` has one sequence of entries a row, or is empty for `rows` bare rows."""
        lengths = [len(those) for those in entries] or [0] * rows
        flat = [entry for those in entries for entry in those]
        if flat:
            for column, values in zip(self._texts, zip(*flat, strict=True), strict=True):
                column.append(values)
        self._offsets.append(self._end + np.cumsum(lengths))
        self._end += len(flat)

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self._texts, self._offsets)


class RaggedBytes:
    """For every row a file, one after another in a growing blob."""

    def __init__(self, file: h5py.File, group: str, count: int) -> None:
        self.name = f"{group}/blob"
        self._blob = file.create_dataset(
            self.name, (0,), np.uint8, maxshape=(None,), chunks=(_BLOB_CHUNK,)
        )
        self._offsets = NumberColumn(file, f"{group}/offsets", count + 1, np.int64)
        self._offsets.append(np.zeros(1, np.int64))
        self._end, self._digest = 0, hashlib.sha256()

    def append(self, files: Sequence[bytes], rows: int) -> None:
        """`files` has one entry a row, or is empty for `rows` rows without one."""
        joined = b"".join(files)
        if joined:
            self._blob.resize((self._end + len(joined),))
            self._blob[self._end :] = np.frombuffer(joined, np.uint8)
        self._digest.update(joined)
        self._offsets.append(self._end + np.cumsum([len(one) for one in files] or [0] * rows))
        self._end += len(joined)

    def digest(self) -> bytes:
        return self._digest.digest()

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self, self._offsets)


def read_digests(file: h5py.File) -> Iterator[tuple[str, bytes]]:
    """Name and digest of every column of a pack, read anew, a few megabytes at a time."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    for name in names:
        if name.startswith(_DERIVED):
            continue
        if name == "data":
            blocks = b"".join(read_checks(file))
            yield name, hashlib.sha256(blocks).digest()
            continue
        array, digest = file[name], hashlib.sha256()
        is_text = h5py.check_string_dtype(array.dtype) is not None
        step = _BLOB_CHUNK if array.dtype == np.uint8 and array.ndim == 1 else _READ_ROWS
        for start in range(0, array.shape[0], step):
            block = array[start : start + step]
            digest.update(_framed(block.tolist()) if is_text else np.ascontiguousarray(block).data)
        yield name, digest.digest()


def read_checks(file: h5py.File) -> Iterator[bytes]:
    """SHA-256 of every block of `data`, read anew; compare them with `checks/data`."""
    data, rows = file["data"], int(file["checks/data"].attrs["rows"])
    for start in range(0, data.shape[0], rows):
        yield hashlib.sha256(np.ascontiguousarray(data[start : start + rows]).data).digest()


def combined_hash(file: h5py.File, digests: Mapping[str, bytes]) -> str:
    """The content hash: SHA-256, hexadecimal, over all columns and the names of all classes."""
    digest = hashlib.sha256()
    for name in sorted(digests):
        array = file[name]
        kind = "utf8" if h5py.check_string_dtype(array.dtype) else array.dtype.str
        digest.update(f"{name}|{kind}|{array.shape}|".encode() + digests[name])
    for name in sorted(file["labels"]):
        digest.update(f"{name}|{file['labels'][name].attrs['names']}|".encode())
    return digest.hexdigest()


def _framed(values: Sequence[bytes]) -> bytes:
    """Strings with their lengths before them, so that no two lists read alike."""
    return b"".join(part for value in values for part in (len(value).to_bytes(8, "little"), value))


def _histogram(values: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.bincount(values.ravel(), minlength=256).astype(np.float64)
