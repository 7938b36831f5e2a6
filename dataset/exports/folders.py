"""Folders that are either whole or absent: a temporary sibling, a mark of ours, one rename."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataset.atomic_file import fsync_folder
from dataset.errors import ConfigError

MARK = "export.json"
_MADE_BY = "Pedigree"


class ExportFolder:
    """A folder that is being written; counts files and bytes. Names are relative, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = self.bytes = 0
        self._made: set[str] = set()

    def path(self, name: str) -> Path:
        """Where a file of this name goes; its folders are there then."""
        folder = name.rpartition("/")[0]
        if folder not in self._made:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        return self.root / name

    def write(self, name: str, content: bytes) -> None:
        self.path(name).write_bytes(content)
        self.count(len(content))

    def count(self, size: int) -> None:
        """One more file of so many bytes that somebody wrote to `path`."""
        self.files, self.bytes = self.files + 1, self.bytes + size


@contextmanager
def export_folder(target: Path, facts: dict[str, Any], *, replace: bool) -> Iterator[ExportFolder]:
    """Yield a folder beside `target`; on success it is marked with `facts` and renamed onto it.

    Raises ConfigError when something stands at `target` already, unless it is an export and
    `replace` is set: then that one goes, once the new one is whole. What holds files that no
    export wrote is never removed.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 (a link must not be followed here)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    check_target(target, replace=replace)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.mkdir()
    folder = ExportFolder(partial)
    try:
        _mark(partial, {})
        yield folder
        _mark(partial, {**facts, "files": folder.files, "bytes": folder.bytes})
        folder.count((partial / MARK).stat().st_size)
        os.sync()  # one for all files: each by itself would take hours
        _put_in_place(partial, target, replace)
    finally:
        if partial.exists():
            shutil.rmtree(partial)


def check_target(target: Path, *, replace: bool) -> None:
    """Raises ConfigError when an export may not be written to this folder."""
    if not target.exists() and not target.is_symlink():
        return
    if target.is_symlink() or not target.is_dir() or _mark_of(target) is None:
        if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
            return
        raise ConfigError(f"{target} is there and is no export; choose another --out")
    if not replace:
        raise ConfigError(f"{target} is there already; choose another --out or add --replace")
    expected = int((_mark_of(target) or {}).get("files", -1))
    found = sum(len(files) for _, _, files in os.walk(target)) - 1
    if found != expected:
        raise ConfigError(
            f"{target} holds {found} files where its export wrote {expected}; move yours away or "
            "choose another --out"
        )


def _mark(folder: Path, facts: dict[str, Any]) -> None:
    content = {"made_by": _MADE_BY, "whole": bool(facts), **facts}
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / MARK).write_text(text, "utf-8")


def _mark_of(folder: Path) -> dict[str, Any] | None:
    """What an export says of itself, or None for a folder that is no export."""
    try:
        found = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    is_ours = isinstance(found, dict) and found.get("made_by") == _MADE_BY
    return found if is_ours and isinstance(found.get("files", 0), int) else None


def _put_in_place(partial: Path, target: Path, replace: bool) -> None:
    check_target(target, replace=replace)  # minutes have gone by
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists() and any(target.iterdir()):
        target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    fsync_folder(target.parent)
    if old.exists():
        shutil.rmtree(old)


def _sweep(target: Path) -> None:
    """Remove what killed exports to the same target left; bring back what one had put aside."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.(partial|old)")
    for there in sorted(target.parent.iterdir()):
        named = pattern.fullmatch(there.name)
        if named is None or there.is_symlink() or _is_alive(int(named[1])):
            continue
        if _mark_of(there) is None and any(there.iterdir()):
            continue
        if named[2] == "old" and not target.exists():
            there.rename(target)
        else:
            shutil.rmtree(there)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
