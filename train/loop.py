"""The loop: steps, and around them figures, previews, checkpoints, and going on after a stop."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from dataset.atomic_file import atomic_path
from dataset.errors import ConfigError, DataError, WorldError
from dataset.packed import PackedDataset
from dataset.progress import Progress
from train.batches import DeviceBatches, load_split
from train.checkpoint import remove_old_checkpoints, save_checkpoint
from train.config import TrainConfig
from train.diffusion import Denoiser
from train.learner import Figures, Learner, learning_rate
from train.preview import draw_preview
from train.run_folder import RunFolder
from train.unet import check_shape, count_parameters

log = logging.getLogger(__name__)

MOST_SKIPPED_IN_A_ROW = 20
OnCheckpoint = Callable[[Path], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a call of `train` came to."""

    run: Path
    checkpoint: Path
    images_seen: int
    loss: float  # the last window's mean; nan if nothing was left to do
    seconds: float
    images_per_s: float
    skipped_batches: int
    was_finished: bool  # true if the run had reached its budget before


def train(
    config: TrainConfig,
    runs: Path = Path("runs"),
    *,
    restart: bool = False,
    on_checkpoint: OnCheckpoint | None = None,
) -> Outcome:
    """Train to `config.images` images seen in `runs`/`config.name`, from the last checkpoint on.

    Raises ConfigError (no pack, a run of another config, a picture size that does not fit),
    DataError (a damaged pack or checkpoint, an empty split, only unusable batches), WorldError
    (no such device, out of memory). Ctrl-C writes a checkpoint and raises KeyboardInterrupt.
    """
    if config.pack is None:
        raise ConfigError("no pack to learn from; give --packed FILE, or set pack in the config")
    device = find_device(config.device)
    pack = PackedDataset(config.pack)
    check_shape(config.unet, (pack.channels, pack.height, pack.width))
    if device.type == "cpu":
        torch.set_num_threads(1)  # the learner's own threads share each batch
    folder = RunFolder(runs, config.name)
    if restart:
        with folder.locked():
            folder.set_aside()
    with folder.locked(), _out_of_memory_said_plainly(config):
        return Run(config, folder, pack, device, on_checkpoint).go()


