"""The space of an autoencoder of ours: the means of its latents."""

from pathlib import Path

import numpy as np
import torch

from dataset.errors import ConfigError
from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.encoders import as_planes
from train.autoencoder import autoencoder
from train.checkpoint import load_checkpoint

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class LatentEncoder:
    """Latents as vectors of c * h * w numbers; `name` holds the weights' SHA-256."""

    def __init__(self, path: Path, device: torch.device) -> None:
        """`path` is a checkpoint's folder or a run's; raises ConfigError if it is no autoencoder,
        or one of pictures with alpha."""
        checkpoint = load_checkpoint(path)
        self._vae, self._device = autoencoder(checkpoint, device), device
        if checkpoint.shape[0] not in (1, 3):
            raise ConfigError(f"{path} encodes {checkpoint.shape[0]} channels; give one of 1 or 3")
        self.name = f"vae {checkpoint.fingerprint[:12]}"
        self.dim = int(np.prod(self._vae.shape))

    @torch.no_grad()
    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32; raises ConfigError for another size than what
        the autoencoder learnt."""
        channels, height, width = self._vae.picture
        if pictures.shape[1:3] != (height, width):
            raise ConfigError(
                f"the autoencoder knows pictures of {width}x{height}, these are"
                f" {pictures.shape[2]}x{pictures.shape[1]}; give one that learnt from this pack"
            )
        planes = as_planes(pictures, self._device)
        if channels == 1:
            weights = torch.tensor(_LUMA, device=self._device).view(1, 3, 1, 1)
            planes = (planes * weights).sum(dim=1, keepdim=True)
        latents = self._vae.encode(2.0 * planes - 1.0).mean
        return np.asarray(latents.flatten(1).cpu().numpy(), dtype=np.float32)
