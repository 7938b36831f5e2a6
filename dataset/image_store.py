"""The pictures' original bytes, content-addressed: images/ab/abcdef...; never altered."""

import hashlib
from pathlib import Path

from dataset import atomic_file
from dataset.errors import DataError


class ImageStore:
    """Bytes by their SHA-256, as hexadecimal text."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def put(self, content: bytes) -> str:
        """Store `content` (once) and return its SHA-256; safe against kill -9 at any moment."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.path(sha256).exists():
            atomic_file.write_bytes(self.path(sha256), content)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes; raises DataError when they are missing or no longer what was stored."""
        try:
            content = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise DataError(
                f"picture {sha256[:12]} is in the catalogue but not in {self.root}; "
                "restore the folder or collect again"
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(f"picture {self.path(sha256)} was altered; restore it from a backup")
        return content
