"""Pictures of these tests and their scores."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dataset.phash import reduced
from dataset.pixels import PixelLimits, Raster, rasterise
from dataset.quality import quality_scores
from tests.dataset.pictures import encoded

ANY_SIZE = PixelLimits(min_side=1, max_aspect=100_000)


def raster_of(image: Image.Image) -> Raster:
    return rasterise(encoded(image), limits=ANY_SIZE)


def scores_of(image: Image.Image) -> dict[str, float]:
    raster = raster_of(image)
    return quality_scores(raster, reduced(raster.image), 10_000)


def scores_of_file(content: bytes, least_side: int | None = None) -> dict[str, float]:
    raster = rasterise(content, limits=ANY_SIZE, least_side=least_side)
    return quality_scores(raster, reduced(raster.image), len(content))


def photograph(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Texture on a colour; its amplitude falls with frequency as in the world, to the last one."""
    rng = np.random.default_rng(seed)
    width, height = size
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    fall = 1.0 / np.maximum(np.hypot(down, across), 0.5 / max(size))
    planes = []
    for _ in range(3):
        texture = np.fft.irfft2(
            np.fft.rfft2(rng.normal(0, 1, (height, width))) * fall, (height, width)
        )
        planes.append(rng.uniform(60, 190) + 22 * texture / texture.std())
    return Image.fromarray(np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8))


def sheet(
    boxes: list[tuple[float, float, float, float]],
    gap: int,
    *,
    seed: int = 0,
    size: tuple[int, int] = (480, 400),
) -> Image.Image:
    """Photographs in boxes (left, top, right, bottom as shares), white between them."""
    page = Image.new("RGB", size, "white")
    for number, (left, top, right, bottom) in enumerate(boxes):
        x, y = round(left * size[0]), round(top * size[1])
        x, y = x + gap * (x > 0), y + gap * (y > 0)
        part = (round(right * size[0]) - x, round(bottom * size[1]) - y)
        page.paste(photograph(100 * seed + number, part), (x, y))
    return page


def page_of_text(size: tuple[int, int] = (500, 400)) -> Image.Image:
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for y in range(12, size[1] - 20, 18):
        draw.text((14, y), "every small dog that ran along a river " * 2, fill="black")
    return page


def blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def enlarged(image: Image.Image, times: float) -> Image.Image:
    size = (round(image.width * times), round(image.height * times))
    return image.resize(size, Image.Resampling.LANCZOS)
