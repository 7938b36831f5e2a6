"""Pictures at the size that a learnt encoder looks at.

Antialiased, each channel in floating point and nothing rounded: another filter shifts the FID by
more than most models differ (Parmar et al. 2022), so there is this one.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.pixels import Pixels

FILTER = "Pillow bicubic, float"


def fitted(pictures: Pixels, side: int) -> NDArray[np.float32]:
    """(B, H, W, 3) uint8 as (B, 3, side, side) float32 on 0..255; overshoot is not cut off."""
    found = np.empty((len(pictures), 3, side, side), dtype=np.float32)
    for planes, picture in zip(found, pictures, strict=True):
        for channel in range(3):
            plane = Image.fromarray(picture[..., channel].astype(np.float32))
            sized = plane.resize((side, side), Image.Resampling.BICUBIC)
            planes[channel] = np.asarray(sized, dtype=np.float32)
    return found
