"""What one 500x400 JPEG costs, one core: the pHash alone, and all that the catalogue keeps.

PEDIGREE_PHOTOS=tar for real photographs; drawn scenes otherwise.
"""

import io
from collections.abc import Callable

import imagehash
from PIL import Image

from dataset.fingerprint import phash_of_file
from dataset.ingest import measure
from tests.bench.copies import available, opened, originals
from tests.bench.stopwatch import race, show
from tests.dataset.pictures import scene

COUNT = 48
SIZE, QUALITY = (500, 400), 90
MOST_MS, LEAST_RATIO = 3.5, 2.5


def run() -> None:
    pictures = _pictures()

    def plain(content: bytes) -> str:
        return str(imagehash.phash(Image.open(io.BytesIO(content))))

    contestants: dict[str, Callable[[], object]] = {
        "imagehash.phash": lambda: [plain(content) for content in pictures],
        "dataset.phash.phash_of_file": lambda: [phash_of_file(content) for content in pictures],
        "dataset.ingest.measure": lambda: [measure(content) for content in pictures],
    }
    results = race(contestants, len(pictures))
    show("pHash and all the rest of one JPEG, 500x400, quality 90", "pictures", results)
    _plain, alone, everything = results
    said = "ok" if alone.ratio >= LEAST_RATIO else "MISSED"
    print(f"  pHash alone: {alone.ratio:.2f}x imagehash; bar {LEAST_RATIO}x: {said}")
    spent = 1000 / everything.per_second
    said = "ok" if spent <= MOST_MS else "MISSED"
    print(f"  hashes, quality, thumbnail: {spent:.2f} ms a picture; bar {MOST_MS} ms: {said}")


def _pictures() -> list[bytes]:
    if available("photos"):
        images = [opened(content) for _name, content in originals("photos", COUNT)]
    else:
        print("  drawn scenes: set PEDIGREE_PHOTOS to a tar of photographs")
        images = [scene(n, SIZE).convert("RGB") for n in range(COUNT)]
    pictures = []
    for image in images:
        buffer = io.BytesIO()
        image.resize(SIZE, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=QUALITY)
        pictures.append(buffer.getvalue())
    return pictures
