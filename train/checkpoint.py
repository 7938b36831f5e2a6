"""Checkpoints: a folder of safetensors and JSON that is either whole or absent.

runs/NAME/checkpoints/<images seen>/  model.safetensors   the averaged weights, what is drawn with
                                      state.safetensors   raw weights, further averages, optimiser
                                      latents.safetensors the autoencoder, where latents are learnt
                                      checkpoint.json     written last, with the files' SHA-256
The random streams need no state: they are functions of the seed and of images_seen.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dataset.config import from_mapping, to_mapping
from dataset.errors import ConfigError, DataError
from train.config import TrainConfig
from train.denoiser import Denoiser
from train.ema import WeightAverages, further_name
from train.latents import latents_of
from train.named_tensors import load_weights
from train.networks import build_network
from train.sealed_folder import Files, check_files, damaged, read_manifest, write_sealed
from train.subject import Subject
from train.tensor_file import read_tensors

log = logging.getLogger(__name__)

FORMAT = 2
MODEL, STATE, MANIFEST = "model.safetensors", "state.safetensors", "checkpoint.json"
LATENTS = "latents.safetensors"  # only where latents are learnt
_RAW = "raw."  # prefix of the raw weights among the tensors of STATE


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A complete checkpoint whose files were found to be what its manifest says."""

    path: Path
    config: TrainConfig
    images_seen: int
    subject: Subject
    pack_hash: str
    fingerprint: str  # SHA-256 of the averaged weights' file
    width: float  # of the average that is drawn with
    validation_loss: float = math.inf  # of that average; infinite if it was not measured
    facts: Mapping[str, Any] = field(default_factory=dict)  # all that the manifest says

    @property
    def label_names(self) -> list[str]:
        return list(self.subject.label_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the pictures that are drawn."""
        return self.subject.picture

    @property
    def run(self) -> Path:
        """The folder of the run that it was written in."""
        told = self.path if len(self.path.parts) > 2 and ".." not in self.path.parts else None
        return (told or self.path.resolve()).parents[1]

    def network(self, device: torch.device | str = "cpu", *, ema: bool = True) -> nn.Module:
        """The network in evaluation mode on `device`, with averaged (or else raw) weights."""
        network = build_network(self.config, self.subject)
        weights = self.model_tensors() if ema else raw_weights(self.state_tensors())
        load_weights(network, weights, self.path)
        network.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.requires_grad_(False).eval()

    def denoiser(self, device: torch.device | str = "cpu", *, ema: bool = True) -> Denoiser:
        """The model with its noise levels, and its latents if it has any.

        Raises ConfigError for an autoencoder's checkpoint.
        """
        if self.config.kind != "diffusion":
            raise ConfigError(
                f"{self.path} is of an autoencoder, which has no noise levels to draw from; give a"
                " checkpoint of a run of kind diffusion"
            )
        device, network = torch.device(device), self.network(device, ema=ema)
        latents = latents_of(self.subject, self.fixed_tensors(), device, self.path)
        return Denoiser(network, self.config.diffusion, self.subject.shape, latents)

    def model_tensors(self) -> dict[str, Tensor]:
        """The averaged weights by name."""
        return self.tensors(MODEL)

    def state_tensors(self) -> dict[str, Tensor]:
        """Raw weights (raw.NAME), further averages and the optimiser's state, by name.

        Raises ConfigError for a checkpoint that holds an average alone.
        """
        return self.tensors(STATE)

    def fixed_tensors(self) -> dict[str, Tensor]:
        """What never changed during the run, by name: the autoencoder of its latents, if any."""
        return self.tensors(LATENTS) if LATENTS in self.facts["files"] else {}

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of the checkpoint's files; raises ConfigError if it has none such."""
        if name not in self.facts["files"]:
            raise ConfigError(
                f"{self.path} holds {', '.join(sorted(self.facts['files']))} alone, no {name};"
                " give a checkpoint that the training wrote"
            )
        return read_tensors(self.path / name)


def checkpoint_files(
    network: nn.Module,
    averages: WeightAverages,
    others: Mapping[str, Tensor],
    *,
    fixed: Mapping[str, Tensor] | None = None,
    gathered: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict,
) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint by file and name: the learner's own, not copies.

    `others` is what else it takes to go on: the optimiser's state, counts. `fixed` never changes,
    such as the autoencoder of latents. `gathered` makes whole parameters of this process's parts
    (name to tensor); all processes call it together.
    """
    first, *further = ({**gathered(named)} for named in averages.by_width().values())
    raw = {**network.state_dict(), **gathered(averages.sources(network))}
    state = {_RAW + name: tensor for name, tensor in raw.items()}
    for width, named in zip(averages.widths[1:], further, strict=True):
        state |= {further_name(width, name): tensor for name, tensor in named.items()}
    files = {MODEL: averages.model.state_dict() | first, STATE: state | dict(others)}
    return files | ({LATENTS: dict(fixed)} if fixed else {})


def write_checkpoint(
    folder: Path, files: Files, facts: Mapping[str, Any], config: TrainConfig
) -> Path:
    """Write a checkpoint under `folder`/<images_seen>; returns its path once it is on the disk.

    `facts` holds images_seen, subject (`Subject.facts`), pack_hash, and what else JSON can say;
    validation_loss decides which checkpoint is the best. Until the last rename nothing of that
    name is seen; a killed writer leaves a folder ending in .partial.
    """
    manifest = {"format": FORMAT, "config": to_mapping(config), **facts}
    return write_sealed(folder / folder_name(facts["images_seen"]), files, MANIFEST, manifest)


def folder_name(images_seen: int) -> str:
    """What a checkpoint or snapshot is called; sorts like the count."""
    return f"{images_seen:09d}"


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's folder, or the latest whole one of a run's folder.

    In a run's folder a damaged newest checkpoint is passed over with a warning. Raises ConfigError
    when there is no checkpoint at all, DataError when one is there but cannot be used.
    """
    if not path.exists():
        raise ConfigError(f"no checkpoint at {path}; train first, or check the path")
    if (path / MANIFEST).exists():
        return _read(path.resolve() if path.is_symlink() else path)
    found = checkpoint_folders(path)
    if not found:
        raise ConfigError(
            f"{path} holds no finished checkpoint; train first (python -m train run), or give a"
            " run's folder such as runs/NAME"
        )
    failure = ""
    for folder in reversed(found):
        if failure:
            log.warning("%s; falling back to the checkpoint before", failure)
        try:
            return _read(folder)
        except DataError as error:
            failure = str(error)
    raise DataError(f"no usable checkpoint in {path}: {failure}; train again with --restart")


def checkpoint_folders(run: Path) -> list[Path]:
    """The checkpoints of a run that have a manifest, oldest first."""
    return sorted(
        (manifest.parent for manifest in (run / "checkpoints").glob(f"[0-9]*/{MANIFEST}")),
        key=lambda folder: int(folder.name) if folder.name.isdigit() else -1,
    )


def raw_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The raw weights among the tensors of a checkpoint's state."""
    return {
        name.removeprefix(_RAW): tensor for name, tensor in state.items() if name.startswith(_RAW)
    }


def validation_loss(manifest: Mapping[str, Any]) -> float:
    """What a manifest says of the loss on pictures not learnt from; infinite if nothing."""
    loss = manifest.get("validation_loss")
    return float(loss) if isinstance(loss, int | float) and math.isfinite(loss) else math.inf


def _read(folder: Path) -> Checkpoint:
    manifest = read_manifest(folder, MANIFEST, FORMAT)
    try:
        subject = Subject.from_facts(manifest["subject"])
        images_seen, pack_hash = int(manifest["images_seen"]), str(manifest["pack_hash"])
        table, fingerprint = dict(manifest["config"]), str(manifest["files"][MODEL])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"{MANIFEST} is incomplete") from error
    check_files(folder, manifest)
    try:
        config = from_mapping(TrainConfig, table, str(folder / MANIFEST))
    except ConfigError as error:
        raise DataError(f"checkpoint of another version: {error}") from error
    return Checkpoint(
        path=folder,
        config=config,
        images_seen=images_seen,
        subject=subject,
        pack_hash=pack_hash,
        fingerprint=fingerprint,
        width=float(manifest.get("width", config.ema_widths[0])),
        validation_loss=validation_loss(manifest),
        facts=manifest,
    )
