"""A run's folder: its config, its lock, its statistics, and whether it may be gone on with.

runs/NAME/  config.json  stats.jsonl  tensorboard/  previews/*.png  checkpoints/<images seen>/
"""

import fcntl
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dataset.atomic_file import write_json, write_text
from dataset.config import to_mapping
from dataset.errors import ConfigError, DataError
from train.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint
from train.config import TrainConfig
from train.learning_rate import learning_rate

log = logging.getLogger(__name__)

# `is_held` has the lock for an instant, longer where its process must wait for a processor.
_ASKING_S, _ASKED = 0.05, 20

# Keys that change nothing learnt but, some of them, its rounding and which activations drop out:
# a run may go on with others.
FREE_KEYS = (
    "name",  # the folder's; a run may be renamed
    "pack",  # the content hash is compared instead of the path
    "device",
    "reading",
    "threads",
    "compile",
    "deterministic",
    "micro_batch",
    "parallel",
    "rank_timeout_s",
    "checkpoint_every_images",
    "snapshot_every_images",
    "keep_last",
    "stats_every_steps",
    "rollbacks",
    "preview",
    "validation",
)


class RunFolder:
    """The folder of one run; knows nothing of networks."""

    def __init__(self, runs: Path, name: str) -> None:
        self.path = runs / name
        self.previews = self.path / "previews"
        self.checkpoints = self.path / "checkpoints"
        self.stats = self.path / "stats.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; raises ConfigError if another one is training it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            for _ in range(_ASKED):
                if _taken(lock):
                    break
                time.sleep(_ASKING_S)
            else:
                raise ConfigError(
                    f"{self.path} is being trained by another process; wait for it, or choose"
                    " another --name"
                )
            yield

    def is_held(self) -> bool:
        """Whether a process is training this run just now; asking holds the lock for an instant."""
        try:
            with (self.path / ".lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def set_aside(self) -> None:
        """Start afresh: rename an existing run to NAME.1, NAME.2 ...; nothing is deleted."""
        if not (self.path / "config.json").exists() and not checkpoint_folders(self.path):
            return
        number = 1
        while (old := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        self.path.rename(old)
        log.info("the run that was in %s is now in %s", self.path, old)

    def check(self, config: TrainConfig, pack_hash: str) -> Checkpoint | None:
        """The checkpoint to go on from, None for a new run; nothing is written.

        Raises ConfigError naming the key if the folder holds a run of another config or pack, or
        one that is beyond the budget.
        """
        if (self.path / "config.json").exists():
            self._compare(self._read_config(), config)
        checkpoint = load_checkpoint(self.path) if checkpoint_folders(self.path) else None
        if checkpoint is None:
            return None
        self._compare(to_mapping(checkpoint.config), config)
        if checkpoint.pack_hash != pack_hash:
            raise ConfigError(
                f"{self.path} was trained on another pack (its content was"
                f" {checkpoint.pack_hash[:12]}, --packed has {pack_hash[:12]}); choose another"
                " --name, or --restart"
            )
        if checkpoint.config.images != config.images:
            _check_budget(checkpoint, config)
        return checkpoint

    def resume(self, config: TrainConfig, pack_hash: str) -> Checkpoint | None:
        """As `check`; from now on the folder is that of `config`."""
        checkpoint = self.check(config, pack_hash)
        write_json(self.path / "config.json", to_mapping(config))
        self.cut_stats(checkpoint.images_seen if checkpoint else 0)
        return checkpoint

    def add_stats(self, line: Mapping[str, Any]) -> None:
        """Append one line of figures."""
        with self.stats.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_stats(self) -> list[dict[str, Any]]:
        """All whole lines of figures, oldest first; a line that is none, such as one torn by a
        kill, is left out."""
        if not self.stats.exists():
            return []
        lines: list[dict[str, Any]] = []
        for text in self.stats.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if isinstance(line, dict) and isinstance(line.get("images"), int):
                lines.append(line)
            else:
                log.debug("left out a torn line of %s", self.stats)
        return lines

    def cut_stats(self, images_seen: int) -> None:
        """Drop the figures of work that was lost after the checkpoint gone on from."""
        kept = [line for line in self.read_stats() if line["images"] <= images_seen]
        write_text(self.stats, "".join(json.dumps(line) + "\n" for line in kept))

    def _read_config(self) -> dict[str, Any]:
        path = self.path / "config.json"
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is damaged; choose another --name, or --restart") from error
        if not isinstance(table, dict):
            raise DataError(f"{path} is damaged; choose another --name, or --restart")
        return table

    def _compare(self, before: Mapping[str, Any], config: TrainConfig) -> None:
        # What an older version did not know of is now at its default, which changes nothing.
        unknown_then = _flat(to_mapping(TrainConfig(name=self.path.name)))
        then, wanted = unknown_then | _flat(before), _flat(to_mapping(config))
        for key in sorted(then.keys() | wanted.keys()):
            if _is_free(key, config) or then.get(key) == wanted.get(key):
                continue
            raise ConfigError(
                f"{self.path} holds a run with {key} = {then.get(key)!r}, now it is"
                f" {wanted.get(key)!r}; choose another --name, or --restart"
            )


def _taken(lock: IO[str]) -> bool:
    """Whether the lock is this process's now; it is not while another one has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(key: str, config: TrainConfig) -> bool:
    """Whether a run of `config` may go on with another value of `key`."""
    if key == "micro_batch" and config.network == "favicon":
        return False  # it keeps statistics of what goes through it at once
    return key == "images" or key.split(".")[0] in FREE_KEYS


def _check_budget(checkpoint: Checkpoint, config: TrainConfig) -> None:
    """Say what another budget does to a run; raise ConfigError for one that is spent already."""
    before, seen = checkpoint.config.images, checkpoint.images_seen
    if config.images < min(seen, before):
        raise ConfigError(
            f"{checkpoint.run} has seen {seen} images already, images is {config.images} now;"
            f" leave it at {before}, choose another --name, or --restart"
        )
    if config.decay != "cosine":
        log.info("the budget is %d images now, it was %d", config.images, before)
        return
    old, new = (learning_rate(c, seen) for c in (checkpoint.config, config))
    log.warning(
        "the budget is %d images now, it was %d: with decay cosine the learning rate jumps from"
        " %.3g to %.3g here, and what is learnt is not what a run of %d images learns from its"
        " start; decay sqrt or constant can be prolonged without a trace",
        config.images,
        before,
        old,
        new,
        config.images,
    )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
