"""The pictures' original bytes, content-addressed: images/ab/abcdef...; never altered."""

import hashlib
import os
import threading
from pathlib import Path

from dataset.errors import DataError


class ImageStore:
    """Bytes by their SHA-256, as hexadecimal text."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def put(self, content: bytes, sha256: str = "") -> str:
        """Store `content` (once) and return its SHA-256, which a caller who knows it may give;
        safe against kill -9 at any moment.

        The bytes are on the disk when this returns. After a power cut the name of a new file may
        be missing: whoever finds that puts the same bytes again.
        """
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        folder = f"{self.root}/{sha256[:2]}"
        target = f"{folder}/{sha256}"
        if os.path.exists(target):  # noqa: PTH110 - a third of the time of all this is in pathlib
            return sha256
        partial = f"{folder}/.{sha256}.{threading.get_ident()}.{os.getpid()}.partial"
        try:
            _write(partial, content)
        except FileNotFoundError:
            Path(folder).mkdir(parents=True, exist_ok=True)
            _write(partial, content)
        os.rename(partial, target)  # noqa: PTH104
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes; raises DataError when they are missing or no longer what was stored."""
        try:
            with open(f"{self.root}/{sha256[:2]}/{sha256}", "rb", buffering=0) as file:  # noqa: PTH123
                content = file.read()
        except FileNotFoundError:
            raise DataError(
                f"picture {sha256[:12]} is in the catalogue but not in {self.root}; "
                "restore the folder or collect again"
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(f"picture {self.path(sha256)} was altered; restore it from a backup")
        return content


def _write(path: str, content: bytes) -> None:
    """Write and flush a new file; it is removed again when that fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except BaseException:
        os.unlink(path)  # noqa: PTH108
        raise
    finally:
        os.close(descriptor)
