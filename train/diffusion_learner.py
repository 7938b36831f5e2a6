"""Learning to denoise: what a diffusion model learns from, how it errs, and what it draws."""

import torch
from torch import Tensor, nn

from train.batches import Batch, DeviceBatches
from train.config import TrainConfig
from train.counter import Stream, generator, stream_key
from train.denoiser import Denoiser
from train.distributed import ALONE, Ranks
from train.inputs import Inputs
from train.latents import LatentSpace
from train.learner import Learner
from train.lesson import Denoising, Lesson
from train.networks import build_network, hears_classes
from train.objective import denoising_losses, sampled_sigmas
from train.order import Share
from train.preview import Panel, drawn_panel, told_panel
from train.subject import Subject
from train.upscaling import upscaling_panel

_TOLD_ROWS = 4  # of a preview of a network that is told of vectors


class DiffusionLearner(Learner):
    """Learns a denoiser of the subject's pictures, or of their latents."""

    def __init__(
        self,
        config: TrainConfig,
        subject: Subject,
        device: torch.device,
        latents: LatentSpace | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """With `latents`, that of `subject`, it learns there."""
        super().__init__(config, subject, device, ranks)
        self.inputs, self.latents = Inputs(config, latents), latents
        self.denoiser = self._denoiser_of(self.network)

    def build(self) -> nn.Module:
        return build_network(self.config, self.subject)

    def lesson(self, batch: Batch, share: Share) -> Denoising:
        """Levels and noise are those of the whole batch, of which the share is cut."""
        config, seen = self.config, share.images_seen
        x0, condition = self.inputs.prepared(batch, share.places.start)
        sigma = sampled_sigmas(self.denoiser.schedule, seen, share.size, config.seed)[share.own]
        noise = generator(stream_key(config.seed, Stream.NOISE, seen), self.device)
        shape = (share.size, *self.subject.shape)
        eps = torch.randn(shape, generator=noise, device=self.device)[share.own]
        x0 = x0.contiguous(memory_format=torch.channels_last)
        return Denoising(x0, sigma, eps, condition)

    def losses(self, network: nn.Module, lesson: Lesson) -> Tensor:
        assert isinstance(lesson, Denoising)
        denoiser = self.denoiser if network is self.network else self._denoiser_of(network)
        return denoising_losses(denoiser, *lesson)

    def preview(self, network: nn.Module, batches: DeviceBatches) -> Panel:
        config, denoiser = self.config, self._denoiser_of(network)
        if config.upscale.active:
            return upscaling_panel(denoiser, batches, config)
        if self.subject.vector_length == 0:
            names = self.subject.label_names if hears_classes(config) else ()
            return drawn_panel(denoiser, config.preview, names, config.seed)
        # Told of what the first pictures are told of, as nothing else is known of vectors.
        batch = batches.batch(0, _TOLD_ROWS * config.preview.per_class)
        _, condition = self.inputs.prepared(batch, 0)
        return told_panel(denoiser, config.preview, condition, config.seed)

    def begin(self, batches: DeviceBatches) -> None:
        if self.latents is not None:
            self.latents.measure(batches)

    def fixed_tensors(self) -> dict[str, Tensor]:
        return {} if self.latents is None else dict(self.latents.state_dict())

    def _denoiser_of(self, network: nn.Module) -> Denoiser:
        return Denoiser(network, self.config.diffusion, self.subject.shape, self.latents)
