"""From a batch of pictures to what the denoiser learns from: clean tensors and their condition."""

import torch
from torch import Tensor

from train.batches import Batch
from train.condition import NO_LABEL, Condition
from train.config import TrainConfig
from train.counter import Stream, stream_key, uniform
from train.gradients import uses_bfloat16
from train.latents import LatentSpace
from train.placed_noise import placed_noise
from train.told_vectors import told
from train.upscaling import told_of_shrunk


class Inputs:
    """Prepares batches as the run's config asks for; a function of batch and place alone."""

    def __init__(self, config: TrainConfig, latents: LatentSpace | None = None) -> None:
        """With `latents`, what is learnt is the pictures' latents there."""
        self.config, self.latents = config, latents

    def prepared(self, batch: Batch, images_seen: int) -> tuple[Tensor, Condition]:
        """The clean x0 (B, C, H, W) and the condition, some of it dropped, of a batch (or a
        process's share of one) that begins at `images_seen`.

        A picture that lacks the vector that the others are told by is learnt as if unasked.
        """
        config, pictures = self.config, batch.pictures
        places = torch.arange(
            images_seen, images_seen + len(batch.labels), device=batch.labels.device
        )
        absent = dropped_conditions(places, config)
        labels = torch.where(absent, torch.full_like(batch.labels, NO_LABEL), batch.labels)
        condition = Condition(labels=labels, absent=absent, augmentation=batch.augmentation)
        if batch.vectors is not None:
            vectors, tokens, missing = told(batch.vectors, config.tokens)
            condition = condition._replace(absent=absent | missing, vectors=vectors, tokens=tokens)
        if config.upscale.active:
            condition = told_of_shrunk(condition, pictures, places, config.upscale, config.seed)
        if self.latents is None:
            return pictures, condition
        key = stream_key(config.seed, Stream.LATENT)
        noise = placed_noise(key, places, self.latents.vae.shape)
        half = uses_bfloat16(config, pictures.device)
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=half):
            return self.latents.encoded(pictures, noise), condition


def dropped_conditions(places: Tensor, config: TrainConfig) -> Tensor:
    """Which pictures, at `places` (B,), are learnt without their conditions: bool (B,), each for
    itself."""
    return uniform(stream_key(config.seed, Stream.LABEL_DROPOUT), places) < config.label_dropout
