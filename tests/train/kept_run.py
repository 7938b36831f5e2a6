"""Runs as a trainer leaves them, written without training: real files of a real small network."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.train.drawn_pack import tiny_config
from train.checkpoint import checkpoint_files, write_checkpoint
from train.config import TrainConfig
from train.ema import WeightAverages
from train.networks import build_network
from train.subject import Subject

SUBJECT = Subject.of_pictures((3, 8, 8), ("bar", "block"))


def small_config(**changes: Any) -> TrainConfig:
    """A few thousand parameters, two averages, checkpoints as they come."""
    return tiny_config(Path("pack.h5"), **changes)


def small_network(config: TrainConfig | None = None) -> nn.Module:
    torch.manual_seed(0)
    return build_network(config or small_config(), SUBJECT)


def facts(images_seen: int, **more: Any) -> dict[str, Any]:
    return {
        "images_seen": images_seen,
        "subject": SUBJECT.facts(),
        "pack_hash": "0" * 64,
    } | more


def files_of(network: nn.Module, averages: WeightAverages) -> dict[str, dict[str, Tensor]]:
    return checkpoint_files(network, averages, {"optimiser.step": torch.tensor(3.0)})


def write_small_checkpoint(run: Path, images_seen: int, **more: Any) -> Path:
    """A whole checkpoint of untrained weights; `more` goes into its manifest."""
    network = small_network()
    files = files_of(network, WeightAverages(network, small_config().ema_widths))
    return write_checkpoint(run / "checkpoints", files, facts(images_seen, **more), small_config())


def wander(network: nn.Module, step: int, size: float = 0.01) -> None:
    """Move all weights a little, another way at each step: a drift and a random walk."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=size)
            parameter.add_(size * 0.1)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Every file of this process stops growing at `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
