"""Guidance: how far a drawing is pushed from what the model would draw unasked."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dataset.errors import ConfigError
from train.checked import require
from train.condition import NO_LABEL, Condition, joined
from train.denoiser import Denoiser, everywhere
from train.samplers import Denoise, Prediction


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Classifier-free guidance (Ho and Salimans 2022), always of the clean picture x0.

    `scale` 0 is unconditional, 1 conditional, more is further from the unconditional.
    """

    scale: float = 1.0
    # The sigmas between which is guided (Kynkäänniemi et al. 2024); outside them the scale is 1.
    sigma_from: float = 0.0
    sigma_to: float | None = None  # None: no upper end
    rescale: float = 0.0  # phi of Lin et al. 2023, equation 16: 0 off, 1 wholly
    orthogonal: bool = False  # push only across the conditional x0, not along it

    def __post_init__(self) -> None:
        end = math.inf if self.sigma_to is None else self.sigma_to
        require(0 <= self.scale < 1000, "guidance", self.scale, "at least 0 and below 1000")
        sure = 0 <= self.sigma_from < end
        require(sure, "sigma_from", self.sigma_from, f"at least 0 and below sigma_to, {end}")
        require(0 <= self.rescale <= 1, "rescale", self.rescale, "from 0 to 1")

    def scale_at(self, sigma: float) -> float:
        """The scale that holds at this noise level."""
        inside = self.sigma_from <= sigma and (self.sigma_to is None or sigma <= self.sigma_to)
        return self.scale if inside or self.scale == 0.0 else 1.0

    def combined(self, asked: Tensor, unasked: Tensor, scale: float) -> Tensor:
        """The guided x0 (B, C, H, W) from the conditional and the unconditional one."""
        change = asked - unasked
        if self.orthogonal:
            change = across(change, asked)
        x0 = asked + (scale - 1.0) * change
        return x0 if self.rescale == 0.0 else rescaled(x0, asked, self.rescale)


def guided(
    denoiser: Denoiser, condition: Condition, guidance: Guidance, *, bfloat16: bool = False
) -> Denoise:
    """The denoiser that samplers call: told of `condition`, guided, and limited to what can be.

    Both predictions of a guided step are one call of the network; where there is nothing to be
    guided by, only one is made. Raises ConfigError for a label that the network does not know.
    """
    _check_labels(denoiser, condition)
    nothing = _says_nothing(condition)
    neither = condition.without()
    both = joined([condition, neither])

    def denoise(x: Tensor, sigma: float) -> Prediction:
        scale = 1.0 if nothing else guidance.scale_at(sigma)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
            if scale in (0.0, 1.0):
                told = condition if scale == 1.0 else neither
                x0, variance = denoiser.denoise_with_variance(x, everywhere(sigma, x), told)
            else:
                twice = torch.cat([x, x])
                x0, variance = denoiser.denoise_with_variance(twice, everywhere(sigma, twice), both)
                asked, unasked = x0.chunk(2)
                x0 = guidance.combined(asked, unasked, scale)
                variance = None if variance is None else variance[: len(x)]
        return Prediction(denoiser.limited(x0), variance)

    return denoise


def across(change: Tensor, direction: Tensor) -> Tensor:
    """The part of `change` at a right angle to `direction`, picture by picture, both
    (B, C, H, W); in float64, as the rest is a small difference."""
    along = direction.double().flatten(1)  # (B, C * H * W)
    change64 = change.double().flatten(1)
    length = along.square().sum(1, keepdim=True).clamp(min=1e-12)
    share = (change64 * along).sum(1, keepdim=True) / length
    return (change64 - share * along).view_as(change).to(change.dtype)


def rescaled(x0: Tensor, asked: Tensor, phi: float) -> Tensor:
    """`x0` with its standard deviation brought a share `phi` of the way to that of `asked`.

    Lin et al. 2023, equations 15 and 16, for x0: about each picture's mean, as that of a clean
    picture is not 0.
    """
    mean = x0.mean(dim=(1, 2, 3), keepdim=True)
    have, want = (part.std(dim=(1, 2, 3), keepdim=True, correction=0) for part in (x0, asked))
    ratio = want / have.clamp(min=1e-3)  # of an even picture, rounding is all there is to enlarge
    return mean + (1.0 - phi + phi * ratio) * (x0 - mean)


def _check_labels(denoiser: Denoiser, condition: Condition) -> None:
    """Here, as a GPU that looks up a label which is not there is lost for the whole process."""
    classes = getattr(denoiser.network, "classes", None)
    if classes is None or condition.labels.numel() == 0:
        return
    lowest, highest = int(condition.labels.min()), int(condition.labels.max())
    if lowest < NO_LABEL or highest >= classes:
        wrong = lowest if lowest < NO_LABEL else highest
        raise ConfigError(
            f"label {wrong} is asked for, but the model knows {classes} classes, from 0 on; give"
            f" one of them, or {NO_LABEL} for none"
        )


def _says_nothing(condition: Condition) -> bool:
    """Whether the unconditional prediction would be the conditional one again."""
    if condition.vectors is not None or condition.tokens is not None:
        return False
    return bool((condition.labels < 0).all())
