"""Pictures made sharper or softer after they were resized."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13.0


def sharpen(image: Image.Image, sharpness: float) -> Image.Image:
    """An L, RGB or RGBA image away from its blur (sharpness over 1) or towards it (0: the blur).

    The blur is Pillow's `SMOOTH`, 3x3; the outermost pixels stay as they are. Of RGBA, alpha stays
    as it is, and colours blur by what is seen of them, so that nothing hidden comes forth.
    """
    if image.mode != "RGBA":
        return ImageEnhance.Sharpness(image).enhance(sharpness)
    pixels = np.asarray(image).astype(np.float64)
    alpha = pixels[:, :, 3:]
    seen = np.maximum(_smoothed(alpha), 1e-9)
    blurred = _smoothed(pixels[:, :, :3] * alpha) / seen
    inside = pixels[1:-1, 1:-1, :3]
    sharp = blurred[1:-1, 1:-1] + sharpness * (inside - blurred[1:-1, 1:-1])
    visible = alpha[1:-1, 1:-1] > 0
    pixels[1:-1, 1:-1, :3] = np.where(visible, np.clip(np.rint(sharp), 0, 255), 0)
    return Image.fromarray(pixels.astype(np.uint8))


def _smoothed(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, C) after the 3x3 kernel; the outermost pixels as they are."""
    height, width = pixels.shape[:2]
    smooth = pixels.copy()
    smooth[1:-1, 1:-1] = sum(
        _SMOOTH[y, x] * pixels[y : y + height - 2, x : x + width - 2]
        for y in range(3)
        for x in range(3)
    )
    return smooth
