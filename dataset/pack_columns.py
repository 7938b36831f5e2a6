"""The columns of a pack on their way into the file: each is written and hashed block by block.

A column's digest is SHA-256 over its contents in order of rows (of texts: over their lengths, then
over their bytes); the pack's content hash is SHA-256 over name, type, shape and digest of every
column in order of their names. So a reader finds the same hash again, however the rows were cut
into blocks.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.pack_measure import PictureMeasure, check_rows

_READ_ROWS = 4096
_CAPTION_CHUNK, _BLOB_CHUNK = 4096, 1 << 20
# Under these no column has contents of its own: another name for data, and sums over it.
_DERIVED = ("images", "checks/", "stats/")


class Column(Protocol):
    """What the content hash asks of a column."""

    @property
    def name(self) -> str: ...

    def digest(self) -> bytes: ...


class TextDigest:
    """The digest of texts that come one block after another."""

    def __init__(self) -> None:
        self._lengths, self._bytes = hashlib.sha256(), hashlib.sha256()

    def update(self, values: Sequence[bytes]) -> None:
        self._lengths.update(np.fromiter(map(len, values), "<u8", len(values)).data)
        self._bytes.update(b"".join(values))

    def skip(self, rows: int) -> None:
        """So many empty texts."""
        self._lengths.update(bytes(8 * rows))

    def digest(self) -> bytes:
        return hashlib.sha256(self._lengths.digest() + self._bytes.digest()).digest()


def stored_texts(values: Sequence[str]) -> list[str]:
    """Texts as a pack gives them back: NULs and lone surrogates are not kept."""
    joined = "".join(values)
    with contextlib.suppress(UnicodeEncodeError):
        if "\0" not in joined and (joined.isascii() or joined.encode()):
            return list(values)
    return [value.encode("utf-8", "replace").decode().replace("\0", "") for value in values]


class TextColumn:
    """UTF-8 strings of any length (count,); one that stays empty takes no room."""

    def __init__(self, file: h5py.File, name: str, count: int | None) -> None:
        self.name = name
        chunks = {} if count is not None else {"maxshape": (None,), "chunks": (_CAPTION_CHUNK,)}
        self.dataset = file.create_dataset(name, (count or 0,), h5py.string_dtype(), **chunks)
        self._grows, self._row, self._digest = count is None, 0, TextDigest()

    def append(self, values: Sequence[str]) -> None:
        if not any(values) and not self._grows:
            self.skip(len(values))
            return
        # HDF5 strings end at a NUL, and lone surrogates are no UTF-8: neither may come from a text.
        clean = list(map(str.encode, stored_texts(values)))
        end = self._row + len(clean)
        if self._grows:
            self.dataset.resize((end,))
        self.dataset[self._row : end] = np.array(clean, object)
        self._digest.update(clean)
        self._row = end

    def skip(self, rows: int) -> None:
        """So many empty strings."""
        self._digest.skip(rows)
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
    """`data` itself (count, C, H, W): written at its place in the file, past HDF5, and measured;
    both may go on at once in two threads."""

    name = "data"

    def __init__(
        self, file: h5py.File, path: Path, count: int, shape: tuple[int, int, int]
    ) -> None:
        self._file, self._row_bytes = file, int(np.prod(shape))
        # All room at once, not filled with zeros first: the place of every row is known.
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        layout.set_obj_track_times(False)  # or the same pack would have other bytes a second later
        space = h5py.h5s.create_simple((count, *shape))
        made = h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, space, layout)
        self.offset = made.get_offset() if count else 0
        self._check_rows = check_rows(shape)
        self.measured = PictureMeasure(count, shape, self._check_rows)
        self._descriptor = os.open(path, os.O_WRONLY)

    def write(self, row: int, data: NDArray[np.uint8]) -> None:
        start = place = self.offset + row * self._row_bytes
        rest = memoryview(data.reshape(-1).data)
        while rest:
            written = os.pwrite(self._descriptor, rest, place)
            place, rest = place + written, rest[written:]
        if hasattr(os, "posix_fadvise"):
            # The disk starts with these rows now, not with all of them at the fsync.
            os.posix_fadvise(self._descriptor, start, place - start, os.POSIX_FADV_DONTNEED)

    def finish(self) -> None:
        """Write checks and statistics beside the pictures."""
        self.measured.finish()
        checks = np.frombuffer(b"".join(self.measured.checks), np.uint8).reshape(-1, 32)
        self._file.create_dataset("checks/data", data=checks).attrs["rows"] = self._check_rows
        mean, deviation = self.measured.statistics()
        self._file.create_dataset("stats/mean", data=mean)
        self._file.create_dataset("stats/deviation", data=deviation)

    def digest(self) -> bytes:
        return self.measured.digest()

    def close(self) -> None:
        os.close(self._descriptor)


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


def columns_of(file: h5py.File, group: str = "/") -> dict[str, h5py.Dataset]:
    """Every array under a group by its name within it; names may hold slashes."""
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file[group].visititems(visit)
    return found


def is_hashed(name: str) -> bool:
    """Whether a column counts for the content hash: not one that follows from others."""
    return not name.startswith(_DERIVED)


def read_digest(array: h5py.Dataset, advance: Callable[[int], None]) -> bytes:
    """The digest of a column but `data`, read anew; `advance` is told of every few rows."""
    if h5py.check_string_dtype(array.dtype) is None:
        numbers = hashlib.sha256()
        step = _BLOB_CHUNK if array.dtype == np.uint8 and array.ndim == 1 else _READ_ROWS
        for start in range(0, array.shape[0], step):
            block = np.ascontiguousarray(array[start : start + step])
            numbers.update(block.data)
            advance(len(block))
        return numbers.digest()
    texts = TextDigest()
    if array.id.get_storage_size() == 0:
        texts.skip(array.shape[0])
        return texts.digest()
    for start in range(0, array.shape[0], _READ_ROWS):
        values = array[start : start + _READ_ROWS].tolist()
        texts.update(values)
        advance(len(values))
    return texts.digest()


def combined_hash(file: h5py.File, digests: Mapping[str, bytes]) -> str:
    """The content hash: SHA-256, hexadecimal, over all columns and the names of all classes."""
    digest = hashlib.sha256()
    for name in sorted(digests):
        array = file[name]
        kind = "utf8" if h5py.check_string_dtype(array.dtype) else array.dtype.str
        digest.update(f"{name}|{kind}|{array.shape}|".encode() + digests[name])
    for name, array in sorted(columns_of(file, "labels").items()):
        digest.update(f"{name}|{array.attrs['names']}|".encode())
    return digest.hexdigest()
