"""Snapshots: the averages of a run now and then, from which those of other widths are worked out.

runs/NAME/snapshots/<images seen>/  averages.safetensors   WIDTH.NAME, half as wide as in training
                                    snapshot.json          written last, with the file's SHA-256
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dataset.config import to_mapping
from dataset.errors import DataError
from train.checkpoint import folder_name
from train.config import TrainConfig
from train.ema import WeightAverages
from train.sealed_folder import Files, check_files, damaged, read_manifest, sweep, write_sealed
from train.tensor_file import read_tensors

log = logging.getLogger(__name__)

FORMAT = 1
AVERAGES, MANIFEST = "averages.safetensors", "snapshot.json"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A complete snapshot whose file was found to be what its manifest says."""

    path: Path
    images_seen: int
    widths: tuple[float, ...]

    def tensors(self) -> dict[str, Tensor]:
        """The averages by `snapshot_name`, float16 where that holds them."""
        return read_tensors(self.path / AVERAGES)


def snapshot_files(
    averages: WeightAverages,
    gathered: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict,
) -> dict[str, dict[str, Tensor]]:
    """The averages that a snapshot keeps, by file and name: the learner's own, not copies.

    `gathered` makes whole parameters of this process's parts; all processes call it together.
    """
    tensors = {
        snapshot_name(width, name): tensor
        for width, named in averages.by_width().items()
        for name, tensor in gathered(named).items()
    }
    return {AVERAGES: tensors}


def snapshot_name(width: float, name: str = "") -> str:
    """What the weight `name` of the average of `width` is called in a snapshot; without a name,
    how all of them begin."""
    return f"{width!r}.{name}"


def write_snapshot(
    run: Path, files: Files, widths: Sequence[float], images_seen: int, config: TrainConfig
) -> Path:
    """Write a snapshot into a run's folder, in float16; one of the same count is replaced."""
    folder = run / "snapshots"
    sweep(folder)
    halved = {file: _halved(tensors) for file, tensors in files.items()}
    manifest = {
        "format": FORMAT,
        "images_seen": images_seen,
        "widths": list(widths),
        "config": to_mapping(config),
    }
    return write_sealed(folder / folder_name(images_seen), halved, MANIFEST, manifest)


def read_snapshots(run: Path) -> list[Snapshot]:
    """The whole snapshots of a run, oldest first; a damaged one is left out with a warning."""
    found = []
    for manifest in sorted((run / "snapshots").glob(f"[0-9]*/{MANIFEST}")):
        try:
            found.append(_read(manifest.parent))
        except DataError as error:
            log.warning("%s; it is left out", error)
    return sorted(found, key=lambda snapshot: snapshot.images_seen)


def _read(folder: Path) -> Snapshot:
    manifest = read_manifest(folder, MANIFEST, FORMAT)
    check_files(folder, manifest)
    try:
        images_seen = int(manifest["images_seen"])
        widths = tuple(float(width) for width in manifest["widths"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"{MANIFEST} is incomplete") from error
    return Snapshot(path=folder, images_seen=images_seen, widths=widths)


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In float16, but for those that it does not hold."""
    halved: dict[str, Any] = {}
    for name, tensor in tensors.items():
        half = tensor.to(torch.float16)
        fits = bool(torch.isfinite(half).all())
        halved[name] = half if fits else tensor
    return halved
