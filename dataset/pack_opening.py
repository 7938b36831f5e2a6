"""The door to a pack: opens the file and checks its outline, before anything believes it.

A pack comes from anywhere, so no count in it is trusted further than the file is long, and nothing
in it may point out of the file.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dataset.errors import ConfigError, DataError
from dataset.pack_columns import columns_of
from dataset.provenance import NUMBER_COLUMNS, REAL_COLUMNS, TEXT_COLUMNS
from dataset.wording import NO_TEXT, seen

SCHEMA = 1

_ATTRIBUTES = ("config", "event_id", "counts", "cal_seal", "content_hash")
_TEXT = "object"
# Every column that a pack of this schema has: its type, its width, rows beyond N.
_COLUMNS: dict[str, tuple[str, int | None, int]] = {
    "labels/label": ("int64", None, 0),
    "split": ("uint8", None, 0),
    "meta_data/names": (_TEXT, None, 0),
    **{f"provenance/{name}": (_TEXT, None, 0) for name in TEXT_COLUMNS},
    **{f"provenance/{name}": ("int64", None, 0) for name in NUMBER_COLUMNS},
    **{f"provenance/{name}": ("float64", None, 0) for name in REAL_COLUMNS},
    "provenance/sha256": ("uint8", 32, 0),
    "provenance/phash": ("uint64", None, 0),
    "captions/offsets": ("int64", None, 1),
}
_OF_ANY_LENGTH = {
    "captions/text": _TEXT,
    "captions/origin": _TEXT,
    "checks/data": "uint8",
    "stats/mean": "float64",
    "stats/deviation": "float64",
    "encoded/blob": "uint8",
}
_OPTIONAL = ("encoded/blob",)
# What h5py and JSON raise for a damaged file, wherever in it the damage is.
_DAMAGE = (
    *(OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError),
    *(OverflowError, MemoryError),
)


@contextmanager
def open_pack(path: Path) -> Iterator[h5py.File]:
    """Open a pack of this schema for reading; every failure is one line that names the file.

    Raises ConfigError when there is no such file, DataError when it is not a whole pack of this
    schema; the same for damage that is met while the pack is open.
    """
    if not path.is_file():
        raise ConfigError(f"no pack at {path}; make one (python -m dataset pack) or check the path")
    try:
        with _opened(path) as file:
            _check_outline(file, path)
            yield file
    except PermissionError:
        raise
    except _DAMAGE as error:
        raise DataError(f"pack {path} is damaged ({_first_line(error)}); pack again") from error


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except PermissionError:
        raise
    except _DAMAGE as error:
        if not h5py.is_hdf5(path):
            told = f"{path} is no pack (no readable HDF5 file); check the path"
        else:
            told = f"pack {path} is truncated or damaged ({_first_line(error)}); pack again"
        raise DataError(told) from error
    with file:
        yield file


def _check_outline(file: h5py.File, path: Path) -> None:
    """Raises DataError unless the file has everything that a pack of this schema has."""
    _check_schema(file, path)
    _check_links(file, path)
    found, size = columns_of(file), path.stat().st_size
    count = _check_pictures(found.get("data"), path, size)
    wanted = {**_COLUMNS, **{f"labels/{name}": ("int64", None, 0) for name in _schemes(file)}}
    if "encoded/blob" in found:
        wanted["encoded/offsets"] = ("int64", None, 1)
    _check_presence(file, {*found, *file.attrs}, wanted, path)
    _check_attributes(file, path)
    for name, (kind, width, more) in wanted.items():
        shape = (count + more,) if width is None else (count + more, width)
        _check_column(found[name], kind, shape, path)
    for name, array in found.items():
        if name.startswith("embeddings/"):
            _check_column(array, "float32", (count, *array.shape[1:2]), path)
        elif name in _OF_ANY_LENGTH:
            _check_column(array, _OF_ANY_LENGTH[name], array.shape, path)
        _check_place(array, count, size, path)


def _check_schema(file: h5py.File, path: Path) -> None:
    if "schema" not in file.attrs or "data" not in file:
        raise DataError(
            f"{path} is an HDF5 file but no pack of Pedigree; make one with python -m dataset pack"
        )
    schema = int(file.attrs["schema"])
    if schema != SCHEMA:
        age, now = ("a newer", "update it") if schema > SCHEMA else ("an older", "pack again")
        raise DataError(
            f"pack {path} has schema {schema} of {age} Pedigree, this one reads {SCHEMA}; {now}"
        )


def _check_presence(file: h5py.File, found: set[str], wanted: Iterable[str], path: Path) -> None:
    """Raises DataError for a pack of this schema from before it had all of its columns."""
    missing = [n for n in (*wanted, *_OF_ANY_LENGTH, *_ATTRIBUTES) if n not in found]
    if "checks/data" in found and "columns" not in file["checks"].attrs:
        missing.append("digests of its columns")
    missing = [name for name in missing if name not in _OPTIONAL]
    if missing:
        raise DataError(f"pack {path} has no {missing[0]}: an older Pedigree wrote it; pack again")


def _check_links(group: h5py.Group, path: Path) -> None:
    """Raises DataError for a name that leads elsewhere, in this file or to another."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise DataError(f"pack {path}: {seen(name)[:80]} is a link; refused")
        if group.get(name, getclass=True) is h5py.Group:
            _check_links(group[name], path)


