"""A config's speed on this device, learning and drawing, with random pictures.

python -m train bench --config tiny --device cpu
"""

from dataclasses import dataclass
from typing import Any

import torch

from train.batch_size import memory_advice, steps_tried
from train.checked import require
from train.compiling import is_compiled, settings
from train.condition import blank
from train.config import TrainConfig
from train.denoiser import Denoiser
from train.device import device_name, peak_flops
from train.diffusion_learner import DiffusionLearner
from train.distributed import ALONE
from train.drawing import Sampling
from train.estimate import Estimate, estimate
from train.gradients import uses_bfloat16
from train.learner import Learner
from train.learners import check, make_learner
from train.network_config import Told
from train.speed import (
    drawing_speed,
    learning_speed,
    random_batches,
    threads_as_in_training,
)
from train.subject import Subject


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """How long is measured: medians of rounds; 0 pictures: nothing is drawn."""

    rounds: int = 5
    steps: int = 10
    warmup: int = 3
    pictures: int = 16
    drawing_steps: int = 20

    def __post_init__(self) -> None:
        for key in ("rounds", "steps", "drawing_steps"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "at least 1")
        for key in ("warmup", "pictures"):
            require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")


def bench(
    config: TrainConfig, subject: Subject, device: torch.device, how: BenchConfig
) -> dict[str, Any]:
    """Images/s, FLOP/s and the share of the device's peak.

    Raises ConfigError if the pictures do not fit the network, WorldError if the GPU's memory does
    not hold the batch.
    """
    check(config, subject)
    try:
        with settings(config, device):
            learner = make_learner(config, subject, device)
            with threads_as_in_training(learner):
                return _measured(learner, how)
    except torch.OutOfMemoryError as error:
        trial = steps_tried(subject, device, 0)
        raise memory_advice(error, config, trial, ALONE) from None


def _measured(learner: Learner, how: BenchConfig) -> dict[str, Any]:
    config, subject, device = learner.config, learner.subject, learner.device
    costs = estimate(config, subject)
    facts = {
        "config": config.name,
        "device": device_name(device),
        "torch": torch.__version__,
        "shape": list(subject.picture),
        "batch": config.batch,
        "precision": "bfloat16" if uses_bfloat16(config, device) else "float32",
        "compiled": is_compiled(config, device),
        "parameters": costs.parameters,
        "learning": _learning(learner, costs, how),
        "drawing": None,
    }
    if how.pictures and isinstance(learner, DiffusionLearner):
        facts["drawing"] = _drawing(learner, how)
    return facts


def _learning(learner: Learner, costs: Estimate, how: BenchConfig) -> dict[str, Any]:
    config, device, on_gpu = learner.config, learner.device, learner.device.type == "cuda"
    batches = random_batches(config, learner.subject, device)
    learner.begin(batches)
    compiling = learner.warm_up(batches)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    rate = learning_speed(learner, batches, rounds=how.rounds, steps=how.steps, warmup=how.warmup)
    memory = round(torch.cuda.max_memory_allocated(device) / 2**20) if on_gpu else None
    peak = peak_flops(device, bfloat16=uses_bfloat16(config, device), threads=config.threads)
    flops = rate.median * costs.training_flops
    return {
        "images_per_s": round(rate.median, 1),
        "least": round(rate.least, 1),
        "most": round(rate.most, 1),
        "ms_per_step": round(1e3 * config.batch / rate.median, 2),
        "training_gflop_per_image": round(costs.training_flops / 1e9, 3),
        "gflop_per_s": round(flops / 1e9, 1),
        "peak_gflop_per_s": round(peak / 1e9, 1),
        "mfu": round(flops / peak, 4),
        "memory_mib": memory,
        "compile_s": round(compiling, 1),
    }


def _drawing(learner: DiffusionLearner, how: BenchConfig) -> dict[str, Any]:
    network, shape = learner.averages.model, learner.subject.shape
    assert isinstance(network.told, Told)
    denoiser = Denoiser(network, learner.config.diffusion, shape, learner.latents)
    condition = blank(network.told, shape, how.pictures, learner.device)
    sampling = Sampling(steps=how.drawing_steps)
    rate = drawing_speed(denoiser, condition, sampling, rounds=how.rounds)
    return {
        "pictures": how.pictures,
        "sampler": sampling.sampler,
        "steps": how.drawing_steps,
        "pictures_per_s": round(rate.median, 2),
        "seconds": round(how.pictures / rate.median, 4),
    }
