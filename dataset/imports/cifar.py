"""CIFAR-10 and CIFAR-100 in their binary version: a folder, its tar, or single batches."""

import logging
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from dataset.errors import ConfigError, DataError
from dataset.imports.collection import Batch, Collection, ReadOptions, Summary, split_code
from dataset.imports.folder import is_compressed, read_member, readable_tar
from dataset.pixels import Pixels
from dataset.wording import clean_label

log = logging.getLogger(__name__)

_PIXELS = 3 * 32 * 32
_ROWS = 4096
_NAME_FILES = ("batches.meta.txt", "fine_label_names.txt", "coarse_label_names.txt")
_TEN = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")
_HUNDRED = ("train.bin", "test.bin")
_PICKLED = {"batches.meta", "meta", "data_batch_1", "test_batch", "train", "test"}
_LARGEST_NAMES = 1 << 20
_LARGEST_BATCH = 1 << 31


@dataclass(frozen=True)
class _Found:
    """The files of a data set by name with their sizes, and the lists of class names."""

    sizes: dict[str, int]
    names: dict[str, list[str]]


class CifarCollection(Collection):
    """CIFAR-10 (a byte of label, 3072 of pixels) or CIFAR-100 (two of labels, coarse and fine).

    The pickled version for Python is refused: reading a pickle runs whatever is in it.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, "cifar")
        self._transpose = options.transpose
        found = _survey(path)
        self._files = sorted(found.sizes, key=lambda name: (name.startswith("test"), name))
        self._is_hundred = all(_is_of_hundred(name, found) for name in self._files)
        if not self._is_hundred and any(name in _HUNDRED for name in self._files):
            raise DataError(f"{path} has batches of CIFAR-10 and CIFAR-100; import them one by one")
        self._row = _PIXELS + (2 if self._is_hundred else 1)
        for name in self._files:
            if found.sizes[name] % self._row or not found.sizes[name]:
                raise DataError(
                    f"{path}: {name} has {found.sizes[name]} bytes, no multiple of {self._row}"
                )
        self._sizes = found.sizes
        self.total = sum(found.sizes.values()) // self._row
        self.own_shape = (3, 32, 32)
        fine = found.names.get("fine_label_names.txt", [])
        fine = fine if self._is_hundred else found.names.get("batches.meta.txt", [])
        coarse = found.names.get("coarse_label_names.txt", [])
        self._names = {"fine": fine or _numbered(100 if self._is_hundred else 10)}
        if self._is_hundred:
            self._names["coarse"] = coarse or _numbered(20)
        self._scheme = options.scheme or "fine"
        if self._scheme not in self._names:
            there = ", ".join(self._names)
            raise ConfigError(f"{path} has no labels {self._scheme!r}; --scheme is of: {there}")
        self.label_names = self._names[self._scheme]
        self.schemes = dict(self._names) if self._is_hundred else {}

    def batches(self) -> Iterator[Batch]:
        for name, file in _streams(self.path, self._files):
            split = split_code("test" if name.startswith("test") else "train")
            done = 0
            while content := file.read(_ROWS * self._row):
                if len(content) % self._row:
                    raise DataError(f"{self.path}: {name} ends inside a picture; fetch it again")
                rows = np.frombuffer(content, np.uint8).reshape(-1, self._row)
                yield self._batch(name, rows, done, split)
                done += len(rows)

    def summary(self) -> Summary:
        counts = np.zeros(256, np.int64)
        splits = {"train": 0, "test": 0}
        for batch in self.batches():
            counts += np.bincount(batch.labels, minlength=256)
            is_test = batch.splits is not None and batch.splits[0] == split_code("test")
            splits["test" if is_test else "train"] += len(batch)
        classes = zip(self.label_names, counts.tolist(), strict=False)
        return Summary(
            pictures=self.total or 0,
            classes={name: count for name, count in classes if count},
            schemes={name: len(names) for name, names in self._names.items()},
            splits=splits,
        )

    def _batch(self, name: str, rows: Pixels, done: int, split: int) -> Batch:
        labels = {"fine": rows[:, -_PIXELS - 1].astype(np.int64)}
        if self._is_hundred:
            labels["coarse"] = rows[:, 0].astype(np.int64)
        for scheme, numbers in labels.items():
            if numbers.max() >= len(self._names[scheme]):
                raise DataError(
                    f"{self.path}: {name} has the label {numbers.max()}, but there are "
                    f"{len(self._names[scheme])} classes; it is no batch of CIFAR"
                )
        pictures = rows[:, -_PIXELS:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return Batch(
            facts=[
                {"url": f"cifar:{name}#{done + n}", "original_height": 32, "original_width": 32}
                for n in range(len(rows))
            ],
            labels=labels[self._scheme],
            pixels=pictures.transpose(0, 2, 1, 3) if self._transpose else pictures,
            splits=np.full(len(rows), split, np.int8),
            schemes={scheme: labels[scheme] for scheme in self.schemes},
        )


def is_cifar_name(name: str) -> bool:
    """Whether a file's name is one of CIFAR's batches."""
    return name in _TEN or name in _HUNDRED


def _is_of_hundred(name: str, found: _Found) -> bool:
    if name in _TEN:
        return False
    return name in _HUNDRED or (
        found.sizes[name] % (_PIXELS + 2) == 0 and found.sizes[name] % (_PIXELS + 1) != 0
    )


def _survey(path: Path) -> _Found:
    """Which batches there are; raises ConfigError for none, DataError for pickles."""
    sizes: dict[str, int] = {}
    lists: dict[str, list[str]] = {}
    others: set[str] = set()
    if _is_batch(path):
        sizes[path.name] = path.stat().st_size
        with path.open("rb") as file:
            if file.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
                raise _pickled(path)
        beside = [path.with_name(name) for name in _NAME_FILES]
        lists = {p.name: _name_list(p.read_bytes()) for p in beside if p.is_file()}
        return _Found(sizes, lists)
    for name, size, content in _files(path):
        if is_cifar_name(name):
            if name in sizes:
                raise DataError(f"{path} holds {name} twice; keep one of them")
            sizes[name] = size
        elif name in _NAME_FILES:
            lists[name] = _name_list(content)
        else:
            others.add(name)
    if not sizes:
        if others & _PICKLED:
            raise _pickled(path)
        raise ConfigError(f"{path} has no batches such as data_batch_1.bin; check the path")
    return _Found(sizes, lists)


def _is_batch(path: Path) -> bool:
    """Whether a path is of a single batch: a file that is no tar, damaged or not."""
    if not path.is_file() or is_compressed(path):
        return False
    with readable_tar(path):
        return not tarfile.is_tarfile(path)


def _pickled(path: Path) -> DataError:
    return DataError(
        f"{path} is the pickled version, which could run anything; fetch CIFAR's binary version"
    )


def _files(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Name and size of every file, with the contents of those that list class names."""
    if path.is_dir():
        folders = [path, *(p for p in sorted(path.iterdir()) if p.is_dir() and not p.is_symlink())]
        for folder in folders:
            for file in sorted(p for p in folder.iterdir() if p.is_file() and not p.is_symlink()):
                listed = file.name in _NAME_FILES and file.stat().st_size <= _LARGEST_NAMES
                yield file.name, file.stat().st_size, file.read_bytes() if listed else b""
        return
    if not path.is_file():
        raise ConfigError(f"no file or folder at {path}; check the path")
    with readable_tar(path), tarfile.open(path, "r|*") as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            if member.isfile() and member.size <= _LARGEST_BATCH:
                listed = name in _NAME_FILES and member.size <= _LARGEST_NAMES
                yield name, member.size, read_member(tar, member) if listed else b""


def _streams(path: Path, names: list[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """The batches, open for reading; those of a tar in the order in which they lie."""
    if _is_batch(path):
        with path.open("rb") as file:
            yield path.name, file
    elif path.is_dir():
        for name in names:
            where = path / name
            where = where if where.is_file() else next(iter(sorted(path.glob(f"*/{name}"))))
            with where.open("rb") as file:
                yield name, file
    else:
        with readable_tar(path), tarfile.open(path, "r|*") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                stream = tar.extractfile(member) if member.isfile() and name in names else None
                if stream is not None:
                    yield name, stream


def _name_list(content: bytes) -> list[str]:
    """Class names, a line each; two that are cleaned to the same stay apart by their number."""
    lines = content.decode("utf-8", "replace").strip().splitlines()
    names: list[str] = []
    for number, line in enumerate(lines[:1000]):
        name = clean_label(line) or str(number)
        names.append(name if name not in names else f"{name} {number}")
    return names


def _numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]
