"""Drawing: a checkpoint and seeds in, a folder of numbered pictures out.

A picture's seed alone decides it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import torch

from dataset.config import to_mapping
from dataset.errors import ConfigError
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.denoising_path import PathConfig, PathRecorder, Paths
from sample.drawn_folder import Brush, Drawing, PlannedPicture, fill_folder
from sample.picture_sheet import SheetConfig
from sample.starting_point import NOISE, Start, StartingPoint
from train.autoencoder import autoencoder
from train.batches import to_bytes
from train.checked import require
from train.checkpoint import Checkpoint
from train.condition import NO_LABEL, of_labels
from train.denoiser import Denoiser
from train.device import find_device
from train.distributed import ALONE, Ranks, own_device
from train.drawing import Sampling
from train.guidance import Guidance
from train.networks import hears_classes
from train.noise_schedule import NoiseSchedule
from train.samplers import OnStep, unwatched
from train.vae import Vae, drawn_from_prior

_USUAL_BATCH = {"cpu": 8, "cuda": 256}
_MOST_PICTURES = 10_000_000  # asked for at once: a plan of more would not fit into memory


@dataclass(frozen=True, kw_only=True)
class DrawConfig:
    """How to draw, how many of what, and where the work is done."""

    sampling: Sampling = field(default_factory=lambda: Sampling(guidance=Guidance(scale=2.0)))
    start: Start = field(default_factory=Start)
    path: PathConfig = field(default_factory=PathConfig)  # animations of the way from noise
    sheet: SheetConfig = field(default_factory=SheetConfig)
    per_class: int | None = None  # pictures of each class; None: `count` spread over the classes
    count: int = 64
    labels: tuple[str, ...] = ()  # classes by name; empty: all
    seed: int = 0  # of the first picture; the next has the next
    batch: int = 0  # pictures at once; 0: few on a CPU, so that progress shows, many on a GPU
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        for name in ("count", "per_class"):
            given = getattr(self, name)
            sure = given is None or 1 <= given <= _MOST_PICTURES
            require(sure, name, given, f"from 1 to {_MOST_PICTURES:,}")
        require(self.batch >= 0, "batch", self.batch, "0 or more")
        require(0 <= self.seed < 2**62, "seed", self.seed, "from 0 to below 2 to the power of 62")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is known of a drawing before it begins."""

    pictures: list[PlannedPicture]
    start: StartingPoint
    settings: dict[str, Any]  # what decides a picture besides what is its own


def prepare(checkpoint: Checkpoint, config: DrawConfig) -> Plan:
    """What `draw` would draw.

    Raises ConfigError for an unknown class, too many steps, a start that does not fit, or a model
    that enlarges; DataError for a file to start from that is no picture.
    """
    if checkpoint.config.upscale.active:
        raise ConfigError(
            f"{checkpoint.path} enlarges pictures, it draws none from noise alone; see"
            " python -m sample upscale"
        )
    pictures = plan_pictures(config, known_labels(checkpoint))
    start = config.start.opened(checkpoint.shape)
    return Plan(pictures=pictures, start=start, settings=_settings(checkpoint, config, start))


def draw(
    checkpoint: Checkpoint,
    config: DrawConfig,
    folder: Path,
    *,
    replace: bool = False,
    ranks: Ranks = ALONE,
) -> Drawing:
    """Draw into `folder`; what is there already, drawn alike, is kept. Of several `ranks` (see
    sharded.py) each draws a part; the pictures are the same.

    Raises what `prepare` does, ConfigError for a folder that holds pictures drawn otherwise (unless
    `replace`), and WorldError without the device.
    """
    plan = prepare(checkpoint, config)
    paths = Paths(folder, config.path, plan.settings) if config.path.active else None

    def brush() -> Brush:
        device = own_device(find_device(config.device), ranks)
        vae = checkpoint.config.kind == "vae"
        model = autoencoder(checkpoint, device) if vae else checkpoint.denoiser(device)

        def paint(part: Sequence[PlannedPicture], progress: Progress) -> tuple[Pixels, int]:
            if paths is None or isinstance(model, Vae):
                return draw_batch(model, part, config, plan.start, progress)
            recorder = PathRecorder(model, config.path)
            drawn, broken = draw_batch(model, part, config, plan.start, progress, recorder)
            paths.write(part, recorder.frames(drawn))
            return drawn, broken

        return Brush(paint, device, config.batch or _USUAL_BATCH[device.type])

    return fill_folder(
        folder,
        plan.pictures,
        plan.settings,
        origin(checkpoint),
        brush,
        replace=replace,
        layout=config.sheet,
        paths=paths,
        ranks=ranks,
    )


