"""Pictures at another size, antialiased: by Pillow's filters, widened to the reduction.

In linear light what is averaged is light, not its sRGB code (IEC 61966-2-1).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.composite import Pixels

Box = tuple[float, float, float, float]  # left, top, right, bottom
Plane = NDArray[np.float32]


def _light_of_codes() -> Plane:
    code = np.arange(256) / 255.0
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


_LIGHT = _light_of_codes()
_CODE = (np.arange(256) / 255.0).astype(np.float32)


def resize(
    image: Image.Image,
    size: tuple[int, int],
    resample: Image.Resampling,
    box: Box,
    *,
    linear_light: bool = False,
) -> Image.Image:
    """The part `box` of an L, RGB or RGBA image at `size`, within one level of float64.

    Of RGBA, colours weigh by their alpha, and what nobody sees becomes black.
    """
    if image.mode != "RGBA" and not linear_light:
        return image.resize(size, resample, box)
    # Pillow resizes RGBA in 8 bits: an overshoot that is cut off there makes bright fringes.
    planes = [
        np.asarray(Image.fromarray(plane).resize(size, resample, box))
        for plane in _planes(np.asarray(image), _LIGHT if linear_light else _CODE)
    ]
    colours, alphas = planes[:3], planes[3:]
    if alphas:
        seen = np.maximum(alphas[0], np.float32(1e-6))
        colours = [np.where(alphas[0] * 255.0 < 0.5, 0.0, plane / seen) for plane in colours]
    if linear_light:
        colours = [_code_of(plane) for plane in colours]
    found = np.rint(np.clip(np.stack([*colours, *alphas], axis=-1), 0.0, 1.0) * 255.0)
    return Image.fromarray(found.astype(np.uint8).squeeze(-1 if image.mode == "L" else ()))


def _planes(pixels: Pixels, table: Plane) -> Iterator[Plane]:
    """What `table` has for each channel of (H, W) or (H, W, C) pixels, times alpha; alpha last."""
    channels = np.atleast_3d(pixels)
    alpha = _CODE[channels[:, :, 3]] if channels.shape[2] == 4 else None
    for channel in range(min(3, channels.shape[2])):
        plane = table[channels[:, :, channel]]
        yield plane if alpha is None else plane * alpha
    if alpha is not None:
        yield alpha


def _code_of(light: NDArray[np.floating]) -> NDArray[np.floating]:
    light = np.clip(light, np.float32(0.0), np.float32(1.0))
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
