"""Whether a pack is what it claims to be: contents, sums, splits that leak, licences."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.pack_columns import columns_of, combined_hash, is_hashed, read_digest
from dataset.pack_keys import Keys, count_texts, keys_of_pictures, original_keys
from dataset.pack_licences import check_licences
from dataset.pack_measure import PictureMeasure
from dataset.pack_opening import json_attribute
from dataset.packed import PackedDataset, open_pack
from dataset.progress import Progress
from dataset.provenance import SPLITS
from dataset.wording import seen

_MOST_NAMED = 20
LICENCE_CURE = (
    "name licences by import --licence, or choose some with pack --set 'licences=[\"CC0-1.0\"]'"
)


@dataclass
class Findings:
    """What `check` found: `faults` make a pack unsound, `warnings` are for a person to weigh;
    `cure` is what helps against the faults."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cure: str = "pack again"


def verify(packed: PackedDataset) -> list[str]:
    """Everything that is wrong with a pack, a line each; an empty list means sound."""
    return check(packed).faults


def check(packed: PackedDataset, *, strict: bool = False) -> Findings:
    """Read the whole pack and compare it with what it says of itself.

    Faults: contents that differ from the content hash (which rows or columns), shares, counts,
    statistics and the seal of the split cal that do not follow from the contents, and leaks:
    a group of near-duplicates, an original file or the very same pixels in two splits. Warnings,
    with `strict` faults: licences that are unknown, reserve all rights or are names that nobody
    knows. Warnings in any case: licences that forbid commerce or changes, and the same perceptual
    hash in two splits. A few hundred megabytes are enough for any pack.
    """
    found = Findings()
    with open_pack(packed.path) as file:
        columns = {name: array for name, array in columns_of(file).items() if is_hashed(name)}
        texts = sum(len(array) for name, array in columns.items() if name != "data")
        with Progress("verify", len(packed) + texts, "rows") as progress:
            measured, keys = _measure(packed, file, progress)
            digests = {
                name: read_digest(array, progress.advance)
                for name, array in columns.items()
                if name != "data"
            }
        digests["data"] = measured.digest()
        _check_contents(packed, file, measured, digests, found)
        if not found.faults:
            _check_sums(packed, file, measured, found)
    _check_leaks(packed, keys, found)
    licences = check_licences(count_texts(packed, "licence"))
    if strict and licences.unclear and not found.faults:
        found.cure = LICENCE_CURE
    (found.faults if strict else found.warnings).extend(licences.unclear)
    found.warnings += licences.limited
    return found


def _measure(
    packed: PackedDataset, file: h5py.File, progress: Progress
) -> tuple[PictureMeasure, Keys]:
    """Go over all pictures once: their measure in one thread, a key of each in the other."""
    rows = max(int(file["checks/data"].attrs["rows"]), 1)
    measured = PictureMeasure(len(packed), packed.shape[1:], rows)
    keys = np.zeros(len(packed), np.uint64)
    with ThreadPoolExecutor(1, "measure") as pool:
        for start, data in packed.blocks():
            pending = pool.submit(measured.update, data, packed.splits[start : start + len(data)])
            keys[start : start + len(data)] = keys_of_pictures(data)
            pending.result()
            progress.advance(len(data))
    measured.finish()
    return measured, keys


def _check_contents(
    packed: PackedDataset,
    file: h5py.File,
    measured: PictureMeasure,
    digests: dict[str, bytes],
    found: Findings,
) -> None:
    """The content hash; where it differs, the rows and columns that were altered."""
    written = [row.tobytes() for row in file["checks/data"][:]]
    rows = int(file["checks/data"].attrs["rows"])
    pairs = enumerate(zip(measured.checks, written, strict=False))
    altered = [place for place, (now, then) in pairs if now != then]
    parts = [f"rows {_spans(altered, rows, len(packed))} of data"] if altered else []
    if len(written) != len(measured.checks):
        parts.append("checks/data")
    told = json_attribute(file["checks"], "columns", packed.path)
    parts += [
        seen(name)
        for name in sorted(digests)
        if name != "data" and told.get(name) != digests[name].hex()
    ]
    parts += [f"{seen(name)} (gone)" for name in sorted(set(told) - set(digests))]
    if combined_hash(file, digests) != packed.content_hash:
        what = "; ".join(parts[:_MOST_NAMED]) or "the names of classes or the hash itself"
        found.faults.append(f"content hash differs: altered after packing: {what}")
    elif parts:
        found.faults.append(f"checks do not fit the contents: {'; '.join(parts[:_MOST_NAMED])}")


