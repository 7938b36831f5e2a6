"""Super-resolution: the network is told of a smaller copy of the picture."""

from dataclasses import dataclass

from train.checked import require


@dataclass(frozen=True, kw_only=True)
class UpscaleConfig:
    """Learn to enlarge; the pack holds the large pictures (Ho et al. 2022, cascades)."""

    from_size: int = 0  # height of the small pictures; 0: no enlarging, draw from nothing
    noise: float = 0.3  # largest sigma of the noise on the small pictures, of which is told

    def __post_init__(self) -> None:
        require(self.from_size >= 0, "upscale.from_size", self.from_size, "0 or more")
        require(0 <= self.noise <= 2, "upscale.noise", self.noise, "from 0 to 2")

    @property
    def active(self) -> bool:
        return self.from_size > 0
