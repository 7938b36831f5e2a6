"""The reverse process: from noise to pictures. Every sampler has the same signature.

All work on x = x0 + sigma * eps with falling noise levels, and ask the model for nothing but its
prediction at x and sigma. In this frame the probability flow is dx / dsigma = (x - x0) / sigma
(Karras et al. 2022, equations 1 and 3), and lambda = -ln sigma is half the log SNR.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from train.checked import require
from train.picture_noise import Noise
from train.variance import log_variance


class Prediction(NamedTuple):
    """What a model says of x at one noise level."""

    x0: Tensor  # (B, C, H, W)
    # Where the variance of an ancestral step lies between its bounds, (B, C, H, W) in about
    # [-1, 1]; None of a model that did not learn it.
    variance: Tensor | None = None


Denoise = Callable[[Tensor, float], Prediction]  # x (B, C, H, W), its sigma
OnStep = Callable[[int, Tensor, Tensor], None]  # steps done, x (B, C, H, W), its x0


@dataclass(frozen=True, kw_only=True)
class SolverOptions:
    """What some samplers can be told besides the noise levels; the others take no notice."""

    # Fresh noise of ddim and dpm++2m-sde: 0 none, 1 as much as ddpm; None: the sampler's usual.
    eta: float | None = None
    churn: float = 0.0  # of heun: S_churn; 0 is deterministic
    churn_from: float = 0.0  # S_tmin and S_tmax, the sigmas between which churn is added
    churn_to: float | None = None  # None: no upper end
    churn_noise: float = 1.0  # S_noise, the standard deviation of what is added
    order: int = 3  # of unipc: 1, 2 or 3

    def __post_init__(self) -> None:
        sure, end = self.eta is None or 0.0 <= self.eta <= 1.0, self.churn_to
        require(sure, "eta", self.eta, "from 0 (deterministic) to 1 (ancestral)")
        require(0.0 <= self.churn < math.inf, "churn", self.churn, "0 or more")
        sure = 0.0 <= self.churn_from < (math.inf if end is None else end)
        require(sure, "churn_from", self.churn_from, f"at least 0 and below churn_to, {end}")
        require(0.0 < self.churn_noise < 10.0, "churn_noise", self.churn_noise, "about 1")
        require(self.order in (1, 2, 3), "order", self.order, "1, 2 or 3")

    def gamma(self, sigma: float, steps: int) -> float:
        """By what share churn raises the level `sigma` in one of `steps`; 0 outside its range."""
        if sigma < self.churn_from or (self.churn_to is not None and sigma > self.churn_to):
            return 0.0
        return min(self.churn / steps, math.sqrt(2.0) - 1.0)


USUAL = SolverOptions()
USUAL_ETA = {"ddim": 0.0, "dpm++2m-sde": 1.0}
# Which of the options a sampler takes notice of; the others have none.
OPTIONS_OF = {
    "ddim": ("eta",),
    "heun": ("churn", "churn_from", "churn_to", "churn_noise"),
    "dpm++2m-sde": ("eta",),
    "unipc": ("order",),
}


def unwatched(_done: int, _x: Tensor, _x0: Tensor) -> None:
    """Nobody looks on."""


class Sampler(Protocol):
    """Turns x (B, C, H, W) at sigmas[0] into x at sigmas[-1]: into pictures, if that is 0.

    `sigmas` fall strictly. x is never changed in place.
    """

    def __call__(
        self,
        denoise: Denoise,
        x: Tensor,
        sigmas: Sequence[float],
        noise: Noise,
        options: SolverOptions = USUAL,
        on_step: OnStep = unwatched,
    ) -> Tensor: ...


@torch.no_grad()
def ddpm(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """Ancestral sampling (Ho et al. 2020, equations 6 and 7), respaced to the levels as Nichol
    and Dhariwal 2021 do, with the variance learnt (their equation 15) or else the posterior's."""
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        x0, variance = denoise(x, now)
        on_step(done, x, x0)
        x = x0 + (then / now) ** 2 * (x - x0)  # the posterior's mean
        if then > 0.0:
            x = x + ancestral_deviation(now, then, variance) * noise.draw(done)
    return x


def ancestral_deviation(now: float, then: float, variance: Tensor | None) -> float | Tensor:
    """The standard deviation of the fresh noise in an ancestral step from sigma `now` to `then`:
    where `variance` says, or else the posterior's own (beta-tilde)."""
    if variance is None:
        return then / now * math.sqrt(now**2 - then**2)
    levels = (torch.full((len(variance),), sigma, device=variance.device) for sigma in (now, then))
    return (0.5 * log_variance(variance.clamp(-1.0, 1.0), *levels)).exp()


