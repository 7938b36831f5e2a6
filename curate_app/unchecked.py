"""The folders of drawn pictures below the runs' that no check has looked at, and their packs."""

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curate_app.desk import held, written
from curate_app.inspections import RECORD, searched
from dataset.errors import PipelineError
from dataset.packed import PackedDataset
from dataset.workspace import Workspace

_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 64 * 1024 * 1024
_MOST = 200


@dataclass(frozen=True, kw_only=True)
class Unchecked:
    """A drawn folder without a check; `pack_hash` is of the pack that its model learnt from."""

    name: str
    folder: Path
    pictures: int
    pack_hash: str


def unchecked(runs: Path, useless: Container[str] = ()) -> list[Unchecked]:
    """Every one below `runs`, by name; also those named in `useless`, whose check is of no use."""
    return list(_found(runs, useless))[:_MOST]


def _found(runs: Path, useless: Container[str]) -> Iterator[Unchecked]:
    for name, folder, files in searched(runs):
        if _MANIFEST in files and (RECORD not in files or name in useless):
            path = folder / _MANIFEST
            told = held(f"drawn {name}", written(path), partial(_read, path))
            if told is not None:
                yield Unchecked(name=name, folder=folder, pictures=told[0], pack_hash=told[1])


def pack_with(data: Path, content_hash: str) -> PackedDataset | None:
    """The pack of the data folder with this content, if it is there."""
    for path in sorted(Workspace(data).packs.glob("*.h5")):
        pack = opened(path)
        if pack is not None and pack.content_hash == content_hash:
            return pack
    return None


def opened(path: Path) -> PackedDataset | None:
    """A pack, opened once as long as it is the same; None for what is none."""
    return held(f"novelty pack {path}", written(path), partial(_open, path))


def _open(path: Path) -> PackedDataset | None:
    try:
        return PackedDataset(path)
    except (PipelineError, OSError):
        return None


def _read(path: Path) -> tuple[int, str] | None:
    """(pictures, content hash of the pack) by the manifest of a drawing; None for any other."""
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST_MANIFEST:
            return None
        told = json.loads(path.read_text("utf-8"))
        count, content_hash = len(told["pictures"]), told["pack_hash"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return (count, content_hash) if isinstance(content_hash, str) and count else None
