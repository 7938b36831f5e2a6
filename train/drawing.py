"""Drawing with a model: the one way from a denoiser, conditions and seeds to pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from train.checked import require
from train.condition import Condition
from train.denoiser import Denoiser
from train.guidance import Guidance, guided
from train.noise_schedule import NoiseSchedule
from train.picture_noise import Noise, PictureNoise
from train.samplers import (
    OPTIONS_OF,
    SAMPLERS,
    USUAL_ETA,
    Denoise,
    OnStep,
    SolverOptions,
    unwatched,
)
from train.spacing import SPACINGS, USUAL_SPACING, SpacingName, spaced_sigmas


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to draw: which sampler, in how many steps at which levels, how strongly guided."""

    sampler: str = "dpm++2m"
    steps: int = 20
    spacing: SpacingName | Literal["auto"] = "auto"  # auto: the sampler's usual
    options: SolverOptions = field(default_factory=SolverOptions)
    guidance: Guidance = field(default_factory=Guidance)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on a GPU

    def __post_init__(self) -> None:
        known, levels = ", ".join(SAMPLERS), ("auto", *SPACINGS)
        precisions = ("auto", "float32", "bfloat16")
        require(self.sampler in SAMPLERS, "sampler", self.sampler, f"one of {known}")
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(self.spacing in levels, "spacing", self.spacing, f"one of {', '.join(levels)}")
        known = ", ".join(precisions)
        require(self.precision in precisions, "precision", self.precision, f"one of {known}")

    @property
    def spacing_used(self) -> SpacingName:
        return USUAL_SPACING[self.sampler] if self.spacing == "auto" else self.spacing

    def facts(self) -> dict[str, Any]:
        """All that decides a picture of a model besides its seed and condition, as JSON has it.

        Options that the sampler takes no notice of are left out.
        """
        own = {name: getattr(self.options, name) for name in OPTIONS_OF.get(self.sampler, ())}
        if own.get("eta", 0.0) is None:
            own["eta"] = USUAL_ETA[self.sampler]
        return {
            "sampler": self.sampler,
            "steps": self.steps,
            "spacing": self.spacing_used,
            **own,
            "guidance": self.guidance.scale,
            "guidance_from": self.guidance.sigma_from,
            "guidance_to": self.guidance.sigma_to,
            "rescale": self.guidance.rescale,
            "orthogonal": self.guidance.orthogonal,
            "precision": self.precision,
        }

    def sigmas(self, schedule: NoiseSchedule) -> list[float]:
        """The levels to pass through; raises ConfigError if the model has not so many steps."""
        return spaced_sigmas(schedule, self.steps, self.spacing_used)

    def told(self, denoiser: Denoiser, condition: Condition) -> Denoise:
        """The model as the sampler asks it."""
        device = denoiser.device
        half = self.precision == "bfloat16" or (self.precision == "auto" and device.type == "cuda")
        return guided(denoiser, condition.to(device), self.guidance, bfloat16=half)

    def solve(
        self,
        denoise: Denoise,
        x: Tensor,
        sigmas: Sequence[float],
        noise: Noise,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """From x (B, C, H, W) at the first of `sigmas` to the last."""
        x = x.contiguous(memory_format=torch.channels_last)
        sampler = SAMPLERS[self.sampler]
        return sampler(denoise, x, sigmas, noise, self.options, on_step or unwatched)


@torch.no_grad()
def draw_pictures(
    denoiser: Denoiser,
    condition: Condition,
    seeds: Sequence[int],
    sampling: Sampling,
    on_step: OnStep | None = None,
) -> Tensor:
    """Pictures (B, C, H, W) float32 in [-1, 1], one for each seed; `condition` is about them.

    Raises ConfigError for settings that the model does not allow. A picture of which a prediction
    was not finite is NaN there; no other picture of the batch is.
    """
    sigmas = sampling.sigmas(denoiser.schedule)
    noise = PictureNoise(seeds, denoiser.shape, denoiser.device)
    denoise = sampling.told(denoiser, condition)
    drawn = sampling.solve(denoise, sigmas[0] * noise.draw(0), sigmas, noise, on_step)
    return denoiser.pictures(drawn).contiguous()
