"""Small deterministic pictures for the tests of the ground floor."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dataset.pixels import Pixels


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture with shapes of its own: no two seeds look alike."""
    rng = np.random.default_rng(seed)
    width, height = size
    image = Image.new("RGB", size, tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = int(rng.integers(20, width // 2)), int(rng.integers(20, height // 2))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)((x, y, x + w, y + h), colour)
    return image.filter(ImageFilter.GaussianBlur(0.7))


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def scene_bytes(seed: int, format: str = "PNG") -> bytes:
    return encoded(scene(seed), format)


def array(image: Image.Image) -> Pixels:
    return np.asarray(image)
