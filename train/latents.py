"""The latent space of a trained autoencoder: frozen, scaled to unit variance, there and back.

A diffusion run in latents keeps the autoencoder's weights in each of its checkpoints, so that one
folder is enough to draw from.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from dataset.errors import DataError
from train.batches import DeviceBatches
from train.subject import Subject
from train.vae import Vae

_MEASURED = 4096  # pictures, or the whole split if it has fewer
_AT_ONCE = 64
_LEAST_DEVIATION = 1e-3  # of a channel that says next to nothing


class LatentSpace(nn.Module):
    """Pictures in, latents of mean 0 and variance 1 in each channel out, and the way back."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, vae: Vae) -> None:
        super().__init__()
        self.vae = vae
        channels = vae.shape[0]
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("deviation", torch.ones(channels, 1, 1))
        self.requires_grad_(False).eval()

    def on(self, device: torch.device) -> Self:
        """Itself, on `device`, with the layout of memory that convolutions are fastest in."""
        return self.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @torch.no_grad()
    def encoded(self, pictures: Tensor, noise: Tensor | None = None) -> Tensor:
        """Latents (B, c, h, w) float32 of `pictures` (B, C, H, W) in [-1, 1].

        With standard normal `noise` (B, c, h, w) they are drawn from what the autoencoder says of
        each picture, without they are its means.
        """
        posterior = self.vae.encode(pictures)
        latents = posterior.mean if noise is None else posterior.sample(noise)
        return (latents - self.mean) / self.deviation

    @torch.no_grad()
    def decoded(self, latents: Tensor) -> Tensor:
        """Pictures (B, C, H, W) float32 in [-1, 1]."""
        return self.vae.decode(latents * self.deviation + self.mean).clamp(-1.0, 1.0)

    @torch.no_grad()
    def measure(self, batches: DeviceBatches) -> None:
        """Learn mean and deviation of each channel from the first pictures of `batches`."""
        self.mean.zero_()
        self.deviation.fill_(1.0)
        total = min(len(batches), _MEASURED)
        channels = len(self.mean)
        sums, squares = torch.zeros(2, channels, dtype=torch.float64, device=self.mean.device)
        places = 0
        for start, stop in pairwise([*range(0, total, _AT_ONCE), total]):
            pictures = batches.batch(start, stop - start).pictures
            latents = self.encoded(pictures).double()  # (B, c, h, w)
            sums += latents.sum(dim=(0, 2, 3))
            squares += latents.square().sum(dim=(0, 2, 3))
            places += latents.numel() // channels
        mean = sums / places
        variance = (squares / places - mean**2).clamp(min=_LEAST_DEVIATION**2)
        self.mean.copy_(mean[:, None, None])
        self.deviation.copy_(variance.sqrt()[:, None, None])


def latents_of(
    subject: Subject, tensors: Mapping[str, Tensor], device: torch.device, origin: Path
) -> LatentSpace | None:
    """The latent space of a checkpoint at `origin` with these fixed `tensors`, None without one.

    Raises DataError when the tensors are not those of the autoencoder that `subject` tells of.
    """
    if subject.latent is None:
        return None
    space = LatentSpace(Vae(subject.latent, subject.picture))
    try:
        space.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise DataError(
            f"checkpoint {origin} holds another autoencoder than it says; train it again"
        ) from error
    return space.on(device)
