import os

import pytest
import torch

from dataset.errors import WorldError
from train.device import device_name, find_device, memory_bytes, peak_flops, wait_for

CPU = torch.device("cpu")
needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_the_cpu_is_always_there() -> None:
    assert find_device("cpu") == CPU
    assert find_device("auto").type in ("cpu", "cuda")
    wait_for(CPU)


@needs_no_gpu
def test_a_gpu_that_is_not_there_is_refused_with_what_to_use() -> None:
    with pytest.raises(WorldError, match="--device cpu or --device auto"):
        find_device("cuda")


def test_a_device_has_a_name_and_memory_that_people_know() -> None:
    assert device_name(CPU) == f"CPU, {os.cpu_count()} cores"
    assert memory_bytes(CPU) > 2**28


def test_the_peak_of_a_cpu_is_measured_and_is_that_of_the_threads_asked_for() -> None:
    peak = peak_flops(CPU, bfloat16=False, threads=1)
    assert 1e8 < peak < 1e13


@pytest.mark.gpu
def test_a_gpu_of_a_known_name_has_the_peak_that_its_maker_states() -> None:
    device = find_device("cuda")
    if "H200" in device_name(device) and "MIG" not in device_name(device):
        assert peak_flops(device, bfloat16=True) == 989e12
    assert peak_flops(device, bfloat16=False) < 989e12
