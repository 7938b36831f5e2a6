"""What an export is asked for and what it reports; which rows of a pack it takes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.packed_rows import has_originals
from dataset.provenance import SPLITS, Split

_COLOUR = re.compile(r"white|black|keep|#[0-9a-fA-F]{6}")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a pack is written; each format says which of these it heeds."""

    splits: tuple[Split, ...] = ()  # empty: train and test; cal is sealed unless it is named
    originals: bool = False  # the files that the rows were made from, not the packed pixels
    all_captions: bool = False  # every caption of a picture, not only the best
    shard_pictures: int = 10_000  # at most so many pictures a shard; 0: no limit
    shard_bytes: int = 0  # at most about so many bytes a shard; 0: no limit
    compressed: bool = False  # deflate the arrays
    replace: bool = False  # an earlier export may stand at the target
    # What RGBA is laid on: white, black, #rrggbb, or keep. Empty: white for csv, else keep.
    background: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.splits) - set(SPLITS)
        if unknown:
            raise ConfigError(
                f"unknown split {', '.join(sorted(unknown))}; they are {', '.join(SPLITS)}"
            )
        if self.shard_pictures < 0 or self.shard_bytes < 0:
            raise ConfigError("a shard holds at least one picture or byte")
        if self.background and not _COLOUR.fullmatch(self.background):
            raise ConfigError(
                f"--background is {self.background!r}; it is white, black, #rrggbb or keep"
            )


@dataclass(kw_only=True)
class ExportReport:
    """What was written: pictures by split, files, bytes; `notes` is what a person should know."""

    format: str
    target: Path
    splits: dict[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)


def chosen_rows(packed: PackedDataset, options: ExportOptions) -> NDArray[np.int64]:
    """The rows of the splits that were asked for, ascending.

    Raises DataError when a split that was named is empty or nothing is left, ConfigError when the
    original files are asked of a pack without them.
    """
    if options.originals and not has_originals(packed):
        raise ConfigError(
            f"pack {packed.path} carries no original files; leave --originals out, or pack with "
            "--set originals=true"
        )
    rows = {split: packed.rows(split) for split in options.splits or ("train", "test")}
    for split in options.splits:
        if not len(rows[split]):
            raise DataError(f"split {split} of pack {packed.path} is empty; leave it out")
    found = np.sort(np.concatenate(list(rows.values())))
    if not len(found):
        raise DataError(f"pack {packed.path} has no rows to train or test with; name other splits")
    return found


def by_split(packed: PackedDataset, rows: NDArray[np.int64]) -> dict[Split, NDArray[np.int64]]:
    """The same rows apart, by split, those without rows left out."""
    codes = packed.splits[rows]
    parts: dict[Split, NDArray[np.int64]] = {
        split: rows[codes == code] for code, split in enumerate(SPLITS)
    }
    return {split: part for split, part in parts.items() if len(part)}
