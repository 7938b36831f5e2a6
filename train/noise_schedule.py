"""The forward process: how much noise there is at each t of 0..T-1.

Everywhere x = x0 + sigma * eps, the frame of Karras et al. 2022. DDPM's x_t is x divided by
sqrt(1 + sigma^2), with alphas_cumprod = 1 / (1 + sigma^2).
"""

import math

import torch
from torch import Tensor

from dataset.errors import ConfigError
from train.diffusion_config import DiffusionConfig


class NoiseSchedule:
    """The table of noise levels, growing with t; computed in float64."""

    def __init__(self, config: DiffusionConfig, device: torch.device | None = None) -> None:
        self.config, self.steps = config, config.steps
        if config.schedule == "edm":
            ends = math.log(config.sigma_min), math.log(config.sigma_max)
            self.sigmas = torch.linspace(*ends, config.steps, dtype=torch.float64).exp()
            self.alphas_cumprod = 1.0 / (1.0 + self.sigmas**2)
        else:
            self.alphas_cumprod = alphas_cumprod(config.schedule, config.steps)
            self.sigmas = ((1.0 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()  # (T,)
        if not config.sigma_max > float(self.sigmas[0]):
            raise ConfigError(
                f"diffusion.sigma_max is {config.sigma_max}, which schedule {config.schedule} with"
                f" {config.steps} steps begins above, at {float(self.sigmas[0]):.4g}; give more"
            )
        self._entries = self.sigmas.to(device or torch.device("cpu"))
        self.log_sigmas = self._entries.log().float()

    @property
    def sigma_max(self) -> float:
        """The level that drawing starts from: beyond diffusion.sigma_max nothing is seen."""
        return min(float(self.sigmas[-1]), self.config.sigma_max)

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    def sigma(self, t: Tensor) -> Tensor:
        """The level at `t` (B,), whole or between entries (interpolated in ln sigma): float32."""
        low = t.long().clamp(0, self.steps - 2)
        share = (t - low).to(self.log_sigmas.dtype)
        return torch.lerp(self.log_sigmas[low], self.log_sigmas[low + 1], share).exp()

    def time(self, sigma: Tensor) -> Tensor:
        """The t in [0, T-1] of `sigma` (B,), between entries where it falls there: float32."""
        wanted = sigma.float().log()
        high = torch.searchsorted(self.log_sigmas, wanted).clamp(1, self.steps - 1)
        below, above = self.log_sigmas[high - 1], self.log_sigmas[high]
        share = ((wanted - below) / (above - below)).clamp(0.0, 1.0)
        return (high - 1).float() + share

    def step(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The level of the table nearest to `sigma` (B,), and the one below it: float64.

        Below the first is 0, the clean picture.
        """
        at = self.time(sigma).round().long()
        below = torch.where(at > 0, self._entries[(at - 1).clamp(min=0)], 0.0)
        return self._entries[at], below


def alphas_cumprod(name: str, steps: int) -> Tensor:
    """What is left of the picture's variance in DDPM's x_t at each t: (T,) float64."""
    betas = {"linear": linear_betas, "cosine": cosine_betas, "sigmoid": sigmoid_betas}[name](steps)
    return torch.cumprod(1.0 - betas, dim=0)


def linear_betas(steps: int) -> Tensor:
    """DDPM's 1e-4 .. 0.02 for 1000 steps, rescaled so that any T ends at about the same noise."""
    scale = 1000.0 / steps
    return torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64).clamp(max=0.999)


def cosine_betas(steps: int, offset: float = 0.008) -> Tensor:
    """Nichol and Dhariwal 2021, equation 17, with betas of at most 0.999."""
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    return _betas(torch.cos((time + offset) / (1.0 + offset) * math.pi / 2.0) ** 2)


def sigmoid_betas(steps: int, start: float = -3.0, end: float = 3.0, tau: float = 1.0) -> Tensor:
    """Chen 2023, algorithm 1 (sigmoid, after Jabri et al. 2022), with betas of at most 0.999."""
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    first, last = (torch.sigmoid(torch.tensor(x / tau, dtype=torch.float64)) for x in (start, end))
    return _betas((last - torch.sigmoid((time * (end - start) + start) / tau)) / (last - first))


def _betas(curve: Tensor) -> Tensor:
    """Betas (T,) from a curve of alphas_cumprod (T + 1,) that starts at t = -1."""
    return (1.0 - curve[1:] / curve[:-1]).clamp(max=0.999)
