"""Arrays of pictures: which way they lie, and whether they lie on their side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.imports.collection import Axes, ReadOptions
from dataset.pixels import Pixels

_CHANNELS = (1, 3, 4)
_MOST_SIDE = 4096
# Pictures that are looked at to tell how they lie, and by how much they must say so.
PROBED = 512
_LYING = 0.93


def axes_of(shape: Sequence[int], wanted: Axes, where: str) -> str:
    """How (N, ...) pictures lie: "NHW", "NCHW" or "NHWC"; raises DataError where none fits.

    Three numbers that all may be channels are taken as channels first, the order of LLD.
    """
    sides = tuple(shape[1:])
    if len(sides) == 2 and max(sides) <= _MOST_SIDE and min(sides) > 0:
        return "NHW"
    orders = ("NCHW", "NHWC") if wanted == "auto" else (wanted,)
    for axes in orders if len(sides) == 3 else ():
        channels, height, width = sides if axes == "NCHW" else (sides[2], *sides[:2])
        if channels in _CHANNELS and 0 < min(height, width) <= max(height, width) <= _MOST_SIDE:
            return axes
    asked = "" if wanted == "auto" else f" lying {wanted}"
    raise DataError(
        f"{where} has shape {tuple(shape)}, which are no pictures{asked}: it takes (N, C, H, W) "
        f"or (N, H, W, C) with 1, 3 or 4 channels and sides up to {_MOST_SIDE}"
    )


def shape_of(shape: Sequence[int], axes: str, options: ReadOptions) -> tuple[int, int, int]:
    """The (C, H, W) of pictures (N, ...) that lie so, as `upright` gives them."""
    sides = {"NHW": (1, *shape[1:]), "NCHW": shape[1:], "NHWC": (shape[-1], *shape[1:3])}[axes]
    channels, height, width = sides
    return (channels, width, height) if options.transpose else (channels, height, width)


def upright(block: NDArray[np.uint8], axes: str, transpose: bool) -> Pixels:
    """A block of pictures as (n, H, W, C), its sides changed if told so."""
    if axes == "NHW":
        block = block[..., np.newaxis]
    elif axes == "NCHW":
        block = block.transpose(0, 2, 3, 1)
    return block.transpose(0, 2, 1, 3) if transpose else block


def look_transposed(pictures: Sequence[Pixels]) -> bool:
    """Whether pictures (H, W, C) look as if their sides had been changed.

    What people draw, and what they photograph, is likelier to be the same left and right than
    above and below. Few pictures, or such of no clear side, never look so.
    """
    if len(pictures) < 64:
        return False
    sideways = upside = 0.0
    for picture in pictures:
        grey = picture.mean(axis=2)
        sideways += float(np.abs(grey - grey[:, ::-1]).mean())
        upside += float(np.abs(grey - grey[::-1]).mean())
    return upside < _LYING * sideways
