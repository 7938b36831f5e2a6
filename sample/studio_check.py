"""The novelty check of a process that lives long: an index loaded once, pictures one by one."""

import base64
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataset.errors import ConfigError, DataError, PipelineError
from dataset.packed import PackedDataset
from sample.draw import origin
from sample.drawn_folder import png_content
from sample.inspection import open_checker
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.novelty_record import picture_records
from sample.pictures import PictureFile, decode_pictures
from train.checkpoint import Checkpoint

log = logging.getLogger(__name__)

INDEX = "novelty-index.safetensors"  # of a run's folder
_PATIENCE = 10  # the thread's niceness, which on Linux is its own


class StudioCheck:
    """Judges pictures as novelty.json records them, with the originals beside."""

    def __init__(self, checker: NoveltyChecker) -> None:
        self.checker = checker

    def findings(self, files: Sequence[PictureFile]) -> list[dict[str, Any]]:
        """The records of a batch, in its order; each neighbour with its picture as PNG, base64."""
        pack = self.checker.pack
        records = self._records(files)
        for record in records:
            for neighbour in record["neighbours"]:
                content = png_content(pack.data[neighbour["row"]], {})
                neighbour["png"] = base64.b64encode(content).decode()
        return records

    def verdicts(self, files: Sequence[PictureFile]) -> list[dict[str, Any]]:
        """The verdicts on one batch, in its order."""
        return [
            {key: record[key] for key in ("verdict", "p", "q")} for record in self._records(files)
        ]

    def _records(self, files: Sequence[PictureFile]) -> list[dict[str, Any]]:
        readable, pictures, unreadable = decode_pictures(list(files), self.checker.pack)
        assert not unreadable
        scores = self.checker.score(pictures, "scoring pictures")
        verdicts, acquitted = self.checker.judge(scores), np.zeros(len(files), np.bool_)
        return picture_records(self.checker, readable, scores, verdicts, acquitted)


def checker_of_run(
    checkpoint: Checkpoint, packed: Path | None, config: NoveltyConfig
) -> NoveltyChecker:
    """The checker for pictures of `checkpoint`, against `packed` or the pack that its run names.

    Index and calibration are kept in the run's folder and made anew where they do not fit any
    more. Raises ConfigError without the pack, DataError when it is not the one that was trained on.
    """
    path, training = packed or checkpoint.config.pack, origin(checkpoint)["training"]
    if path is None:
        raise ConfigError(f"{checkpoint.run} does not say which pack it learnt from; give --packed")
    pack, index = PackedDataset(path), checkpoint.run / INDEX
    if pack.content_hash != checkpoint.pack_hash:
        raise DataError(
            f"{path} is not the pack that {checkpoint.run} learnt from; give that with --packed"
        )
    try:
        return open_checker(pack, config, index, training)
    except DataError as error:
        if not index.exists():
            raise
        log.info("%s; it is built again", error)
        index.unlink()
        return open_checker(pack, config, index, training)


class PendingCheck:
    """A check that is being loaded on a thread of its own, which may take minutes."""

    def __init__(self, load: Callable[[], NoveltyChecker | None], *, must: bool = False) -> None:
        """Where `load` fails, its error is what `result` raises (`must`) or tells."""
        self._load, self._must = load, must
        self._found: tuple[StudioCheck | None, str] = None, "as was asked for"
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="check", daemon=True)
        self._thread.start()

    @property
    def is_there(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> tuple[StudioCheck | None, str]:
        """The check and "", or None and why pictures cannot be judged; waits for it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found

    def _work(self) -> None:
        # Whoever waits for pictures comes first; what this thread starts is as patient.
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _PATIENCE)
        try:
            if (checker := self._load()) is not None:
                self._found = StudioCheck(checker), ""
        except PipelineError as error:
            if self._must:
                self._error = error
            self._found = None, " ".join(str(error).split())
        except BaseException as error:  # of a bug: told where it can be seen
            self._error = error
