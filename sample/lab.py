"""CIELAB, in which distances are about what the eye sees (2 is just noticeable, 100 is black to
white), and the neighbours of every pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# IEC 61966-2-1, and the white point D65 of its primaries.
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_EDGE, _SLOPE = 216 / 24389, 24389 / 27  # where the cube root begins (CIE 15:2018, 8.2.1)


def lab(colours: NDArray[Any]) -> Floats:
    """L*, a*, b* (..., 3) of sRGB (..., 3) in 0..255."""
    coded = np.asarray(colours, np.float64) / 255.0
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    xyz = light @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > _EDGE, np.cbrt(xyz), (_SLOPE * xyz + 16.0) / 116.0)
    a, b = 500.0 * (f[..., 0] - f[..., 1]), 200.0 * (f[..., 1] - f[..., 2])
    return np.stack([116.0 * f[..., 1] - 16.0, a, b], axis=-1)


def distance(one: Floats, other: Floats) -> Floats:
    """Delta E of 1976 (...,) between colours (..., 3) in Lab."""
    return np.asarray(np.linalg.norm(one - other, axis=-1), np.float64)


def neighbourhood(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """For every pixel of (H, W, ...) the square around it, itself included, as (H, W, n, ...);
    beyond the border the border is repeated."""
    height, width = values.shape[:2]
    padding = ((reach, reach), (reach, reach), *((0, 0),) * (values.ndim - 2))
    padded = np.pad(values, padding, mode="edge")
    side = range(2 * reach + 1)
    return np.stack([padded[y : y + height, x : x + width] for y in side for x in side], axis=2)
