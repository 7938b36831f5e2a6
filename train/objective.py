"""What is minimised: the weighted squared error of the network's output at random noise levels."""

import math

import torch
from torch import Tensor

from train.condition import Condition
from train.counter import Stream, stream_key, uniform
from train.denoiser import Denoiser
from train.noise_schedule import NoiseSchedule
from train.parameterisation import loss_weights, parameterisation, targets
from train.variance import BOUND_SHARE, bound_losses


def sampled_sigmas(schedule: NoiseSchedule, images_seen: int, size: int, seed: int) -> Tensor:
    """Noise levels (size,) float32 on the schedule's device, of the pictures from `images_seen`.

    Stratified: one from each of `size` equal parts of the distribution, so that every batch meets
    all levels.
    """
    config, device = schedule.config, schedule.log_sigmas.device
    places = torch.arange(images_seen, images_seen + size, device=device)
    inside = uniform(stream_key(seed, Stream.TIME), places)
    strata = torch.arange(size, device=device, dtype=torch.float64)
    share = (strata + inside) / size  # (size,) float64 in [0, 1)
    if config.levels == "uniform":
        return schedule.sigma((share * config.steps).long().clamp(max=config.steps - 1))
    normal = math.sqrt(2.0) * torch.erfinv(2.0 * share.clamp(1e-12, 1.0 - 1e-12) - 1.0)
    bounds = math.log(schedule.sigma_min), math.log(schedule.sigma_max)
    return (config.log_mean + config.log_deviation * normal).clamp(*bounds).exp().float()


def denoising_losses(
    denoiser: Denoiser, x0: Tensor, sigma: Tensor, eps: Tensor, condition: Condition
) -> Tensor:
    """The weighted mean squared error of each picture: (B,) float32.

    The noised picture is never clamped; it enters the network as scale * (x0 + sigma * eps),
    which for DDPM's schedules is q_sample (Ho et al. 2020, equation 4). Where the variance of the
    steps is learnt as well, L_hybrid (Nichol and Dhariwal 2021, equation 16).
    """
    config = denoiser.config
    coefficients = parameterisation(config, sigma)
    scale = coefficients.scale
    noisy = scale * x0 + (scale * sigma[:, None, None, None]) * eps
    output, variance = denoiser.output(noisy, sigma, condition)
    squared = (output - targets(config, x0, eps, sigma)).square()
    losses: Tensor = squared.mean(dim=(1, 2, 3)) * loss_weights(config, sigma)
    if variance is None:
        return losses
    of_x0 = coefficients.out.square() * squared.detach()
    return losses + BOUND_SHARE * bound_losses(denoiser.schedule, variance, of_x0, sigma)
