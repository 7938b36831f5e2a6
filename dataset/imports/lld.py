"""HDF5 files laid out as LLD-icon and LLD-logo are: pictures, labels of several schemes, names."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.imports.arrays import PROBED, axes_of, look_transposed, shape_of, upright
from dataset.imports.collection import (
    BATCH_BYTES,
    Batch,
    Collection,
    Facts,
    Labels,
    ReadOptions,
    Summary,
    tally,
)
from dataset.pixels import Pixels
from dataset.wording import clean_label

log = logging.getLogger(__name__)

# What becomes the classes where nobody says otherwise and a file has several schemes.
_FIRST_SCHEME = "ae_grayscale"
_MOST_CLASSES = 65_536
_MOST_SCHEMES = 64
_MOST_CHUNK_BYTES = 256 << 20
_MOST_NAME_BYTES = 1 << 16


class LldCollection(Collection):
    """An HDF5 file with `data` (N, C, H, W) or (N, H, W, C) uint8, `labels/...` and, if they are
    there, `shapes` (N, 3) of what is not padding and `meta_data/names`.

    Only numbers and names are read before the pictures are. Raises DataError for any other file.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, "lld")
        self._options = options
        with _opened(path) as file:
            data = _whole_dataset(file, "data", path)
            if data.dtype != np.uint8:
                raise DataError(f"{path}: data is {data.dtype}, not uint8; write it as bytes")
            self._axes = axes_of(data.shape, options.axes, f"{path}: data")
            self._count = int(data.shape[0])
            self._shapes = _shapes(file, self._count, path)
            if self._shapes is None:
                self.own_shape = shape_of(data.shape, self._axes, options)
            self._numbers = _all_labels(file, self._count, path)
        self.schemes = {name: names for name, (_, names) in self._numbers.items()}
        self._scheme = self._chosen_scheme()
        self._labels, self.label_names = self._classes()
        wanted = self._labels >= 0 if options.clusters else np.ones(self._count, np.bool_)
        self._wanted: NDArray[np.bool_] = wanted
        self.total = int(wanted.sum())

    def batches(self) -> Iterator[Batch]:
        log.info("%s: pictures are taken as %s", self.path.name, self._axes)
        with _opened(self.path) as file:
            data, has_names = file["data"], _dataset(file, "meta_data/names", self.path)
            for start, stop in self._spans(data):
                rows = np.flatnonzero(self._wanted[start:stop]) + start
                if not len(rows):
                    continue
                names = (
                    [""] * (stop - start) if has_names is None else _texts(has_names, start, stop)
                )
                block = upright(data[start:stop], self._axes, self._options.transpose)
                if start == 0:
                    self._warn_of_lying(self._cut(block[:PROBED], np.arange(len(block[:PROBED]))))
                yield self._batch(block[rows - start], rows, names, start)

    def summary(self) -> Summary:
        return Summary(
            pictures=int(self._wanted.sum()),
            classes=tally(self._labels[self._wanted], self.label_names),
            schemes={name: len(names) for name, names in self.schemes.items()},
        )

    def _batch(self, block: Pixels, rows: Labels, names: list[str], start: int) -> Batch:
        pictures = self._cut(block, rows)
        there = np.array([picture.size > 0 for picture in pictures], np.bool_)
        if not there.all():
            self.reject("bad-shape", int((~there).sum()))
            pictures = [picture for picture in pictures if picture.size]
            rows = rows[there]
        facts: list[Facts] = []
        for row, picture in zip(rows.tolist(), pictures, strict=True):
            name = names[row - start]
            facts.append(
                {
                    "url": f"lld:{self.path.name}#{row}" + (f"/{name}" if name else ""),
                    "original_height": picture.shape[0],
                    "original_width": picture.shape[1],
                }
            )
        return Batch(
            facts=facts,
            labels=self._labels[rows],
            pixels=pictures,
            schemes={name: numbers[rows] for name, (numbers, _) in self._numbers.items()},
        )

    def _cut(self, block: Pixels, rows: Labels) -> Pixels | list[Pixels]:
        """The pictures without the padding of LLD-logo; an empty one where its shape is wrong."""
        if self._shapes is None:
            return block
        height, width = block.shape[1:3]
        pictures = []
        for picture, (tall, wide) in zip(block, self._shapes[rows].tolist(), strict=True):
            if self._options.transpose:
                tall, wide = wide, tall
            fits = 0 < tall <= height and 0 < wide <= width
            pictures.append(picture[:tall, :wide] if fits else picture[:0, :0])
        return pictures

    def _warn_of_lying(self, pictures: Pixels | list[Pixels]) -> None:
        if look_transposed([picture for picture in pictures if picture.size]):
            log.warning(
                "%s: pictures look transposed, rows for columns; if they are, add --transpose",
                self.path.name,
            )

    def _spans(self, data: h5py.Dataset) -> Iterator[tuple[int, int]]:
        """Which rows to read at once: whole chunks, of a few megabytes where chunks allow it."""
        row_bytes = max(int(np.prod(data.shape[1:])), 1)
        chunk = data.chunks[0] if data.chunks else 1
        step = max(BATCH_BYTES // row_bytes // chunk, 1) * chunk
        step = min(step, max(_MOST_CHUNK_BYTES // row_bytes, 1))
        for start in range(0, self._count, step):
            yield start, min(start + step, self._count)

    def _chosen_scheme(self) -> str:
        wanted = self._options.scheme
        if wanted:
            if wanted not in self.schemes:
                there = ", ".join(self.schemes) or "none"
                raise ConfigError(f"{self.path} has no labels {wanted!r}; --scheme is of: {there}")
            return wanted
        if len(self.schemes) < 2:
            return next(iter(self.schemes), "")
        first = _FIRST_SCHEME if _FIRST_SCHEME in self.schemes else next(iter(self.schemes))
        log.info("%s: classes are those of %s; --scheme chooses", self.path.name, first)
        return first

    def _classes(self) -> tuple[Labels, list[str]]:
        """Labels (N,) and names of the chosen scheme, of its chosen clusters alone if told so."""
        wanted = list(dict.fromkeys(self._options.clusters))
        if not self._scheme:
            if wanted:
                raise ConfigError(f"{self.path} has no labels that --clusters could choose from")
            return np.full(self._count, -1, np.int64), []
        numbers, names = self._numbers[self._scheme]
        if not wanted:
            return numbers, names
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise ConfigError(f"{self._scheme} of {self.path} has no cluster {', '.join(unknown)}")
        table = np.full(len(names) + 1, -1, np.int64)  # its last place is that of -1
        for number, name in enumerate(wanted):
            table[names.index(name)] = number
        return table[numbers], wanted


def is_pack(path: Path) -> bool:
    """Whether an HDF5 file is a pack of ours."""
    with _opened(path) as file:
        return "schema" in file.attrs and "content_hash" in file.attrs


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if not path.is_file():
        raise ConfigError(f"no file at {path}; check the path")
    try:
        with h5py.File(path, "r") as file:
            yield file
    # What h5py raises for files that are damaged or made up.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} is no readable HDF5 file ({first}); check it") from error


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset | None:
    """A dataset of this very file; links and storage that lead to other files are refused."""
    at: Any = file
    for part in name.split("/"):
        if not isinstance(at, h5py.Group) or part not in at:
            return None
        if not isinstance(at.get(part, getlink=True), h5py.HardLink):
            raise DataError(f"{path}: {name} is a link; a file must hold its own data")
        at = at[part]
    if not isinstance(at, h5py.Dataset):
        return None
    if at.external or at.is_virtual:
        raise DataError(f"{path}: {name} lies in other files; a file must hold its own data")
    return at


def _whole_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """A dataset all of whose elements are stored: what a header merely claims is not read."""
    array = _dataset(file, name, path)
    if array is None:
        raise DataError(f"{path} holds no {name}; LLD files have data, labels/ and meta_data/names")
    if array.chunks is None:
        is_whole = array.id.get_storage_size() >= array.nbytes or array.nbytes == 0
    else:
        grid = [-(-side // part) for side, part in zip(array.shape, array.chunks, strict=True)]
        is_whole = array.id.get_num_chunks() == int(np.prod(np.array(grid, object)))
        if int(np.prod(np.array(array.chunks, object))) * array.dtype.itemsize > _MOST_CHUNK_BYTES:
            raise DataError(f"{path}: a chunk of {name} is over 256 MB; rewrite it in smaller ones")
    if not is_whole:
        raise DataError(f"{path}: {name} claims {array.shape} but holds less; the file is cut")
    return array


def _all_labels(file: h5py.File, count: int, path: Path) -> dict[str, tuple[Labels, list[str]]]:
    """Every one-dimensional scheme under labels/: numbers (N,), -1 for none, and names."""
    found: dict[str, tuple[Labels, list[str]]] = {}
    if isinstance(file.get("labels", getlink=True), h5py.SoftLink | h5py.ExternalLink):
        raise DataError(f"{path}: labels is a link; a file must hold its own data")
    group = file.get("labels")
    if not isinstance(group, h5py.Group):
        return found
    names: list[str] = []
    group.visit(names.append)
    for name in sorted(names)[:_MOST_SCHEMES]:
        if _dataset(file, f"labels/{name}", path) is None:
            continue
        array = _whole_dataset(file, f"labels/{name}", path)
        numbers = _numbers(array, count, f"{path}: labels/{name}") if array.ndim == 1 else None
        if numbers is not None:
            found[_plain_name(name, found)] = numbers
    return found


def _numbers(array: h5py.Dataset, count: int, where: str) -> tuple[Labels, list[str]] | None:
    """A scheme's labels as numbers of its classes; None for what are no classes at all."""
    if array.shape[0] > count:
        raise DataError(f"{where} has {array.shape[0]} labels for {count} pictures")
    if array.dtype.kind not in "iufb":
        return None
    values = array[:]
    known = np.isfinite(values) & (values >= 0) if array.dtype.kind in "if" else values >= 0
    classes, places = np.unique(values[known], return_inverse=True)
    if (classes != np.floor(classes)).any() or len(classes) > _MOST_CLASSES:
        log.warning("%s are no classes (%d values); they are left out", where, len(classes))
        return None
    if len(values) < count:
        log.warning("%s end after %d of %d pictures; the rest has none", where, len(values), count)
    numbers = np.full(count, -1, np.int64)
    named = _class_names(array, classes)
    numbers[np.flatnonzero(known)] = classes.astype(np.int64)[places] if named else places
    return numbers, named or [str(int(value)) for value in classes]


def _class_names(array: h5py.Dataset, classes: NDArray[Any]) -> list[str]:
    """The names that a pack of ours, and exports of it, keep beside their labels, if they fit."""
    try:
        names = json.loads(array.attrs.get("names", "[]"))
    except (TypeError, ValueError, RecursionError):
        return []
    highest = int(classes[-1]) if len(classes) else -1  # they are in order
    fits = isinstance(names, list) and len(names) > highest
    cleaned = [clean_label(str(name)) for name in names] if fits else []
    return cleaned if all(cleaned) and len(set(cleaned)) == len(cleaned) else []


def _plain_name(name: str, taken: dict[str, Any]) -> str:
    """A scheme's name, where readers of LLD look for it, without what leads elsewhere in a file."""
    parts = [re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in name.split("/")]
    plain = "/".join(part for part in parts if part)[:80].rstrip("/") or "labels"
    if plain.split("/")[0] == "label":  # which holds the classes of the pack itself
        plain = f"imported{plain.removeprefix('label')}"
    while any(f"{plain}/".startswith(f"{other}/") for other in taken) or any(
        other.startswith(f"{plain}/") for other in taken
    ):
        plain += "-"
    return plain


def _shapes(file: h5py.File, count: int, path: Path) -> Labels | None:
    """The height and width (N, 2) of what is not padding, where the file says it."""
    if _dataset(file, "shapes", path) is None:
        return None
    array = _whole_dataset(file, "shapes", path)
    if array.shape != (count, 3) or array.dtype.kind not in "iu":
        raise DataError(f"{path}: shapes is {array.shape} for {count} pictures, not (N, 3)")
    shapes: Labels = array[:].astype(np.int64)
    channels_last = (shapes[:, 2] <= 4).all() and not (shapes[:, 0] <= 4).all()
    return shapes[:, :2] if channels_last else shapes[:, 1:]


def _texts(names: h5py.Dataset, start: int, stop: int) -> list[str]:
    """Names of some rows, "" where there are none or none of a name's length; bytes are UTF-8."""
    fit = names.ndim == 1 and names.dtype.itemsize <= _MOST_NAME_BYTES
    found = names[start:stop].tolist() if fit else []
    texts = [
        clean_label(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one))
        for one in found
    ]
    return texts + [""] * (stop - start - len(texts))