def _spans(blocks: list[int], rows: int, count: int) -> str:
    """Blocks as ranges of rows: "64-127, 256-299"."""
    runs = np.split(np.array(blocks), np.flatnonzero(np.diff(blocks) > 1) + 1)
    spans = [f"{run[0] * rows}-{min((run[-1] + 1) * rows, count) - 1}" for run in runs]
    more = f" and {len(spans) - _MOST_NAMED} more" if len(spans) > _MOST_NAMED else ""
    return ", ".join(spans[:_MOST_NAMED]) + more


def _check_sums(
    packed: PackedDataset, file: h5py.File, measured: PictureMeasure, found: Findings
) -> None:
    """What the pack says besides its contents: seal, statistics, shares and counts."""
    if str(file.attrs["cal_seal"]) != measured.seal():
        found.faults.append("the seal of the split cal is not of its pictures: do not trust it")
    for name, value in zip(("mean", "deviation"), measured.statistics(), strict=True):
        if not np.array_equal(file[f"stats/{name}"][:], value):
            found.faults.append(f"stats/{name} is not of the pictures")
    for scheme in packed.schemes:
        labels, names = packed.scheme(scheme)
        counts = np.bincount(labels[labels >= 0], minlength=len(names))
        probs = file[f"labels/{scheme}"].attrs.get("probs")
        if probs is not None and not _are_shares(np.asarray(probs), counts):
            found.faults.append(f"labels/{scheme}: probs are not the shares of its classes")
    told = json.loads(str(file.attrs["counts"]))
    splits = {name: len(packed.rows(name)) for name in SPLITS if len(packed.rows(name))}
    if not isinstance(told, dict) or told.get("split") != splits:
        found.faults.append(f"counts of the splits are not {splits}")


def _are_shares(probs: NDArray[Any], counts: NDArray[np.int64]) -> bool:
    return probs.shape == counts.shape and np.allclose(probs, counts / max(counts.sum(), 1))


def _check_leaks(packed: PackedDataset, keys: Keys, found: Findings) -> None:
    """Each pair of rows that should share a split and does not, told under one head only."""
    told = np.zeros(len(packed), bool)
    digests = packed.column("sha256")
    kinds: list[tuple[str, NDArray[Any]]] = [
        ("group", packed.column("group")),
        ("original", original_keys(packed)),
        ("pixels of row", keys),
    ]
    for what, values in kinds:
        known = np.ones(len(packed), bool) if what.startswith("pixels") else values != 0
        leaks = list(_leaks(values, packed.splits, known & ~told))
        for rows in leaks[:_MOST_NAMED]:
            name = {
                "group": str(values[rows[0]]),
                "original": digests[rows[0]].tobytes().hex(),
            }.get(what, str(rows[0]))
            first, other = rows[0], rows[packed.splits[rows] != packed.splits[rows[0]]][0]
            found.faults.append(
                f"leak: {what} {name} is in {SPLITS[packed.splits[first]]} and in "
                f"{SPLITS[packed.splits[other]]} (rows {first} and {other})"
            )
        if len(leaks) > _MOST_NAMED:
            found.faults.append(f"leak: {len(leaks) - _MOST_NAMED} more of the kind {what}")
        for rows in leaks:
            told[rows] = True
    hashes = packed.column("phash")
    alike = sum(1 for _ in _leaks(hashes, packed.splits, (hashes != 0) & ~told))
    if alike:
        found.warnings.append(f"{alike} perceptual hashes are in more than one split: look alike")


def _leaks(
    values: NDArray[Any], splits: NDArray[np.uint8], among: NDArray[np.bool_]
) -> Iterator[NDArray[np.int64]]:
    """The rows, ascending, of each value that more than one split has, among some of the rows."""
    rows = np.flatnonzero(among)
    if not len(rows):
        return
    rows = rows[np.argsort(values[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(values[rows], prepend=values[rows[0]]) != 0)
    starts = np.concatenate([[0], starts])
    lowest = np.minimum.reduceat(splits[rows], starts)
    highest = np.maximum.reduceat(splits[rows], starts)
    ends = np.concatenate([starts[1:], [len(rows)]])
    for place in np.flatnonzero(lowest != highest).tolist():
        yield rows[starts[place] : ends[place]]
