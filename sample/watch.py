"""A run watched while it trains: pictures of each new checkpoint, the same seeds, are they new?

RUN/watched/<images seen>/ holds the pictures with their report, RUN/novelty.jsonl a line a
checkpoint, RUN/tensorboard/novelty the same as curves.
"""

import json
import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from dataset.errors import ConfigError, DataError
from sample import draw
from sample.draw import DrawConfig
from sample.inspection import Inspection, inspect_folder
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.pictures import SHEET
from sample.studio_check import INDEX, checker_of_run
from train.checked import require
from train.checkpoint import MANIFEST, Checkpoint, checkpoint_folders, load_checkpoint
from train.drawing import Sampling
from train.guidance import Guidance
from train.memorising import LINES, novelty_lines
from train.metrics import side_writer
from train.milestones import budget
from train.run_folder import RunFolder

log = logging.getLogger(__name__)

FOLDER = "watched"  # in the run's folder


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """What is drawn of each checkpoint, how often is looked for one, and how it is judged."""

    count: int = 64  # fewer say little: of 20 new pictures the share may still be 16 %
    seed: int = 0
    steps: int = 20
    guidance: float = 2.0
    sampler: str = "dpm++2m"
    every_s: float = 10.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # The audit is of the checker, not of the pictures, and made once: few are enough here.
    novelty: NoveltyConfig = field(default_factory=lambda: NoveltyConfig(audit=20))

    def __post_init__(self) -> None:
        require(1 <= self.count <= 10_000, "count", self.count, "from 1 to 10000")
        sure = 0.1 <= self.every_s <= 86_400
        require(sure, "every_s", self.every_s, "from 0.1 to 86400 seconds")
        self.drawing()

    def drawing(self) -> DrawConfig:
        """Raises ConfigError for what cannot be drawn by."""
        guidance = Guidance(scale=self.guidance)
        sampling = Sampling(sampler=self.sampler, steps=self.steps, guidance=guidance)
        return DrawConfig(sampling=sampling, count=self.count, seed=self.seed, device=self.device)


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What came of one checkpoint; `rate` is the share of copies among what the model draws, None
    where nothing can be said, with its interval."""

    images: int
    fingerprint: str  # of the weights
    at: str
    folder: str
    pictures: int
    judged: int
    flagged: int  # copies and near copies
    copies: int
    rate: float | None
    interval: tuple[float, float]
    verdicts: dict[str, int]
    warning: str  # "" as long as nothing speaks of memorisation


Rest = Callable[[float], bool]  # waits some seconds; False: nothing more will come


class Watch:
    """Follows one run; the checker is loaded with the first checkpoint and kept."""

    def __init__(self, run: Path, packed: Path | None, config: WatchConfig) -> None:
        self.run, self.packed, self.config = run, packed, config
        self._checker: NoveltyChecker | None = None
        self._budget: int | None = None  # images, once a checkpoint said so

    def sightings(self, rest: Rest, *, ends: bool = True) -> Iterator[Sighting]:
        """Judge every checkpoint that is not judged yet, and those to come until `rest`, asked for
        patience between looks, says that it is enough, or (`ends`) until the run is over.

        Raises what drawing and checking do: ConfigError, DataError, WorldError.
        """
        going = True
        while True:
            for folder in self._unjudged():
                if (checkpoint := self._loaded(folder)) is not None:
                    self._budget = budget(checkpoint.config)
                    yield self._sighting(checkpoint)
            if not going:
                return
            # After the end one more look: the last checkpoint may just have been written.
            going = not (ends and self._is_over()) and rest(self.config.every_s)

    def _unjudged(self) -> list[Path]:
        """The checkpoints that no line tells of, oldest first; a run gone back writes anew."""
        known = {(line["images"], line.get("fingerprint")) for line in novelty_lines(self.run)}
        return [folder for folder in checkpoint_folders(self.run) if _identity(folder) not in known]

    def _loaded(self, folder: Path) -> Checkpoint | None:
        """The checkpoint; None for one that the training removed meanwhile."""
        try:
            return load_checkpoint(folder)
        except (ConfigError, DataError):
            if (folder / MANIFEST).exists():
                raise
            log.info("%s was removed before it was judged", folder)
            return None

    def _is_over(self) -> bool:
        """Whether the budget is spent, or nobody trains the run any more."""
        seen = [_identity(folder)[0] for folder in checkpoint_folders(self.run)]
        is_spent = self._budget is not None and max(seen, default=0) >= self._budget
        return is_spent or not RunFolder(self.run.parent, self.run.name).is_held()

    def _sighting(self, checkpoint: Checkpoint) -> Sighting:
        folder = self.run / FOLDER / checkpoint.path.name
        draw.draw(checkpoint, self.config.drawing(), folder, replace=True)
        if self._checker is None:
            self._checker = checker_of_run(checkpoint, self.packed, self.config.novelty)
        pack, index = self._checker.pack.path, self.run / INDEX  # that the checker came from
        done = inspect_folder(
            folder, pack, self.config.novelty, checker=self._checker, index_path=index
        )
        before = novelty_lines(self.run)
        found = sighting_of(checkpoint, done)
        _append(self.run / LINES, asdict(found))
        show_curves(self.run, found, Image.open(folder / SHEET))
        if found.warning:
            onset = not (before and before[-1].get("warning"))
            log.warning(
                "image %s: %s%s; see %s",
                f"{found.images:,}",
                "memorisation sets in: " if onset else "",
                found.warning,
                done.report,
            )
        return found


def sighting_of(checkpoint: Checkpoint, done: Inspection) -> Sighting:
    """The line of a checkpoint whose pictures were inspected."""
    share = done.record["share"]
    low, high = (float(bound) for bound in share["interval"])
    return Sighting(
        images=checkpoint.images_seen,
        fingerprint=checkpoint.fingerprint,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        folder=f"{FOLDER}/{done.folder.name}",
        pictures=len(done.record["pictures"]),
        judged=int(share["judged"]),
        flagged=int(share["flagged"]),
        copies=int(share["copies"]),
        rate=None if share["rate"] is None else float(share["rate"]),
        interval=(low, high),
        verdicts=done.counts,
        warning=_warning(done, low, high),
    )


def _warning(done: Inspection, low: float, high: float) -> str:
    """Why this looks like memorisation: copies, or a share that chance does not explain."""
    reasons = []
    copied = [one for one in done.record["pictures"] if one["verdict"] == "copy"]
    copied = [one for one in copied if not one.get("false_alarm")]
    if copied:
        row = copied[0]["neighbours"][0]["row"] if copied[0]["neighbours"] else None
        of_row = "" if row is None else f" of row {row}"
        such = f"such as {copied[0]['file']}{of_row}"
        number = f"{len(copied)} of {len(done.record['pictures'])} pictures"
        reasons.append(f"{number} {'is a copy' if len(copied) == 1 else 'are copies'} ({such})")
    if low > 0 and done.record["share"]["rate"] is not None:
        reasons.append(f"{100 * low:.0f} to {100 * high:.0f} % of what is drawn are copies")
    return ", ".join(reasons)


def show_curves(run: Path, found: Sighting, sheet: Image.Image) -> None:
    """The sighting among TensorBoard's curves, where that is installed."""
    events = side_writer(run / "tensorboard" / "novelty", found.images)
    if events is None:
        return
    figures: dict[str, Any] = {
        "copies": found.copies,
        "flagged": found.flagged / found.judged if found.judged else math.nan,
        "share": found.rate,
        "share_low": found.interval[0],
        "share_high": found.interval[1],
    }
    for name, value in figures.items():
        if value is not None and math.isfinite(value):
            events.add_scalar(f"novelty/{name}", value, found.images)
    with sheet:
        events.add_image(
            "watched", np.asarray(sheet.convert("RGB")), found.images, dataformats="HWC"
        )
    events.close()


def _identity(folder: Path) -> tuple[int, str | None]:
    """Images seen and the fingerprint of the weights, as the manifest says them."""
    try:
        facts = json.loads((folder / MANIFEST).read_text("utf-8"))
        return int(facts["images_seen"]), str(facts["files"]["model.safetensors"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1, None  # damaged, or just being removed: loading it says which


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("ab+") as file:
        torn = file.tell() > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
        file.write((b"\n" if torn else b"") + json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
