import math
from pathlib import Path
from typing import Any

import pytest

from tests.train.drawn_pack import tiny_config
from train.config import TrainConfig
from train.learning_rate import learning_rate


def config(**changes: Any) -> TrainConfig:
    table = {"images": 1000, "batch": 10, "warmup_images": 100, "lr": 0.5}
    return tiny_config(Path("pack.h5"), **(table | changes))


@pytest.mark.parametrize("decay", ["cosine", "sqrt", "constant"])
def test_the_rate_warms_up_in_a_line(decay: str) -> None:
    rates = [learning_rate(config(decay=decay), seen) for seen in (0, 40, 90)]
    assert rates == pytest.approx([0.05, 0.25, 0.5])


def test_cosine_falls_to_zero_at_the_end_of_the_budget() -> None:
    assert learning_rate(config(), 550) == pytest.approx(0.25)
    assert learning_rate(config(), 1000) == pytest.approx(0.0, abs=1e-12)


def test_sqrt_falls_with_the_root_of_time_from_the_end_of_the_warm_up() -> None:
    rates = [learning_rate(config(decay="sqrt"), seen) for seen in (100, 400, 900)]
    assert rates == pytest.approx([0.5, 0.25, 0.5 / 3])


def test_sqrt_falls_from_where_it_is_told_to() -> None:
    late = config(decay="sqrt", decay_images=400)
    assert [learning_rate(late, seen) for seen in (400, 1600)] == pytest.approx([0.5, 0.25])


def test_constant_stays() -> None:
    stays = config(decay="constant", warmup_images=0)
    assert {learning_rate(stays, seen) for seen in (0, 500, 990)} == {0.5}


@pytest.mark.parametrize("decay", ["sqrt", "constant"])
def test_these_decays_know_nothing_of_the_budget(decay: str) -> None:
    for seen in range(0, 1000, 50):
        short, long = (config(decay=decay, images=images) for images in (1000, 50_000))
        assert learning_rate(short, seen) == learning_rate(long, seen)


@pytest.mark.parametrize("decay", ["cosine", "sqrt", "constant"])
def test_a_run_without_warm_up_has_a_rate_from_its_first_step(decay: str) -> None:
    rate = learning_rate(config(decay=decay, warmup_images=0), 0)
    assert rate == pytest.approx(0.5)
    assert math.isfinite(rate)
