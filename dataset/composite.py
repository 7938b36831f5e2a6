"""Pictures that can be seen through, laid on a background."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Background = Literal["auto", "white", "black"]

# Pictures whose visible part is brighter than this on average vanish on white (0..255 luma).
_TOO_BRIGHT_FOR_WHITE = 225.0
# Weights of red, green and blue in luma (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# Pixels composited at once: floats of a whole large picture would take 48 bytes a pixel.
_BAND = 1 << 19


def composite(rgba: Pixels, background: Background = "auto") -> Pixels:
    """Lay (H, W, 4) straight-alpha pixels on a background; returns (H, W, 3) uint8."""
    height, width = rgba.shape[:2]
    rows = max(1, _BAND // max(1, width))
    bands = [slice(top, top + rows) for top in range(0, height, rows)]
    if background == "auto":
        background = _background(rgba, bands)
    ground = 255.0 if background == "white" else 0.0
    flat = np.empty((height, width, 3), np.uint8)
    for band in bands:
        alpha = rgba[band, :, 3:].astype(np.float32) / 255.0
        mixed = rgba[band, :, :3].astype(np.float32) * alpha + ground * (1.0 - alpha)
        flat[band] = np.rint(mixed).astype(np.uint8)
    return flat


def _background(rgba: Pixels, bands: list[slice]) -> Background:
    """Black for a picture whose visible part is too bright for white."""
    visible = luma = 0.0
    for band in bands:
        alpha = rgba[band, :, 3].astype(np.float32) / 255.0
        visible += float(alpha.sum())
        luma += float((rgba[band, :, :3].astype(np.float32) @ _LUMA * alpha).sum())
    return "black" if visible > 0 and luma / visible > _TOO_BRIGHT_FOR_WHITE else "white"