@torch.no_grad()
def ddim(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """DDIM (Song et al. 2021, equations 12 and 16): eta 0 is deterministic, 1 is ancestral."""
    eta = USUAL_ETA["ddim"] if options.eta is None else options.eta
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        x0 = denoise(x, now).x0
        on_step(done, x, x0)
        fresh = eta * then / now * math.sqrt(now**2 - then**2)
        x = x0 + math.sqrt(then**2 - fresh**2) / now * (x - x0)
        if fresh > 0.0:
            x = x + fresh * noise.draw(done)
    return x


@torch.no_grad()
def euler(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """Euler's steps along the probability flow; the first order of Karras et al. 2022."""
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        x0 = denoise(x, now).x0
        on_step(done, x, x0)
        x = x + (then - now) * (x - x0) / now
    return x


@torch.no_grad()
def heun(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """Heun's second order with churn (Karras et al. 2022, algorithm 2); each step but the one to
    0 asks the model twice."""
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        gamma = options.gamma(now, len(sigmas) - 1)
        if gamma > 0.0:
            raised = now * (1.0 + gamma)  # t-hat
            fresh = options.churn_noise * math.sqrt(raised**2 - now**2)
            x, now = x + fresh * noise.draw(done), raised
        x0 = denoise(x, now).x0
        on_step(done, x, x0)
        slope = (x - x0) / now
        if then > 0.0:
            ahead = x + (then - now) * slope
            slope = (slope + (ahead - denoise(ahead, then).x0) / then) / 2.0
        x = x + (then - now) * slope
    return x


@torch.no_grad()
def dpmpp_2m(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): second order with one call a step.

    Where they write exp(-h), h being the step in lambda, it is then / now here.
    """
    before, last_h = None, 0.0
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        x0 = denoise(x, now).x0
        on_step(done, x, x0)
        aim = x0
        if then > 0.0:
            h = math.log(now / then)
            aim = x0 if before is None else x0 + h / (2.0 * last_h) * (x0 - before)
            before, last_h = x0, h
        x = aim + then / now * (x - aim)
    return x


@torch.no_grad()
def dpmpp_2m_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """SDE-DPM-Solver++(2M) (Lu et al. 2022), its correction taken at the midpoint.

    `eta` scales the noise of the SDE: at 0 it is DPM-Solver++(2M), and at 1 its first step is
    ancestral.
    """
    eta = USUAL_ETA["dpm++2m-sde"] if options.eta is None else options.eta
    before, last_h = None, 0.0
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        x0 = denoise(x, now).x0
        on_step(done, x, x0)
        aim, ratio = x0, then / now
        if then > 0.0:
            h = math.log(now / then)
            aim = x0 if before is None else x0 + h / (2.0 * last_h) * (x0 - before)
            before, last_h = x0, h
        x = aim + ratio ** (1.0 + eta) * (x - aim)
        if then > 0.0 and eta > 0.0:
            x = x + then * math.sqrt(1.0 - ratio ** (2.0 * eta)) * noise.draw(done)
    return x


@torch.no_grad()
def unipc(
    denoise: Denoise,
    x: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    options: SolverOptions = USUAL,
    on_step: OnStep = unwatched,
) -> Tensor:
    """UniPC of order 1 to 3 (Zhao et al. 2023, algorithms 1 and 2, on predictions of x0).

    The step to `now` is taken a second time (UniC) once the model was asked there, and the next
    one (UniP) starts from it; a call a step all the same. The first steps are of lower order.
    """
    known: list[tuple[float, Tensor]] = []  # sigma and its x0, the latest last
    start = x  # where the step to `now` came from
    for done, (now, then) in enumerate(pairwise(sigmas), start=1):
        x0 = denoise(x, now).x0
        on_step(done, x, x0)
        if known:
            x = exponential_step(start, known[-1][0], now, [*known, (now, x0)])
        known = [*known, (now, x0)][-options.order :]
        start = x
        x = exponential_step(x, now, then, known) if then > 0.0 else x0
    return x


def exponential_step(
    x: Tensor, now: float, then: float, known: Sequence[tuple[float, Tensor]]
) -> Tensor:
    """x at sigma `then` from x at `now`, with x0 between them taken for the polynomial in lambda
    through the `known` pairs of sigma and x0.

    The flow is solved exactly for it: x' = exp(-h) x + int_0^h exp(u - h) x0(u) du, where u is
    lambda less that of `now`; the weights of x0 are the order conditions of UniPC, solved.
    """
    h = math.log(now / then)
    places = np.array([math.log(now / sigma) / h for sigma, _ in known])  # u / h: 0 now, 1 then
    moments = [-math.expm1(-h)]  # of 1, u/h, (u/h)^2 ... under exp(u - h)
    for power in range(1, len(known)):
        moments.append(1.0 - power / h * moments[-1])
    weights = np.linalg.solve(np.vander(places, increasing=True).T, np.array(moments))
    x = then / now * x
    for weight, (_, x0) in zip(weights.tolist(), known, strict=True):
        x = x + weight * x0
    return x


SAMPLERS: dict[str, Sampler] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "dpm++2m": dpmpp_2m,
    "dpm++2m-sde": dpmpp_2m_sde,
    "unipc": unipc,
}
