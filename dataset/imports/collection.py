"""What every import hands over: a collection of pictures that are read in batches, in order."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels
from dataset.provenance import SPLITS
from dataset.records import Caption
from dataset.wording import LONGEST_CAPTION, clean_label

# Fields of Provenance by name, but for label, split, row and group, which stand beside them.
Facts = dict[str, Any]
Labels = NDArray[np.int64]
SplitCodes = NDArray[np.int8]
T = TypeVar("T")
Axes = Literal["auto", "NCHW", "NHWC"]

# Of a file that is read whole: a picture, a table, a caption.
MOST_BYTES = 100_000_000
# About so many bytes of pixels are in memory at once.
BATCH_BYTES = 24 << 20
_SPLIT_NAMES = {
    "training": "train",
    "val": "test",
    "valid": "test",
    "validation": "test",
    "dev": "test",
    "testing": "test",
}


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a file is to be understood: which labels become classes, which of these are wanted, how
    the axes of its arrays lie."""

    scheme: str = ""
    clusters: tuple[str, ...] = ()
    axes: Axes = "auto"
    transpose: bool = False


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some pictures that follow one another: `contents` are encoded files (b"" for none), else
    `pixels` holds them, (n, H, W, C) or n of (H, W, C). `labels` (n,) and `schemes` are numbers of
    classes, -1 for none; `splits` (n,) places in SPLITS, -1 where the source has none; `groups`
    (n,) join what the source knows to show the same, 0 for none."""

    facts: Sequence[Facts]
    labels: Labels
    pixels: Sequence[Pixels] | Pixels | None = None
    contents: Sequence[bytes] = ()
    captions: Sequence[Sequence[Caption]] = ()
    splits: SplitCodes | None = None
    groups: Labels | None = None
    schemes: Mapping[str, Labels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.facts)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a collection holds, before it is taken: `schemes` has how many classes each has."""

    pictures: int
    classes: dict[str, int]
    schemes: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)


class Collection(ABC):
    """Pictures of elsewhere. `label_names` is whole once all batches were read; where it `grows`,
    its order says nothing. `own_shape` is the (C, H, W) of all pictures, where they are of one, and
    that is known unread. `rejected` counts, by reason, what was left out while reading."""

    grows = False

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        self.source_name = kind
        self.total: int | None = None
        self.own_shape: tuple[int, int, int] | None = None
        self.label_names: list[str] = []
        self.schemes: dict[str, list[str]] = {}
        self.rejected: dict[str, int] = {}

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """All pictures in order; raises DataError where the file is not what it claims to be."""

    @abstractmethod
    def summary(self) -> Summary:
        """What there is, without decoding a picture."""

    def reject(self, reason: str, count: int = 1) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + count


class LabelBook:
    """Names of classes that are met on the way, by number."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._number = {name: number for number, name in enumerate(names)}

    def number(self, label: str) -> int:
        """The number of a class; a new one for a new name, -1 for "" (labels are cleaned)."""
        name = clean_label(label)
        if not name:
            return -1
        if name not in self._number:
            self._number[name] = len(self._names)
            self._names.append(name)
        return self._number[name]


def split_code(text: str) -> int:
    """The place in SPLITS of a split by any of its usual names, -1 for none of them."""
    name = text.strip().lower()
    name = _SPLIT_NAMES.get(name, name)
    return [*SPLITS].index(name) if name in SPLITS else -1


def tally(labels: Labels, names: Sequence[str]) -> dict[str, int]:
    """Pictures a class, in order of the names; those without one under ""."""
    counts = np.bincount(labels[labels >= 0], minlength=len(names)).tolist()
    found = {name: count for name, count in zip(names, counts, strict=True) if count}
    unlabelled = int((labels < 0).sum())
    return found | ({"": unlabelled} if unlabelled else {})


def said(facts: Mapping[str, Any], *keys: str) -> str:
    """The first of these keys that says something, as text without zero bytes."""
    for key in keys:
        value = facts.get(key)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value).replace("\0", "").strip()[:LONGEST_CAPTION]
            if text:
                return text.encode("utf-8", "replace").decode()
    return ""


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in lists of `size`, the last one shorter."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
