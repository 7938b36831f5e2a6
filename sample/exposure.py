"""Exposure: by how much a picture was made lighter or darker, so that colours were cut off.

The descriptor takes no notice of gain and bias; but white stays white, and what it swallows is
another drawing. So the original is lit in the same way before the two are compared.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels

Numbers = NDArray[np.floating]

# Levels of 0..255 between which a value was not cut off; the fit is made on these alone.
_LOWEST, _HIGHEST = 5, 250
# Share of the values that a fit needs, and the strongest gain: more is no lighting.
_LEAST_SHARE, _MOST_GAIN = 0.01, 1.5


def fit_exposure(pictures: Pixels, originals: Pixels) -> tuple[Numbers, Numbers]:
    """Gain and bias, (P,) each, that make P originals as light as P pictures, (P, H, W, 3) uint8.

    Least squares over the values that are not cut off in the picture; 1 and 0 where these are too
    few to tell.
    """
    flat = (len(pictures), math.prod(pictures.shape[1:]))
    wanted = pictures.reshape(flat).astype(np.float32)
    given = originals.reshape(flat).astype(np.float32)
    told = ((wanted > _LOWEST) & (wanted < _HIGHEST)).astype(np.float32)
    count = np.maximum(told.sum(axis=1), 1.0)
    middle = (told * given).sum(axis=1) / count
    reached = (told * wanted).sum(axis=1) / count
    apart = told * (given - middle[:, None])  # (P, values)
    slope = (apart * (wanted - reached[:, None])).sum(axis=1)
    gain = slope / np.maximum(np.square(apart).sum(axis=1), 1e-6)
    gain = np.clip(gain, 1.0 / _MOST_GAIN, _MOST_GAIN)
    enough = count >= _LEAST_SHARE * flat[1]
    return np.where(enough, gain, 1.0), np.where(enough, reached - gain * middle, 0.0)


def lit(pictures: Pixels, gain: Numbers, bias: Numbers) -> Pixels:
    """(P, H, W, 3) uint8, each with its own gain and bias, cut off at 0 and 255."""
    levels = pictures * gain[:, None, None, None] + bias[:, None, None, None]
    return np.asarray(np.clip(np.rint(levels), 0, 255), dtype=np.uint8)
