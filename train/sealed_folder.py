"""Folders of tensor files and a manifest with their SHA-256: either whole or absent.

All is written to a sibling that ends in .partial, which is renamed last; what a killed writer
leaves is never taken for the folder.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dataset.atomic_file import fsync_folder
from dataset.errors import DataError
from train.tensor_file import write_tensors

Files = Mapping[str, Mapping[str, Tensor]]  # the tensors of each file, by the files' names


def write_sealed(target: Path, files: Files, name: str, manifest: Mapping[str, Any]) -> Path:
    """Write `files` and the `manifest` called `name` into a new folder `target`; returns it once
    it is on the disk. What was at `target` before is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        digests = {file: write_tensors(partial / file, files[file]) for file in files}
        text = json.dumps({"files": digests, **manifest}, indent=2, sort_keys=True) + "\n"
        _write_synced(partial / name, text.encode())
        fsync_folder(partial)
        old = _set_aside(target)
        partial.rename(target)
        fsync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def read_manifest(folder: Path, name: str, expected: int) -> dict[str, Any]:
    """The manifest `name` of `folder`, its files not looked at.

    Raises DataError if it is none, or its format is not the `expected` one.
    """
    try:
        manifest = json.loads((folder / name).read_text(encoding="utf-8"))
        found = manifest["format"]
        known = isinstance(manifest["files"], dict)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"{name} is incomplete") from error
    if found != expected:
        raise DataError(
            f"{folder} has format {found}, this version reads {expected};"
            " use the version that wrote it"
        )
    if not known:
        raise damaged(folder, f"{name} is incomplete")
    assert isinstance(manifest, dict)
    return manifest


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise DataError naming the first file that is not what the manifest says."""
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise damaged(folder, f"{name} is not what was written")


def damaged(folder: Path, how: str) -> DataError:
    return DataError(f"{folder} is damaged: {how}")


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimals."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Remove what killed writers left in `folder`."""
    for stale in folder.glob(".*.partial"):
        shutil.rmtree(stale, ignore_errors=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _set_aside(target: Path) -> Path:
    """Make room for the rename; where the old one is now, if there was one."""
    old = target.with_name(f".{target.name}.old.partial")
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    return old
