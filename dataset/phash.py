"""Perceptual hashes of decoded pictures; every value carries its algorithm and version."""

import imagehash
import numpy as np
from PIL import Image

from dataset.pixels import Pixels

# Name and version of each algorithm; a change of definition is a new version.
PHASH = "phash-64/1"
DHASH = "dhash-64/1"
THUMB = "thumb-8x8-rgb/1"


def perceptual_hashes(rgb: Pixels) -> dict[str, str]:
    """Hashes of an (H, W, 3) uint8 picture as hexadecimal text, by algorithm and version.

    phash-64: sign of the low 8x8 DCT coefficients of a 32x32 grey picture against their median
    (Zauner 2010); dhash-64: sign of horizontal differences of 9x8 grey pixels; both as the
    imagehash library defines them. thumb-8x8-rgb: 192 bytes of the picture averaged to 8x8.
    """
    image = Image.fromarray(rgb)
    thumb = np.asarray(image.resize((8, 8), Image.Resampling.BOX))
    return {
        PHASH: str(imagehash.phash(image)),
        DHASH: str(imagehash.dhash(image)),
        THUMB: thumb.tobytes().hex(),
    }