def plan_pictures(config: DrawConfig, label_names: Sequence[str]) -> list[PlannedPicture]:
    """Which pictures to draw, class by class, with a seed each; on the way towards another seed
    all have the first one's.

    Raises ConfigError for a class that the model does not know.
    """
    chosen = chosen_labels(config.labels, label_names)
    if config.per_class is not None:
        counts = [config.per_class] * len(chosen)
    else:
        whole, rest = divmod(config.count, len(chosen))
        counts = [whole + (place < rest) for place in range(len(chosen))]
    places = [
        (label, place / max(count - 1, 1))
        for label, count in zip(chosen, counts, strict=True)
        for place in range(count)
    ]
    way = config.start.towards is not None
    return [
        PlannedPicture(
            name=f"{number:05d}.png",
            seed=config.seed if way else config.seed + number,
            label=label,
            label_name=label_names[label] if label >= 0 else "",
            share=share if way else None,
        )
        for number, (label, share) in enumerate(places)
    ]


def known_labels(checkpoint: Checkpoint) -> list[str]:
    """The classes that can be asked for: none of a network that is not told of any."""
    return checkpoint.label_names if hears_classes(checkpoint.config) else []


def default_folder(checkpoint: Checkpoint) -> Path:
    """RUN/samples, of the checkpoint's run."""
    return checkpoint.run / "samples"


def origin(checkpoint: Checkpoint) -> dict[str, Any]:
    """Where pictures come from, as their manifest says it: the run, its checkpoint and pack, and
    how the pictures that it learnt from were changed, which a drawing may show, too."""
    training = checkpoint.config
    return {
        "run": str(checkpoint.run),
        "checkpoint": str(checkpoint.path),
        "images_seen": checkpoint.images_seen,
        "pack_hash": checkpoint.pack_hash,
        "training": {"flip": training.flip, "augment": to_mapping(training.augment)},
    }


def chosen_labels(wanted: Sequence[str], label_names: Sequence[str]) -> list[int]:
    """The numbers of the classes `wanted`, of all if none is, -1 if there are none at all.

    Raises ConfigError for a class that is not among `label_names`.
    """
    if not wanted:
        return list(range(len(label_names))) or [NO_LABEL]
    for name in wanted:
        if name not in label_names:
            near = get_close_matches(name, label_names, n=1)
            known = ", ".join(label_names) or "none, it was trained without classes"
            hint = f"did you mean {near[0]}?" if near else f"its classes: {known}"
            raise ConfigError(f"the model knows no class {name!r}; {hint}")
    return [list(label_names).index(name) for name in dict.fromkeys(wanted)]


def _settings(checkpoint: Checkpoint, config: DrawConfig, start: StartingPoint) -> dict[str, Any]:
    """All that decides a picture besides what is its own; ConfigError for too many steps."""
    model = {"fingerprint": checkpoint.fingerprint}
    if checkpoint.config.kind == "vae":
        if start.facts:
            raise ConfigError(f"{checkpoint.path} is an autoencoder; it draws from its prior alone")
        if config.path.active:
            raise ConfigError(f"{checkpoint.path} is an autoencoder; it draws at once, on no path")
        return {**model, "sampler": "prior"}
    config.sampling.sigmas(NoiseSchedule(checkpoint.config.diffusion))
    return {**model, **config.sampling.facts(), **start.facts}


def draw_batch(
    model: Denoiser | Vae,
    pictures: Sequence[PlannedPicture],
    config: DrawConfig,
    start: StartingPoint = NOISE,
    progress: Progress | None = None,
    watch: OnStep = unwatched,
) -> tuple[Pixels, int]:
    """Pictures (B, C, H, W) uint8, and how many of them held numbers that were not finite; `watch`
    is shown every step.

    An autoencoder decodes what its prior gives, all other settings are of no concern to it.
    """
    seeds = [picture.seed for picture in pictures]

    def show(step: int, x: torch.Tensor, x0: torch.Tensor) -> None:
        watch(step, x, x0)
        if progress is not None:
            progress.advance(0, f"step {step}/{config.sampling.steps}")

    if isinstance(model, Vae):
        drawn = drawn_from_prior(model, seeds)
    else:
        labels = torch.tensor([picture.label for picture in pictures], dtype=torch.int64)
        shares = [picture.share or 0.0 for picture in pictures]
        drawn = start.drawn(model, of_labels(labels), seeds, shares, config.sampling, show)
    return as_bytes(drawn)


def as_bytes(drawn: torch.Tensor) -> tuple[Pixels, int]:
    """Pictures (B, C, H, W) in [-1, 1] as uint8, mid-grey where they are not finite, and how many
    are not."""
    broken = int((~torch.isfinite(drawn)).flatten(1).any(dim=1).sum())
    return to_bytes(torch.nan_to_num(drawn)).cpu().numpy(), broken
