"""What every export says of itself: its mark for programs, its report for people."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.exports.credits import NAME, Credits
from dataset.exports.folders import ExportFolder
from dataset.exports.options import ExportOptions, ExportReport
from dataset.packed import PackedDataset
from dataset.packed_rows import PackedRow, read_rows
from dataset.progress import track
from dataset.provenance import Split

Parts = Mapping[Split, NDArray[np.int64]]


def mark_of(
    name: str, packed: PackedDataset, parts: Parts, options: ExportOptions
) -> dict[str, Any]:
    """What stands in export.json: the format, the pack by name and content, and what was taken."""
    return {
        "format": name,
        "pack": packed.path.name,
        "content_hash": packed.content_hash,
        "label_names": packed.label_names,
        "originals": options.originals,
        "splits": {split: len(rows) for split, rows in parts.items()},
    }


def rows_of(
    packed: PackedDataset, parts: Parts, options: ExportOptions, title: str
) -> Iterator[PackedRow]:
    """The rows, split after split, while a progress bar counts them."""
    total = sum(map(len, parts.values()))
    read = (read_rows(packed, rows, originals=options.originals) for rows in parts.values())
    return track(chain.from_iterable(read), f"export {title}", total, "pictures")


@contextmanager
def credits_of(folder: ExportFolder) -> Iterator[Credits]:
    """The table of credits inside an export, counted as a file of it when it is whole."""
    path = folder.path(NAME)
    with path.open("w", encoding="utf-8", newline="") as file:
        yield Credits(file)
    folder.count(path.stat().st_size)


def report_of(
    name: str, target: Path, parts: Parts, folder: ExportFolder, *notes: str
) -> ExportReport:
    """The report on a folder that is whole."""
    return ExportReport(
        format=name,
        target=target,
        splits={split: len(rows) for split, rows in parts.items()},
        files=folder.files,
        bytes=folder.bytes,
        notes=[note for note in notes if note],
    )


def label_of(packed: PackedDataset, label: int) -> str:
    """The name of a class, "" for none."""
    return packed.label_names[label] if 0 <= label < len(packed.label_names) else ""
