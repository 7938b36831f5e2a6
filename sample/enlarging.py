"""Enlarging: a checkpoint that enlarges and small pictures in, a folder of large ones out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dataset.errors import ConfigError, DataError
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.draw import as_bytes, chosen_labels, known_labels, origin
from sample.drawn_folder import Brush, Drawing, PlannedPicture, fill_folder
from sample.picture_sheet import SheetConfig
from sample.pictures import PictureFile, list_pictures
from sample.starting_point import read_content, signed, upright_image
from train.checked import require
from train.checkpoint import Checkpoint
from train.condition import NO_LABEL
from train.denoiser import Denoiser
from train.device import find_device
from train.distributed import ALONE, Ranks, own_device
from train.drawing import Sampling
from train.noise_schedule import NoiseSchedule
from train.upscaling import enlarged_shape, enlarged_with

_USUAL_BATCH = {"cpu": 4, "cuda": 64}


@dataclass(frozen=True, kw_only=True)
class EnlargeConfig:
    """How to enlarge, and where the work is done."""

    sampling: Sampling = field(default_factory=Sampling)
    sheet: SheetConfig = field(default_factory=SheetConfig)
    noise: float = 0.0  # sigma of what is added to the small pictures; more lets more be invented
    label: str | None = None  # the class of all; None: as the small pictures' manifest says
    seed: int = 0  # of the first picture; the next has the next
    batch: int = 0  # pictures at once; 0: few on a CPU, so that progress shows, many on a GPU
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**62, "seed", self.seed, "from 0 to below 2 to the power of 62")
        require(self.batch >= 0, "batch", self.batch, "0 or more")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is known of an enlarging before it begins."""

    pictures: list[PlannedPicture]
    small: dict[str, Tensor]  # (1, C, h, w) in [-1, 1], by the planned name
    settings: dict[str, Any]  # what decides a picture besides what is its own


def prepare(
    checkpoint: Checkpoint,
    given: Path,
    config: EnlargeConfig,
    files: Sequence[PictureFile] | None = None,
) -> Plan:
    """What `enlarge` would make of the picture or the folder of pictures `given`, or of those of
    its `files`.

    Raises ConfigError for a model that enlarges nothing, pictures of another size, an unknown
    class, or too many steps; DataError for files that are no pictures.
    """
    settings = _settings(checkpoint, config)
    files = small_pictures(given) if files is None else files
    pictures = plan_enlarging(config, files, known_labels(checkpoint))
    shape = enlarged_shape(checkpoint)
    small = {
        picture.name: _opened(file, shape) for picture, file in zip(pictures, files, strict=True)
    }
    return Plan(pictures=pictures, small=small, settings=settings)


def enlarge(
    checkpoint: Checkpoint,
    given: Path,
    config: EnlargeConfig,
    folder: Path,
    *,
    replace: bool = False,
    ranks: Ranks = ALONE,
    files: Sequence[PictureFile] | None = None,
) -> Drawing:
    """Enlarge the picture or the folder of pictures `given` into `folder`, in order of their names,
    or those of its `files`; what is there already, made alike, is kept.

    Raises what `prepare` does, ConfigError for a folder that holds other pictures (unless
    `replace`), and WorldError without the device.
    """
    plan = prepare(checkpoint, given, config, files)
    if folder.resolve() == (given if given.is_dir() else given.parent).resolve():
        raise ConfigError(f"{folder} holds the small pictures; choose another --out")

    def brush() -> Brush:
        device = own_device(find_device(config.device), ranks)
        model = checkpoint.denoiser(device)

        def paint(part: Sequence[PlannedPicture], progress: Progress) -> tuple[Pixels, int]:
            pictures = torch.cat([plan.small[picture.name] for picture in part]).to(device)
            return _enlarged(model, part, pictures, config, progress)

        return Brush(paint, device, config.batch or _USUAL_BATCH[device.type])

    about = plan.settings, origin(checkpoint)
    return fill_folder(
        folder,
        plan.pictures,
        *about,
        brush,
        replace=replace,
        layout=config.sheet,
        ranks=ranks,
    )


def small_pictures(given: Path) -> list[PictureFile]:
    """The file, or those of a folder in order of name, with the classes that a manifest says.

    Raises ConfigError when nothing is there, DataError for a folder without pictures, or one that
    lacks pictures which its manifest lists.
    """
    if not given.exists():
        raise ConfigError(f"no picture or folder of pictures at {given}; check the path")
    if not given.is_dir():
        return [PictureFile(given.name, read_content(given))]
    files, missing = list_pictures(given)
    if missing:
        raise DataError(
            f"{given / missing[0].name} is {missing[0].reason}; draw again, or remove the manifest"
        )
    return files


def plan_enlarging(
    config: EnlargeConfig, files: Sequence[PictureFile], label_names: Sequence[str]
) -> list[PlannedPicture]:
    """What to make of `files`, with a seed each; told of their class where the model knows it.

    Raises ConfigError for a class asked for that the model does not know.
    """
    if config.label is not None:
        chosen_labels([config.label], label_names)
    plan = []
    for number, file in enumerate(files):
        wanted = file.label_name if config.label is None else config.label
        known = wanted in label_names
        picture = PlannedPicture(
            name=f"{number:05d}.png",
            seed=config.seed + number,
            label=list(label_names).index(wanted) if known else NO_LABEL,
            label_name=wanted if known else "",
            source=file.name.encode("utf-8", "replace").decode(),
            source_hash=file.sha256,
        )
        plan.append(picture)
    return plan


def default_folder(checkpoint: Checkpoint) -> Path:
    """RUN/enlarged, of the checkpoint's run."""
    return checkpoint.run / "enlarged"


def _settings(checkpoint: Checkpoint, config: EnlargeConfig) -> dict[str, Any]:
    """All that decides a picture besides what is its own; ConfigError for what cannot be."""
    enlarged_shape(checkpoint, config.noise)
    config.sampling.sigmas(NoiseSchedule(checkpoint.config.diffusion))
    facts = config.sampling.facts()
    return {"fingerprint": checkpoint.fingerprint, **facts, "noise": config.noise}


def _opened(file: PictureFile, shape: tuple[int, int, int]) -> Tensor:
    """(1, C, h, w) in [-1, 1]; raises ConfigError unless it is of `shape` (C, h, w)."""
    image = upright_image(file.content, file.name, shape[0])
    if image.size != (shape[2], shape[1]):
        raise ConfigError(
            f"{file.name} is {image.width} x {image.height}, this model enlarges {shape[2]} x"
            f" {shape[1]}; bring it to that size"
        )
    return signed(image)


def _enlarged(
    model: Denoiser,
    part: Sequence[PlannedPicture],
    small: Tensor,
    config: EnlargeConfig,
    progress: Progress,
) -> tuple[Pixels, int]:
    """Pictures (B, C, H, W) uint8 of `small` (B, C, h, w), and how many were not finite."""

    def show(step: int, _x: Tensor, _x0: Tensor) -> None:
        progress.advance(0, f"step {step}/{config.sampling.steps}")

    seeds = [picture.seed for picture in part]
    labels = torch.tensor([picture.label for picture in part], dtype=torch.int64)
    drawn = enlarged_with(
        model, small, seeds, config.sampling, noise=config.noise, labels=labels, on_step=show
    )
    return as_bytes(drawn)
