"""The running average of the weights that previews and samples are drawn with."""

import copy

import torch

from train.unet import UNet


class WeightAverage:
    """An exponential average of the parameters; its half-life is counted in images seen."""

    def __init__(self, model: UNet, half_life_images: int, ramp: float) -> None:
        self.half_life_images, self.ramp = half_life_images, ramp
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    def update(self, model: UNet, images_seen: int, batch: int) -> None:
        """Move towards `model` after a step that took the count to `images_seen`."""
        weight = 1.0 - self.decay(images_seen, batch)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)

    def decay(self, images_seen: int, batch: int) -> float:
        """The share kept in one step; early on the half-life is a share of the images seen, so
        that the first random weights do not linger (Karras et al. 2022 ramp up alike)."""
        half_life = min(float(self.half_life_images), self.ramp * images_seen)
        return float(0.5 ** (batch / half_life)) if half_life > 0 else 0.0
