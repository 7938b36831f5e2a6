"""Noise of a picture in training: a function of the seed and of its place alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from train.counter import normal


def placed_noise(key: int, places: Tensor, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers (B, *shape) float32 for the pictures at `places` (B,).

    The same in any batch, whichever process has the picture.
    """
    numbers = torch.Size(shape).numel()
    counters = places[:, None] * numbers + torch.arange(numbers, device=places.device)
    return normal(key, counters).view(len(places), *shape)
