"""What one picture costs on its way in: decode, hashes, quality scores; one core."""

import io
from collections.abc import Callable

import imagehash
from PIL import Image

from dataset.decoding import DecoderPool
from dataset.ingest import measure
from dataset.pixels import decode
from tests.bench.stopwatch import race, show
from tests.dataset.pictures import encoded, scene


def run() -> None:
    pictures = [encoded(scene(n, (640, 480)), "JPEG", quality=90) for n in range(24)]

    def plain_hashes(content: bytes) -> tuple[object, object]:
        image = Image.open(io.BytesIO(content))
        return imagehash.phash(image), imagehash.dhash(image)

    with DecoderPool(1) as pool:
        _race(pictures, plain_hashes, pool)


def _race(
    pictures: list[bytes],
    plain_hashes: Callable[[bytes], object],
    pool: DecoderPool,
) -> None:
    contestants = {
        "imagehash alone: phash + dhash": lambda: [plain_hashes(c) for c in pictures],
        "Pillow alone: decode": lambda: [Image.open(io.BytesIO(c)).load() for c in pictures],
        "dataset.pixels.decode (with pixel hash)": lambda: [decode(c) for c in pictures],
        "dataset.ingest.measure (all of it)": lambda: [measure(c) for c in pictures],
        "dataset.decoding.DecoderPool (one worker)": lambda: [pool.measure(c) for c in pictures],
    }
    show("640x480 JPEG", "pictures", race(contestants, len(pictures)))
