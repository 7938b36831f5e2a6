"""Which noise levels drawing passes through on its way from pure noise to a clean picture."""

import math
from typing import Literal

from dataset.errors import ConfigError
from train.noise_schedule import NoiseSchedule

SpacingName = Literal["linear", "karras", "logsnr"]
SPACINGS: tuple[SpacingName, ...] = ("linear", "karras", "logsnr")
# What each sampler is usually used with; the ancestral ones walk the table that was trained on.
USUAL_SPACING: dict[str, SpacingName] = {
    "ddpm": "linear",
    "ddim": "linear",
    "euler": "karras",
    "heun": "karras",
    "dpm++2m": "karras",
    "dpm++2m-sde": "karras",
    "unipc": "logsnr",
}
_RHO = 7.0


def spaced_sigmas(
    schedule: NoiseSchedule, steps: int, spacing: SpacingName = "linear"
) -> list[float]:
    """`steps` strictly falling noise levels and a 0; raises ConfigError if there are too many.

    linear: evenly spaced in t over the whole table, as DDPM and DDIM are. karras: Karras et al.
    2022, equation 5, with rho 7. logsnr: evenly spaced in ln sigma. The last two start at
    `schedule.sigma_max`: the huge sigmas at the end of DDPM's tables would take most of the steps.
    """
    if not 1 <= steps <= schedule.steps:
        raise ConfigError(
            f"steps is {steps}; this model can be drawn from in 1 to {schedule.steps} steps"
        )
    if spacing not in SPACINGS:
        raise ConfigError(f"spacing is {spacing!r}; it must be one of {', '.join(SPACINGS)}")
    shares = [i / max(steps - 1, 1) for i in range(steps)]
    if spacing == "linear":
        last = schedule.steps - 1
        levels = [float(schedule.sigmas[round(last * (1.0 - share))]) for share in shares]
    elif spacing == "karras":
        ends = schedule.sigma_max ** (1.0 / _RHO), schedule.sigma_min ** (1.0 / _RHO)
        levels = [(ends[0] + share * (ends[1] - ends[0])) ** _RHO for share in shares]
    else:
        ends = math.log(schedule.sigma_max), math.log(schedule.sigma_min)
        levels = [math.exp(ends[0] + share * (ends[1] - ends[0])) for share in shares]
    return [*levels, 0.0]
