"""Counter-based randomness: a number is a pure function of (seed, stream, counter).

Nothing has to be saved to resume: the state of every stream is the count of images seen.
The mixing is SplitMix64 (Steele, Lea and Flood 2014, figure 16).
"""

from enum import IntEnum

import torch
from torch import Tensor

_WORD = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


class Stream(IntEnum):
    """What the randomness is for; two streams of one seed are independent."""

    WEIGHTS = 1
    ORDER = 2
    FLIP = 3
    TIME = 4
    NOISE = 5
    LABEL_DROPOUT = 6
    DROPOUT = 7
    PREVIEW = 8
    AUGMENT = 9
    DRAWING = 10
    LATENT = 11
    SMALL_LEVEL = 12
    SMALL_NOISE = 13


def stream_key(seed: int, stream: Stream, index: int = 0) -> int:
    """A 63-bit key for `torch.manual_seed` or for `hashed`, from three whole numbers."""
    key = 0
    for word in (seed, int(stream), index):
        key = _mix((key + (word + 1) * _GAMMA) & _WORD)
    return key >> 1


def hashed(key: int | Tensor, counters: Tensor) -> Tensor:
    """64 random bits for each of `counters` (int64, any shape), as int64 on its device.

    Keys in a tensor are broadcast against the counters.
    """
    z = counters * _signed(_GAMMA) + key
    z = (z ^ _shift(z, 30)) * _signed(_FIRST)
    z = (z ^ _shift(z, 27)) * _signed(_SECOND)
    return z ^ _shift(z, 31)


def uniform(key: int | Tensor, counters: Tensor) -> Tensor:
    """A float64 in [0, 1) for each of `counters`."""
    return _shift(hashed(key, counters), 11).double() * 2.0**-53


def normal(key: int | Tensor, counters: Tensor) -> Tensor:
    """A standard normal float32 for each of `counters`."""
    numbers: Tensor = torch.special.ndtri(uniform(key, counters).clamp(min=2.0**-54))
    return numbers.float()


def generator(key: int, device: torch.device) -> torch.Generator:
    """A fresh generator on `device`, started from `key`."""
    made = torch.Generator(device=device)
    made.manual_seed(key)
    return made


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * _FIRST) & _WORD
    z = ((z ^ (z >> 27)) * _SECOND) & _WORD
    return z ^ (z >> 31)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


def _shift(z: Tensor, bits: int) -> Tensor:
    """Shift right without dragging the sign along."""
    shifted: Tensor = (z >> bits) & (2 ** (64 - bits) - 1)
    return shifted
