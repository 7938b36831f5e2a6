"""Perceptual hashes of decoded pictures; every value carries its algorithm and version."""

import imagehash
from PIL import Image

from dataset.pixels import Pixels

# Name and version of each algorithm; a change of definition is a new version.
PHASH = "phash-64/2"
DHASH = "dhash-64/2"
THUMB = "thumb-8x8-rgb/2"

# A side of twice this or more is averaged to this before a picture is hashed: one reduction serves
# all hashes and scores. It is divided by 8, and by the cells of every collage.
REDUCED_SIDE = 144


def perceptual_hashes(rgb: Pixels) -> dict[str, str]:
    """Hashes of an (H, W, 3) uint8 picture as hexadecimal text, by algorithm and version.

    phash-64: sign of the low 8x8 DCT coefficients of a 32x32 grey picture against their median
    (Zauner 2010); dhash-64: sign of horizontal differences of 9x8 grey pixels; both as the
    imagehash library defines them, of a picture whose sides of 288 pixels or more are averaged to
    144 (which changes few bits). thumb-8x8-rgb: 192 bytes of the picture averaged to 8x8.
    """
    return reduced_hashes(reduced(Image.fromarray(rgb)))


def reduced(image: Image.Image) -> Image.Image:
    """An RGB image with its large sides averaged to 144 pixels."""
    width, height = (
        REDUCED_SIDE if side >= 2 * REDUCED_SIDE else side for side in (image.width, image.height)
    )
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BOX)


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
