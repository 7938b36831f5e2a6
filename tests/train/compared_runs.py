"""What two runs came to, held against each other to the bit."""

from pathlib import Path

import torch
from torch import Tensor

from train.checkpoint import load_checkpoint
from train.run_folder import RunFolder


def weights(run: Path) -> dict[str, Tensor]:
    """All that is in the run's latest checkpoint: averages, raw weights, optimiser."""
    checkpoint = load_checkpoint(run)
    return {**checkpoint.model_tensors(), **checkpoint.state_tensors()}


def assert_same(one: Path, other: Path) -> None:
    """The latest checkpoints of two runs hold the same, to the bit."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def figures(run: Path) -> list[tuple[int, float]]:
    """Images and loss of each line of figures."""
    lines = RunFolder(run.parent, run.name).read_stats()
    return [(line["images"], line["loss"]) for line in lines]
