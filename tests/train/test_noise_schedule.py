import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import ConfigError
from train.diffusion_config import DiffusionConfig
from train.noise_schedule import NoiseSchedule

NAMES = ("linear", "cosine", "sigmoid", "edm")
VARIANCE_PRESERVING = ("linear", "cosine", "sigmoid")


def schedule(name: str, steps: int = 1000, **keys: float) -> NoiseSchedule:
    return NoiseSchedule(DiffusionConfig(schedule=name, steps=steps, **keys))  # type: ignore[arg-type]


# Worked out apart from the code, from the papers' formulas.
@pytest.mark.parametrize(
    ("name", "t", "expected"),
    [
        ("linear", 0, 0.9999),
        ("linear", 499, 0.078587242882),
        ("linear", 999, 0.0000403582977),
        ("cosine", 0, 0.999958715775),
        ("cosine", 499, 0.493843590441),
        ("cosine", 999, 0.0000000024287),
        ("sigmoid", 0, 0.999699720800),
        ("sigmoid", 249, 0.850853547930),
        ("sigmoid", 499, 0.5),
        ("sigmoid", 749, 0.149146452070),
        ("sigmoid", 999, 0.000000300279),
    ],
)
def test_alphas_cumprod_are_those_of_the_papers(name: str, t: int, expected: float) -> None:
    assert float(schedule(name).alphas_cumprod[t]) == pytest.approx(expected, abs=1e-12, rel=1e-4)


def test_cosine_follows_its_closed_form_where_the_betas_are_not_clipped() -> None:
    def curve(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    alphas = schedule("cosine").alphas_cumprod
    for t in range(0, 990, 7):
        assert float(alphas[t]) == pytest.approx(curve((t + 1) / 1000) / curve(0), abs=1e-9)


def test_sigmoid_follows_its_closed_form_where_the_betas_are_not_clipped() -> None:
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    alphas = schedule("sigmoid").alphas_cumprod
    for t in range(0, 999, 7):
        share = (sigmoid(3) - sigmoid((t + 1) / 1000 * 6 - 3)) / (sigmoid(3) - sigmoid(-3))
        assert float(alphas[t]) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("steps", [25, 100, 250, 4000])
def test_linear_schedule_of_other_lengths_ends_at_about_the_same_noise(steps: int) -> None:
    assert float(schedule("linear", steps).alphas_cumprod[-1]) < 2e-4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [25, 1000, 4000])
def test_noise_grows_with_time(name: str, steps: int) -> None:
    process = schedule(name, steps)
    assert process.sigmas.shape == (steps,)
    assert process.sigmas.dtype == process.alphas_cumprod.dtype == torch.float64
    assert (process.sigmas.diff() > 0).all()
    assert (process.alphas_cumprod.diff() < 0).all()
    assert 0 < float(process.alphas_cumprod[-1]) < float(process.alphas_cumprod[0]) < 1


@pytest.mark.parametrize("name", NAMES)
def test_sigma_and_alphas_cumprod_are_two_names_of_one_level(name: str) -> None:
    process = schedule(name)
    assert torch.allclose(process.alphas_cumprod, 1 / (1 + process.sigmas**2), rtol=1e-12)


def test_edm_levels_are_evenly_spaced_in_their_logarithm_between_the_ends() -> None:
    process = schedule("edm", 101, sigma_min=0.01, sigma_max=100.0)
    assert process.sigmas[[0, 25, 50, 75, 100]].tolist() == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert (process.sigma_min, process.sigma_max) == pytest.approx((0.01, 100.0))


def test_drawing_begins_where_nothing_is_seen_and_not_at_the_end_of_the_table() -> None:
    assert float(schedule("cosine").sigmas[-1]) > 20_000
    assert schedule("cosine").sigma_max == 80
    assert schedule("cosine", sigma_max=300).sigma_max == 300
    linear = schedule("linear", sigma_max=1000)
    assert linear.sigma_max == float(linear.sigmas[-1]) == pytest.approx(157.41, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [25, 1000])
def test_the_time_of_every_entry_s_level_is_that_entry(name: str, steps: int) -> None:
    process, t = schedule(name, steps), torch.arange(steps)
    assert torch.allclose(process.sigma(t), process.sigmas.float(), rtol=1e-5)
    assert torch.allclose(process.time(process.sigma(t)), t.float(), atol=2e-3)


@given(share=st.floats(0, 1), name=st.sampled_from(NAMES))
def test_time_is_the_inverse_of_sigma_between_entries_too(share: float, name: str) -> None:
    process = schedule(name)
    t = torch.tensor([share * 999])
    assert float(process.time(process.sigma(t))) == pytest.approx(float(t), abs=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_levels_beyond_the_table_are_told_as_its_ends(name: str) -> None:
    process = schedule(name)
    assert process.time(torch.tensor([1e-9, 0.0, 1e9])).tolist() == [0, 0, 999]


@pytest.mark.parametrize("name", NAMES)
def test_the_step_from_an_entry_goes_to_the_one_below_and_at_last_to_the_picture(name: str) -> None:
    process = schedule(name, 250)
    now, then = process.step(process.sigma(torch.arange(250)))
    assert torch.equal(now, process.sigmas)
    assert torch.equal(then, torch.cat([torch.zeros(1), process.sigmas[:-1]]))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"steps": 24}, "diffusion.steps is 24"),
        ({"steps": 10**9}, "from 25 to 100000"),
        ({"sigma_min": 0.0}, "diffusion.sigma_min is 0.0"),
        ({"sigma_min": 81.0}, "below diffusion.sigma_max, which is 80.0"),
        ({"sigma_min": math.nan}, "diffusion.sigma_min is nan"),
        ({"sigma_max": math.inf}, "diffusion.sigma_max is inf"),
        ({"sigma_data": 0.0}, "diffusion.sigma_data is 0.0"),
        ({"sigma_data": math.nan}, "diffusion.sigma_data is nan"),
        ({"log_mean": math.nan}, "diffusion.log_mean is nan"),
        ({"log_deviation": -1.0}, "diffusion.log_deviation is -1.0"),
        ({"min_snr": 0.0}, "diffusion.min_snr is 0.0"),
        ({"min_snr": math.inf}, "diffusion.min_snr is inf"),
        ({"learned_variance": True, "levels": "lognormal"}, "needs levels uniform"),
        ({"learned_variance": True, "schedule": "edm"}, "linear, cosine or sigmoid"),
    ],
)
def test_a_process_that_cannot_be_is_refused_in_one_line(keys: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DiffusionConfig(**keys)  # type: ignore[arg-type]
