"""What the scores look at: a picture once as it is and once at a common size."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.phash import REDUCED_SIDE
from dataset.pixels import Pixels, Raster

# Sides in pixels at which most scores work: those of the reduction that the hashes use.
COMMON_SIDE = REDUCED_SIDE
# Below this a side holds too few pixels to tell seams, strokes or a spectrum.
SMALLEST_JUDGED = 48

# Lines of each direction that are looked at in full resolution, in windows of one of these
# lengths, so many on a line at most.
_LINES = 32
_LENGTHS = (128, 64, 32)
_MOST_ON_A_LINE = 4

Planes = NDArray[np.int16]
Windows = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """`pixels` (H, W, 3) as decoded; `planes` (3, h, w) and `luma` (h, w) of it at a common size.

    `scale` is how much smaller than the true picture `pixels` is (1, or 1/2, 1/4, 1/8 of a JPEG
    that was not decoded in full).
    """

    pixels: Pixels
    planes: Planes
    luma: NDArray[np.uint8]
    small: Image.Image
    scale: float

    @property
    def is_judged(self) -> bool:
        """Whether the picture has enough pixels for more than its light."""
        return bool(min(self.pixels.shape[:2]) >= SMALLEST_JUDGED)

    @cached_property
    def across(self) -> Windows:
        """(windows, length) of the green channel, from evenly spread rows of the full picture.

        The first ones are of one and the same place in all rows.
        """
        return _windows(self.pixels, self._length)

    @cached_property
    def down(self) -> Windows:
        """The same from columns."""
        return _windows(self.pixels.transpose(1, 0, 2), self._length)

    @property
    def _length(self) -> int:
        side = min(self.pixels.shape[:2])
        return next((length for length in _LENGTHS if length <= side), int(side))


def view(raster: Raster, small: Image.Image) -> View:
    """The view of a picture and of what `dataset.phash.reduced` made of it."""
    shape = (raster.image.height, raster.image.width, 3)
    pixels = np.frombuffer(raster.data, np.uint8).reshape(shape)
    common = at_common_size(small)
    return View(
        pixels=pixels,
        planes=planes(common),
        luma=np.asarray(common.convert("L")),
        small=common,
        scale=max(raster.image.size) / max(raster.width, raster.height, 1),
    )


def at_common_size(small: Image.Image) -> Image.Image:
    """An RGB image with no side over the common one."""
    size = (min(small.width, COMMON_SIDE), min(small.height, COMMON_SIDE))
    return small if size == small.size else small.resize(size, Image.Resampling.BOX)


@lru_cache(maxsize=1024)
def evenly(first: int, last: int, count: int) -> NDArray[np.intp]:
    """`count` whole numbers from `first` to `last`, evenly spread; not to be written to."""
    numbers = np.arange(count) * (last - first) // max(1, count - 1) + first
    numbers.flags.writeable = False
    return numbers


def _windows(pixels: Pixels, length: int) -> Windows:
    height, width = pixels.shape[:2]
    rows = evenly(0, height - 1, min(height, _LINES))
    places = evenly(0, width - length, min(width // length, _MOST_ON_A_LINE))
    return np.concatenate([pixels[rows, place : place + length, 1] for place in places])


def planes(image: Image.Image) -> Planes:
    """The channels of an image as (3, H, W) of int16, where a difference does not wrap."""
    return np.asarray(image).transpose(2, 0, 1).astype(np.int16, order="C")
