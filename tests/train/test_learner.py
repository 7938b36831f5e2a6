import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dataset.packed import PackedDataset
from tests.train.drawn_pack import CLASSES, drawn_pictures, tiny_config
from train.batches import Batch, DeviceBatches, load_split
from train.checkpoint import load_checkpoint
from train.config import TrainConfig
from train.diffusion_learner import DiffusionLearner
from train.learner import Learner
from train.loop import train
from train.subject import Subject

CPU = torch.device("cpu")


def learner_and_batches(config: TrainConfig) -> tuple[Learner, DeviceBatches]:
    assert config.pack is not None
    batches = load_split(
        PackedDataset(config.pack), "train", seed=config.seed, flip=config.flip, device=CPU
    )
    return learner_of(config), batches


def learner_of(config: TrainConfig) -> DiffusionLearner:
    return DiffusionLearner(config, Subject.of_pictures((3, 8, 8), CLASSES), CPU)


class BrokenBatches(DeviceBatches):
    """Gives pictures that are not numbers at the chosen counts of images seen."""

    broken: frozenset[int] = frozenset()

    def batch(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Batch:
        batch = super().batch(images_seen, size, rank, world)
        factor = math.nan if images_seen in self.broken else 1.0
        return batch._replace(pictures=batch.pictures * factor)


def broken_batches(*at: int) -> BrokenBatches:
    data, labels = drawn_pictures()
    made = BrokenBatches(data, labels, seed=0, flip=False, device=CPU)
    made.broken = frozenset(at)
    return made


def test_a_batch_that_is_not_a_number_changes_no_weight_and_is_counted(pack: Path) -> None:
    learner, _ = learner_and_batches(tiny_config(pack))
    batches = broken_batches(8)
    learner.step(batches)
    before = [parameter.clone() for parameter in learner.optimiser.parameters]
    moments = {name: tensor.clone() for name, tensor in learner.state_tensors().items()}
    learner.step(batches)
    for was, parameter in zip(before, learner.optimiser.parameters, strict=True):
        assert torch.equal(was, parameter)
    for name, tensor in learner.state_tensors().items():
        assert name in ("skipped", "streak") or torch.equal(tensor, moments[name])
    figures = learner.read_figures()
    assert (figures.skipped, figures.worst_streak) == (1, 1)
    assert math.isfinite(figures.loss)
    assert math.isfinite(figures.grad_norm)


def test_learning_goes_on_after_a_skipped_batch(pack: Path) -> None:
    learner, _ = learner_and_batches(tiny_config(pack))
    batches = broken_batches(0, 8, 24)
    for _ in range(5):
        learner.step(batches)
    figures = learner.read_figures()
    assert (figures.skipped, figures.worst_streak) == (3, 2)
    for parameter in [*learner.optimiser.parameters, *learner.averages.model.parameters()]:
        assert torch.isfinite(parameter).all()
    learner.step(batches)
    assert learner.read_figures().worst_streak == 0


def test_figures_are_means_over_the_window_that_they_close(pack: Path) -> None:
    learner, batches = learner_and_batches(tiny_config(pack))
    losses = []
    for _ in range(4):
        learner.step(batches)
        losses.append(learner.read_figures().loss)
    learner, batches = learner_and_batches(tiny_config(pack))
    for _ in range(4):
        learner.step(batches)
    assert learner.read_figures().loss == pytest.approx(np.mean(losses))
    assert math.isnan(learner.read_figures().loss)


def test_eight_pictures_are_learnt_in_a_few_steps(pack: Path) -> None:
    data, labels = drawn_pictures(8)
    batches = DeviceBatches(data, labels, seed=0, flip=False, device=CPU)
    config = tiny_config(pack, images=10_000, lr=4e-3, unet={"base_channels": 16})
    learner = learner_of(config)
    losses = []
    for _ in range(6):
        for _ in range(20):
            learner.step(batches)
        losses.append(learner.read_figures().loss)
    assert losses[-1] < 0.4 * losses[0]


def test_gradient_is_clipped_before_the_step(pack: Path) -> None:
    moved = []
    for clip in (1e-6, 1e6):
        # Momentum of zero and a large second beta: the first moment is the clipped gradient.
        learner, batches = learner_and_batches(tiny_config(pack, clip=clip, betas=[0.0, 0.9]))
        learner.step(batches)
        states = learner.optimiser.adam.state.values()
        moved.append(math.sqrt(sum(float(s["exp_avg"].square().sum()) for s in states)))
    assert moved[0] == pytest.approx(1e-6, rel=1e-3)
    assert moved[1] > 1e-3


def test_the_same_seed_gives_the_same_network_and_another_seed_another(pack: Path) -> None:
    def first(seed: int) -> torch.Tensor:
        learner, _ = learner_and_batches(tiny_config(pack, seed=seed))
        weight: torch.Tensor = learner.network.state_dict()["stem.weight"]
        return weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_every_parameterisation_and_precision_learns(
    pack: Path, prediction: str, precision: str
) -> None:
    config = tiny_config(pack, precision=precision, diffusion={"prediction": prediction})
    learner, batches = learner_and_batches(config)
    for _ in range(3):
        learner.step(batches)
    figures = learner.read_figures()
    assert math.isfinite(figures.loss)
    assert figures.skipped == 0


def test_the_number_of_threads_changes_nothing(pack: Path) -> None:
    weights = []
    for threads in (1, 2, 3):
        learner, batches = learner_and_batches(tiny_config(pack, threads=threads, shares=3))
        for _ in range(3):
            learner.step(batches)
        weights.append([parameter.clone() for parameter in learner.optimiser.parameters])
    for other in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], other, strict=True))


