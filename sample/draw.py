"""Drawing: a checkpoint and seeds in, numbered PNGs, a contact sheet and a manifest (last) out.

A picture's seed alone decides it. Every PNG says in its metadata how it was drawn; that is also
how an interrupted drawing is gone on with: what fits the plan stays, what is missing is drawn.
"""

import io
import logging
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dataset import atomic_file
from dataset.errors import ConfigError
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.pictures import MANIFEST, RECORD, REPORT, SHEET, TABLE
from train.batches import to_bytes
from train.checkpoint import Checkpoint
from train.diffusion import Denoiser
from train.loop import find_device
from train.preview import contact_sheet, picture_image
from train.samplers import SAMPLERS, spaced_times, starting_noise
from train.unet import NO_LABEL

log = logging.getLogger(__name__)

_PICTURE_NAME = re.compile(r"\d{5,}\.png")
_USUAL_BATCH = {"cpu": 8, "cuda": 256}
_SHEET_COLUMNS, _SHEET_MAGNIFY = 12, 3


@dataclass(frozen=True, kw_only=True)
class DrawConfig:
    """How to draw, how many of what, and where the work is done."""

    sampler: Literal["ddpm", "ddim"] = "ddim"
    steps: int = 50
    guidance: float = 2.0  # 0 unconditional, 1 conditional, more: further from the unconditional
    eta: float = 0.0  # of DDIM: 0 deterministic, 1 as much fresh noise as DDPM
    per_class: int = 0  # pictures of each class; 0: `count` spread over the classes
    count: int = 64
    labels: tuple[str, ...] = ()  # classes by name; empty: all
    seed: int = 0  # of the first picture; the next has the next
    batch: int = 0  # pictures at once; 0: few on a CPU, so that progress shows, many on a GPU
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise ConfigError(
                f"sampler is {self.sampler!r}; it must be one of {', '.join(SAMPLERS)}"
            )
        for name, least in (
            ("steps", 1),
            ("count", 1),
            ("batch", 0),
            ("per_class", 0),
            ("seed", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.seed >= 2**62:
            raise ConfigError(f"seed is {self.seed}; it must be below 2 to the power of 62")
        if not 0 <= self.guidance < 1000:
            raise ConfigError(f"guidance is {self.guidance}; it must be at least 0")
        if not 0.0 <= self.eta <= 1.0:
            raise ConfigError(f"eta is {self.eta}; it must be from 0 to 1")


@dataclass(frozen=True)
class PlannedPicture:
    """One picture before it is drawn; `label` is -1 for none."""

    name: str
    seed: int
    label: int
    label_name: str


@dataclass(frozen=True)
class Drawing:
    """What came of `draw`: the folder, and how many pictures were drawn just now."""

    folder: Path
    pictures: int
    drawn: int


def draw(
    checkpoint: Checkpoint, config: DrawConfig, folder: Path, *, replace: bool = False
) -> Drawing:
    """Draw into `folder`; what is there already, drawn alike, is kept.

    Raises ConfigError for an unknown class, too many steps, or a folder that holds pictures drawn
    otherwise (unless `replace`); WorldError without the device asked for.
    """
    plan = plan_pictures(config, checkpoint.label_names)
    spaced_times(checkpoint.config.diffusion.steps, config.steps)
    settings = _settings(checkpoint, config)
    done = _drawn_already(folder, plan, settings, replace)
    missing = [picture for picture in plan if picture.name not in done]
    if not missing and _is_complete(folder):
        return Drawing(folder, len(plan), 0)
    # Without a manifest the folder counts as unfinished until the last line of this function.
    (folder / MANIFEST).unlink(missing_ok=True)
    if missing:
        _draw_missing(checkpoint, config, folder, missing, settings, done=len(done))
    _write_sheet(folder, plan)
    atomic_file.write_json(folder / MANIFEST, _manifest(checkpoint, plan, settings))
    return Drawing(folder, len(plan), len(missing))


def plan_pictures(config: DrawConfig, label_names: Sequence[str]) -> list[PlannedPicture]:
    """Which pictures to draw, class by class, with a seed each.

    Raises ConfigError for a class that the model does not know.
    """
    chosen = _chosen_labels(config.labels, label_names)
    if config.per_class:
        shares = [config.per_class] * len(chosen)
    else:
        whole, rest = divmod(config.count, len(chosen))
        shares = [whole + (place < rest) for place in range(len(chosen))]
    labels = [label for label, share in zip(chosen, shares, strict=True) for _ in range(share)]
    return [
        PlannedPicture(
            name=f"{number:05d}.png",
            seed=config.seed + number,
            label=label,
            label_name=label_names[label] if label >= 0 else "",
        )
        for number, label in enumerate(labels)
    ]


def default_folder(checkpoint: Checkpoint) -> Path:
    """RUN/samples, for RUN/checkpoints/<images seen>."""
    return checkpoint.path.parents[1] / "samples"


def _chosen_labels(wanted: Sequence[str], label_names: Sequence[str]) -> list[int]:
    if not wanted:
        return list(range(len(label_names))) or [NO_LABEL]
    for name in wanted:
        if name not in label_names:
            near = get_close_matches(name, label_names, n=1)
            known = ", ".join(label_names) or "none, it was trained without classes"
            hint = f"did you mean {near[0]}?" if near else f"its classes: {known}"
            raise ConfigError(f"the model knows no class {name!r}; {hint}")
    return [list(label_names).index(name) for name in dict.fromkeys(wanted)]


def _settings(checkpoint: Checkpoint, config: DrawConfig) -> dict[str, Any]:
    """All that decides a picture besides its seed and label."""
    return {
        "fingerprint": checkpoint.fingerprint,
        "sampler": config.sampler,
        "steps": config.steps,
        "guidance": config.guidance,
        "eta": config.eta if config.sampler == "ddim" else 0.0,
    }


def _metadata(picture: PlannedPicture, settings: dict[str, Any]) -> dict[str, str]:
    own = {"seed": picture.seed, "label": picture.label, "label_name": picture.label_name}
    return {name: str(value) for name, value in {**own, **settings}.items()}


def _drawn_already(
    folder: Path, plan: Sequence[PlannedPicture], settings: dict[str, Any], replace: bool
) -> set[str]:
    """The names in `folder` that are as planned; others are refused or, with `replace`, removed."""
    planned = {picture.name: _metadata(picture, settings) for picture in plan}
    done, other = set(), []
    for path in sorted(folder.glob("*.png")):
        if not _PICTURE_NAME.fullmatch(path.name):
            continue
        found = _read_metadata(path)
        if path.name not in planned:
            other.append(path)
        elif found == planned[path.name]:
            done.add(path.name)
        elif found is not None:  # a damaged one is drawn again
            other.append(path)
    if other and not replace:
        raise ConfigError(
            f"{folder} holds {len(other)} pictures drawn otherwise (such as {other[0].name}); "
            "choose another --out, or --replace them"
        )
    if other:
        # What was said about the old pictures goes with them.
        for name in (MANIFEST, SHEET, RECORD, TABLE, REPORT):
            (folder / name).unlink(missing_ok=True)
        for path in other:
            path.unlink()
    return done


def _read_metadata(path: Path) -> dict[str, str] | None:
    """The PNG's text fields, or None when the file is damaged."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            return {str(key): str(value) for key, value in image.info.items()}
    except (OSError, SyntaxError, ValueError):
        return None


def _is_complete(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and (folder / SHEET).is_file()


def _draw_missing(
    checkpoint: Checkpoint,
    config: DrawConfig,
    folder: Path,
    missing: Sequence[PlannedPicture],
    settings: dict[str, Any],
    done: int,
) -> None:
    device = find_device(config.device)
    denoiser = checkpoint.denoiser(device)
    batch = config.batch or _USUAL_BATCH[device.type]
    parts = [missing[start : start + batch] for start in range(0, len(missing), batch)]
    # On a CPU every thread draws batches of its own: the threads inside torch's operations wait
    # for each other hundreds of times a step, and on a busy machine for most of the time.
    workers = (os.cpu_count() or 1) if device.type == "cpu" else 1
    blank = 0
    with (
        Progress("drawing", done + len(missing), "pictures", done=done) as progress,
        ThreadPoolExecutor(workers, "draw", torch.set_num_threads, (1,)) as pool,
    ):
        work = [pool.submit(draw_batch, denoiser, part, config, progress) for part in parts]
        try:
            for part, drawing in zip(parts, work, strict=True):
                drawn, broken = drawing.result()
                blank += broken
                for picture, pixels in zip(part, drawn, strict=True):
                    text = _metadata(picture, settings)
                    atomic_file.write_bytes(folder / picture.name, _png(pixels, text))
                    progress.advance()
        finally:
            pool.shutdown(cancel_futures=True)
    if blank:
        log.warning("%d pictures held numbers that are not finite, drawn mid-grey there", blank)


def draw_batch(
    denoiser: Denoiser,
    pictures: Sequence[PlannedPicture],
    config: DrawConfig,
    progress: Progress | None = None,
) -> tuple[Pixels, int]:
    """Pictures (B, C, H, W) uint8, and how many of them held numbers that were not finite."""
    noise, generators = starting_noise([picture.seed for picture in pictures], denoiser.shape)
    labels = torch.tensor([picture.label for picture in pictures], dtype=torch.int64)

    def show(step: int, _x: torch.Tensor, _x0: torch.Tensor) -> None:
        if progress is not None:
            progress.advance(0, f"step {step}/{config.steps}")

    drawn = SAMPLERS[config.sampler](
        denoiser,
        noise.to(denoiser.device),
        labels.to(denoiser.device),
        steps=config.steps,
        guidance=config.guidance,
        generators=generators,
        eta=config.eta,
        on_step=show,
    )
    broken = int((~torch.isfinite(drawn)).flatten(1).any(dim=1).sum())
    return to_bytes(torch.nan_to_num(drawn)).cpu().numpy(), broken


def _png(picture: Pixels, text: dict[str, str]) -> bytes:
    """One (C, H, W) picture as a PNG with text fields (tEXt, or iTXt beyond Latin-1)."""
    info = PngInfo()
    for name, value in text.items():
        info.add_text(name, value) if value.isascii() else info.add_itxt(name, value)
    buffer = io.BytesIO()
    picture_image(picture).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _write_sheet(folder: Path, plan: Sequence[PlannedPicture]) -> None:
    """All pictures enlarged, in rows of one class with its name beside the first row."""
    by_label: dict[str, list[NDArray[np.uint8]]] = {}
    for picture in plan:
        with Image.open(folder / picture.name, formats=["PNG"]) as image:
            pixels = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)  # (C, H, W)
        by_label.setdefault(picture.label_name, []).append(pixels)
    columns = min(_SHEET_COLUMNS, max(map(len, by_label.values())))
    tiles: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for name, pictures in by_label.items():
        rows = -(-len(pictures) // columns)
        empty = np.full_like(pictures[0], 255)
        tiles += pictures + [empty] * (rows * columns - len(pictures))
        names += [name] + [""] * (rows - 1)
    sheet = contact_sheet(np.stack(tiles), columns=columns, row_names=names, magnify=_SHEET_MAGNIFY)
    with atomic_file.atomic_path(folder / SHEET) as partial:
        sheet.save(partial, "PNG")


def _manifest(
    checkpoint: Checkpoint, plan: Sequence[PlannedPicture], settings: dict[str, Any]
) -> dict[str, Any]:
    return {
        "checkpoint": str(checkpoint.path),
        "images_seen": checkpoint.images_seen,
        "pack_hash": checkpoint.pack_hash,
        **settings,
        "pictures": [
            {
                "file": picture.name,
                "seed": picture.seed,
                "label": picture.label,
                "label_name": picture.label_name,
            }
            for picture in plan
        ],
    }