def _check_attributes(file: h5py.File, path: Path) -> None:
    """Raises DataError for attributes of the root that are not of their type."""
    for name in _ATTRIBUTES:
        value = file.attrs[name]
        fits = isinstance(value, np.integer if name == "event_id" else str)
        if not fits or (name == "content_hash" and not re.fullmatch("[0-9a-f]{64}", value)):
            raise DataError(f"pack {path}: the attribute {name} is damaged; pack again")


def _check_pictures(data: h5py.Dataset | None, path: Path, size: int) -> int:
    """How many pictures there are; raises DataError when they are not all in the file."""
    if data is None or data.dtype != np.uint8 or data.ndim != 4 or data.chunks is not None:
        raise DataError(f"pack {path}: data is not a contiguous (N, C, H, W) uint8 array")
    if data.shape[1] not in (1, 3, 4) or not data.shape[2] or not data.shape[3]:
        raise DataError(f"pack {path}: data has pictures of {data.shape[1:]}, not (1|3|4, H, W)")
    count = int(data.shape[0])
    offset = data.id.get_offset() if count else 0
    if offset is None or offset + int(np.prod(data.shape, dtype=object)) > size:
        raise DataError(
            f"pack {path} is truncated: it ends before the last of {count} pictures; pack again"
        )
    return count


def _check_column(array: h5py.Dataset, kind: str, shape: tuple[int, ...], path: Path) -> None:
    if array.ndim < 1 or array.shape != shape:
        raise DataError(
            f"pack {path}: {array.name[1:]} has shape {array.shape}, expected {shape}; pack again"
        )
    if array.dtype != np.dtype(kind) or (
        kind == _TEXT and not h5py.check_string_dtype(array.dtype)
    ):
        raise DataError(f"pack {path}: {array.name[1:]} holds {array.dtype}; pack again")


def _check_place(array: h5py.Dataset, count: int, size: int, path: Path) -> None:
    """Raises DataError for an array that claims more than the file holds, or lies elsewhere."""
    if array.is_virtual or array.external:
        raise DataError(f"pack {path}: {array.name[1:]} lies in another file; refused")
    bare = array.id.get_storage_size() == 0 and array.shape[:1] in ((count,), (count + 1,))
    if array.nbytes > size and not (bare and array.nbytes <= 64 * (count + 1)):
        raise DataError(
            f"pack {path}: {array.name[1:]} claims {array.nbytes} bytes, the file has {size}"
        )


def _schemes(file: h5py.File) -> list[str]:
    return sorted(columns_of(file, "labels"))


def class_names(array: h5py.Dataset, path: Path) -> list[str]:
    """The names of the classes that a column of labels knows; raises DataError for none."""
    names: list[str] = json.loads(array.attrs["names"])
    are_texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not are_texts or any(map(NO_TEXT.search, names)):
        raise DataError(f"pack {path}: the names of {array.name[1:]} are no list of texts")
    return names


def json_attribute(item: h5py.HLObject, name: str, path: Path) -> dict[str, Any]:
    """An attribute that holds a JSON object; raises DataError or ValueError when it does not."""
    found = json.loads(item.attrs[name], parse_constant=_refuse)
    if not isinstance(found, dict):
        raise DataError(f"pack {path}: the attribute {name} is no JSON object; pack again")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
