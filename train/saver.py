"""Saving beside the training: tensors are copied to host memory, and a thread writes them.

One checkpoint and one snapshot at most are on their way; who wants to save the next waits for it.
What goes wrong in the thread comes up, as one line, in whoever saves, polls or waits next.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from dataset.errors import WorldError
from train.checkpoint import write_checkpoint
from train.config import TrainConfig
from train.host_memory import HostMemory
from train.retention import keep_checkpoints
from train.sealed_folder import Files
from train.snapshots import write_snapshot

log = logging.getLogger(__name__)


class BackgroundSaver:
    """Writes the checkpoints and snapshots of one run; leaving its context waits for the last."""

    def __init__(self, run: Path, config: TrainConfig) -> None:
        self.run, self.config = run, config
        self._thread = ThreadPoolExecutor(1, "saver")
        self._checkpoint, self._snapshot = _Lane(self._thread), _Lane(self._thread)
        self._saved: list[Path] = []

    def save(self, files: Files, facts: Mapping[str, Any]) -> None:
        """Save a checkpoint of `files` as they are now (see `write_checkpoint`), then remove old
        ones. Returns as soon as they are copied; raises WorldError if the one before failed."""

        def write(copies: Files) -> Path:
            path = write_checkpoint(self.run / "checkpoints", copies, facts, self.config)
            keep_checkpoints(self.run, self.config.keep_last)
            return path

        self._saved += self._checkpoint.take()
        self._checkpoint.start(f"the checkpoint of image {facts['images_seen']}", files, write)

    def snapshot(self, files: Files, images_seen: int) -> None:
        """Keep the averages as they are now (see `snapshot_files`), for other widths to be worked
        out from. Returns and raises as `save` does."""
        widths = self.config.ema_widths

        def write(copies: Files) -> Path:
            return write_snapshot(self.run, copies, widths, images_seen, self.config)

        self._snapshot.take()
        self._snapshot.start(f"the snapshot of image {images_seen}", files, write)

    def poll(self) -> list[Path]:
        """The checkpoints that were completed since this was last asked; does not wait.

        Raises WorldError if something could not be written.
        """
        for lane in (self._snapshot, self._checkpoint):
            if lane.done:
                found = lane.take()
                self._saved += found if lane is self._checkpoint else []
        saved, self._saved = self._saved, []
        return saved

    def wait(self) -> list[Path]:
        """As `poll`, once nothing is on its way any more."""
        self._snapshot.take()
        self._saved += self._checkpoint.take()
        return self.poll()

    def __enter__(self) -> "BackgroundSaver":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            self.wait()
        except WorldError as failure:
            if error is None:
                raise
            log.error("%s", failure)  # what is on its way already says why the run ends
        finally:
            self._thread.shutdown()


class _Lane:
    """One kind of thing to save, with its own memory: at most one of it is on its way."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread, self._memory = thread, HostMemory()
        self._future: Future[Path] | None = None
        self._what = ""

    @property
    def done(self) -> bool:
        return self._future is not None and self._future.done()

    def start(self, what: str, files: Files, write: Callable[[Files], Path]) -> None:
        """Copy `files` and have them written; only after `take`."""
        copies = self._memory.copy(files)

        def work() -> Path:
            self._memory.wait()
            return write(copies)

        self._what, self._future = what, self._thread.submit(work)

    def take(self) -> list[Path]:
        """Wait for what is on its way, if anything is: what was written, none or one."""
        if self._future is None:
            return []
        try:
            saved = [self._future.result()]
        except OSError as error:
            raise WorldError(
                f"{self._what} could not be written ({error.strerror or error}); the checkpoints"
                " before it are whole: see to the disk, then run the same command again to go on"
            ) from error
        finally:
            if self._future.done():
                self._future = None
        return saved
