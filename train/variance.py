"""The variance of an ancestral step, learnt between its two bounds (Nichol and Dhariwal 2021).

In the frame x = x0 + sigma * eps. Theirs is that divided by sqrt(1 + sigma^2), which is the same
for both distributions of a step and so changes nothing about how far they lie apart.
"""

import torch
from torch import Tensor

from train.noise_schedule import NoiseSchedule

# lambda of equation 16: the bound is learnt beside the squared error, and hardly felt by it.
BOUND_SHARE = 0.001


def variance_bounds(now: Tensor, then: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest variance of a step from level `now` to `then` (B,), both float64.

    The least is right where x0 is known (beta tilde of Ho et al. 2020, equation 7), the greatest
    where pictures are nothing but noise (their beta). Where `then` is 0 the least is 0 as well.
    """
    now, then = now.double(), then.double()
    gained = now**2 - then**2
    return gained * (then / now) ** 2, gained * (1.0 + then**2) / (1.0 + now**2)


def log_variance(output: Tensor, now: Tensor, then: Tensor) -> Tensor:
    """The logarithm of a step's variance that `output` (B, C, H, W) stands for; equation 15.

    -1 is the least and 1 the greatest for that step, whose levels are 0 < `then` < `now` (B,).
    Steps of any length: as in their section 4, the bounds are those of the step that is taken.
    """
    bounds = variance_bounds(now, then)
    least, greatest = (bound.log().float()[:, None, None, None] for bound in bounds)
    return torch.lerp(least, greatest, (output + 1.0) / 2.0)


def bound_losses(
    schedule: NoiseSchedule, output: Tensor, squared_error: Tensor, sigma: Tensor
) -> Tensor:
    """Each picture's share of the variational bound, in nats per number: (B,) float32.

    T times L_{t-1} of Ho et al. 2020 (equation 5) at the table's entry t of `sigma` (B,): how far
    the model's step lies from the one that knows x0. `squared_error` (B, C, H, W) is that of x0;
    pass it detached, so that only the variance is learnt from the bound. 0 at the first entry,
    L_0: the step from there to the clean picture adds no noise, so its variance is never used.
    """
    now, then = schedule.step(sigma)
    first = then == 0.0
    then = torch.where(first, now / 2.0, then)  # any level, for a finite gradient
    least = variance_bounds(now, then)[0]
    chosen = log_variance(output, now, then)
    # The means of the two steps lie apart by a share of the error of x0.
    apart = ((1.0 - (then / now) ** 2) ** 2).float()[:, None, None, None] * squared_error
    narrowing = least.log().float()[:, None, None, None] - chosen
    divergence = 0.5 * (narrowing.expm1() - narrowing + apart * (-chosen).exp())
    losses: Tensor = divergence.mean(dim=(1, 2, 3)) * schedule.steps
    return torch.where(first, 0.0, losses)
