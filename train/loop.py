"""The loop: steps, and around them figures, validation, checkpoints, previews, and going on."""

import gc
import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch

from dataset.atomic_file import atomic_path
from dataset.progress import Progress
from dataset.provenance import Split
from train.advice import run_advice
from train.augment_config import AugmentConfig
from train.batch_size import memory_advice, steps_tried
from train.batches import DeviceBatches, load_split
from train.checkpoint import Checkpoint, folder_name, load_checkpoint
from train.compiling import settings
from train.config import TrainConfig
from train.device_data import split_bytes
from train.distributed import ALONE, Ranks, joined_ranks, own_device
from train.figures import Figures
from train.learner import Learner
from train.learners import make_learner
from train.metrics import Metrics, work_of
from train.milestones import budget, due
from train.networks import count_parameters
from train.outcome import Outcome
from train.preparation import Prepared, prepare
from train.recovery import MOST_SKIPPED_IN_A_ROW, last_good_checkpoint, lost_loss
from train.run_folder import RunFolder
from train.saver import BackgroundSaver
from train.stopping import stop_requests
from train.validation import Measured, measured_at, validation_loss

log = logging.getLogger(__name__)

OnCheckpoint = Callable[[Path], None]


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
    (no such device, out of memory, a full disk). Ctrl-C writes a checkpoint and raises
    KeyboardInterrupt.
    """
    folder = RunFolder(runs, config.name)
    with joined_ranks(config) as ranks:
        prepared = prepare(config, None if restart else folder.path)
        device = own_device(prepared.device, ranks)
        if restart and ranks.first:
            with folder.locked():
                folder.set_aside()
        held = folder.locked() if ranks.first else nullcontext()
        with held, settings(config, device):
            try:
                return Run(config, folder, prepared, device, ranks, on_checkpoint).go()
            except torch.OutOfMemoryError as error:
                pack = prepared.pack
                taken = split_bytes(pack.data, pack.rows(config.split))
                trial = steps_tried(prepared.subject, device, taken)
                raise memory_advice(error, config, trial, ranks) from None


class Run:
    """One process's share of a run, in a folder that it holds."""

    learner: Learner
    batches: DeviceBatches
    validation: DeviceBatches | None
    metrics: Metrics
    saver: BackgroundSaver
    progress: Progress

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        prepared: Prepared,
        device: torch.device,
        ranks: Ranks = ALONE,
        on_checkpoint: OnCheckpoint | None = None,
    ) -> None:
        self.config, self.folder, self.device, self.ranks = config, folder, device, ranks
        self.pack, self.subject = prepared.pack, prepared.subject
        self.on_checkpoint, self.measured = on_checkpoint, Measured()
        self._owed = False  # a checkpoint, put off while batches are skipped

    def go(self) -> Outcome:
        """Learn what is left to learn."""
        checkpoint = self._checkpoint()
        self.measured = measured_at(checkpoint)
        if checkpoint is None:
            self._prepare_to_learn(None)
            return self._learn()
        seen = checkpoint.images_seen
        over = self._is_over(seen)
        draws = over or due(self.config.preview.every_images, seen, self.config.batch)
        # A kill between checkpoint and preview leaves the one without the other.
        owed = draws and not self._preview_path(seen).exists()
        if owed or not over:
            self._prepare_to_learn(checkpoint)
        if owed:
            self._preview()
        if not over:
            return self._learn()
        log.info("run %s is finished: %d images seen", self.folder.path, seen)
        return self._outcome(seen, was_finished=True)

    def _checkpoint(self) -> Checkpoint | None:
        """What this run goes on from; all ranks take what the first one found."""

        def found() -> str:
            checkpoint = self.folder.resume(self.config, self.pack.content_hash)
            return "" if checkpoint is None else str(checkpoint.path)

        path = self.ranks.from_first(found)
        return load_checkpoint(Path(path)) if path else None

    def _prepare_to_learn(self, checkpoint: Checkpoint | None) -> None:
        config = self.config
        augment, flip = config.augment, config.flip
        self.batches = self._load(config.split, augment=augment, flip=flip)
        self.validation = None
        if config.validation.every_images > 0:
            self.validation = self._load("test", augment=None, flip=False)
        self._make_learner(checkpoint)
        log.info(
            "%s: %d pictures, %d parameters, on %s",
            self.folder.path,
            len(self.batches),
            count_parameters(self.learner.network),
            self.device,
        )
        if checkpoint is None:
            for line in run_advice(config, len(self.batches), self.subject, self.device):
                log.warning("%s", line)

    def _load(self, split: Split, *, augment: AugmentConfig | None, flip: bool) -> DeviceBatches:
        config = self.config
        return load_split(
            self.pack,
            split,
            seed=config.seed,
            flip=flip,
            device=self.device,
            augment=augment,
            reading=config.reading,
            vectors=config.vectors,
        )

    def _make_learner(self, checkpoint: Checkpoint | None) -> None:
        """A learner as it was at `checkpoint`, or at the beginning."""
        self.learner = make_learner(self.config, self.subject, self.device, checkpoint, self.ranks)
        if checkpoint is None:
            self.learner.begin(self.batches)
        else:
            self.learner.restore(checkpoint)
            log.info("going on from %s", checkpoint.path)
        if self.device.type == "cpu":
            torch.set_num_threads(self.learner.gradients.threads_inside(self.ranks.world))
        self.learner.check_alike()

    def _learn(self) -> Outcome:
        """Step until the budget is spent or nothing gets better."""
        config, first = self.config, self.learner.images_seen
        compiling = self.learner.warm_up(self.batches)
        if compiling:
            log.info("compiled in %.1f s", compiling)
        if config.images != budget(config):
            log.info("whole batches of %d: learning to image %d", config.batch, budget(config))
        work = work_of(config, self.subject, self.device, self.ranks.world)
        started = time.monotonic()
        with ExitStack() as stack:
            stop = stack.enter_context(stop_requests())
            self.saver = stack.enter_context(BackgroundSaver(self.folder.path, config))
            self.metrics = stack.enter_context(
                Metrics(self.folder, config, work, first, silent=not self.ranks.first)
            )
            self.progress = stack.enter_context(Progress("train", budget(config), "images", first))
            while not self._is_over(self.learner.images_seen):
                self.learner.step(self.batches)
                stopping = self.ranks.agreed(stop.requested)
                self._after_step(stopping)
                if stopping:
                    raise KeyboardInterrupt
        seconds, seen = time.monotonic() - started, self.learner.images_seen
        return self._outcome(
            seen,
            loss=self.metrics.figures.loss,
            seconds=seconds,
            images_per_s=(seen - first) / seconds if seconds > 0 else 0.0,
            skipped_batches=self.metrics.figures.skipped,
            compile_seconds=compiling,
            rollbacks=self.learner.rollbacks,
        )

    def _after_step(self, stopping: bool) -> None:
        """What is due by now: figures, validation, a checkpoint, a preview."""
        config, seen = self.config, self.learner.images_seen
        # Before the checkpoint: whoever goes on from that finds the snapshot there.
        if self._is_due(config.snapshot_every_images):
            files = self.learner.snapshot_files()
            if self.ranks.first:
                self.saver.snapshot(files, seen)
        saves = stopping or self._is_due(config.checkpoint_every_images)
        validates = self.validation is not None and self._is_due(config.validation.every_images)
        draws = self._is_due(config.preview.every_images)
        full = self.metrics.steps(seen) >= config.stats_every_steps
        if saves or validates or draws or full or seen >= budget(config):
            figures = self.learner.read_figures()
            if figures.worst_streak >= MOST_SKIPPED_IN_A_ROW:
                self._roll_back(figures.worst_streak)
                return
            loss = self._validate() if validates else None
            self.metrics.write(figures, seen, self.learner.rate(seen - config.batch), loss)
            over = self._is_over(seen)
            best = validates and self.measured.best_images == seen
            self._save(figures, loss, due=saves or best, forced=stopping or over)
            if draws or over:
                self._preview(self.metrics)
            self.metrics.restart(seen)
        self.saver.poll()
        self.progress.advance(config.batch, self.metrics.note)

    def _is_due(self, every: int) -> bool:
        """Whether the last step crossed a multiple of `every` images, or ended; 0 is never."""
        seen = self.learner.images_seen
        return due(every, seen, self.config.batch) or (every > 0 and seen >= budget(self.config))

    def _is_over(self, images_seen: int) -> bool:
        """Whether the budget is spent, or the loss on other pictures became no better for long."""
        return images_seen >= budget(self.config) or self._has_stopped()

    def _has_stopped(self) -> bool:
        patience = self.config.validation.patience
        return 0 < patience <= self.measured.worse

    def _validate(self) -> float:
        """Measure the averaged weights; all ranks hear of the first one's figure."""
        learner, others = self.learner, self.validation
        assert others is not None
        network = learner.averaged()
        said = self.ranks.from_first(lambda: repr(validation_loss(learner, network, others)))
        self.measured = self.measured.after(float(said), learner.images_seen)
        if self._has_stopped():
            log.info(
                "stopping: the loss on split test was best at image %d (%.4f), and is no better"
                " since %d measurements",
                self.measured.best_images,
                self.measured.best,
                self.measured.worse,
            )
        return float(said)

    def _save(self, figures: Figures, loss: float | None, *, due: bool, forced: bool) -> None:
        """Save what is due; in a row of bad batches it is put off, unless it is `forced`."""
        self._owed = self._owed or due or forced
        if not self._owed or (figures.streak > 0 and not forced):
            return
        self._owed, learner = False, self.learner
        learner.check_alike()
        files = learner.checkpoint_files()
        if not self.ranks.first:
            return
        facts = {
            "images_seen": learner.images_seen,
            "subject": self.subject.facts(),
            "pack_hash": self.pack.content_hash,
            "validation_loss": loss if loss is not None and math.isfinite(loss) else None,
            "validation": self.measured.facts(),
        }
        self.saver.save(files, facts)
        if self.on_checkpoint is not None:
            for path in self.saver.wait():
                self.on_checkpoint(path)

    def _preview(self, metrics: Metrics | None = None) -> None:
        """Draw a sheet with the averaged and the raw weights."""
        learner = self.learner
        learner.averaged()  # gathers them, where no process has them all
        if not self.ranks.first:
            return
        sheet = learner.sheet(self.batches)
        with atomic_path(self._preview_path(learner.images_seen)) as partial:
            sheet.save(partial, format="PNG")
        if metrics is not None:
            metrics.picture(sheet, learner.images_seen)

    def _preview_path(self, images_seen: int) -> Path:
        return self.folder.previews / f"{folder_name(images_seen)}.png"

    def _roll_back(self, streak: int) -> None:
        """Go on from the last good checkpoint with half the learning rate; nothing is kept of
        what came after it. Raises DataError when that was tried often enough."""
        seen, rollbacks = self.learner.images_seen, self.learner.rollbacks + 1
        if rollbacks > self.config.rollbacks:
            rate = self.learner.rate(seen)
            raise lost_loss(seen, streak, self.learner.rollbacks, rate, self.pack.path)
        self.saver.wait()
        path = self.ranks.from_first(lambda: last_good_checkpoint(self.folder.path))
        checkpoint = load_checkpoint(Path(path)) if path else None
        if checkpoint is None:
            del self.learner
            gc.collect()  # it holds itself, and two of them might not fit
            self._make_learner(None)
        else:
            self.learner.restore(checkpoint)
        self.learner.rollbacks, self._owed = rollbacks, False
        self.measured = measured_at(checkpoint)
        back = self.learner.images_seen
        self.metrics.go_back(back)
        self.progress.advance(back - self.progress.done)
        log.warning(
            "%d batches in a row, up to image %d, had a loss or gradient that is not finite; going"
            " back to image %d with the learning rate halved (%d of %d times)",
            streak,
            seen,
            back,
            rollbacks,
            self.config.rollbacks,
        )

    def _outcome(self, images_seen: int, **told: Any) -> Outcome:
        best = self.measured.best
        return Outcome(
            run=self.folder.path,
            checkpoint=self.folder.checkpoints / folder_name(images_seen),
            images_seen=images_seen,
            validation_loss=best if math.isfinite(best) else None,
            stopped_early=images_seen < budget(self.config),
            **told,
        )
