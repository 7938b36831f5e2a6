"""Drawing that starts from pictures or goes between seeds: redrawn, filled in, interpolated."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dataset.errors import ConfigError
from train.checked import require
from train.condition import Condition
from train.denoiser import Denoiser
from train.drawing import Sampling
from train.picture_noise import BlendedNoise, LaterNoise, PictureNoise
from train.samplers import Denoise, OnStep, Prediction

_JUMP = 5  # steps that are taken again in a further round of filling in


@torch.no_grad()
def redraw(
    denoiser: Denoiser,
    condition: Condition,
    seeds: Sequence[int],
    sampling: Sampling,
    pictures: Tensor,
    *,
    strength: float = 0.6,
    on_step: OnStep | None = None,
) -> Tensor:
    """`pictures` (B, C, H, W) in [-1, 1], noised and drawn anew (SDEdit, Meng et al. 2022).

    `strength` in (0, 1] is the share of the steps that is done: at 1 next to nothing of the
    pictures is left. Raises ConfigError for pictures of another shape than the model's.
    """
    require(0.0 < strength <= 1.0, "strength", strength, "above 0 and at most 1")
    levels = sampling.sigmas(denoiser.schedule)
    first = min(round(sampling.steps * (1.0 - strength)), sampling.steps - 1)
    noise = PictureNoise(seeds, denoiser.shape, denoiser.device)
    x = _as_denoised(denoiser, pictures, len(seeds)) + levels[first] * noise.draw(0)
    denoise = sampling.told(denoiser, condition)
    drawn = sampling.solve(denoise, x, levels[first:], noise, on_step)
    return denoiser.pictures(drawn).contiguous()


@torch.no_grad()
def fill_in(
    denoiser: Denoiser,
    condition: Condition,
    seeds: Sequence[int],
    sampling: Sampling,
    pictures: Tensor,
    known: Tensor,
    *,
    rounds: int = 1,
    on_step: OnStep | None = None,
) -> Tensor:
    """`pictures` (B, C, H, W) in [-1, 1] with all that is not `known` drawn; the rest is kept to
    the bit.

    `known` is bool, (H, W) or (B, 1, H, W). More `rounds` take every few steps again from fresh
    noise, which fits the two parts together (RePaint, Lugmayr et al. 2022, algorithm 1), at as
    many times the calls. In latents a place is held where all of its pixels are known.
    """
    require(1 <= rounds <= 100, "rounds", rounds, "from 1 to 100")
    given = _as_denoised(denoiser, pictures, len(seeds))
    mask = _mask(known, pictures)
    inside = -F.adaptive_max_pool2d(-mask.to(given), given.shape[2:]) > 0.5
    levels = sampling.sigmas(denoiser.schedule)
    noise = PictureNoise(seeds, denoiser.shape, denoiser.device)
    denoise = _held(sampling.told(denoiser, condition), given, inside)
    x = torch.where(inside, given, 0.0) + levels[0] * noise.draw(0)
    jump, drawn = _JUMP if rounds > 1 else sampling.steps, 0
    for start in range(0, sampling.steps, jump):
        part = levels[start : start + jump + 1]
        for turn in range(rounds):
            own = LaterNoise(noise, drawn)
            drawn += len(part)
            if turn > 0:
                x = x + (part[0] ** 2 - part[-1] ** 2) ** 0.5 * own.draw(len(part))
            x = sampling.solve(denoise, x, part, own, _later(on_step, start))
    filled = denoiser.pictures(x)
    return torch.where(mask.to(filled.device), pictures.to(filled), filled).contiguous()


@torch.no_grad()
def interpolate(
    denoiser: Denoiser,
    condition: Condition,
    ends: tuple[int, int],
    shares: Sequence[float],
    sampling: Sampling,
    on_step: OnStep | None = None,
) -> Tensor:
    """Pictures (B, C, H, W) on the way from the seed `ends[0]` to `ends[1]`, one for each of
    `shares` in [0, 1]: those at 0 and 1 are the pictures of the two seeds.

    All noise goes along great circles (Song et al. 2021, section 5.3), also that of samplers that
    draw more on their way; `condition` is about B pictures.
    """
    for share in shares:
        require(0.0 <= share <= 1.0, "shares", share, "from 0 to 1")
    start, end = (
        PictureNoise([seed] * len(shares), denoiser.shape, denoiser.device) for seed in ends
    )
    noise = BlendedNoise(start, end, shares)
    levels = sampling.sigmas(denoiser.schedule)
    denoise = sampling.told(denoiser, condition)
    drawn = sampling.solve(denoise, levels[0] * noise.draw(0), levels, noise, on_step)
    return denoiser.pictures(drawn).contiguous()


def _held(denoise: Denoise, given: Tensor, inside: Tensor) -> Denoise:
    """`denoise`, but `given` is what it says of the places `inside`.

    Nothing else is needed: from given + sigma * eps every sampler stays, where x0 never changes,
    at given with noise of the level that it has come to.
    """

    def held(x: Tensor, sigma: float) -> Prediction:
        x0, variance = denoise(x, sigma)
        return Prediction(torch.where(inside, given, x0), variance)

    return held


def _as_denoised(denoiser: Denoiser, pictures: Tensor, count: int) -> Tensor:
    """`pictures` on the model's device, encoded if it draws latents; ConfigError if unfit."""
    if pictures.dim() != 4 or len(pictures) != count:
        raise ConfigError(
            f"the pictures are {tuple(pictures.shape)} for {count} seeds; give (B, C, H, W), one"
            " for each"
        )
    if not bool((pictures.abs() <= 1.0).all()):  # nor is NaN
        raise ConfigError("the pictures are not all in [-1, 1]; scale bytes by 127.5 and take 1")
    given = pictures.to(denoiser.device, torch.float32)
    if denoiser.latents is not None:
        given = denoiser.latents.encoded(given)
    if tuple(given.shape[1:]) != denoiser.shape:
        raise ConfigError(
            f"the pictures are {tuple(pictures.shape[1:])}, which the model does not draw; it"
            f" draws {denoiser.shape} (C, H, W)"
        )
    return given


def _mask(known: Tensor, pictures: Tensor) -> Tensor:
    """`known` as bool (1 or B, 1, H, W); raises ConfigError if it is of another shape."""
    mask = known[None, None] if known.dim() == 2 else known
    batch, _, height, width = pictures.shape
    if mask.dtype != torch.bool or mask.shape not in (
        (1, 1, height, width),
        (batch, 1, height, width),
    ):
        raise ConfigError(
            f"the mask is {known.dtype} {tuple(known.shape)}; it must be bool, {(height, width)}"
            f" or {(batch, 1, height, width)}"
        )
    return mask


def _later(on_step: OnStep | None, steps: int) -> OnStep | None:
    """`on_step`, told of a part that begins after `steps`."""
    if on_step is None:
        return None
    return lambda done, x, x0: on_step(steps + done, x, x0)
