import math
from itertools import pairwise

import pytest

from dataset.errors import ConfigError
from train.diffusion_config import DiffusionConfig, ScheduleName
from train.noise_schedule import NoiseSchedule
from train.samplers import SAMPLERS
from train.spacing import SPACINGS, USUAL_SPACING, SpacingName, spaced_sigmas

SCHEDULES: tuple[ScheduleName, ...] = ("linear", "cosine", "sigmoid", "edm")


def schedule(name: ScheduleName = "cosine", steps: int = 1000) -> NoiseSchedule:
    return NoiseSchedule(DiffusionConfig(schedule=name, steps=steps))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 3, 16, 50, 999, 1000])
def test_levels_fall_strictly_and_end_in_nothing(
    name: ScheduleName, spacing: SpacingName, steps: int
) -> None:
    levels = spaced_sigmas(schedule(name), steps, spacing)
    assert len(levels) == steps + 1
    assert levels[-1] == 0.0
    assert all(now > then for now, then in pairwise(levels))
    assert all(math.isfinite(level) for level in levels)


@pytest.mark.parametrize("name", SCHEDULES)
def test_linear_walks_the_whole_table(name: ScheduleName) -> None:
    table = schedule(name)
    levels = spaced_sigmas(table, 4, "linear")
    expected = [float(table.sigmas[t]) for t in (999, 666, 333, 0)]
    assert levels[:-1] == pytest.approx(expected)
    every = spaced_sigmas(table, 1000, "linear")
    assert every[:-1] == table.sigmas.flip(0).tolist()


@pytest.mark.parametrize("spacing", ["karras", "logsnr"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_huge_last_levels_of_a_table_are_left_out(
    name: ScheduleName, spacing: SpacingName
) -> None:
    table = schedule(name)
    levels = spaced_sigmas(table, 20, spacing)
    assert levels[0] == pytest.approx(min(80.0, float(table.sigmas[-1])))
    assert levels[-2] == pytest.approx(table.sigma_min)


def test_karras_levels_are_those_of_the_paper() -> None:
    levels = spaced_sigmas(schedule("edm"), 18, "karras")
    # (80^(1/7) + i/17 (0.002^(1/7) - 80^(1/7)))^7, as in table 1 of Karras et al. 2022
    assert levels[:4] == pytest.approx([80.0, 57.586, 40.786, 28.375], rel=1e-4)
    assert levels[16:] == pytest.approx([0.007528, 0.002, 0.0], rel=1e-4)


def test_logsnr_levels_divide_by_the_same_number() -> None:
    levels = spaced_sigmas(schedule("edm"), 5, "logsnr")[:-1]
    assert [now / then for now, then in pairwise(levels)] == pytest.approx([40000**0.25] * 4)


def test_every_sampler_has_a_usual_spacing() -> None:
    assert USUAL_SPACING.keys() == SAMPLERS.keys()
    assert set(USUAL_SPACING.values()) <= set(SPACINGS)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_more_steps_than_the_model_has_are_refused(steps: int, spacing: SpacingName) -> None:
    with pytest.raises(ConfigError, match="1 to 1000"):
        spaced_sigmas(schedule(), steps, spacing)


def test_an_unknown_spacing_is_refused() -> None:
    with pytest.raises(ConfigError, match="linear, karras, logsnr"):
        spaced_sigmas(schedule(), 5, "quadratic")  # type: ignore[arg-type]
