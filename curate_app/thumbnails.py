"""Pictures as the browser sees them: decoded by us, made smaller, encoded anew as JPEG or PNG.

The original bytes are never served: whatever hides in them does not reach the browser.
"""

import threading
from pathlib import Path
from typing import Literal, get_args

from PIL import Image

from dataset.atomic_file import atomic_path
from dataset.image_store import ImageStore
from dataset.pixels import PixelLimits, decode

# "full" is for looking at pixels: encoded without loss, and only an enormous side made smaller.
ThumbnailKind = Literal["tile", "large", "full"]
KINDS: tuple[ThumbnailKind, ...] = get_args(ThumbnailKind)
# Part of every address and path: a change of the recipe below is a new version.
VERSION = 2

_LONGEST_SIDE: dict[ThumbnailKind, int] = {"tile": 320, "large": 1600, "full": 16_000}
# JPEG is ten times as quick to write as WebP, for pages that show hundreds of pictures at once.
_LOSSLESS_UP_TO = 128
_JPEG = {"quality": 90, "subsampling": 0}
_PNG = {"compress_level": 1}
# The store holds only what ingest accepted, perhaps under other limits than the default ones.
_ACCEPTED = PixelLimits(min_side=1, max_aspect=1e9)


class Thumbnails:
    """Thumbnails under `root` by the SHA-256 of the picture, made at first use."""

    def __init__(self, root: Path, store: ImageStore) -> None:
        self.root = root
        self._store = store
        # Two threads asked for one thumbnail would write one temporary file.
        self._locks = [threading.Lock() for _ in range(16)]

    def path(self, sha256: str, kind: ThumbnailKind) -> Path:
        """Where a thumbnail lies or would lie; `sha256` is 64 hexadecimal digits."""
        return self.root / f"{kind}-v{VERSION}" / sha256[:2] / f"{sha256}.img"

    def make(self, sha256: str, kind: ThumbnailKind) -> Path:
        """The path of the finished thumbnail; longest side 320 (tile), 1600 (large) or its own.

        Raises DataError when the picture is missing from the store or altered.
        """
        target = self.path(sha256, kind)
        if not target.exists():
            with self._locks[int(sha256[0], 16)]:
                if not target.exists():
                    self._write(sha256, kind, target)
        return target

    def _write(self, sha256: str, kind: ThumbnailKind, target: Path) -> None:
        image = Image.fromarray(decode(self._store.get(sha256), limits=_ACCEPTED).rgb)
        side = _LONGEST_SIDE[kind]
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        exact = kind == "full" or max(image.size) <= _LOSSLESS_UP_TO
        with atomic_path(target) as partial:
            if exact:
                image.save(partial, "PNG", **_PNG)
            else:
                image.save(partial, "JPEG", **_JPEG)


def media_type(path: Path) -> str:
    """Of a finished thumbnail, by its first bytes."""
    with path.open("rb") as file:
        return "image/png" if file.read(4) == b"\x89PNG" else "image/jpeg"
