"""Super-resolution: the smaller copy that a network is told of, in learning and in drawing.

The copy is noised by a random amount and the network told how much, so that it learns to invent
rather than to trust (conditioning augmentation, Ho et al. 2022, section 4.2).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dataset.errors import ConfigError
from train.batches import DeviceBatches, to_bytes, to_signed
from train.checked import require
from train.checkpoint import Checkpoint
from train.condition import NO_LABEL, Condition, of_labels
from train.config import TrainConfig
from train.counter import Stream, normal, stream_key, uniform
from train.denoiser import Denoiser
from train.drawing import Sampling, draw_pictures
from train.guidance import Guidance
from train.placed_noise import placed_noise
from train.preview import Panel
from train.samplers import OnStep
from train.upscale_config import UpscaleConfig

_COLUMNS = 8  # of a preview


def small_shape(config: UpscaleConfig, picture: tuple[int, int, int]) -> tuple[int, int, int]:
    """(C, h, w) of the small copies of pictures of (C, H, W).

    Raises ConfigError when upscale.from_size is no whole share of the height and of the width.
    """
    channels, height, width = picture
    factor = height // config.from_size
    if factor < 2 or height % config.from_size or width % factor:
        raise ConfigError(
            f"pictures are {width} x {height}, but upscale.from_size is {config.from_size}; it must"
            " be the height divided by 2, 3 or more, and the width must divide alike"
        )
    return channels, config.from_size, width // factor


def shrunk(pictures: Tensor, config: UpscaleConfig) -> Tensor:
    """Small copies (B, C, h, w) of `pictures` (B, C, H, W), by area averaging."""
    return F.avg_pool2d(pictures, pictures.shape[2] // config.from_size)


def told(
    condition: Condition, small: Tensor, sigma: Tensor, noise: Tensor, size: tuple[int, int]
) -> Condition:
    """`condition` with the `small` pictures (B, C, h, w), noised by `sigma` (B,) times `noise`,
    then enlarged bilinearly to `size`, which is (H, W)."""
    noised = small + sigma[:, None, None, None] * noise
    enlarged = F.interpolate(noised, size=size, mode="bilinear", align_corners=False)
    return condition._replace(picture=enlarged, picture_noise=sigma)


def told_of_shrunk(
    condition: Condition, pictures: Tensor, places: Tensor, config: UpscaleConfig, seed: int
) -> Condition:
    """`condition` with small copies of `pictures` (B, C, H, W) at `places` (B,) of the sequence of
    epochs, which alone decide level and noise of each."""
    small = shrunk(pictures, config)
    sigma = (uniform(stream_key(seed, Stream.SMALL_LEVEL), places) * config.noise).float()
    noise = placed_noise(stream_key(seed, Stream.SMALL_NOISE), places, small.shape[1:])
    return told(condition, small, sigma, noise, (pictures.shape[2], pictures.shape[3]))


@torch.no_grad()
def enlarged(
    checkpoint: Checkpoint,
    pictures: Tensor,
    seeds: Sequence[int],
    sampling: Sampling,
    device: torch.device,
    *,
    noise: float = 0.0,
    labels: Tensor | None = None,
) -> Tensor:
    """Enlarge `pictures` uint8 (B, C, h, w): uint8 (B, C, H, W) on the CPU, as the seeds decide.

    `noise` is the sigma added to the small pictures: more lets more be invented. `labels` (B,)
    int64 say their classes, none if not given. Raises ConfigError for a checkpoint that enlarges
    nothing, pictures of another size, or more noise than was learnt.
    """
    _check_pictures(pictures, seeds, enlarged_shape(checkpoint, noise))
    small = to_signed(pictures.to(device))
    drawn = enlarged_with(
        checkpoint.denoiser(device), small, seeds, sampling, noise=noise, labels=labels
    )
    return to_bytes(drawn).cpu()


def enlarged_shape(checkpoint: Checkpoint, noise: float = 0.0) -> tuple[int, int, int]:
    """(C, h, w) of the pictures that `checkpoint` enlarges.

    Raises ConfigError if it enlarges none, or learnt with less `noise` on them.
    """
    config = checkpoint.config.upscale
    if not config.active:
        raise ConfigError(
            f"{checkpoint.path} draws from nothing; to enlarge, give a checkpoint of a run with"
            " upscale.from_size"
        )
    require(0 <= noise <= config.noise, "noise", noise, f"from 0 to the {config.noise} of learning")
    return small_shape(config, checkpoint.subject.picture)


@torch.no_grad()
def enlarged_with(
    denoiser: Denoiser,
    small: Tensor,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    noise: float = 0.0,
    labels: Tensor | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Enlarge `small` (B, C, h, w) in [-1, 1] on the denoiser's device: (B, C, H, W) alike."""
    count, device = len(small), small.device
    if labels is None:
        labels = torch.full((count,), NO_LABEL, dtype=torch.int64)
    keys = torch.tensor([stream_key(seed, Stream.SMALL_NOISE) for seed in seeds], device=device)
    places = torch.arange(small[0].numel(), device=device)
    fresh = normal(keys[:, None], places).view(small.shape)
    sigma = torch.full((count,), noise, device=device)
    condition = told(
        of_labels(labels.to(device)), small, sigma, fresh, (denoiser.shape[1], denoiser.shape[2])
    )
    return draw_pictures(denoiser, condition, seeds, sampling, on_step)


def _check_pictures(pictures: Tensor, seeds: Sequence[int], shape: tuple[int, int, int]) -> None:
    """Raise ConfigError unless `pictures` (B, C, h, w) are of `shape`, with a seed for each."""
    if pictures.ndim != 4 or pictures.shape[1:] != shape or pictures.dtype != torch.uint8:
        raise ConfigError(
            f"pictures to enlarge are {tuple(pictures.shape[1:])} (channels, height, width) of"
            f" {pictures.dtype}; this model enlarges {shape} of torch.uint8"
        )
    if len(seeds) != len(pictures):
        raise ConfigError(f"{len(pictures)} pictures have {len(seeds)} seeds; give one for each")


def upscaling_panel(denoiser: Denoiser, batches: DeviceBatches, config: TrainConfig) -> Panel:
    """The first pictures learnt from: their small copies, these enlarged, and as they are."""
    batch = batches.batch(0, _COLUMNS)
    small = shrunk(batch.pictures, config.upscale)
    sampling = Sampling(
        steps=min(config.preview.steps, denoiser.schedule.steps),
        guidance=Guidance(scale=config.preview.guidance),
    )
    seeds = [stream_key(config.seed, Stream.PREVIEW, i) for i in range(_COLUMNS)]
    made = enlarged_with(denoiser, small, seeds, sampling, labels=batch.labels)
    shown = F.interpolate(small, size=batch.pictures.shape[2:], mode="nearest")
    rows = torch.cat([shown, torch.nan_to_num(made), batch.pictures])
    return Panel(to_bytes(rows).cpu().numpy(), _COLUMNS, ("small", "enlarged", "original"))
