from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dataset.errors import ConfigError
from tests.train.drawn_pack import tiny_config
from train.bench import BenchConfig, bench
from train.estimate import estimate
from train.learners import make_learner
from train.speed import Rate, probe_batch, probed_speed, random_batches, threads_as_in_training
from train.subject import Subject

CPU = torch.device("cpu")
COLOUR = Subject.of_pictures((3, 8, 8), ("bar", "block"))
QUICK = BenchConfig(rounds=2, steps=1, warmup=1, pictures=2, drawing_steps=2)


def test_random_batches_have_the_shape_and_classes_of_the_subject(pack: Path) -> None:
    subject = Subject(picture=(1, 8, 16), shape=(1, 8, 16), label_names=("a",), vector_length=5)
    batch = random_batches(tiny_config(pack), subject, CPU).batch(0, 8)
    assert batch.pictures.shape == (8, 1, 8, 16)
    assert batch.labels.tolist() == [0] * 8
    assert batch.vectors is not None
    assert batch.vectors.shape == (8, 5)
    unlabelled = random_batches(tiny_config(pack), Subject.of_pictures((3, 8, 8)), CPU)
    assert unlabelled.batch(0, 8).labels.tolist() == [-1] * 8
    assert unlabelled.batch(0, 8).vectors is None


def test_a_rate_is_the_median_of_its_rounds() -> None:
    assert Rate.of_rounds([5.0, 1.0, 3.0]) == Rate(median=3.0, least=1.0, most=5.0)


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, COLOUR),
        ({"diffusion": {"schedule": "edm", "prediction": "edm", "levels": "lognormal"}}, COLOUR),
        ({"augment": {"probability": 0.5}, "flip": True}, COLOUR),
        pytest.param(
            {"network": "favicon"}, Subject.of_pictures((3, 32, 32)), marks=pytest.mark.slow
        ),
        ({"upscale": {"from_size": 4}}, COLOUR),
        ({"kind": "vae", "vae": {"base_channels": 8}}, COLOUR),
    ],
    ids=["plain", "edm", "augmented", "favicon", "enlarging", "vae"],
)
def test_every_kind_of_run_can_be_probed(
    changes: dict[str, Any], subject: Subject, pack: Path
) -> None:
    config = tiny_config(pack, **changes)
    rate = probed_speed(config, subject, CPU, estimate(config, subject))
    assert rate is not None
    assert rate > 0


def test_a_probe_on_a_cpu_is_of_few_pictures_and_of_none_where_they_are_too_many(
    pack: Path,
) -> None:
    config = tiny_config(pack, batch=512)
    small = estimate(config, COLOUR)
    assert probe_batch(config, CPU, small) == 512
    assert probe_batch(tiny_config(pack, batch=9000), CPU, small) == 512
    slow = estimate(tiny_config(pack), Subject.of_pictures((3, 64, 64)))
    size = probe_batch(config, CPU, slow)
    assert size is not None
    assert 2 <= size < 512
    huge = estimate(tiny_config(pack, unet={"base_channels": 768, "head_channels": 64}), COLOUR)
    assert probe_batch(config, CPU, huge) is None
    assert probe_batch(config, torch.device("cuda"), slow) == 512


@pytest.mark.parametrize(("shares", "inside"), [(2, 1), (1, 3)])
def test_operations_have_the_cores_that_shares_leave_and_give_them_back(
    pack: Path, shares: int, inside: int
) -> None:
    torch.set_num_threads(2)
    learner = make_learner(tiny_config(pack, shares=shares, threads=3), COLOUR, CPU)
    with threads_as_in_training(learner):
        assert torch.get_num_threads() == inside
    assert torch.get_num_threads() == 2
    assert learner.gradients.threads_inside(processes=8) == 1


def test_a_bench_says_how_fast_of_what_and_of_how_much(pack: Path) -> None:
    facts = bench(tiny_config(pack), COLOUR, CPU, QUICK)
    learning, drawing = facts["learning"], facts["drawing"]
    assert facts["shape"] == [3, 8, 8]
    assert facts["precision"] == "float32"
    assert facts["parameters"] == estimate(tiny_config(pack), COLOUR).parameters
    assert learning["least"] <= learning["images_per_s"] <= learning["most"]
    assert learning["ms_per_step"] == pytest.approx(8e3 / learning["images_per_s"], rel=0.01)
    assert 0 < learning["mfu"] < 1
    assert learning["memory_mib"] is None
    assert (drawing["pictures"], drawing["steps"]) == (2, 2)
    assert drawing["pictures_per_s"] > 0


def test_a_bench_draws_nothing_where_nothing_is_asked_for_or_can_be_drawn(pack: Path) -> None:
    none = BenchConfig(rounds=1, steps=1, warmup=0, pictures=0)
    assert bench(tiny_config(pack), COLOUR, CPU, none)["drawing"] is None
    vae = tiny_config(pack, kind="vae", vae={"base_channels": 8})
    assert bench(vae, COLOUR, CPU, QUICK)["drawing"] is None


def test_a_bench_of_pictures_that_do_not_fit_is_refused(pack: Path) -> None:
    with pytest.raises(ConfigError, match="multiples of 2"):
        bench(tiny_config(pack), Subject.of_pictures((3, 7, 8)), CPU, QUICK)


@pytest.mark.parametrize("key", ["rounds", "steps", "drawing_steps"])
def test_a_bench_of_no_rounds_or_steps_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        BenchConfig(**{key: 0})
    with pytest.raises(ConfigError, match="warmup"):
        BenchConfig(warmup=-1)


def test_a_bench_changes_nothing_that_a_later_run_learns(pack: Path) -> None:
    config = tiny_config(pack)

    def weights() -> list[np.ndarray[Any, Any]]:
        learner = make_learner(config, COLOUR, CPU)
        learner.step(random_batches(config, COLOUR, CPU))
        return [parameter.detach().numpy() for parameter in learner.network.parameters()]

    before = weights()
    bench(config, COLOUR, CPU, QUICK)
    for first, second in zip(before, weights(), strict=True):
        np.testing.assert_array_equal(first, second)
