"""How steps are computed, compiled or not and to the bit or not; nothing but rounding depends
on it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from train.config import TrainConfig

# Read once, when a process first multiplies matrices on a GPU; with other values than these torch
# refuses to be deterministic.
_WORKSPACE, _FIXED_WORKSPACES = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")

F = TypeVar("F", bound=Callable[..., object])


def is_compiled(config: TrainConfig, device: torch.device) -> bool:
    """Whether the step is compiled; auto is so on CUDA alone, where it pays within a minute, and
    not for sharded weights, whose gathering would cut it into many small graphs."""
    pays = device.type == "cuda" and config.parallel != "fsdp"
    return config.compile == "on" or (config.compile == "auto" and pays)


def compiled(function: F, config: TrainConfig, device: torch.device) -> F:
    """`function` as `config` wants it run; compiled for one shape of batch, on its first call."""
    if not is_compiled(config, device):
        return function
    return torch.compile(function, dynamic=False)  # type: ignore[return-value]


@contextmanager
def settings(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """The library's own switches while a run lasts: on a GPU either its fastest kernels, found by
    trying, or with `deterministic` those that give the same bits each time."""
    if device.type == "cpu":  # what is computed there is the same each time as it is
        yield
        return
    cudnn = torch.backends.cudnn
    before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, cudnn.deterministic
    if config.deterministic and os.environ.get(_WORKSPACE) not in _FIXED_WORKSPACES:
        os.environ[_WORKSPACE] = _FIXED_WORKSPACES[0]
    torch.use_deterministic_algorithms(config.deterministic)
    cudnn.benchmark, cudnn.deterministic = not config.deterministic, config.deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        cudnn.benchmark, cudnn.deterministic = before[1:]
