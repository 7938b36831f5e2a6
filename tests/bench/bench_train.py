"""Training and drawing, on a GPU where there is one: ours against a loop as small projects write
it, with the same network, pictures and batch.

PEDIGREE_TRAIN=dogs,icon chooses cases; the bars of a GPU are those of an H200.
"""

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np
import torch
from numpy.typing import NDArray

from tests.bench.port_loop import PortLoop
from tests.bench.stopwatch import at_least, at_most, load, race, show
from train.batches import DeviceBatches
from train.condition import of_labels
from train.config import TrainConfig
from train.denoiser import Denoiser
from train.drawing import Sampling, draw_pictures
from train.estimate import estimate
from train.guidance import Guidance
from train.learner import Learner
from train.learners import make_learner
from train.networks import build_network
from train.presets import preset_config
from train.subject import Subject


@dataclass(frozen=True)
class Case:
    """One network at one batch; `bar` is what the whole must gain over the plain loop."""

    name: str
    preset: str
    size: int
    batch: int
    steps: int  # measured at once
    bar: float
    network: str = "unet"


_CPU = (
    Case("tiny", "tiny", 32, 16, 12, 1.3),
    Case("tiny, batches of 64", "tiny", 32, 64, 4, 1.3),
    Case("favicon", "tiny", 32, 64, 2, 1.3, network="favicon"),
)
_CUDA = (
    Case("dogs", "dogs", 64, 256, 20, 2.5),
    Case("icon", "icon", 32, 512, 20, 2.5),
    Case("favicon", "icon", 32, 128, 50, 2.5, network="favicon"),
)


def run() -> None:
    device = _device()
    cases = _CUDA if device.type == "cuda" else _CPU
    wanted = os.environ.get("PEDIGREE_TRAIN", "")
    for case in cases:
        if not wanted or case.name in wanted.split(","):
            _train(case, device)
    _draw(cases[0], device)


def _train(case: Case, device: torch.device) -> None:
    """Each contestant in a process of its own: threads that wait, busy, for the next work of one
    would take the cores from another."""
    config, subject = _config(case), Subject.of_pictures((3, case.size, case.size), ("a", "b"))
    with ExitStack() as stack:
        workers = (0, 2) if device.type == "cpu" else (0, 8)
        contestants = {
            f"a plain loop, {count} workers": stack.enter_context(aside(_plain, case, count))
            for count in workers
        }
        contestants["train.learner"] = stack.enter_context(aside(_ours, case))
        results = race(contestants, case.batch * case.steps)
    costs = estimate(config, subject)
    title = (
        f"{case.name}: {costs.parameters:,} parameters, {costs.training_flops / 1e9:.2f} GFLOP"
        f" a picture, batches of {case.batch} on the {device.type}, {load()}"
    )
    show(title, "pictures", results)
    mine = results[-1].per_second
    best = max(result.per_second for result in results[:-1])
    print(f"  {mine * costs.training_flops / 1e12:.3f} TFLOP/s")
    at_least("against the better plain loop", mine / best, case.bar, "x")
    if device.type == "cuda" and case.name == "dogs":
        _bars_of_an_h200(case, *_learner(case), mine)


@contextmanager
def aside(make: Callable[..., Callable[[], None]], *of: object) -> Iterator[Callable[[], None]]:
    """The work that `make(*of)` gives, in another process that stands by between two calls."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_stand_by, args=(there, make, of))
    process.start()

    def work() -> None:
        here.send(True)
        here.recv()

    try:
        yield work
    finally:
        here.send(False)
        process.join()


def _stand_by(
    asked: Connection, make: Callable[..., Callable[[], None]], of: tuple[object, ...]
) -> None:
    work = make(*of)
    while asked.recv():
        work()
        asked.send(True)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _learner(case: Case) -> tuple[Learner, DeviceBatches]:
    subject = Subject.of_pictures((3, case.size, case.size), ("a", "b"))
    learner = make_learner(_config(case), subject, _device())
    batches = DeviceBatches(*_pictures(case), seed=0, flip=True, device=_device())
    learner.warm_up(batches)
    return learner, batches


def _ours(case: Case) -> Callable[[], None]:
    learner, batches = _learner(case)
    if learner.device.type == "cpu":
        torch.set_num_threads(learner.gradients.threads_inside())

    def work() -> None:
        for _ in range(case.steps):
            learner.step(batches)
        learner.read_figures()

    return work


def _bars_of_an_h200(case: Case, learner: Learner, batches: DeviceBatches, rate: float) -> None:
    at_least("dogs93m at 64 px", rate, 5_000, "/s")
    torch.cuda.reset_peak_memory_stats()
    learner.step(batches)
    at_most("memory in use at the most", torch.cuda.max_memory_allocated() / 2**30, 24, "GiB")
    fixed = batches.batch(0, case.batch)

    class Still(DeviceBatches):
        def batch(self, *_: object) -> object:  # type: ignore[override]
            return fixed

    still = object.__new__(Still)

    def steps(source: DeviceBatches) -> Callable[[], None]:
        def work() -> None:
            for _ in range(case.steps):
                learner.step(source)
            learner.read_figures()

        return work

    results = race({"one batch for ever": steps(still), "fed": steps(batches)}, case.batch)
    at_most("waiting for pictures", 100 * (1 - results[1].ratio), 3, "%")


def _draw(case: Case, device: torch.device) -> None:
    config, subject = _config(case), Subject.of_pictures((3, case.size, case.size), ("a", "b"))
    learner = make_learner(config, subject, device)
    denoiser = Denoiser(learner.network.eval(), config.diffusion, subject.shape)
    count = 64 if device.type == "cuda" else 8
    labels = of_labels(torch.zeros(count, dtype=torch.int64))
    sampling = Sampling(sampler="dpm++2m", steps=20, guidance=Guidance(scale=1.0))

    def ours() -> None:
        draw_pictures(denoiser, labels, range(count), sampling).cpu()

    def a_thousand_steps() -> None:  # a twentieth of them
        ancestral = replace(sampling, sampler="ddpm", steps=50)
        draw_pictures(denoiser, labels, range(count), ancestral).cpu()

    items = {"DDPM in 1,000 steps": count / 20, "DPM-Solver++ 2M in 20 steps": count}
    results = race(
        {"DDPM in 1,000 steps": a_thousand_steps, "DPM-Solver++ 2M in 20 steps": ours},
        {name: int(1000 * number) for name, number in items.items()},
    )
    show(f"drawing {count} pictures of {case.size} px, thousandths", "pictures", results)
    if device.type == "cuda":
        at_most("64 pictures", 1000 * count / results[1].per_second, 0.3, "s")
    print(f"  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB of memory")


def _plain(case: Case, workers: int) -> Callable[[], None]:
    data, labels = _pictures(case)
    subject = Subject.of_pictures((3, case.size, case.size), ("a", "b"))
    network = build_network(_config(case), subject)
    loop = PortLoop(network, data, labels, batch=case.batch, workers=workers, device=_device())
    return lambda: loop.steps(case.steps)


def _config(case: Case) -> TrainConfig:
    config = preset_config(case.preset)
    return replace(config, batch=case.batch, network=case.network)  # type: ignore[arg-type]


def _pictures(case: Case) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    count = 14_000
    data = rng.integers(0, 256, (count, 3, case.size, case.size), dtype=np.uint8)
    return data, rng.integers(0, 2, count)
