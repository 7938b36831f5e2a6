"""How a picture is brought to the pack's size: one recipe, recorded whole in the pack."""

import numpy as np
from PIL import Image

from dataset.pack_selection import PackConfig
from dataset.pixels import Pixels

_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def prepare(rgb: Pixels, config: PackConfig) -> Pixels:
    """One (H, W, 3) picture as (size, size, 3) uint8: padded, cropped or stretched, antialiased.

    Padding repeats the median colour of the picture's edge, so that no frame appears.
    """
    image, side = Image.fromarray(rgb), config.size
    filter_ = _FILTERS[config.resample]
    height, width = rgb.shape[:2]
    if config.fit == "stretch" or height == width:
        return np.asarray(image.resize((side, side), filter_))
    if config.fit == "crop":
        short = min(height, width)
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
        return np.asarray(image.resize((side, side), filter_, box=box))
    scale = side / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    edge = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    colour = tuple(int(value) for value in np.median(edge, axis=0))
    square = Image.new("RGB", (side, side), colour)
    square.paste(image.resize(inner, filter_), ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return np.asarray(square)
