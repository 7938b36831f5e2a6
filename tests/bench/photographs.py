"""Photographs to benchmark with: real ones where PEDIGREE_PHOTOS names some, else drawn scenes."""

import io
import os
import tarfile
from pathlib import Path

from PIL import Image

from tests.dataset.pictures import scene

_SIZE = (500, 375)


def spread(folder: Path, count: int) -> str:
    """Write `count` distinct JPEGs (about 100 kB) into `folder` as 0.jpg, 1.jpg, ...; says which.

    Each is one of the originals, cropped by a few pixels, so that no two are the same picture.
    """
    originals = _originals()
    name = "photographs" if originals else "drawn scenes (set PEDIGREE_PHOTOS to a folder or tar)"
    pictures = originals or [scene(n, _SIZE).convert("RGB") for n in range(60)]
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        turn = number // len(pictures)
        cropped = picture.crop((turn % 8, turn // 8, picture.width, picture.height))
        cropped.save(folder / f"{number}.jpg", quality=95)
    return name


def _originals() -> list[Image.Image]:
    path = os.environ.get("PEDIGREE_PHOTOS", "")
    if not path:
        return []
    if Path(path).is_dir():
        contents = [file.read_bytes() for file in sorted(Path(path).rglob("*.jpg"))]
    else:
        with tarfile.open(path) as tar:
            members = [member for member in tar.getmembers() if member.name.endswith(".jpg")]
            streams = [tar.extractfile(member) for member in members]
            contents = [stream.read() for stream in streams if stream is not None]
    return [Image.open(io.BytesIO(content)).convert("RGB") for content in contents]
