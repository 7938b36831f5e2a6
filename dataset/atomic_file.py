"""Files that are either whole or absent: write a temporary sibling, fsync, rename."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `target`; on success it is fsynced and renamed onto `target`.

    On any exception the sibling is removed and `target` is left as it was. A sibling left by
    kill -9 ends in `.partial` and is overwritten or ignored by the next run.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Threads may write the same file at once, so the sibling is this thread's own.
    partial = target.with_name(f".{target.name}.{threading.get_ident()}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
        fsync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(target: Path, content: bytes) -> None:
    with atomic_path(target) as partial:
        partial.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    write_bytes(target, content.encode())


def write_json(target: Path, content: Any) -> None:
    """Write `content` as indented JSON with sorted keys, so that equal content is equal bytes."""
    write_text(target, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
