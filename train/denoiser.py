"""The denoiser: a network with its noise levels and the meaning of its output.

`denoise(x, sigma, condition)` is all that samplers know of a model.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from train.condition import Condition
from train.diffusion_config import DiffusionConfig
from train.latents import LatentSpace
from train.noise_schedule import NoiseSchedule
from train.parameterisation import parameterisation


class Network(Protocol):
    """What is learnt: pictures scaled to about unit variance in, its prediction out."""

    shape: tuple[int, int, int]  # (C, H, W) of what is denoised

    def __call__(self, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """`x` (B, C, H, W), `time` (B,) in thousandths of the noise table; (B, C or 2C, H, W)."""
        ...


class Denoiser:
    """Noisy pictures in, clean pictures out, at any noise level."""

    def __init__(
        self,
        network: nn.Module,
        config: DiffusionConfig,
        shape: tuple[int, int, int],
        latents: LatentSpace | None = None,
    ) -> None:
        """`shape` is (C, H, W) of what is denoised: of a picture, or of one of `latents`."""
        self.network, self.config, self.shape, self.latents = network, config, shape, latents
        self.device = next(network.parameters()).device
        self.schedule = NoiseSchedule(config, self.device)

    def denoise(self, x: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """The clean pictures (B, C, H, W) expected in `x` = x0 + `sigma` (B,) * eps; float32.

        Karras et al. 2022, equation 7. The result is not clamped.
        """
        return self.denoise_with_variance(x, sigma, condition)[0]

    def denoise_with_variance(
        self, x: Tensor, sigma: Tensor, condition: Condition
    ) -> tuple[Tensor, Tensor | None]:
        """As `denoise`, and where the model learned it, the output v in about [-1, 1] that says
        where the variance of a step lies between its bounds; Nichol and Dhariwal 2021, eq. 15."""
        coefficients = parameterisation(self.config, sigma)
        output, variance = self.output(coefficients.scale * x, sigma, condition)
        return coefficients.clean(x, output), variance

    def limited(self, x0: Tensor) -> Tensor:
        """`x0` (B, C, H, W) kept to what pictures can be, [-1, 1]; latents have no such bounds."""
        return x0.clamp(-1.0, 1.0) if self.latents is None else x0

    def pictures(self, x0: Tensor) -> Tensor:
        """What was drawn as pictures (B, C, H, W) in [-1, 1]: latents are decoded."""
        return x0.clamp(-1.0, 1.0) if self.latents is None else self.latents.decoded(x0)

    def output(
        self, scaled: Tensor, sigma: Tensor, condition: Condition
    ) -> tuple[Tensor, Tensor | None]:
        """What the network itself says of an input already scaled, and its variance part."""
        output: Tensor = self.network(scaled, self.time(sigma), condition)
        output = output.float()
        if not self.config.learned_variance:
            return output, None
        mean, variance = output.chunk(2, dim=1)
        return mean, variance

    def time(self, sigma: Tensor) -> Tensor:
        """`sigma` (B,) as the network is told it: thousandths of the table, (B,) float32."""
        return self.schedule.time(sigma) * (1000.0 / self.schedule.steps)


def learned_channels(config: DiffusionConfig, channels: int) -> int:
    """How many channels the network gives for pictures of `channels`."""
    return 2 * channels if config.learned_variance else channels


def everywhere(sigma: float, x: Tensor) -> Tensor:
    """`sigma` for each picture of `x` (B, ...): (B,) float32 on its device."""
    return torch.full((len(x),), sigma, dtype=torch.float32, device=x.device)
