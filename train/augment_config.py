"""How the pictures are flipped and warped while they are learnt."""

from dataclasses import dataclass

from train.checked import require


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Flips and warps that the network is told of, so that it never draws them (see augment.py).

    Strengths are those of Karras et al. 2022, appendix F.2; 0 or false leaves one kind out.
    """

    probability: float = 0.0  # of each kind, for each picture; 0: off
    x_flip: bool = True  # by a coin when its turn comes, so half as often
    y_flip: bool = False
    scaling: float = 0.2  # standard deviation of log2 of the factor
    rotation: float = 1.0  # largest angle, in half turns
    anisotropy: float = 0.2  # as scaling, but wider one way and narrower the other
    translation: float = 0.125  # standard deviation, in widths and heights

    def __post_init__(self) -> None:
        for key in ("probability", "rotation"):
            value = getattr(self, key)
            require(0 <= value <= 1, f"augment.{key}", value, "from 0 to 1")
        for key in ("scaling", "anisotropy", "translation"):
            value = getattr(self, key)
            require(0 <= value <= 0.5, f"augment.{key}", value, "from 0 to 0.5")

    @property
    def active(self) -> bool:
        """Whether the network has to be told of anything."""
        return self.probability > 0
