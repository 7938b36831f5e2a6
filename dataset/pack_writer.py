"""The pack file's layout, version 1, written whole or not at all.

data               uint8 (N, C, H, W), contiguous, uncompressed
labels/label       int64 (N,), attributes `names` (JSON list) and `probs` (share of each class)
split              uint8 (N,), 0 train, 1 cal, 2 test (attribute `names`)
meta_data/names    UTF-8 (N,), one short name a picture, where readers of LLD look for it
provenance/<name>  UTF-8 or int64 (N,), one column a fact (dataset/packed.py lists them)
captions/text, captions/origin, captions/offsets   all captions; row i has offsets[i]:offsets[i+1]
root attributes    schema, created_by, config, event_id, content_hash, counts
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from dataset.atomic_file import atomic_path
from dataset.packed import NUMBER_COLUMNS, SCHEMA, SPLITS, TEXT_COLUMNS, Provenance
from dataset.records import Caption

_BLOCK = 4096


def write_pack(
    path: Path,
    data: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    provenance: Sequence[Provenance],
    config: Mapping[str, Any],
    *,
    captions: Sequence[Sequence[Caption]] | None = None,
    event_id: int = 0,
) -> str:
    """Write a pack and return its content hash (SHA-256, hexadecimal).

    `data` is (N, C, H, W) uint8 or blocks (n, C, H, W) of it in order; labels (N,) index
    `label_names` or are -1. The same arguments give the same bytes.
    """
    _remove_stale(path)
    with atomic_path(path) as partial:
        with h5py.File(partial, "w") as file:
            _write_data(file, data, len(labels))
            _write_labels(file, labels, label_names)
            _write_provenance(file, provenance)
            _write_captions(file, captions or [[] for _ in labels])
            file.attrs["schema"] = SCHEMA
            file.attrs["created_by"] = "Pedigree"
            file.attrs["event_id"] = event_id
            file.attrs["config"] = json.dumps(dict(config), sort_keys=True)
            file.attrs["counts"] = json.dumps(_counts(provenance), sort_keys=True)
            digest = content_hash(file)
            file.attrs["content_hash"] = digest
        return digest


def content_hash(file: h5py.File) -> str:
    """SHA-256 over names, types, shapes and contents of all arrays in order of their names."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    digest = hashlib.sha256()
    for name in sorted(names):
        array = file[name]
        text = h5py.check_string_dtype(array.dtype) is not None
        kind = "utf8" if text else array.dtype.str
        digest.update(f"{name}|{kind}|{array.shape}|".encode())
        for start in range(0, array.shape[0], _BLOCK):
            block = array[start : start + _BLOCK]
            if text:
                for value in block:
                    digest.update(len(value).to_bytes(8, "little") + value)
            else:
                digest.update(np.ascontiguousarray(block).tobytes())
    digest.update(str(file["labels/label"].attrs["names"]).encode())
    return digest.hexdigest()


def _write_data(
    file: h5py.File, data: NDArray[np.uint8] | Iterable[NDArray[np.uint8]], count: int
) -> None:
    blocks: Iterable[NDArray[np.uint8]]
    blocks = [data] if isinstance(data, np.ndarray) else data
    target, start = None, 0
    for block in blocks:
        if target is None:
            target = file.create_dataset("data", (count, *block.shape[1:]), np.uint8)
        target[start : start + len(block)] = block
        start += len(block)
    if target is None or start != count:
        raise ValueError(f"{start} pictures for {count} labels")


def _write_labels(file: h5py.File, labels: NDArray[np.int64], names: Sequence[str]) -> None:
    array = file.create_dataset("labels/label", data=np.asarray(labels, np.int64))
    counts = np.bincount(labels[labels >= 0], minlength=len(names)).astype(np.float64)
    array.attrs["names"] = json.dumps(list(names), ensure_ascii=False)
    array.attrs["probs"] = counts / max(counts.sum(), 1.0)


def _write_provenance(file: h5py.File, provenance: Sequence[Provenance]) -> None:
    split = np.array([SPLITS.index(fact.split) for fact in provenance], np.uint8)
    file.create_dataset("split", data=split).attrs["names"] = json.dumps(SPLITS)
    names = [fact.caption or fact.url for fact in provenance]
    _write_text(file, "meta_data/names", names)
    for column in TEXT_COLUMNS:
        _write_text(file, f"provenance/{column}", [getattr(fact, column) for fact in provenance])
    for column in NUMBER_COLUMNS:
        values = [getattr(fact, column) for fact in provenance]
        file.create_dataset(f"provenance/{column}", data=np.array(values, np.int64))


def _write_captions(file: h5py.File, captions: Sequence[Sequence[Caption]]) -> None:
    offsets = np.cumsum([0, *(len(versions) for versions in captions)]).astype(np.int64)
    _write_text(file, "captions/text", [c.text for versions in captions for c in versions])
    _write_text(file, "captions/origin", [c.origin for versions in captions for c in versions])
    file.create_dataset("captions/offsets", data=offsets)


def _write_text(file: h5py.File, name: str, values: Sequence[str]) -> None:
    # HDF5 strings end at a NUL, and lone surrogates are no UTF-8: neither may come from a caption.
    clean = [value.replace("\0", "").encode("utf-8", "replace") for value in values]
    file.create_dataset(name, (len(clean),), h5py.string_dtype("utf-8"), data=clean or None)


def _counts(provenance: Sequence[Provenance]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {"split": {}, "licence": {}}
    for fact in provenance:
        for facet, value in (("split", fact.split), ("licence", fact.licence)):
            counts[facet][value] = counts[facet].get(value, 0) + 1
    return counts


def _remove_stale(path: Path) -> None:
    """Remove what killed writers of the same pack left behind."""
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        writer = partial.name.removesuffix(".partial").rpartition(".")[2]
        try:
            os.kill(int(writer), 0)
        except (ProcessLookupError, ValueError):
            partial.unlink(missing_ok=True)
        except PermissionError:
            continue  # somebody else's process lives under that number
