"""The device that is computed on: finding it, waiting for it, its memory and its peak speed."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from dataset.errors import WorldError

# Dense bfloat16 multiply-adds a second times two, as the makers state them, in TFLOP/s; the first
# name that is part of the device's is taken.
_STATED_TFLOPS = {
    "B200": 2250.0,
    "GH200": 989.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "A30": 165.0,
    "A10G": 70.0,
    "A10": 125.0,
    "L40S": 362.0,
    "L40": 181.0,
    "L4": 121.0,
    "RTX 5090": 209.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
    "RTX 6000 Ada": 364.0,
    "RTX A6000": 155.0,
}
_SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices that an unknown device multiplies
_ROUNDS = 10


def find_device(name: str) -> torch.device:
    """The device asked for; auto is CUDA where there is one. Raises WorldError if it is absent."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise WorldError("no CUDA device was found; use --device cpu or --device auto")
    if name == "cpu" or not available:
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


def device_name(device: torch.device) -> str:
    """What a person calls it: "NVIDIA H200", or "CPU, 2 cores"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type.upper()}, {os.cpu_count() or 1} cores"


def wait_for(device: torch.device) -> None:
    """Return when all that the device was given to do is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def memory_bytes(device: torch.device) -> int:
    """All memory that the device has."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_flops(device: torch.device, *, bfloat16: bool, threads: int = 0) -> float:
    """FLOP/s that `device` reaches at best, of which the MFU is a share.

    What the maker states for dense bfloat16, where that is known and asked for; else what large
    matrix multiplications reach here and now (a quarter of a second), on a CPU in `threads` threads
    (0: one a core).
    """
    if device.type == "cuda" and bfloat16:
        name = torch.cuda.get_device_name(device)
        stated = next((value for part, value in _STATED_TFLOPS.items() if part in name), None)
        if stated is not None and "MIG" not in name:  # a slice of a card reaches less
            return stated * 1e12
    workers = (threads or os.cpu_count() or 1) if device.type == "cpu" else 1
    side = _SIDE.get(device.type, 1024)
    kind = torch.bfloat16 if bfloat16 else torch.float32
    matrices = [torch.randn(side, side, device=device).to(kind) for _ in range(workers)]
    with ThreadPoolExecutor(workers, "peak", torch.set_num_threads, (1,)) as pool:
        best = min(_multiplied(pool, matrices, device) for _ in range(_ROUNDS))
    return workers * 2.0 * side**3 / best


def _multiplied(pool: ThreadPoolExecutor, matrices: list[Tensor], device: torch.device) -> float:
    """Seconds that the squares of all matrices take, one thread each."""
    wait_for(device)
    started = time.perf_counter()
    list(pool.map(lambda matrix: matrix @ matrix, matrices))
    wait_for(device)
    return time.perf_counter() - started
