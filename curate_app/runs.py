"""The runs of training that there are to draw from: read from their folders, never written."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dataset.wording import NO_TEXT

_MANIFEST = "checkpoint.json"
_LARGEST_MANIFEST = 4 * 1024 * 1024
_MOST_RUNS = 500
_LONGEST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run with a finished checkpoint; `problem` says why it cannot be drawn from."""

    name: str
    path: Path
    checkpoints: tuple[str, ...]  # newest first
    labels: tuple[str, ...] = ()
    size: int = 0  # pixels
    kind: str = "diffusion"
    most_steps: int = 1000
    pack: str = ""
    problem: str = ""

    @property
    def newest(self) -> str:
        return self.checkpoints[0]

    def checkpoint(self, name: str) -> Path:
        """The folder of one of `checkpoints`, "" for the newest."""
        return self.path / "checkpoints" / (name or self.newest)


def runs_in(folder: Path) -> list[Run]:
    """All runs of a folder that have a checkpoint, the one trained last first."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_dir())[:_MOST_RUNS]
    except OSError:
        return []
    runs = [run for path in found if (run := _run(path)) is not None]
    return sorted(runs, key=_written, reverse=True)


def _run(path: Path) -> Run | None:
    name = path.name
    if NO_TEXT.search(name) or name.startswith(".") or len(name) > _LONGEST_NAME:
        return None
    checkpoints = tuple(
        sorted(
            (one.parent.name for one in (path / "checkpoints").glob(f"[0-9]*/{_MANIFEST}")),
            key=lambda name: int(name) if name.isdecimal() else -1,
            reverse=True,
        )
    )
    if not checkpoints:
        return None
    manifest = path / "checkpoints" / checkpoints[0] / _MANIFEST
    try:
        stat = manifest.stat()
        facts = _facts(manifest, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        facts = {"problem": f"its newest checkpoint, {checkpoints[0]}, is damaged or too old"}
    return Run(name=name, path=path, checkpoints=checkpoints, **facts)


@lru_cache(maxsize=256)
def _facts(manifest: Path, _changed_at: int, byte_count: int) -> dict[str, Any]:
    """What the page tells of a checkpoint; read again when the file changes."""
    if byte_count > _LARGEST_MANIFEST:
        raise ValueError("no manifest is as large")
    told = json.loads(manifest.read_text("utf-8"))
    subject, config = told["subject"], told["config"]
    upscales = int(config["upscale"]["from_size"]) > 0
    # The networks of other people's models, and an autoencoder, are told of no class.
    hears_classes = config["network"] == "unet" and config["kind"] == "diffusion"
    return {
        "labels": tuple(map(str, subject["label_names"])) if hears_classes else (),
        "size": int(subject["picture"][2]),
        "kind": str(config["kind"]),
        "most_steps": int(config["diffusion"]["steps"]),
        "pack": str(config["pack"] or ""),
        "problem": "it enlarges pictures and draws none from noise alone" if upscales else "",
    }


def _written(run: Run) -> tuple[float, str]:
    try:
        return (run.checkpoint("") / _MANIFEST).stat().st_mtime, run.name
    except OSError:
        return 0.0, run.name
