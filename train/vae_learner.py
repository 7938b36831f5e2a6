"""Learning an autoencoder, and its discriminator beside it: what a step is told, what is shown."""

from typing import Any

import torch
from torch import Tensor, nn

from train.batches import Batch, DeviceBatches, to_bytes
from train.counter import Stream, stream_key
from train.learner import Learner
from train.lesson import Lesson, Restoring
from train.order import Share
from train.placed_noise import placed_noise
from train.preview import Panel
from train.vae import AdversarialVae, drawn_from_prior, latent_shape

_COLUMNS = 8  # of a preview


class VaeLearner(Learner):
    """An autoencoder that learns from batches, and the discriminator that it learns against."""

    def build(self) -> nn.Module:
        return AdversarialVae(self.config.vae, self.subject.picture)

    def groups(self) -> list[dict[str, Any]]:
        """The discriminator learns at a share of the rate."""
        assert isinstance(self.network, AdversarialVae)
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.vae.parameters()), "share": 1.0}
        ]
        if self.network.discriminator is not None:
            own = list(self.network.discriminator.parameters())
            groups.append({"params": own, "share": self.config.vae.discriminator_lr})
        return groups

    def lesson(self, batch: Batch, share: Share) -> Restoring:
        config = self.config.vae
        places = torch.arange(share.places.start, share.places.stop, device=self.device)
        key = stream_key(self.config.seed, Stream.LATENT)
        return Restoring(
            pictures=batch.pictures.contiguous(memory_format=torch.channels_last),
            noise=placed_noise(key, places, latent_shape(config, self.subject.picture)),
            adversity=config.adversarial_weight * (places >= config.adversarial_after_images),
        )

    def losses(self, network: nn.Module, lesson: Lesson) -> Tensor:
        assert isinstance(lesson, Restoring)
        losses: Tensor = network(*lesson)
        return losses

    def preview(self, network: nn.Module, batches: DeviceBatches) -> Panel:
        """The first pictures learnt from, what becomes of them, and pictures from nothing."""
        assert isinstance(network, AdversarialVae)
        seeds = [stream_key(self.config.seed, Stream.PREVIEW, i) for i in range(_COLUMNS)]
        originals = batches.batch(0, _COLUMNS).pictures
        with torch.no_grad():
            rows = [originals, network.vae(originals), drawn_from_prior(network.vae, seeds)]
        pictures = to_bytes(torch.nan_to_num(torch.cat(rows))).cpu().numpy()
        return Panel(pictures, _COLUMNS, ("original", "restored", "drawn"))
