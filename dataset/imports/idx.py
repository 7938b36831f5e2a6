"""MNIST's IDX files: a header of big-endian numbers, then bytes; plain or packed by gzip."""

import gzip
import io
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from dataset.errors import ConfigError, DataError
from dataset.imports.arrays import axes_of, shape_of, upright
from dataset.imports.collection import (
    BATCH_BYTES,
    Batch,
    Collection,
    Labels,
    ReadOptions,
    Summary,
    split_code,
    tally,
)

log = logging.getLogger(__name__)

_BYTES = 0x08  # the type of every element
_GZIP = b"\x1f\x8b"
# A packed file unpacks to at most so many times its size.
_MOST_RATIO = 1032
_TEST_STARTS = ("t10k", "test")


@dataclass(frozen=True)
class _Part:
    """One file of pictures and, where there is one, that of their labels."""

    images: Path
    labels: Path | None
    shape: tuple[int, ...]

    @property
    def split(self) -> int:
        return split_code("test" if self.images.name.startswith(_TEST_STARTS) else "train")


class IdxCollection(Collection):
    """A file of pictures, its labels beside it, or a folder with both of train and test.

    Raises ConfigError when there is none, DataError for a wrong magic number or size.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, "mnist")
        self._options = options
        self._parts = [_part(images) for images in _image_files(path)]
        self._labels = [_labels(part) for part in self._parts]
        self.total = sum(part.shape[0] for part in self._parts)
        shapes = {
            shape_of(part.shape, axes_of(part.shape, options.axes, str(part.images)), options)
            for part in self._parts
        }
        self.own_shape = shapes.pop() if len(shapes) == 1 else None
        most = max((int(labels.max(initial=-1)) for labels in self._labels), default=-1)
        self.label_names = [str(number) for number in range(most + 1)]

    def batches(self) -> Iterator[Batch]:
        for part, labels in zip(self._parts, self._labels, strict=True):
            axes = axes_of(part.shape, self._options.axes, str(part.images))
            size = math.prod(part.shape[1:])
            step = max(BATCH_BYTES // size, 1)
            with _unpacked(part.images) as file:
                file.read(4 + 4 * len(part.shape))
                for start in range(0, part.shape[0], step):
                    rows = np.arange(start, min(start + step, part.shape[0]))
                    content = _exactly(file, len(rows) * size, part.images)
                    block = np.frombuffer(content, np.uint8).reshape(-1, *part.shape[1:])
                    pictures = upright(block, axes, self._options.transpose)
                    yield Batch(
                        facts=[
                            {
                                "url": f"mnist:{part.images.name}#{row}",
                                "original_height": pictures.shape[1],
                                "original_width": pictures.shape[2],
                            }
                            for row in rows.tolist()
                        ],
                        labels=labels[rows],
                        pixels=pictures,
                        splits=np.full(len(rows), part.split, np.int8),
                    )
                if file.read(1):
                    raise DataError(f"{part.images} goes on after the last of its pictures")

    def summary(self) -> Summary:
        labels = np.concatenate([*self._labels, np.zeros(0, np.int64)])
        splits: dict[str, int] = {}
        for part in self._parts:
            name = "test" if part.split == split_code("test") else "train"
            splits[name] = splits.get(name, 0) + part.shape[0]
        return Summary(
            pictures=self.total or 0, classes=tally(labels, self.label_names), splits=splits
        )


def _image_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigError(f"no file or folder at {path}; check the path")
    found = sorted(p for p in path.iterdir() if "images" in p.name and "idx" in p.name)
    # Both forms of one file may lie side by side.
    plain = {p.name for p in found}
    found = [p for p in found if not (p.suffix == ".gz" and p.stem in plain)]
    if not found:
        raise ConfigError(f"{path} has no files named like train-images-idx3-ubyte; check the path")
    return found


def _part(images: Path) -> _Part:
    shape = _header(images, "pictures", (3, 4))
    axes_of(shape, "auto", str(images))
    _check_room(images, shape)
    names = [images.name.replace("images", "labels")]
    names = [n.replace("idx3", "idx1").replace("idx4", "idx1") for n in names]
    names += [n.removesuffix(".gz") if n.endswith(".gz") else f"{n}.gz" for n in names]
    there = [images.with_name(n) for n in names if n != images.name]
    labels = next((p for p in there if p.is_file()), None)
    if labels is None:
        log.warning("%s: no file of labels beside it; pictures have none", images.name)
    return _Part(images, labels, shape)


def _labels(part: _Part) -> Labels:
    count = part.shape[0]
    if part.labels is None:
        return np.full(count, -1, np.int64)
    shape = _header(part.labels, "labels", (1,))
    if shape[0] != count:
        raise DataError(f"{part.labels} has {shape[0]} labels for {count} pictures")
    _check_room(part.labels, shape)
    with _unpacked(part.labels) as file:
        file.read(8)
        found = np.frombuffer(_exactly(file, count, part.labels), np.uint8)
    return found.astype(np.int64)


def _header(path: Path, what: str, ranks: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a file claims; raises DataError when its magic number is another one."""
    with _unpacked(path) as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _BYTES or magic[3] not in ranks:
            wanted = " or ".join(f"0x{_BYTES << 8 | rank:08x}" for rank in ranks)
            raise DataError(
                f"{path} is no IDX file of {what}: it begins with 0x{magic.hex()}, not {wanted}"
            )
        sides = _exactly(file, 4 * magic[3], path)
    return tuple(int(side) for side in np.frombuffer(sides, ">u4"))


def _check_room(path: Path, shape: tuple[int, ...]) -> None:
    """Raises DataError when a file cannot hold what its header claims."""
    size, claimed = path.stat().st_size, 4 + 4 * len(shape) + math.prod(shape)
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    if (is_packed and claimed > size * _MOST_RATIO) or (not is_packed and claimed != size):
        raise DataError(
            f"{path} has {size} bytes, but its header claims {shape}; it is cut or made up"
        )


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        is_packed = raw.read(2) == _GZIP
        raw.seek(0)
        try:
            yield io.BufferedReader(gzip.GzipFile(fileobj=raw)) if is_packed else raw
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path} is damaged ({error}); fetch it again") from error


def _exactly(file: IO[bytes], count: int, path: Path) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise DataError(f"{path} ends before the last of what its header claims; fetch it again")
    return content
