"""Denoisers that are right by calculation, for data whose probability flow is known exactly."""

import math

import torch
from torch import Tensor

from train.samplers import Prediction

MEAN, DEVIATION = 0.1, 0.5
SHAPE = (1, 4, 4)


class OnePicture:
    """The data are one picture."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture

    def __call__(self, x: Tensor, _sigma: float) -> Prediction:
        return Prediction(self.picture.expand_as(x))


def normal_pixels(x: Tensor, sigma: float) -> Prediction:
    """Pixels are normal, with MEAN and DEVIATION."""
    gain = DEVIATION**2 / (DEVIATION**2 + sigma**2)
    return Prediction(MEAN + gain * (x - MEAN))


def flow_of_normal_pixels(x: Tensor, start: float, end: float) -> Tensor:
    """Where the probability flow of `normal_pixels` takes x from one sigma to another."""
    shrunk = math.sqrt((DEVIATION**2 + end**2) / (DEVIATION**2 + start**2))
    return MEAN + shrunk * (x - MEAN)


def two_points(x: Tensor, sigma: float) -> Prediction:
    """Pixels are -0.8 or 0.8, as likely."""
    return Prediction(0.8 * torch.tanh(0.8 * x / sigma**2))


class DoubleNoise:
    """Noise in float64, the same for every picture; how often each draw was asked for."""

    def __init__(self, pictures: int = 1, shape: tuple[int, int, int] = SHAPE) -> None:
        self.size, self.asked = (pictures, *shape), list[int]()

    def draw(self, number: int) -> Tensor:
        self.asked.append(number)
        generator = torch.Generator().manual_seed(number)
        return torch.randn(self.size, dtype=torch.float64, generator=generator)
