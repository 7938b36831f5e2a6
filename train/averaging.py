"""An average of a width that was not tracked, worked out from what a run kept of those that were.

    python -m train average runs/tiny --width 0.08

Sources are the run's snapshots and its checkpoints, up to the one that is averaged for.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dataset.errors import ConfigError, DataError
from train.checkpoint import (
    LATENTS,
    MANIFEST,
    MODEL,
    STATE,
    Checkpoint,
    checkpoint_folders,
    folder_name,
    load_checkpoint,
)
from train.ema import exponent, further_name
from train.named_tensors import load_weights, require_alike
from train.networks import build_network
from train.power_profiles import Fit, Profile, fit_profile
from train.sealed_folder import write_sealed
from train.snapshots import AVERAGES, read_snapshots, snapshot_name
from train.tensor_file import read_tensors

log = logging.getLogger(__name__)

WIDEST = 0.25
_FAIR_ERROR, _WORST_ERROR = 0.05, 0.3  # of the profile: from here on one is warned, or refused
_NEGLIGIBLE = 1e-9  # a share that is not worth reading a file for


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """An average that was worked out; `path` is a checkpoint to draw from."""

    path: Path
    width: float
    images_seen: int
    sources: int  # how many averages it is the sum of
    error: float  # of its profile, as a share of the profile asked for


@dataclass(frozen=True)
class Source:
    """One kept average: when, of what width, and where it lies."""

    images_seen: int
    width: float
    file: Path
    prefix: str  # of its weights' names in the file

    @property
    def profile(self) -> Profile:
        return Profile(self.images_seen, exponent(self.width))


def average(path: Path, width: float, out: Path | None = None) -> Averaged:
    """Write the average of `width` at the checkpoint in `path`, a run's folder (its latest) or a
    checkpoint's, to `out` or else into RUN/averages. It is drawn from like any checkpoint.

    Raises ConfigError for a width that is out of range or that cannot be had from what was kept,
    and for an `out` that holds anything but an average; DataError for damaged or foreign weights.
    """
    if not 0 < width < WIDEST:
        raise ConfigError(f"width is {width}; it must be above 0 and below {WIDEST}")
    _check_out(out)
    checkpoint = load_checkpoint(path)
    sources = kept_averages(checkpoint)
    wanted = Profile(checkpoint.images_seen, exponent(width))
    fit = fit_profile(wanted, [source.profile for source in sources])
    _judge(fit, checkpoint, width)
    network = build_network(checkpoint.config, checkpoint.subject)
    load_weights(network, checkpoint.model_tensors(), checkpoint.path)
    used = _become_sum(network, sources, fit.shares.tolist())
    return Averaged(
        path=_write(checkpoint, network, width, fit.error, out),
        width=width,
        images_seen=checkpoint.images_seen,
        sources=used,
        error=fit.error,
    )


def kept_averages(checkpoint: Checkpoint) -> list[Source]:
    """The averages that the checkpoint's run kept up to it, oldest first; damaged ones are left
    out with a warning. Where there is a snapshot and a checkpoint, the checkpoint is exacter."""
    whole = {found.images_seen: found for found in _whole_checkpoints(checkpoint.run)}
    if STATE in checkpoint.facts["files"]:
        whole[checkpoint.images_seen] = checkpoint
    sources = [source for found in whole.values() for source in _of_checkpoint(found)]
    for snapshot in read_snapshots(checkpoint.run):
        if snapshot.images_seen not in whole:
            sources += [
                Source(snapshot.images_seen, width, snapshot.path / AVERAGES, snapshot_name(width))
                for width in snapshot.widths
            ]
    up_to = [source for source in sources if 0 < source.images_seen <= checkpoint.images_seen]
    if not up_to:
        raise ConfigError(f"{checkpoint.run} keeps no averages; give a checkpoint of a run")
    return sorted(up_to, key=lambda source: (source.images_seen, source.width))


def _of_checkpoint(checkpoint: Checkpoint) -> Iterator[Source]:
    first, *further = checkpoint.config.ema_widths
    yield Source(checkpoint.images_seen, first, checkpoint.path / MODEL, "")
    for width in further:
        file, prefix = checkpoint.path / STATE, further_name(width)
        yield Source(checkpoint.images_seen, width, file, prefix)


def _whole_checkpoints(run: Path) -> Iterator[Checkpoint]:
    for folder in checkpoint_folders(run):
        try:
            yield load_checkpoint(folder)
        except DataError as error:
            log.warning("%s; it is left out", error)


def _check_out(out: Path | None) -> None:
    """Raise ConfigError where something would be replaced that is not itself an average."""
    if out is None or not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if (out / MANIFEST).is_file() and not (out / STATE).exists():
        return
    raise ConfigError(f"{out} is there already and is no average; give another --out")


def _judge(fit: Fit, checkpoint: Checkpoint, width: float) -> None:
    """Warn of an average that is not quite the one asked for; refuse one that is not at all."""
    widths = ", ".join(str(tracked) for tracked in checkpoint.config.ema_widths)
    said = (
        f"the average of width {width} is only had within {fit.error:.0%} of its profile from what"
        f" {checkpoint.run} kept (widths {widths})"
    )
    cure = "train with snapshot_every_images set, to about a thirtieth of the images"
    if fit.error > _WORST_ERROR:
        raise ConfigError(f"{said}; choose a width nearer to those, or {cure}")
    if fit.error > _FAIR_ERROR:
        log.warning("%s; for better ones %s", said, cure)


@torch.no_grad()
def _become_sum(network: nn.Module, sources: Sequence[Source], shares: Sequence[float]) -> int:
    """Give `network` the sum of the sources times their shares; of how many, as most may be 0."""
    parameters = dict(network.named_parameters())
    total = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in parameters.items()}
    used = 0
    for source, share in zip(sources, shares, strict=True):
        if abs(share) <= _NEGLIGIBLE:
            continue
        kept = _read(source, parameters)
        for name, tensor in total.items():
            tensor.add_(kept[name].double(), alpha=share)
        used += 1
    for name, parameter in parameters.items():
        parameter.copy_(total[name])
    return used


def _read(source: Source, parameters: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    kept = read_tensors(source.file, source.prefix)
    named = {name: kept[name] for name in parameters if name in kept}
    require_alike(parameters, named, source.file)
    return named


def _write(
    checkpoint: Checkpoint, network: nn.Module, width: float, error: float, out: Path | None
) -> Path:
    files = {MODEL: network.state_dict()}
    if fixed := checkpoint.fixed_tensors():
        files[LATENTS] = fixed
    # The loss that was measured is not that of these weights.
    kept = {"format", "config", "images_seen", "subject", "pack_hash"}
    facts = {key: value for key, value in checkpoint.facts.items() if key in kept}
    name = f"{folder_name(checkpoint.images_seen)}-{width!r}"
    target = checkpoint.run / "averages" / name if out is None else out
    return write_sealed(target, files, MANIFEST, facts | {"width": width, "width_error": error})
