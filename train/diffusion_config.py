"""The forward process, what the network is asked to predict, and how its errors weigh."""

import math
from dataclasses import dataclass
from typing import Literal

from dataset.errors import ConfigError
from train.checked import require

ScheduleName = Literal["linear", "cosine", "sigmoid", "edm"]
Prediction = Literal["eps", "v", "x0", "edm"]


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """Any prediction may be learnt on any schedule: all are views of one denoiser of sigma."""

    steps: int = 1000  # entries of the table of noise levels
    schedule: ScheduleName = "cosine"  # edm: log-spaced between the two sigmas below
    sigma_min: float = 0.002  # of schedule edm
    sigma_max: float = 80.0  # of schedule edm; other schedules are drawn from this level at most
    sigma_data: float = 0.5  # standard deviation of the pictures, for prediction edm
    prediction: Prediction = "v"
    # Which levels are learnt: each entry of the table alike, or a bell curve over ln sigma.
    levels: Literal["uniform", "lognormal"] = "uniform"
    log_mean: float = -1.2  # of lognormal: its mean and standard deviation (Karras et al. 2022)
    log_deviation: float = 1.2
    # Gamma of the min-SNR weight; none: every level weighs alike, as always with prediction edm.
    min_snr: float | None = 5.0
    learned_variance: bool = False  # of the ancestral step (Nichol and Dhariwal 2021)

    def __post_init__(self) -> None:
        require(25 <= self.steps <= 100_000, "diffusion.steps", self.steps, "from 25 to 100000")
        for key in ("sigma_max", "sigma_data", "log_mean", "log_deviation"):
            value = getattr(self, key)
            require(math.isfinite(value), f"diffusion.{key}", value, "a finite number")
        require(
            0 < self.sigma_min < self.sigma_max,
            "diffusion.sigma_min",
            self.sigma_min,
            f"above 0 and below diffusion.sigma_max, which is {self.sigma_max}",
        )
        require(self.sigma_data > 0, "diffusion.sigma_data", self.sigma_data, "above 0")
        require(self.log_deviation > 0, "diffusion.log_deviation", self.log_deviation, "above 0")
        require(
            self.min_snr is None or 0 < self.min_snr < math.inf,
            "diffusion.min_snr",
            self.min_snr,
            "a finite number above 0, or none",
        )
        if self.learned_variance and (self.levels != "uniform" or self.schedule == "edm"):
            raise ConfigError(
                "diffusion.learned_variance needs levels uniform and a schedule linear, cosine or"
                " sigmoid; it is learnt from the step between two entries of the table"
            )
