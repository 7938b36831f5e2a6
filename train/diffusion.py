"""The forward process and what is learnt from it: schedule, targets, loss, and the denoiser.

Notation of Ho et al. 2020 (DDPM): x_t = sqrt(alphas_cumprod[t]) x0 + sqrt(1 - ...) eps.
"""

import math

import torch
from torch import Tensor

from train.config import DiffusionConfig
from train.unet import NO_LABEL, UNet


class NoiseSchedule:
    """How much of the picture is left at each t in 0..T-1; computed in float64."""

    def __init__(self, config: DiffusionConfig) -> None:
        self.config, self.steps = config, config.steps
        make = {"linear": linear_betas, "cosine": cosine_betas}[config.schedule]
        self.betas = make(config.steps)  # (T,) float64
        self.alphas_cumprod = torch.cumprod(1.0 - self.betas, dim=0)  # (T,) float64
        self.signal = self.alphas_cumprod.sqrt().float()
        self.noise = (1.0 - self.alphas_cumprod).sqrt().float()

    def to(self, device: torch.device) -> "NoiseSchedule":
        """Move the float32 coefficients to `device`; the float64 tables stay on the CPU."""
        self.signal, self.noise = self.signal.to(device), self.noise.to(device)
        return self

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(alphas_cumprod) and sqrt(1 - alphas_cumprod) at `t` (B,), each (B, 1, 1, 1)."""
        return self.signal[t][:, None, None, None], self.noise[t][:, None, None, None]

    def q_sample(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Draw x_t given x0 (B, C, H, W): DDPM equation 4. The result is not clamped."""
        signal, noise = self.coefficients(t)
        return signal * x0 + noise * eps

    def time(self, t: Tensor) -> Tensor:
        """`t` in thousandths of the process, as the network is told it: (B,) float32."""
        return t.float() * (1000.0 / self.steps)


class Denoiser:
    """A network with its schedule and parameterisation: noisy picture in, x0 and eps out."""

    def __init__(self, unet: UNet, config: DiffusionConfig) -> None:
        self.unet, self.config = unet, config
        self.shape: tuple[int, int, int] = unet.shape
        self.device = next(unet.parameters()).device
        self.schedule = NoiseSchedule(config).to(self.device)

    def predict(
        self, x: Tensor, t: Tensor, labels: Tensor | None = None, guidance: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """The clean picture and the noise in `x` (B, C, H, W) at `t` (B,), each (B, C, H, W).

        `labels` (B,) may hold -1 for none. Classifier-free guidance (Ho and Salimans 2022):
        0 is unconditional, 1 conditional, more is further from the unconditional. x0 is clamped
        to [-1, 1] and eps derived again from it, so that the two always belong to `x`.
        """
        output = self._guided(x, t, labels, guidance)
        x0, _ = split_output(self.config.prediction, output, x, *self.schedule.coefficients(t))
        return self._consistent(x, t, x0.clamp(-1.0, 1.0))

    def _consistent(self, x: Tensor, t: Tensor, x0: Tensor) -> tuple[Tensor, Tensor]:
        signal, noise = self.schedule.coefficients(t)
        return x0, (x - signal * x0) / noise

    def _guided(self, x: Tensor, t: Tensor, labels: Tensor | None, guidance: float) -> Tensor:
        nothing = torch.full_like(t, NO_LABEL)
        if labels is None or guidance == 0.0:
            return self._network(x, t, nothing)
        if guidance == 1.0:
            return self._network(x, t, labels)
        both = self._network(x.repeat(2, 1, 1, 1), t.repeat(2), torch.cat([labels, nothing]))
        conditional, unconditional = both.chunk(2)
        return torch.lerp(unconditional, conditional, guidance)

    def _network(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        output: Tensor = self.unet(x, self.schedule.time(t), labels)
        return output.float()


def linear_betas(steps: int) -> Tensor:
    """DDPM's 1e-4 .. 0.02 for 1000 steps, rescaled so that any T ends at about the same noise."""
    scale = 1000.0 / steps
    return torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64).clamp(max=0.999)


def cosine_betas(steps: int, offset: float = 0.008) -> Tensor:
    """Nichol and Dhariwal 2021, equation 17, with betas of at most 0.999."""
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    curve = torch.cos((time + offset) / (1.0 + offset) * math.pi / 2.0) ** 2
    return (1.0 - curve[1:] / curve[:-1]).clamp(max=0.999)


def target(prediction: str, x0: Tensor, eps: Tensor, signal: Tensor, noise: Tensor) -> Tensor:
    """What the network should have said; v is that of Salimans and Ho 2022, appendix D."""
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    return signal * eps - noise * x0


def split_output(
    prediction: str, output: Tensor, x: Tensor, signal: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """x0 and eps from the network's `output` in any parameterisation; the inverse of `target`."""
    if prediction == "eps":
        return (x - noise * output) / signal, output
    if prediction == "x0":
        return output, (x - signal * output) / noise
    return signal * x - noise * output, noise * x + signal * output


def loss_weights(config: DiffusionConfig, alphas_cumprod: Tensor) -> Tensor:
    """Min-SNR weight of the squared error for each t (Hang et al. 2023): (T,) float32.

    The weight on the error of x0 is min(SNR, gamma); dividing by what one unit of error in the
    predicted quantity does to x0 gives the weight for eps and v. Without gamma all are 1.
    """
    if config.min_snr is None:
        return torch.ones_like(alphas_cumprod, dtype=torch.float32)
    snr = alphas_cumprod / (1.0 - alphas_cumprod)
    clipped = snr.clamp(max=config.min_snr)
    unit = {"x0": torch.ones_like(snr), "eps": snr, "v": snr + 1.0}[config.prediction]
    return (clipped / unit).float()


def denoising_losses(
    denoiser: Denoiser,
    weights: Tensor,
    x0: Tensor,
    labels: Tensor,
    t: Tensor,
    eps: Tensor,
    augmentation: Tensor | None = None,
) -> Tensor:
    """The weighted mean squared error of each picture: (B,) float32."""
    schedule, prediction = denoiser.schedule, denoiser.config.prediction
    signal, noise = schedule.coefficients(t)
    x = schedule.q_sample(x0, t, eps)
    output = denoiser.unet(x, schedule.time(t), labels, augmentation).float()
    error = output - target(prediction, x0, eps, signal, noise)
    losses: Tensor = error.square().mean(dim=(1, 2, 3)) * weights[t]
    return losses
