"""What a run would do and cost: all that it would refuse is refused, and nothing is written.

python -m train run --config tiny --packed data/pack.h5 --dry-run
"""

from pathlib import Path
from typing import Any

import torch

from dataset.config import to_mapping
from train.advice import advice, memory_lines
from train.batch_size import memory_advice, steps_tried
from train.checkpoint import Checkpoint
from train.compiling import settings
from train.config import TrainConfig
from train.device import device_name, memory_bytes, peak_flops
from train.device_data import split_bytes
from train.distributed import ALONE
from train.estimate import estimate
from train.milestones import budget
from train.preparation import Prepared, prepare
from train.run_folder import RunFolder
from train.speed import probed_speed

_GUESSED_MFU = 0.3  # of a device on which even a probe would take too long


def plan(config: TrainConfig, runs: Path, *, restart: bool = False) -> dict[str, Any]:
    """The facts of the run that `train` would begin or go on with, in the order of reading.

    Raises what `train` would raise before its first step.
    """
    folder, checkpoint = RunFolder(runs, config.name), None
    prepared = prepare(config, None if restart else folder.path)
    if not restart:
        checkpoint = folder.check(config, prepared.pack.content_hash)
    seen = checkpoint.images_seen if checkpoint else 0
    left = max(budget(config) - seen, 0)
    pictures = len(prepared.pack.rows(config.split))
    costs = _costs(config, prepared, checkpoint, left)
    return {
        "run": str(folder.path),
        "pack": str(prepared.pack.path),
        "pictures": pictures,
        "shape": list(prepared.subject.picture),
        "denoised_shape": list(prepared.subject.shape),
        "classes": list(prepared.subject.label_names),
        "device": device_name(prepared.device),
        "images_seen": seen,
        "images_left": left,
        "epochs": round(budget(config) / max(pictures, 1), 1),
        **costs,
        "advice": [*advice(config, pictures), *_memory_lines(costs)],
        "config": to_mapping(config),
    }


def _costs(
    config: TrainConfig, prepared: Prepared, checkpoint: Checkpoint | None, left: int
) -> dict[str, Any]:
    """Counted parameters, FLOPs and memory, and the time that a probe lets expect."""
    device, bfloat16 = prepared.device, prepared.bfloat16
    costs = estimate(config, prepared.subject, bfloat16=bfloat16)
    try:
        with settings(config, device):
            rate = probed_speed(config, prepared.subject, device, costs, checkpoint)
    except torch.OutOfMemoryError as error:
        taken = split_bytes(prepared.pack.data, prepared.pack.rows(config.split))
        trial = steps_tried(prepared.subject, device, taken)
        raise memory_advice(error, config, trial, ALONE) from None
    how = "a probe of three steps on random pictures"
    if rate is None:
        peak = peak_flops(device, bfloat16=bfloat16, threads=config.threads)
        rate = _GUESSED_MFU * peak / max(costs.training_flops, 1)
        how = f"no probe, as it would take too long here: {_GUESSED_MFU:.0%} of the device's peak"
    return {
        "parameters": costs.parameters,
        "forward_mflop_per_image": round(costs.forward_flops / 1e6, 1),
        "training_mflop_per_image": round(costs.training_flops / 1e6, 1),
        "run_tflop": round(costs.run_flops / 1e12, 1),
        "memory_mib": round(costs.memory_bytes / 2**20),
        "memory_there_mib": round(memory_bytes(device) / 2**20),
        "images_per_s": float(f"{rate:.3g}"),
        "minutes": float(f"{left / rate / 60:.3g}"),
        "time_is_from": how,
    }


def _memory_lines(costs: dict[str, Any]) -> list[str]:
    return memory_lines(costs["memory_mib"] << 20, costs["memory_there_mib"] << 20)
