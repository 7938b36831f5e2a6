"""Checkpoints: a folder of safetensors and JSON that is either whole or absent.

runs/NAME/checkpoints/<images seen>/  model.safetensors   the averaged weights, what is drawn with
                                      state.safetensors   raw weights and optimiser, to go on with
                                      checkpoint.json     written last, with the files' SHA-256
The random streams need no state: they are functions of the seed and of images_seen.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from dataset.atomic_file import fsync_folder
from dataset.config import from_mapping, to_mapping
from dataset.errors import ConfigError, DataError
from train.config import TrainConfig
from train.diffusion import Denoiser
from train.unet import UNet

log = logging.getLogger(__name__)

FORMAT = 1
MODEL, STATE, MANIFEST = "model.safetensors", "state.safetensors", "checkpoint.json"
_RAW = "raw."  # prefix of the raw weights among the tensors of STATE


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A complete checkpoint whose files were found to be what its manifest says."""

    path: Path
    config: TrainConfig
    images_seen: int
    label_names: list[str]
    pack_hash: str
    shape: tuple[int, int, int]  # (C, H, W)
    fingerprint: str  # SHA-256 of the averaged weights' file

    def denoiser(self, device: torch.device | str = "cpu", *, ema: bool = True) -> Denoiser:
        """The network in evaluation mode on `device`, with averaged (or else raw) weights."""
        unet = UNet(
            self.config.unet,
            self.shape,
            len(self.label_names),
            augmented=self.config.augment.active,
        )
        weights = self.model_tensors() if ema else raw_weights(self.state_tensors())
        load_weights(unet, weights, self.path)
        unet = unet.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Denoiser(unet.requires_grad_(False).eval(), self.config.diffusion)

    def model_tensors(self) -> dict[str, Tensor]:
        """The averaged weights by name."""
        return _read_tensors(self.path / MODEL)

    def state_tensors(self) -> dict[str, Tensor]:
        """Raw weights (raw.NAME) and the optimiser's state, by name."""
        return _read_tensors(self.path / STATE)


def save_checkpoint(
    folder: Path,
    *,
    model: Mapping[str, Tensor],
    raw: Mapping[str, Tensor],
    optimiser: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    config: TrainConfig,
) -> Path:
    """Write a checkpoint under `folder`/<images_seen>; returns its path once it is on the disk.

    `facts` holds images_seen, label_names, pack_hash and shape. Until the last rename nothing
    of that name is seen; a killed writer leaves a folder ending in .partial.
    """
    target = folder / f"{facts['images_seen']:09d}"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{target.name}.{os.getpid()}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        state = {_RAW + name: tensor for name, tensor in raw.items()} | dict(optimiser)
        files = {MODEL: dict(model), STATE: state}
        digests = {name: _write_tensors(partial / name, files[name]) for name in files}
        manifest = {"format": FORMAT, "files": digests, "config": to_mapping(config), **facts}
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        _write_synced(partial / MANIFEST, text.encode())
        fsync_folder(partial)
        _set_aside(target)
        partial.rename(target)
        fsync_folder(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's folder, or the latest whole one of a run's folder.

    In a run's folder a damaged newest checkpoint is passed over with a warning. Raises ConfigError
    when there is no checkpoint at all, DataError when one is there but cannot be used.
    """
    if not path.exists():
        raise ConfigError(f"no checkpoint at {path}; train first, or check the path")
    if (path / MANIFEST).exists():
        return _read(path)
    found = checkpoint_folders(path)
    if not found:
        raise ConfigError(
            f"{path} holds no finished checkpoint; train first (python -m train run), or give a"
            " run's folder such as runs/NAME"
        )
    failure = ""
    for folder in reversed(found):
        try:
            return _read(folder)
        except DataError as error:
            failure = str(error)
            log.warning("%s; falling back to the checkpoint before", failure)
    raise DataError(f"no usable checkpoint in {path}: {failure}; train again with --restart")


def checkpoint_folders(run: Path) -> list[Path]:
    """The checkpoints of a run that have a manifest, oldest first."""
    return sorted(
        (manifest.parent for manifest in (run / "checkpoints").glob("[0-9]*/checkpoint.json")),
        key=lambda folder: int(folder.name) if folder.name.isdigit() else -1,
    )


def remove_old_checkpoints(run: Path, keep: int) -> None:
    """Keep the last `keep` checkpoints, and sweep up what killed writers left."""
    for folder in checkpoint_folders(run)[:-keep]:
        # The manifest goes first: a half-removed checkpoint is no checkpoint.
        (folder / MANIFEST).unlink()
        shutil.rmtree(folder, ignore_errors=True)
    for stale in (run / "checkpoints").glob(".*.partial"):
        shutil.rmtree(stale, ignore_errors=True)


def raw_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The raw weights among the tensors of a checkpoint's state."""
    return {
        name.removeprefix(_RAW): tensor for name, tensor in state.items() if name.startswith(_RAW)
    }


def load_weights(unet: UNet, weights: Mapping[str, Tensor], origin: Path) -> None:
    """Copy `weights` into `unet`; raises DataError naming the first one that does not fit."""
    own = unet.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        have = tuple(weights[name].shape) if name in weights else "absent"
        want = tuple(own[name].shape) if name in own else "absent"
        if have != want:
            raise DataError(
                f"checkpoint {origin} is of another architecture: {name} is {have} there and"
                f" {want} in the network of its config; use the version that wrote it"
            )
    unet.load_state_dict(dict(weights))


def _read(folder: Path) -> Checkpoint:
    manifest = _read_manifest(folder)
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or _sha256(folder / name) != digest:
            raise DataError(f"checkpoint {folder} is damaged: {name} is not what was written")
    try:
        config = from_mapping(TrainConfig, manifest["config"], str(folder / MANIFEST))
    except ConfigError as error:
        raise DataError(f"checkpoint of another version: {error}") from error
    channels, height, width = manifest["shape"]
    return Checkpoint(
        path=folder,
        config=config,
        images_seen=manifest["images_seen"],
        label_names=manifest["label_names"],
        pack_hash=manifest["pack_hash"],
        shape=(channels, height, width),
        fingerprint=manifest["files"][MODEL],
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise DataError(
                f"checkpoint {folder} has format {manifest['format']}, this version reads {FORMAT};"
                " use the version that wrote it"
            )
        shape_known = len(manifest["shape"]) == 3 and MODEL in manifest["files"]
        known = {"config", "images_seen", "label_names", "pack_hash"} <= manifest.keys()
        if not (shape_known and known and isinstance(manifest["files"], dict)):
            raise KeyError("a key")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"checkpoint {folder} is damaged: {MANIFEST} is incomplete") from error
    assert isinstance(manifest, dict)
    return manifest


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"cannot read the weights in {path}: {error}") from error
    return tensors


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write and fsync one safetensors file; returns its SHA-256."""
    # Serialised here and written by us, so that a full disk is an OSError like everywhere.
    content = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    _write_synced(path, content)
    return hashlib.sha256(content).hexdigest()


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _set_aside(target: Path) -> None:
    """Make room for the rename: only a damaged checkpoint can already be there."""
    if target.exists():
        old = target.with_name(f".{target.name}.old.partial")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
