"""Short runs, whole and interrupted, and what they leave."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.train.drawn_pack import CLASSES, drawn_pictures
from train.batches import DeviceBatches
from train.checkpoint import MODEL, STATE, checkpoint_folders
from train.config import TrainConfig
from train.diffusion_learner import DiffusionLearner
from train.learners import make_learner
from train.loop import train
from train.run_folder import RunFolder
from train.subject import Subject

CPU = torch.device("cpu")
SUBJECT = Subject.of_pictures((3, 8, 8), CLASSES)


def learner_of(config: TrainConfig, subject: Subject = SUBJECT) -> DiffusionLearner:
    made = make_learner(config, subject, CPU)
    assert isinstance(made, DiffusionLearner)
    return made


def batches_of(config: TrainConfig, count: int = 40) -> DeviceBatches:
    data, labels = drawn_pictures(count)
    return DeviceBatches(data, labels, seed=config.seed, flip=config.flip, device=CPU)


def first_moments(learner: DiffusionLearner) -> dict[str, Tensor]:
    kind = "optimiser.exp_avg."
    state = learner.state_tensors()
    moments = {name: tensor for name, tensor in state.items() if name.startswith(kind)}
    assert moments
    return moments


def weights(run: Path) -> dict[str, Tensor]:
    """Everything that the latest checkpoint of a run holds."""
    folder = checkpoint_folders(run)[-1]
    return load_file(folder / MODEL) | load_file(folder / STATE)


def assert_same(one: Path, other: Path, prefix: str = "") -> None:
    ours, theirs = weights(one), weights(other)
    names = [name for name in ours if name.startswith(prefix)]
    assert names
    for name in names:
        assert torch.equal(ours[name], theirs[name]), name


def lines_of(run: Path) -> list[dict[str, Any]]:
    """The figures of the run's steps, without what only the clock decides."""
    kept = ("images", "loss", "lr", "grad_norm", "skipped")
    lines = RunFolder(run.parent, run.name).read_stats()
    return [{key: line[key] for key in kept} for line in lines if "loss" in line]


class Killed(Exception):
    """The end of a process that was given no time for anything."""


def train_until(images: int, config: TrainConfig, runs: Path) -> None:
    """Train, and die as soon as the checkpoint of `images` is written."""

    def die(path: Path) -> None:
        if path.name == f"{images:09d}":
            raise Killed

    with pytest.raises(Killed):
        train(config, runs, on_checkpoint=die)
