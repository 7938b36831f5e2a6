"""One training step and everything that it changes: weights, average, optimiser, running figures.

Nothing is read back from the device here; whoever wants the figures asks for them, now and then.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from train.batches import DeviceBatches
from train.checkpoint import Checkpoint, load_weights, raw_weights
from train.config import TrainConfig
from train.counter import Stream, generator, stream_key, uniform
from train.diffusion import Denoiser, denoising_losses, loss_weights
from train.ema import WeightAverage
from train.unet import NO_LABEL, UNet


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What happened since the figures were last read; read from the device in one go."""

    loss: float  # mean over the good batches, nan if there was none
    grad_norm: float  # of the last good batch, before clipping
    skipped: int  # batches skipped since the run began
    worst_streak: int  # the longest row of skipped batches since the figures were last read


class Learner:
    """A network that learns from batches; its state is a function of config, data and count."""

    def __init__(
        self, config: TrainConfig, shape: tuple[int, int, int], classes: int, device: torch.device
    ) -> None:
        self.config, self.device, self.images_seen = config, device, 0
        torch.manual_seed(stream_key(config.seed, Stream.WEIGHTS))
        unet = UNet(config.unet, shape, classes, augmented=config.augment.active)
        self.unet = unet.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.unet, config.ema_half_life_images, config.ema_ramp)
        self.denoiser = Denoiser(self.unet, config.diffusion)
        self.parameters = list(self.unet.parameters())
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=config.lr,
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
            fused=True,
        )
        alphas_cumprod = self.denoiser.schedule.alphas_cumprod
        self._weights = loss_weights(config.diffusion, alphas_cumprod).to(device)
        self._bfloat16 = config.precision == "bfloat16" or (
            config.precision == "auto" and device.type == "cuda"
        )
        self._shares = share_count(config, device)
        workers = min(config.threads or os.cpu_count() or 1, self._shares)
        self._pool = ThreadPoolExecutor(workers, "learner", torch.set_num_threads, (1,))
        zeros = torch.zeros(6, dtype=torch.float64, device=device)
        self._loss_sum, self._good, self._norm, self._skipped, self._streak, self._worst = zeros

    def step(self, batches: DeviceBatches) -> None:
        """Learn from the next batch. A batch whose loss or gradient is not finite is skipped."""
        config, seen = self.config, self.images_seen
        x0, labels, augmentation = batches.batch(seen, config.batch)
        labels = drop_labels(labels, seen, config.seed, config.label_dropout)
        t = sampled_times(
            seen, config.batch, self.denoiser.schedule.steps, config.seed, self.device
        )
        noise_key = stream_key(config.seed, Stream.NOISE, seen)
        eps = torch.randn(x0.shape, generator=generator(noise_key, self.device), device=self.device)
        if config.unet.dropout > 0:
            torch.manual_seed(stream_key(config.seed, Stream.DROPOUT, seen))
        x0 = x0.contiguous(memory_format=torch.channels_last)
        whole = (x0, labels, t, eps, augmentation)
        shares = list(zip(*(tensor.chunk(self._shares) for tensor in whole), strict=True))
        if len(shares) == 1:
            parts = [self._gradients(shares[0])]
        else:
            parts = list(self._pool.map(self._gradients, shares))
        self._apply(self._summed(parts))

    def _gradients(self, share: tuple[Tensor, ...]) -> tuple[Tensor, Sequence[Tensor]]:
        """A share of the batch: its part of the mean loss, and that part's gradients."""
        x0, labels, t, eps, augmentation = share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16):
            losses = denoising_losses(
                self.denoiser, self._weights, x0, labels, t, eps, augmentation
            )
        loss = losses.sum() / self.config.batch
        return loss.detach(), torch.autograd.grad(loss, self.parameters)

    def _summed(self, parts: Sequence[tuple[Tensor, Sequence[Tensor]]]) -> Tensor:
        """Give the parameters the sum of all shares' gradients; the sum of their losses.

        Always in the order of the shares, so that a run repeats to the bit.
        """
        loss, total = parts[0][0], list(parts[0][1])
        for more, gradients in parts[1:]:
            loss = loss + more
            torch._foreach_add_(total, list(gradients))
        for parameter, gradient in zip(self.parameters, total, strict=True):
            parameter.grad = gradient
        return loss

    def _apply(self, loss: Tensor) -> None:
        """Clip, then step, then average; on a bad batch the fused optimiser does nothing."""
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        bad = ~(torch.isfinite(norm) & torch.isfinite(loss))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, self.images_seen)
        # The flag by which torch's gradient scaler skips a step without asking the device.
        self.optimiser.found_inf = bad.float()  # type: ignore[attr-defined]
        self.optimiser.grad_scale = None  # type: ignore[attr-defined]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.images_seen += self.config.batch
        self.average.update(self.unet, self.images_seen, self.config.batch)
        self._loss_sum += torch.where(bad, 0.0, loss)
        self._norm = torch.where(bad, self._norm, norm.double())
        self._good += ~bad
        self._skipped += bad
        self._streak = (self._streak + 1) * bad
        self._worst = torch.maximum(self._worst, self._streak)

    def read_figures(self) -> Figures:
        """Read the running figures from the device and start the next window."""
        parts = (self._loss_sum, self._good, self._norm, self._skipped, self._worst)
        loss_sum, good, norm, skipped, worst = torch.stack(parts).tolist()
        self._loss_sum, self._good = self._loss_sum * 0, self._good * 0
        self._worst = self._streak
        return Figures(
            loss=loss_sum / good if good else math.nan,
            grad_norm=norm,
            skipped=int(skipped),
            worst_streak=int(worst),
        )

    def optimiser_tensors(self) -> dict[str, Tensor]:
        """The optimiser's state, and the count of skipped batches, by name."""
        tensors = {"skipped": self._skipped, "streak": self._streak}
        for name, parameter in self.unet.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                tensors[f"optimiser.{key}.{name}"] = value
        return tensors

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become the learner that wrote `checkpoint`; raises DataError if it does not fit."""
        state = checkpoint.state_tensors()
        load_weights(self.unet, raw_weights(state), checkpoint.path)
        load_weights(self.average.model, checkpoint.model_tensors(), checkpoint.path)
        for name, parameter in self.unet.named_parameters():
            # Laid out like the weights: the fused optimiser pairs them up in order of memory.
            moments = {
                key: torch.empty_like(parameter).copy_(state[f"optimiser.{key}.{name}"])
                for key in ("exp_avg", "exp_avg_sq")
            }
            step = state[f"optimiser.step.{name}"].to(self.device)
            self.optimiser.state[parameter] = {"step": step, **moments}
        self._skipped, self._streak = (state[key].to(self.device) for key in ("skipped", "streak"))
        self._worst = self._streak
        self.images_seen = checkpoint.images_seen


def share_count(config: TrainConfig, device: torch.device) -> int:
    """Into how many shares a batch is split, for threads of a CPU to work on at once.

    The threads meet once a step. OpenMP's threads inside each operation meet hundreds of times
    a step, and on a machine that does anything else besides, they spend most of it waiting.
    """
    if device.type != "cpu" or config.unet.dropout > 0:  # dropout draws from one generator
        return 1
    return config.shares


def learning_rate(config: TrainConfig, images_seen: int) -> float:
    """Linear warm-up, then constant or half a cosine down to 0 at the end of the budget."""
    warmup = min(1.0, (images_seen + config.batch) / max(config.warmup_images, 1))
    if config.decay == "constant":
        return config.lr * warmup
    length = max(config.images - config.warmup_images, 1)
    share = min(max(images_seen - config.warmup_images, 0) / length, 1.0)
    return config.lr * warmup * 0.5 * (1.0 + math.cos(math.pi * share))


def drop_labels(labels: Tensor, images_seen: int, seed: int, share: float) -> Tensor:
    """Replace each label (B,) by -1 with probability `share`, each picture for itself."""
    places = torch.arange(images_seen, images_seen + len(labels), device=labels.device)
    dropped = uniform(stream_key(seed, Stream.LABEL_DROPOUT), places) < share
    return torch.where(dropped, torch.full_like(labels, NO_LABEL), labels)


def sampled_times(
    images_seen: int, size: int, steps: int, seed: int, device: torch.device
) -> Tensor:
    """Times (size,) int64 in 0..steps-1, stratified: one from each of `size` equal intervals."""
    places = torch.arange(images_seen, images_seen + size, device=device)
    inside = uniform(stream_key(seed, Stream.TIME), places)
    strata = torch.arange(size, device=device, dtype=torch.float64)
    return ((strata + inside) / size * steps).long().clamp(max=steps - 1)
