"""Real runs of several processes on this machine, over gloo, and how they compare to one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dataset.config import load_config
from train.checkpoint import checkpoint_folders
from train.config import TrainConfig
from train.run_folder import RunFolder

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
_LIMIT_S = 200


def run_table(pack: Path, **changes: Any) -> dict[str, Any]:
    """20 steps of 9 pictures, which no number of processes here shares alike.

    The groups of the network's norms have two channels: a bias before a norm of single channels
    has no gradient but rounding, which Adam would make as large as any other.
    """
    return {
        "name": "test",
        "pack": str(pack),
        "images": 180,
        "batch": 9,
        "lr": 1e-3,
        "warmup_images": 9,
        "flip": True,
        "checkpoint_every_images": 90,
        "stats_every_steps": 2,
        "rank_timeout_s": 60,
        "device": "cpu",
        "augment": {"probability": 0.3},
        "preview": {"every_images": 180, "per_class": 1, "steps": 2},
        "unet": {
            "base_channels": 16,
            "multipliers": [1, 2],
            "blocks": 1,
            "attention_levels": [1],
            "head_channels": 8,
            "embedding_channels": 16,
        },
    } | changes


def config_of(table: Mapping[str, Any]) -> TrainConfig:
    return load_config(TrainConfig, dict(table))


def command(table: Mapping[str, Any], runs: Path) -> list[str]:
    """What trains with the keys of `table`, which are written beside the runs."""
    runs.mkdir(parents=True, exist_ok=True)
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for section in table.keys() - plain.keys():
        lines += [f"[{section}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in table[section].items()]
    toml = runs / "config.toml"
    toml.write_text("\n".join(lines) + "\n")
    return ["train", "run", "--config", str(toml), "--runs", str(runs)]


def torchrun(world: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The outcome of a module run by `world` processes."""
    with started(world, *arguments) as launched:
        output, said = launched.communicate(timeout=_LIMIT_S)
    return subprocess.CompletedProcess(arguments, launched.returncode, output, said)


def started(world: int, *arguments: str) -> "subprocess.Popen[str]":
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.Popen(
        [*launcher, "--nproc-per-node", str(world), "-m", *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def errors(said: str) -> list[str]:
    """The lines that a person is told what went wrong in."""
    return [line for line in said.splitlines() if line.startswith("error:")]


def wait_until_learning(run: Path) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not RunFolder(run.parent, run.name).read_stats():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def process_of_rank(launcher: int, rank: int) -> int:
    """The process that torchrun, itself `launcher`, started as `rank`."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    for child in children:
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return int(child)
    raise AssertionError(f"no rank {rank} among {children}")


def assert_learnt_alike(one: Path, other: Path) -> None:
    """Weights, averages, moments and losses of two runs are the same but for rounding."""
    ours, theirs = _state(one), _state(other)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], rtol=1e-5, atol=1e-5), name
    for key in ("loss", "validation"):
        assert _figures(one, key) == pytest.approx(_figures(other, key), abs=1e-5)


def _state(run: Path) -> dict[str, Tensor]:
    folder = checkpoint_folders(run)[-1]
    return load_file(folder / "model.safetensors") | load_file(folder / "state.safetensors")


def _figures(run: Path, key: str) -> list[float]:
    return [line.get(key) or 0.0 for line in RunFolder(run.parent, run.name).read_stats()]
