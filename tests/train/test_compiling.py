import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.train.drawn_pack import drawn_pictures, tiny_config
from train.batches import DeviceBatches
from train.compiling import compiled, is_compiled, settings
from train.learners import make_learner
from train.subject import Subject

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PACK = Path("pack.h5")
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@pytest.mark.parametrize(
    ("asked", "cpu", "cuda"), [("auto", False, True), ("on", True, True), ("off", False, False)]
)
def test_a_step_is_compiled_where_it_pays(asked: str, cpu: bool, cuda: bool) -> None:
    config = tiny_config(PACK, compile=asked)
    assert (is_compiled(config, CPU), is_compiled(config, CUDA)) == (cpu, cuda)
    sharded = replace(config, parallel="fsdp")
    assert is_compiled(sharded, CUDA) == (asked == "on")


def test_what_is_not_compiled_is_the_function_itself() -> None:
    assert compiled(len, tiny_config(PACK, compile="off"), CPU) is len


def test_a_cpu_is_left_as_it_is() -> None:
    with settings(tiny_config(PACK, deterministic=True), CPU):
        assert not torch.are_deterministic_algorithms_enabled()


def test_the_switches_of_a_gpu_are_put_back() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    with settings(tiny_config(PACK, deterministic=True), CUDA):
        assert torch.are_deterministic_algorithms_enabled()
        assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
    assert not torch.are_deterministic_algorithms_enabled()
    assert (cudnn.benchmark, cudnn.deterministic) == before
    with settings(tiny_config(PACK), CUDA):
        assert (cudnn.benchmark, cudnn.deterministic) == (True, False)


@pytest.mark.parametrize(
    ("before", "after"), [(None, ":4096:8"), (":0:0", ":4096:8"), (":16:8", ":16:8")]
)
def test_workspaces_that_vary_are_not_left_to_a_deterministic_run(
    before: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKSPACE, "to be put back")
    if before is None:
        monkeypatch.delenv(WORKSPACE)
    else:
        monkeypatch.setenv(WORKSPACE, before)
    with settings(tiny_config(PACK, deterministic=True), CUDA):
        assert os.environ[WORKSPACE] == after


@pytest.mark.gpu
def test_deterministic_runs_on_a_gpu_are_the_same_to_the_bit() -> None:
    config = tiny_config(PACK, deterministic=True, compile="off")
    weights = []
    for _ in range(2):
        data, labels = drawn_pictures()
        batches = DeviceBatches(data, labels, seed=0, flip=True, device=CUDA)
        with settings(config, CUDA):
            learner = make_learner(config, Subject.of_pictures((3, 8, 8), ("a", "b")), CUDA)
            for _ in range(20):
                learner.step(batches)
        weights.append([parameter.clone() for parameter in learner.network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
