"""Perceptual hashes of decoded pictures; every value carries its algorithm and version."""

import imagehash
from PIL import Image

from dataset.pixels import Pixels

# Name and version of each algorithm; a change of definition is a new version.
PHASH = "phash-64/2"
DHASH = "dhash-64/2"
THUMB = "thumb-8x8-rgb/2"

# A picture is averaged to at most this side in both directions before it is hashed: one reduction
# serves all hashes and scores. It is divided by 8, and by the cells of every collage.
REDUCED_SIDE = 144


def perceptual_hashes(rgb: Pixels) -> dict[str, str]:
    """Hashes of an (H, W, 3) uint8 picture as hexadecimal text, by algorithm and version.

    phash-64: sign of the low 8x8 DCT coefficients of a 32x32 grey picture against their median
    (Zauner 2010); dhash-64: sign of horizontal differences of 9x8 grey pixels; both as the
    imagehash library defines them, of the picture averaged to at most 144x144 pixels (no smaller
    picture is changed by that, and of larger ones few bits). thumb-8x8-rgb: 192 bytes of the
    picture averaged to 8x8.
    """
    return reduced_hashes(reduced(Image.fromarray(rgb)))


def reduced(image: Image.Image) -> Image.Image:
    """An RGB image averaged to at most 144 pixels in each direction."""
    size = (min(image.width, REDUCED_SIDE), min(image.height, REDUCED_SIDE))
    return image if size == image.size else image.resize(size, Image.Resampling.BOX)


def reduced_hashes(image: Image.Image) -> dict[str, str]:
    """The same hashes of a picture that `reduced` has made."""
    thumb = image.resize((8, 8), Image.Resampling.BOX)
    grey = image.convert("L")
    # imagehash finds the sizes that it would have made, and leaves the pixels as they are.
    return {
        PHASH: str(imagehash.phash(grey.resize((32, 32), Image.Resampling.LANCZOS))),
        DHASH: str(imagehash.dhash(grey.resize((9, 8), Image.Resampling.LANCZOS))),
        THUMB: thumb.tobytes().hex(),
    }
