"""How fast this machine learns and draws with a config, measured on random pictures.

python -m train bench --config tiny --device cpu
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from train.batches import DeviceBatches
from train.checkpoint import Checkpoint
from train.condition import Condition
from train.config import TrainConfig
from train.denoiser import Denoiser
from train.device import memory_bytes, wait_for
from train.drawing import Sampling, draw_pictures
from train.estimate import Estimate
from train.learner import Learner
from train.learners import make_learner
from train.subject import Subject

_MOST_PICTURES = 4096  # random pictures that are learnt from
_CPU_FLOP_A_STEP = 2e11  # a second or two
_CPU_PICTURES = 512  # at once: beyond that no CPU is quicker for it
_PROBE_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Pictures a second, the median of several rounds, and the slowest and fastest round."""

    median: float
    least: float
    most: float

    @classmethod
    def of_rounds(cls, rounds: list[float]) -> "Rate":
        return cls(median=statistics.median(rounds), least=min(rounds), most=max(rounds))


def random_batches(config: TrainConfig, subject: Subject, device: torch.device) -> DeviceBatches:
    """Batches of random pictures, with random vectors where the network is told of any."""
    count = min(max(config.batch, 64), _MOST_PICTURES)
    random, length = np.random.default_rng(config.seed), subject.vector_length
    data = random.integers(0, 256, (count, *subject.picture), dtype=np.uint8)
    labels = random.integers(0, max(subject.classes, 1), count) - (0 if subject.classes else 1)
    return DeviceBatches(
        data,
        labels.astype(np.int64),
        seed=config.seed,
        flip=config.flip,
        device=device,
        augment=config.augment,
        vectors=random.standard_normal((count, length), np.float32) if length else None,
    )


def learning_speed(
    learner: Learner, batches: DeviceBatches, *, rounds: int, steps: int, warmup: int
) -> Rate:
    """Images learnt from per second in `rounds` rounds of `steps`, after `warmup` uncounted steps.

    Raises torch.OutOfMemoryError when a GPU's memory does not hold the batch.
    """
    with threads_as_in_training(learner):
        _steps_timed(learner, batches, warmup)
        taken = [_steps_timed(learner, batches, steps) for _ in range(rounds)]
    return Rate.of_rounds([steps * learner.config.batch / seconds for seconds in taken])


def drawing_speed(
    denoiser: Denoiser, condition: Condition, sampling: Sampling, *, rounds: int
) -> Rate:
    """Pictures drawn per second, as many at once as `condition` is about, warm."""
    seeds, taken = range(len(condition.labels)), []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        draw_pictures(denoiser, condition, seeds, sampling)
        wait_for(denoiser.device)
        taken.append(time.perf_counter() - started)
    return Rate.of_rounds([len(seeds) / seconds for seconds in taken[1:]])


def probed_speed(
    config: TrainConfig,
    subject: Subject,
    device: torch.device,
    costs: Estimate,
    checkpoint: Checkpoint | None = None,
) -> float | None:
    """Images a second in three steps on random pictures; None where even that is too much.

    On a CPU in batches small enough for a second each; without torch.compile, whose start would
    take longer than the probe.
    """
    size = probe_batch(config, device, costs)
    if size is None:
        return None
    config = replace(config, batch=size, micro_batch=min(config.micro_batch, size), compile="off")
    learner = make_learner(config, subject, device, checkpoint)
    batches = random_batches(config, subject, device)
    learner.begin(batches)
    return learning_speed(learner, batches, rounds=1, steps=_PROBE_STEPS, warmup=1).median


def probe_batch(config: TrainConfig, device: torch.device, costs: Estimate) -> int | None:
    """The batch of a probe: the run's own on a GPU, a quick one on a CPU; None: not even one."""
    if device.type != "cpu":
        return config.batch
    quick = int(_CPU_FLOP_A_STEP / max(costs.training_flops, 1))
    size = min(config.batch, quick, _CPU_PICTURES)
    fits = costs.weights_bytes < memory_bytes(device) / 16
    return size if fits and size >= min(config.shares, config.batch) else None


@contextmanager
def threads_as_in_training(learner: Learner) -> Iterator[None]:
    """On a CPU, as many threads inside each operation as a run gives it."""
    before = torch.get_num_threads()
    if learner.device.type == "cpu":
        torch.set_num_threads(learner.gradients.threads_inside())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _steps_timed(learner: Learner, batches: DeviceBatches, steps: int) -> float:
    """Seconds of `steps` steps, until the device is done with them."""
    wait_for(learner.device)
    started = time.perf_counter()
    for _ in range(steps):
        learner.step(batches)
    wait_for(learner.device)
    return max(time.perf_counter() - started, 1e-9)