def find_device(name: str) -> torch.device:
    """The device asked for; auto is CUDA where there is one. Raises WorldError if it is absent."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise WorldError("no CUDA device was found; use --device cpu or --device auto")
    if name == "cpu" or not available:
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


class Run:
    """One process's share of a run, in a folder that it holds."""

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        pack: PackedDataset,
        device: torch.device,
        on_checkpoint: OnCheckpoint | None = None,
    ) -> None:
        self.config, self.folder, self.pack, self.device = config, folder, pack, device
        self.on_checkpoint = on_checkpoint
        self.shape = (pack.channels, pack.height, pack.width)
        self.latest: Path | None = None
        self.figures = Figures(loss=math.nan, grad_norm=math.nan, skipped=0, worst_streak=0)

    def go(self) -> Outcome:
        started = time.monotonic()
        checkpoint = self.folder.resume(self.config, self.pack.content_hash)
        if checkpoint is not None and checkpoint.images_seen >= self.config.images:
            log.info("run %s is finished: %d images seen", self.folder.path, checkpoint.images_seen)
            return self._outcome(checkpoint.path, checkpoint.images_seen, 0, 0.0, True)
        batches = load_split(
            self.pack,
            self.config.split,
            seed=self.config.seed,
            flip=self.config.flip,
            device=self.device,
            augment=self.config.augment,
            reading=self.config.reading,
        )
        learner = Learner(self.config, self.shape, len(self.pack.label_names), self.device)
        if checkpoint is not None:
            learner.restore(checkpoint)
            self.latest = checkpoint.path
            log.info("going on from %s", checkpoint.path)
        first = learner.images_seen
        log.info(
            "%s: %d pictures, %d parameters, on %s",
            self.folder.path,
            len(batches),
            count_parameters(learner.unet),
            self.device,
        )
        self._learn(learner, batches)
        assert self.latest is not None
        seconds = time.monotonic() - started
        return self._outcome(
            self.latest, learner.images_seen, learner.images_seen - first, seconds, False
        )

    def _learn(self, learner: Learner, batches: DeviceBatches) -> None:
        """Step until the budget is spent; figures, previews and checkpoints are due by count."""
        config, window = self.config, _Window(learner.images_seen)
        with (
            stop_requests() as stop,
            Progress("train", config.images, "images", learner.images_seen) as progress,
        ):
            while learner.images_seen < config.images:
                learner.step(batches)
                seen, stopping = learner.images_seen, stop.requested
                finished = seen >= config.images
                saving = finished or stopping or self._is_due(config.checkpoint_every_images, seen)
                if saving or window.steps(seen, config.batch) >= config.stats_every_steps:
                    self._write_figures(learner, window)
                progress.advance(config.batch, self._note())
                if saving:
                    self._save(learner)
                if self._is_due(config.preview.every_images, seen) or finished:
                    self._preview(learner)
                if stopping:
                    raise KeyboardInterrupt

    def _note(self) -> str | None:
        return None if math.isnan(self.figures.loss) else f"loss {self.figures.loss:.4f}"

    def _is_due(self, every: int, seen: int) -> bool:
        """Whether the last step crossed a multiple of `every` images; 0 is never."""
        return every > 0 and seen // every > (seen - self.config.batch) // every

    def _write_figures(self, learner: Learner, window: "_Window") -> None:
        self.figures = learner.read_figures()
        if self.figures.worst_streak >= MOST_SKIPPED_IN_A_ROW:
            raise DataError(
                f"{self.figures.worst_streak} batches in a row had a loss or gradient that is not"
                f" finite, up to image {learner.images_seen}; lower lr (it is {self.config.lr}),"
                f" or check the pack {self.pack.path}"
            )
        line = {
            "images": learner.images_seen,
            "loss": None if math.isnan(self.figures.loss) else self.figures.loss,
            "lr": learning_rate(self.config, learner.images_seen - self.config.batch),
            "images_per_s": round(window.rate(learner.images_seen), 2),
            "grad_norm": self.figures.grad_norm,
            "skipped": self.figures.skipped,
        }
        self.folder.add_stats(line)
        window.restart(learner.images_seen)

    def _save(self, learner: Learner) -> None:
        self.latest = save_checkpoint(
            self.folder.checkpoints,
            model=learner.average.model.state_dict(),
            raw=learner.unet.state_dict(),
            optimiser=learner.optimiser_tensors(),
            facts={
                "images_seen": learner.images_seen,
                "label_names": self.pack.label_names,
                "pack_hash": self.pack.content_hash,
                "shape": list(self.shape),
            },
            config=self.config,
        )
        remove_old_checkpoints(self.folder.path, self.config.keep_last)
        if self.on_checkpoint is not None:
            self.on_checkpoint(self.latest)

    def _preview(self, learner: Learner) -> None:
        denoiser = Denoiser(learner.average.model, self.config.diffusion)
        names = self.pack.label_names
        sheet = draw_preview(denoiser, self.config.preview, names, self.config.seed)
        with atomic_path(self.folder.previews / f"{learner.images_seen:09d}.png") as partial:
            sheet.save(partial, format="PNG")

    def _outcome(
        self, checkpoint: Path, seen: int, learnt: int, seconds: float, was_finished: bool
    ) -> Outcome:
        return Outcome(
            run=self.folder.path,
            checkpoint=checkpoint,
            images_seen=seen,
            loss=self.figures.loss,
            seconds=seconds,
            images_per_s=learnt / seconds if seconds > 0 else 0.0,
            skipped_batches=self.figures.skipped,
            was_finished=was_finished,
        )


class _Window:
    """The images and seconds since the last line of figures."""

    def __init__(self, seen: int) -> None:
        self.restart(seen)

    def restart(self, seen: int) -> None:
        self.seen, self.since = seen, time.monotonic()

    def steps(self, seen: int, batch: int) -> int:
        return (seen - self.seen) // batch

    def rate(self, seen: int) -> float:
        return (seen - self.seen) / max(time.monotonic() - self.since, 1e-9)


class StopRequest:
    """Set by the first Ctrl-C or SIGTERM, obeyed between two steps."""

    requested = False


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C (or SIGTERM) into a request, the second into KeyboardInterrupt."""
    stop = StopRequest()

    def note(_number: int, _frame: object) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        log.info("stopping after this step, with a checkpoint; once more to stop at once")

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever runs it stops it
        before = {}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _out_of_memory_said_plainly(config: TrainConfig) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise WorldError(
            f"the GPU's memory does not hold a batch of {config.batch}; try"
            f" --set batch={max(config.batch // 2, 1)}, or a smaller network"
        ) from error
