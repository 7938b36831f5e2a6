"""NPZ: plain arrays that numpy opens with allow_pickle=False, the same bytes for equal packs.

images (N, H, W, C) uint8; labels (N,) int64, -1 for none; label_names (K,); splits (N,), the name
of each row's split; sha256 (N, 32) uint8 of the original files, zeros for none. Deflated bytes
depend on the version of zlib, too. NAME.npz.attribution.csv beside it credits every picture.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dataset.atomic_file import atomic_path
from dataset.errors import ConfigError
from dataset.exports.credits import COLUMNS, NAME, Credits
from dataset.exports.options import ExportOptions, ExportReport, by_split
from dataset.exports.pictures import KEEP, flattened
from dataset.exports.records import mark_of
from dataset.packed import PackedDataset
from dataset.packed_rows import read_pixels
from dataset.progress import Progress
from dataset.provenance import SPLITS

FORMAT = "npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell
_MADE_BY = b'{"made_by": "Pedigree"'
_BLOCK = 1024


def export(
    packed: PackedDataset, rows: NDArray[np.int64], target: Path, options: ExportOptions
) -> ExportReport:
    """Write the file `target` and its credits beside it; heeds compressed and background. Raises
    ConfigError for the original files, which no array holds, and for a target that is there."""
    if options.originals:
        raise ConfigError("npz holds arrays of one size; leave --originals out")
    check_target(target, replace=options.replace)
    beside = credits_beside(target)
    parts = by_split(packed, rows)
    mark = {"made_by": "Pedigree", **mark_of(FORMAT, packed, parts, options)}
    with atomic_path(beside) as table, atomic_path(target) as partial:
        _write_credits(table, packed, rows)
        with zipfile.ZipFile(partial, "w", allowZip64=True) as file:
            # A comment of a zip is at most 64 KiB: the names of the classes stand in an array.
            file.comment = json.dumps(
                {k: v for k, v in mark.items() if k != "label_names"}
            ).encode()
            _write(file, packed, rows, options)
        check_target(target, replace=options.replace)
    counts: dict[str, int] = {split: len(part) for split, part in parts.items()}
    size = target.stat().st_size + beside.stat().st_size
    return ExportReport(format=FORMAT, target=target, splits=counts, files=2, bytes=size)


def credits_beside(target: Path) -> Path:
    """Where the credits of the arrays in `target` go. Raises ConfigError when something stands
    there that no export wrote."""
    path = target.with_name(f"{target.name}.{NAME}")
    head = ",".join(COLUMNS).encode()
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ConfigError(f"{path} is there and is no export; choose another --out")
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(head)) != head:
                raise ConfigError(f"{path} is there and is no export; choose another --out")
    return path


def _write_credits(path: Path, packed: PackedDataset, rows: NDArray[np.int64]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        credits, place = Credits(file), 0
        for part in _cut(rows):
            facts = packed.facts(int(part[0]), int(part[-1]) + 1)
            for row in (part - part[0]).tolist():
                credits.add(facts[row], f"images[{place}]")
                place += 1


def check_target(target: Path, *, replace: bool) -> None:
    """Raises ConfigError when an export may not be written to this file."""
    if not target.exists() and not target.is_symlink():
        return
    if not _is_ours(target):
        raise ConfigError(f"{target} is there and is no export; choose another --out")
    if not replace:
        raise ConfigError(f"{target} is there already; choose another --out or add --replace")


def _is_ours(target: Path) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    try:
        with zipfile.ZipFile(target) as file:
            return file.comment.startswith(_MADE_BY)
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def _write(
    file: zipfile.ZipFile, packed: PackedDataset, rows: NDArray[np.int64], options: ExportOptions
) -> None:
    compressed, background = options.compressed, options.background or KEEP
    digests = packed.column("sha256")
    names = np.array(packed.label_names, np.str_) if packed.label_names else np.zeros(0, "<U1")
    splits = np.array(SPLITS)
    channels = 3 if packed.channels == 4 and background != KEEP else packed.channels
    shape = (len(rows), packed.height, packed.width, channels)
    with Progress("export npz", len(rows), "pictures") as progress:

        def images() -> Iterator[NDArray[np.uint8]]:
            for block in read_pixels(packed, rows):
                yield flattened(block, background).transpose(0, 2, 3, 1)
                progress.advance(len(block))

        _array(file, "images", np.dtype(np.uint8), shape, images(), compressed)
    labels = (packed.labels[part] for part in _cut(rows))
    _array(file, "labels", np.dtype(np.int64), (len(rows),), labels, compressed)
    _array(file, "label_names", names.dtype, names.shape, iter([names]), compressed)
    named = (splits[packed.splits[part]] for part in _cut(rows))
    _array(file, "splits", splits.dtype, (len(rows),), named, compressed)
    found = (digests[part] for part in _cut(rows))
    _array(file, "sha256", np.dtype(np.uint8), (len(rows), 32), found, compressed)


def _array(
    file: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[np.generic],
    shape: tuple[int, ...],
    blocks: Iterator[NDArray[np.generic]],
    compressed: bool,
) -> None:
    info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    info.external_attr, info.create_system = 0o644 << 16, 3
    with file.open(info, "w", force_zip64=True) as member:
        _header(member, dtype, shape)
        for block in blocks:
            member.write(np.ascontiguousarray(block, dtype).data)


def _header(member: IO[bytes], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    facts = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(member, facts)


def _cut(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]
