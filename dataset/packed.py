"""The pack as its readers see it: one HDF5 file whose pictures are memory-mapped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError

SCHEMA = 1
Split = Literal["train", "cal", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Text columns under provenance/, one variable-length UTF-8 string a row, in order of the hash.
TEXT_COLUMNS = (
    "author",
    "caption",
    "fetched_at",
    "licence",
    "licence_url",
    "original_format",
    "page_url",
    "phash",
    "query",
    "sha256",
    "source",
    "url",
)
# Whole-number columns under provenance/.
NUMBER_COLUMNS = ("group", "image_id", "original_height", "original_width", "stars")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a row of a pack came from; `label` is -1 for none, `group` joins near-duplicates."""

    row: int = -1
    image_id: int = 0
    label: int = -1
    caption: str = ""
    url: str = ""
    page_url: str = ""
    source: str = ""
    query: str = ""
    author: str = ""
    author_url: str = ""
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    fetched_at: str = ""
    sha256: str = ""
    phash: str = ""
    original_format: str = ""
    original_width: int = 0
    original_height: int = 0
    stars: int = 0
    group: int = 0
    split: Split = "train"


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
        texts, numbers = self._columns
        facts: dict[str, Any] = {name: column[row] for name, column in texts.items()}
        facts |= {name: int(column[row]) for name, column in numbers.items()}
        split = SPLITS[int(self.splits[row])]
        return Provenance(row=row, label=int(self.labels[row]), split=split, **facts)

    def __iter__(self) -> Iterator[Provenance]:
        return (self.provenance(row) for row in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "data"}

    @cached_property
    def _columns(self) -> tuple[dict[str, list[str]], dict[str, NDArray[np.int64]]]:
        with open_pack(self.path) as file:
            texts = {name: list(file[f"provenance/{name}"].asstr()[:]) for name in TEXT_COLUMNS}
            numbers = {name: file[f"provenance/{name}"][:] for name in NUMBER_COLUMNS}
        return texts, numbers


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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
