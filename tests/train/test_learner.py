import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.packed import PackedDataset
from tests.train.drawn_pack import drawn_pictures, tiny_config
from train.batches import Batch, DeviceBatches, load_split
from train.config import TrainConfig
from train.learner import Learner, drop_labels, learning_rate, sampled_times

CPU = torch.device("cpu")


def learner_and_batches(config: TrainConfig) -> tuple[Learner, DeviceBatches]:
    assert config.pack is not None
    batches = load_split(
        PackedDataset(config.pack), "train", seed=config.seed, flip=config.flip, device=CPU
    )
    return Learner(config, (3, 8, 8), 2, CPU), batches


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
    before = [parameter.clone() for parameter in learner.parameters]
    moments = {name: tensor.clone() for name, tensor in learner.optimiser_tensors().items()}
    learner.step(batches)
    for was, parameter in zip(before, learner.parameters, strict=True):
        assert torch.equal(was, parameter)
    for name, tensor in learner.optimiser_tensors().items():
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
    for parameter in [*learner.parameters, *learner.average.model.parameters()]:
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
    learner = Learner(config, (3, 8, 8), 2, CPU)
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
        states = learner.optimiser.state.values()
        moved.append(math.sqrt(sum(float(s["exp_avg"].square().sum()) for s in states)))
    assert moved[0] == pytest.approx(1e-6, rel=1e-3)
    assert moved[1] > 1e-3


def test_labels_are_dropped_picture_by_picture() -> None:
    labels = torch.ones(64, dtype=torch.int64)
    dropped = drop_labels(labels, 0, 0, 0.5)
    assert set(dropped.tolist()) == {-1, 1}
    many = drop_labels(torch.ones(20_000, dtype=torch.int64), 0, 0, 0.1)
    assert float((many == -1).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert torch.equal(drop_labels(labels, 0, 0, 0.0), labels)
    assert (drop_labels(labels, 0, 0, 1.0) == -1).all()


def test_label_dropout_does_not_depend_on_where_batches_begin() -> None:
    labels = torch.ones(64, dtype=torch.int64)
    whole = drop_labels(labels, 0, 3, 0.5)
    assert torch.equal(whole[16:], drop_labels(labels[16:], 16, 3, 0.5))


def test_times_come_one_from_each_equal_interval() -> None:
    times = sampled_times(640, 50, 1000, 0, CPU)
    assert (times // 20).tolist() == list(range(50))
    assert not torch.equal(times, sampled_times(690, 50, 1000, 0, CPU))


def test_times_are_uniform_over_the_process() -> None:
    times = torch.cat([sampled_times(seen, 8, 1000, 0, CPU) for seen in range(0, 16_000, 8)])
    assert (int(times.min()), int(times.max())) == (0, 999)
    counts = torch.histc(times.float(), bins=10, min=0, max=1000)
    assert ((counts - 1600).abs() < 120).all()


def test_learning_rate_warms_up_and_decays_to_zero(pack: Path) -> None:
    config = tiny_config(pack, images=1000, batch=10, warmup_images=100, lr=0.5)
    assert learning_rate(config, 0) == pytest.approx(0.05)
    assert learning_rate(config, 90) == pytest.approx(0.5)
    assert learning_rate(config, 550) == pytest.approx(0.25)
    assert learning_rate(config, 1000) == pytest.approx(0.0, abs=1e-12)
    constant = tiny_config(pack, images=1000, batch=10, warmup_images=0, decay="constant", lr=0.5)
    assert {learning_rate(constant, seen) for seen in (0, 500, 990)} == {0.5}


def test_the_same_seed_gives_the_same_network_and_another_seed_another(pack: Path) -> None:
    def first(seed: int) -> torch.Tensor:
        weight: torch.Tensor = learner_and_batches(tiny_config(pack, seed=seed))[0].unet.stem.weight
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
        weights.append([parameter.clone() for parameter in learner.parameters])
    for other in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], other, strict=True))