def test_a_step_in_pieces_is_the_step_of_the_whole_batch(pack: Path) -> None:
    whole, pieces = (
        learner_and_batches(tiny_config(pack, micro_batch=size, shares=1)) for size in (0, 3)
    )
    for learner, batches in (whole, pieces):
        for _ in range(3):
            learner.step(batches)
    for a, b in zip(whole[0].optimiser.parameters, pieces[0].optimiser.parameters, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-4)


def test_each_time_of_going_back_halves_the_rate(pack: Path) -> None:
    learner, _ = learner_and_batches(tiny_config(pack, lr=0.5, decay="constant"))
    assert learner.rate(40) == 0.5
    learner.rollbacks = 2
    assert learner.rate(40) == 0.125
    assert int(learner.state_tensors()["rollbacks"]) == 2


def test_a_checkpoint_gone_on_from_is_not_kept_open(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=8)
    checkpoint = load_checkpoint(train(config, tmp_path).run)
    learner, batches = learner_and_batches(config)
    learner.restore(checkpoint)
    learner.step(batches)
    assert str(checkpoint.path) not in Path("/proc/self/maps").read_text()


def test_nothing_that_is_kept_between_steps_holds_a_graph(pack: Path) -> None:
    learner, batches = learner_and_batches(tiny_config(pack))
    for _ in range(2):
        learner.step(batches)
    state = [*learner.state_tensors().values(), *learner.averages.model.state_dict().values()]
    assert not any(tensor.requires_grad for tensor in state)
    assert all(parameter.grad is None for parameter in learner.optimiser.parameters)


def test_uncompiled_there_is_nothing_to_warm_up(pack: Path) -> None:
    learner, batches = learner_and_batches(tiny_config(pack))
    assert learner.warm_up(batches) == 0.0


def test_previews_leave_the_network_as_it_was(pack: Path) -> None:
    learner, batches = learner_and_batches(tiny_config(pack))
    learner.step(batches)
    before = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
    learner.sheet(batches)
    assert learner.network.training
    assert all(torch.equal(before[k], v) for k, v in learner.network.state_dict().items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's compiler itself
def test_a_compiled_step_is_the_same_step(pack: Path) -> None:
    plain, _ = learner_and_batches(tiny_config(pack, compile="off"))
    compiled, batches = learner_and_batches(tiny_config(pack, compile="on"))
    before = {name: tensor.clone() for name, tensor in compiled.network.state_dict().items()}
    assert compiled.warm_up(batches) > 0
    after = compiled.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert compiled.read_figures().skipped == 0
    for learner in (plain, compiled):
        for _ in range(3):
            learner.step(batches)
    one, other = plain.read_figures(), compiled.read_figures()
    assert other.loss == pytest.approx(one.loss, rel=1e-4)
    assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("changes", [{}, {"augment": {"probability": 0.5}, "micro_batch": 3}])
def test_no_step_waits_for_the_device(pack: Path, changes: dict[str, Any]) -> None:
    config = tiny_config(pack, device="cuda", compile="off", **changes)
    data, labels = drawn_pictures()
    cuda = torch.device("cuda")
    batches = DeviceBatches(data, labels, seed=0, flip=True, device=cuda, augment=config.augment)
    learner = DiffusionLearner(config, Subject.of_pictures((3, 8, 8), CLASSES), cuda)
    for _ in range(3):
        learner.step(batches)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(10):
            learner.step(batches)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert math.isfinite(learner.read_figures().loss)
