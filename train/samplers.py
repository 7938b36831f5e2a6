"""The reverse process: from noise to pictures. Every sampler has the same signature.

A picture's seed alone decides it: each picture owns a generator, whatever else is in the batch.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from dataset.errors import ConfigError
from train.diffusion import NoiseSchedule

OnStep = Callable[[int, Tensor, Tensor], None]  # steps done, x (B, C, H, W), its x0


class Predictor(Protocol):
    """What a sampler needs of a denoiser; `train.diffusion.Denoiser` is one."""

    schedule: NoiseSchedule

    def predict(
        self, x: Tensor, t: Tensor, labels: Tensor | None = None, guidance: float = 1.0
    ) -> tuple[Tensor, Tensor]: ...


class Sampler(Protocol):
    """Turns noise (B, C, H, W) into pictures in [-1, 1] in `steps` calls of the network.

    `labels` (B,) int64 or None; `generators` one per picture; `eta` scales DDIM's fresh noise.
    """

    def __call__(
        self,
        denoiser: Predictor,
        noise: Tensor,
        labels: Tensor | None,
        *,
        steps: int,
        guidance: float,
        generators: Sequence[torch.Generator],
        eta: float = 0.0,
        on_step: OnStep | None = None,
    ) -> Tensor: ...


def starting_noise(
    seeds: Sequence[int], shape: tuple[int, int, int]
) -> tuple[Tensor, list[torch.Generator]]:
    """Noise (B, C, H, W) on the CPU and each picture's generator, from one seed per picture."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return _fresh_noise(generators, torch.empty(0, *shape)), generators


def spaced_times(total: int, steps: int) -> list[int]:
    """`steps` times from total-1 down to 0, evenly spaced; raises ConfigError if too many."""
    if not 1 <= steps <= total:
        raise ConfigError(f"steps is {steps}; this model can be drawn from in 1 to {total} steps")
    if steps == 1:
        return [total - 1]
    return [round((total - 1) * (1 - i / (steps - 1))) for i in range(steps)]


@torch.no_grad()
def ddpm(
    denoiser: Predictor,
    noise: Tensor,
    labels: Tensor | None,
    *,
    steps: int,
    guidance: float,
    generators: Sequence[torch.Generator],
    eta: float = 0.0,
    on_step: OnStep | None = None,
) -> Tensor:
    """Ancestral sampling (Ho et al. 2020, equations 6 and 7) with the posterior's own variance.

    Fewer than T steps respace the process as Nichol and Dhariwal 2021 do. `eta` has no meaning
    here and is not used.
    """
    alphas, x = denoiser.schedule.alphas_cumprod, noise
    for done, (t, before) in enumerate(_pairs(len(alphas), steps), start=1):
        x0, _ = denoiser.predict(x, _everywhere(t, x), labels, guidance)
        now, then = _at(alphas, t), _at(alphas, before)
        beta = 1.0 - now / then
        of_x0 = then**0.5 * beta / (1.0 - now)
        of_x = (now / then) ** 0.5 * (1.0 - then) / (1.0 - now)
        deviation = (beta * (1.0 - then) / (1.0 - now)) ** 0.5  # square root of beta-tilde
        x = of_x0 * x0 + of_x * x
        if deviation > 0.0:
            x = x + deviation * _fresh_noise(generators, x)
        if on_step is not None:
            on_step(done, x, x0)
    return x.clamp(-1.0, 1.0)


@torch.no_grad()
def ddim(
    denoiser: Predictor,
    noise: Tensor,
    labels: Tensor | None,
    *,
    steps: int,
    guidance: float,
    generators: Sequence[torch.Generator],
    eta: float = 0.0,
    on_step: OnStep | None = None,
) -> Tensor:
    """DDIM (Song et al. 2021, equations 12 and 16): eta 0 is deterministic, 1 is ancestral."""
    if not 0.0 <= eta <= 1.0:
        raise ConfigError(f"eta is {eta}; it must be from 0 (deterministic) to 1 (ancestral)")
    alphas, x = denoiser.schedule.alphas_cumprod, noise
    for done, (t, before) in enumerate(_pairs(len(alphas), steps), start=1):
        x0, eps = denoiser.predict(x, _everywhere(t, x), labels, guidance)
        now, then = _at(alphas, t), _at(alphas, before)
        deviation = eta * ((1.0 - then) / (1.0 - now) * (1.0 - now / then)) ** 0.5
        x = then**0.5 * x0 + max(1.0 - then - deviation**2, 0.0) ** 0.5 * eps
        if deviation > 0.0:
            x = x + deviation * _fresh_noise(generators, x)
        if on_step is not None:
            on_step(done, x, x0)
    return x.clamp(-1.0, 1.0)


SAMPLERS: dict[str, Sampler] = {"ddpm": ddpm, "ddim": ddim}


def _pairs(total: int, steps: int) -> list[tuple[int, int]]:
    """Each time with the one that follows it on the way back; -1 stands for the clean picture."""
    times = spaced_times(total, steps)
    return list(zip(times, [*times[1:], -1], strict=True))


def _at(alphas_cumprod: Tensor, t: int) -> float:
    return 1.0 if t < 0 else float(alphas_cumprod[t])


def _everywhere(t: int, x: Tensor) -> Tensor:
    return torch.full((len(x),), t, dtype=torch.int64, device=x.device)


def _fresh_noise(generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Normal noise (B, C, H, W), each picture from its own generator, on the device of `like`."""
    pictures = [torch.randn(like.shape[1:], generator=generator) for generator in generators]
    return torch.stack(pictures).to(like.device)
