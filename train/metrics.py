"""What is told of a run while it lasts: stats.jsonl, TensorBoard's event files, a line for the bar.

tensorboard --logdir runs shows the event files; they are written where tensorboardX is installed.
"""

import math
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from PIL import Image

from train.config import TrainConfig
from train.device import peak_flops
from train.estimate import estimate
from train.figures import NO_FIGURES, Figures
from train.gradients import uses_bfloat16
from train.memorising import novelty_note
from train.run_folder import RunFolder
from train.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an image costs to learn from, and what the device can do."""

    flops: float  # of one image, forwards and backwards; 0: not known
    peak: float | None = None  # FLOP/s of all devices of the run, where that is known


def work_of(config: TrainConfig, subject: Subject, device: torch.device, world: int = 1) -> Work:
    """What a run of `config` on `world` devices costs; for showing only."""
    peak = None
    if device.type == "cuda":
        peak = peak_flops(device, bfloat16=uses_bfloat16(config, device)) * world
    return Work(flops=_training_flops(_architecture(config), subject), peak=peak)


def _architecture(config: TrainConfig) -> TrainConfig:
    """What of `config` the cost of an image depends on."""
    return TrainConfig(
        name="any",
        kind=config.kind,
        network=config.network,
        vectors=config.vectors,
        tokens=config.tokens,
        latent=config.latent,
        unet=config.unet,
        diffusion=config.diffusion,
        augment=config.augment,
        upscale=config.upscale,
        vae=config.vae,
    )


@lru_cache(maxsize=16)
def _training_flops(architecture: TrainConfig, subject: Subject) -> int:
    return estimate(architecture, subject).training_flops


class Metrics:
    """The figures of one process's share of a run; a window of them is written at a time."""

    def __init__(
        self,
        folder: RunFolder,
        config: TrainConfig,
        work: Work,
        images_seen: int,
        *,
        silent: bool = False,
    ) -> None:
        """`silent` writes nothing: of several processes, one tells."""
        self._silent = silent
        self.folder, self.config, self.work = folder, config, work
        self.figures, self.validation, self.rate = NO_FIGURES, math.nan, math.nan
        self.novelty = ""  # what `sample watch` says of the run
        self._events = None if silent else event_writer(folder, images_seen)
        self.restart(images_seen)

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._events is not None:
            self._events.close()

    def restart(self, images_seen: int) -> None:
        """Begin a window: what was done since the last line was no learning."""
        self._seen, self._since = images_seen, time.monotonic()

    def go_back(self, images_seen: int) -> None:
        """Begin a window at a count before the last one; what was told of later is taken back."""
        if not self._silent:
            self.folder.cut_stats(images_seen)
        if self._events is not None:
            self._events.close()
            self._events = event_writer(self.folder, images_seen)
        self.restart(images_seen)

    def steps(self, images_seen: int) -> int:
        """How many steps the window has."""
        return (images_seen - self._seen) // self.config.batch

    def write(
        self, figures: Figures, images_seen: int, lr: float, validation: float | None = None
    ) -> None:
        """Close the window that ends at `images_seen`; `lr` is that of its last step."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        self.figures, self.rate = figures, (images_seen - self._seen) / seconds
        line: dict[str, Any] = {
            "images": images_seen,
            "loss": _finite(figures.loss),
            "lr": lr,
            "images_per_s": round(self.rate, 2),
            "grad_norm": figures.grad_norm,
            "skipped": figures.skipped,
            **{name: _finite(part) for name, part in figures.parts.items()},
        }
        if self.work.flops:
            line["gflops"] = round(self.rate * self.work.flops / 1e9, 2)
        if self.work.flops and self.work.peak is not None:
            line["mfu"] = round(self.rate * self.work.flops / self.work.peak, 4)
        if validation is not None:
            self.validation = validation
            line["validation"] = _finite(validation)
        if not self._silent:
            self.novelty = novelty_note(self.folder.path)
            self.folder.add_stats(line)
            self._add_events(line, images_seen)

    def picture(self, sheet: Image.Image, images_seen: int) -> None:
        """Show a preview among the events."""
        if self._events is not None:
            pixels = np.asarray(sheet.convert("RGB"))
            self._events.add_image("preview", pixels, images_seen, dataformats="HWC")
            self._events.flush()

    @property
    def note(self) -> str | None:
        """What stands beside the progress bar, whose own are images, rate and time left."""
        if math.isnan(self.figures.loss):
            return None
        parts = [f"loss {self.figures.loss:.4f}"]
        if not math.isnan(self.validation):
            parts.append(f"validation {self.validation:.4f}")
        done = self.rate * self.work.flops
        if done and self.work.peak is not None:
            parts.append(f"{100 * done / self.work.peak:.1f} % MFU")
        elif done:
            parts.append(f"{done / 1e9:.1f} GFLOP/s")
        if self.figures.skipped:
            parts.append(f"{self.figures.skipped} batches skipped")
        if self.novelty:
            parts.append(self.novelty)
        return ", ".join(parts)

    def _add_events(self, line: dict[str, Any], images_seen: int) -> None:
        if self._events is None:
            return
        for name, value in line.items():
            if name != "images" and value is not None:
                self._events.add_scalar(name, value, images_seen)
        self._events.flush()


def event_writer(folder: RunFolder, images_seen: int) -> Any:
    """TensorBoard's writer, None where tensorboardX is not installed.

    What an earlier process wrote beyond `images_seen` is not shown any more.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    folder_of_events = folder.path / "tensorboard"
    return SummaryWriter(
        str(folder_of_events),
        purge_step=images_seen + 1 if folder_of_events.exists() else None,
        filename_suffix=f".{images_seen:09d}",  # two of one second would be one file
    )


def side_writer(folder: Path, images_seen: int) -> Any:
    """TensorBoard's writer of a folder of its own, None where tensorboardX is not installed.

    What the training purges on going back it purges in its own folder alone.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), filename_suffix=f".{images_seen:09d}")


def _finite(number: float) -> float | None:
    """The same, with None for what JSON has no number for."""
    return number if math.isfinite(number) else None
