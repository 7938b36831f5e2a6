"""Perceptual hashes of decoded pictures; every value carries its algorithm and version."""

import functools

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Name and version of each algorithm; a change of definition is a new version.
PHASH = "phash-64/3"
DHASH = "dhash-64/3"
FINE = "phash-256/1"
# The pHash of the alpha channel alone, of a picture in one colour: its shape, whatever the colour.
ALPHA = "phash-64-alpha/1"

# A side of twice this or more is averaged to this before a picture is hashed: one reduction serves
# all hashes and scores. It is divided by 8, and by the cells of every collage.
REDUCED_SIDE = 144


def reduced(image: Image.Image) -> Image.Image:
    """An image with its large sides averaged to 144 pixels (alpha weighs its colours)."""
    width, height = (
        REDUCED_SIDE if side >= 2 * REDUCED_SIDE else side for side in (image.width, image.height)
    )
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BOX)


def frequency_bits(grey: NDArray[np.uint8], side: int) -> NDArray[np.bool_]:
    """(side * side,) bits of a (4 * side, 4 * side) grey picture: pHash (Zauner 2010).

    The sign of the lowest side x side coefficients of the two-dimensional DCT-II against their
    median, as the imagehash library has it.
    """
    basis = _basis(side, 4 * side)
    low = basis @ grey.astype(np.float64) @ basis.T  # (side, side)
    return np.ravel(low > np.median(low))


def many_frequency_words(grey: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The 64-bit pHashes (n,) of (n, 32, 32) grey pictures: what `frequency_bits` has of each."""
    basis = _basis(8, grey.shape[-1])
    low = (basis @ grey.astype(np.float64) @ basis.T).reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def difference_bits(grey: Image.Image) -> NDArray[np.bool_]:
    """(64,) bits of a 9x8 grey image: whether each pixel is brighter than its left one (dHash)."""
    return np.ravel(imagehash.dhash(grey).hash)


def words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Bits as 64-bit words, the first bit the highest of its word."""
    return np.packbits(bits).view(">u8").astype(np.uint64)


@functools.cache
def _basis(rows: int, length: int) -> NDArray[np.float64]:
    """The first rows of the DCT-II of `length` values, (rows, length), without its scale."""
    places = (np.arange(length) + 0.5) / length
    return np.cos(np.pi * np.arange(rows)[:, None] * places)
