"""What one step learns from: everything told and everything random about a batch."""

from typing import NamedTuple, Protocol, Self

from torch import Tensor

from train.condition import Condition


class Lesson(Protocol):
    """About B pictures; a learner's losses are a function of it and of the weights alone."""

    def part(self, start: int, stop: int) -> Self:
        """Of the pictures from `start` to before `stop`."""
        ...


class Denoising(NamedTuple):
    """What a diffusion model learns from."""

    x0: Tensor  # (B, C, H, W) clean pictures or latents
    sigma: Tensor  # (B,) noise levels
    eps: Tensor  # (B, C, H, W) standard normal
    condition: Condition

    def part(self, start: int, stop: int) -> "Denoising":
        chosen = slice(start, stop)
        condition = self.condition.part(start, stop)
        return Denoising(self.x0[chosen], self.sigma[chosen], self.eps[chosen], condition)


class Restoring(NamedTuple):
    """What an autoencoder learns from."""

    pictures: Tensor  # (B, C, H, W) in [-1, 1]
    noise: Tensor  # (B, c, h, w) standard normal: where in its latent's distribution
    adversity: Tensor  # (B,) the weight of the discriminator's word

    def part(self, start: int, stop: int) -> "Restoring":
        return Restoring._make(field[start:stop] for field in self)
