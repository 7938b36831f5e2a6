"""The autoencoder: its size and how its losses weigh."""

import math
from dataclasses import dataclass

from train.checked import require


@dataclass(frozen=True, kw_only=True)
class VaeConfig:
    """A convolutional autoencoder with a normal latent and an adversarial patch loss."""

    base_channels: int = 32
    multipliers: tuple[int, ...] = (1, 2, 4)  # each level after the first halves height and width
    blocks: int = 1
    latent_channels: int = 4
    kl_weight: float = 1e-4  # of the divergence of a latent number from the standard normal
    adversarial_weight: float = 0.1  # 0: no discriminator
    adversarial_after_images: int = 0  # the discriminator's word counts from here on
    discriminator_lr: float = 0.1  # as a share of lr

    def __post_init__(self) -> None:
        require(
            self.base_channels >= 8 and self.base_channels % 8 == 0,
            "vae.base_channels",
            self.base_channels,
            "8, 16, 24 ...",
        )
        require(
            bool(self.multipliers) and min(self.multipliers) >= 1,
            "vae.multipliers",
            self.multipliers,
            "a list of whole numbers of at least 1",
        )
        for key in ("blocks", "latent_channels"):
            require(getattr(self, key) >= 1, f"vae.{key}", getattr(self, key), "at least 1")
        for key in ("kl_weight", "adversarial_weight", "adversarial_after_images"):
            value = getattr(self, key)
            require(0 <= value < math.inf, f"vae.{key}", value, "a finite number, 0 or more")
        value = self.discriminator_lr
        require(0 < value < math.inf, "vae.discriminator_lr", value, "a finite number above 0")

    @property
    def granularity(self) -> int:
        """How many pixels, in each direction, a latent place stands for."""
        return int(2 ** (len(self.multipliers) - 1))
