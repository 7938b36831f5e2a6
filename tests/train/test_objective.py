import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.train.drawn_pack import tiny_config
from tests.train.short_runs import batches_of, learner_of
from tests.train.small_denoiser import Rightly, exact_denoiser, small_denoiser
from train.condition import Condition, of_labels
from train.denoiser import Denoiser
from train.diffusion_config import DiffusionConfig
from train.drawing import Sampling, draw_pictures
from train.noise_schedule import NoiseSchedule
from train.objective import denoising_losses, sampled_sigmas
from train.variance import bound_losses

PREDICTIONS = ("eps", "v", "x0", "edm")
SCHEDULES = ("linear", "cosine", "sigmoid", "edm")


def lesson(
    schedule: NoiseSchedule, size: int = 8, side: int = 8
) -> tuple[Tensor, Tensor, Tensor, Condition]:
    """Pictures, levels over the whole table, noise and no labels."""
    generator = torch.Generator().manual_seed(5)
    x0 = torch.rand(size, 3, side, side, generator=generator) * 2 - 1
    eps = torch.randn(x0.shape, generator=generator)
    sigma = schedule.sigma(torch.linspace(0, schedule.steps - 1, size).round())
    return x0, sigma, eps, of_labels(torch.full((size,), -1))


def losses_of(config: DiffusionConfig, output: Tensor | None = None) -> Tensor:
    """The losses of a network that says `output` everywhere, of the exact one if not given."""
    x0, sigma, eps, condition = lesson(NoiseSchedule(config))
    denoiser = exact_denoiser(config, x0, eps, sigma)
    if output is not None:
        denoiser = Denoiser(Rightly(lambda _x, _t: output.expand_as(x0)), config, (3, 8, 8))
    return denoising_losses(denoiser, x0, sigma, eps, condition)


@pytest.mark.parametrize(
    ("prediction", "schedule", "learned"),
    [
        (*pair, learned)
        for pair in product(PREDICTIONS, SCHEDULES)
        for learned in (False, True)
        if not (learned and pair[1] == "edm")
    ],
)
def test_the_loss_of_the_exact_output_is_zero(
    prediction: str, schedule: str, learned: bool
) -> None:
    config = DiffusionConfig(
        prediction=prediction,  # type: ignore[arg-type]
        schedule=schedule,  # type: ignore[arg-type]
        learned_variance=learned,
    )
    losses = losses_of(config)
    assert losses.dtype == torch.float32
    assert losses.tolist() == pytest.approx([0.0] * 8, abs=1e-6)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_network_that_says_nothing_loses_one_at_every_level_where_levels_weigh_alike(
    prediction: str,
) -> None:
    config = DiffusionConfig(
        prediction=prediction,  # type: ignore[arg-type]
        schedule="edm",
        sigma_data=1 / math.sqrt(3),  # of uniform pixels
        min_snr=None,
    )
    expected = {"eps": [1.0] * 8, "x0": [1 / 3] * 8, "edm": [1.0] * 8}
    if prediction == "v":  # of uniform pixels it is no unit: alphas_cumprod + (1 - ...) / 3
        alphas = 1 / (1 + lesson(NoiseSchedule(config))[1] ** 2)
        expected["v"] = (alphas + (1 - alphas) / 3).tolist()
    losses = losses_of(config, torch.zeros(1, 3, 8, 8))
    assert losses.tolist() == pytest.approx(expected[prediction], rel=0.3)


def test_min_snr_loss_is_that_of_the_picture_whatever_is_predicted() -> None:
    """The same wrong picture, said as eps, x0 or v, costs the same."""
    losses = {}
    for prediction in ("eps", "x0", "v"):
        config = DiffusionConfig(prediction=prediction, min_snr=5.0, schedule="edm")
        x0, sigma, eps, condition = lesson(NoiseSchedule(config))
        # Whoever takes x0 + 0.1 for the picture takes eps - 0.1 / sigma for the noise.
        wrong_eps = eps - 0.1 / sigma[:, None, None, None]
        denoiser = exact_denoiser(config, x0 + 0.1, wrong_eps, sigma)
        losses[prediction] = denoising_losses(denoiser, x0, sigma, eps, condition)
    expected = 0.01 * sigma.double().pow(-2).clamp(max=5.0)
    for found in losses.values():
        assert torch.allclose(found.double(), expected, rtol=2e-2)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid"])
@pytest.mark.parametrize("t", [0, 300, 999])
def test_the_network_is_shown_the_mean_and_spread_of_ddpm_s_equation_4(
    schedule: str, t: int
) -> None:
    config = DiffusionConfig(schedule=schedule)  # type: ignore[arg-type]
    process, network = NoiseSchedule(config), Rightly(lambda x, _t: x)
    x0 = torch.full((4, 3, 64, 64), 0.7)
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    sigma = process.sigma(torch.full((4,), t))
    nothing = of_labels(torch.full((4,), -1))
    denoising_losses(Denoiser(network, config, (3, 64, 64)), x0, sigma, eps, nothing)
    alpha = float(process.alphas_cumprod[t])
    (shown,) = network.asked
    assert float(shown.mean()) == pytest.approx(math.sqrt(alpha) * 0.7, abs=0.02)
    assert float(shown.std()) == pytest.approx(math.sqrt(1 - alpha), abs=0.02)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("learned", [False, True])
def test_training_shows_the_network_what_drawing_shows_it(prediction: str, learned: bool) -> None:
    """The same picture under the same noise, whether it is learnt from or denoised."""
    config = DiffusionConfig(prediction=prediction, learned_variance=learned)  # type: ignore[arg-type]
    x0, sigma, eps, condition = lesson(NoiseSchedule(config))
    sigma = sigma.clamp(max=80.0)
    denoiser = exact_denoiser(config, x0, eps, sigma)
    denoising_losses(denoiser, x0, sigma, eps, condition)
    found = denoiser.denoise(x0 + sigma[:, None, None, None] * eps, sigma, condition)
    assert isinstance(denoiser.network, Rightly)
    learnt, drawn = denoiser.network.asked
    assert torch.allclose(learnt, drawn, atol=1e-5)
    assert torch.allclose(found, x0, atol=1e-4)


@pytest.mark.parametrize("learned", [False, True])
def test_the_loss_of_a_picture_does_not_depend_on_its_batch(learned: bool) -> None:
    denoiser = small_denoiser(learned_variance=learned)
    x0, sigma, eps, condition = lesson(denoiser.schedule)
    together = denoising_losses(denoiser, x0, sigma, eps, condition)
    assert together.shape == (8,)
    for i in range(0, 8, 3):
        part = slice(i, i + 1)
        alone = denoising_losses(
            denoiser, x0[part], sigma[part], eps[part], condition.part(i, i + 1)
        )
        assert torch.allclose(together[part], alone, rtol=1e-4)


def test_uniform_levels_are_entries_of_the_table_one_from_each_equal_part() -> None:
    process = NoiseSchedule(DiffusionConfig())
    times = process.time(sampled_sigmas(process, 640, 50, 0))
    assert torch.allclose(times, times.round(), atol=2e-3)
    assert (times.round() // 20).tolist() == list(range(50))
    assert not torch.equal(times, process.time(sampled_sigmas(process, 690, 50, 0)))


def test_uniform_levels_cover_the_table_alike() -> None:
    process = NoiseSchedule(DiffusionConfig())
    times = torch.cat(
        [process.time(sampled_sigmas(process, seen, 8, 0)) for seen in range(0, 16_000, 8)]
    ).round()
    assert (int(times.min()), int(times.max())) == (0, 999)
    counts = torch.histc(times, bins=10, min=0, max=1000)
    assert ((counts - 1600).abs() < 120).all()


def test_lognormal_levels_are_stratified_over_the_bell_curve_of_ln_sigma() -> None:
    process = NoiseSchedule(DiffusionConfig(schedule="edm", levels="lognormal", prediction="edm"))
    sigma = sampled_sigmas(process, 0, 1024, 0)
    logs = sigma.double().log()
    assert (logs.diff() > 0).all()  # one from each part
    assert float(logs.mean()) == pytest.approx(-1.2, abs=0.01)
    assert float(logs.std()) == pytest.approx(1.2, rel=0.01)
    # The quantiles of a normal distribution: 2.275 % lie below two deviations.
    assert float((logs < -1.2 - 2.4).double().mean()) == pytest.approx(0.02275, abs=0.002)
    assert float((logs < -1.2 + 1.2).double().mean()) == pytest.approx(0.84134, abs=0.002)


@given(
    levels=st.sampled_from(["uniform", "lognormal"]),
    schedule=st.sampled_from(SCHEDULES),
    size=st.integers(1, 64),
    seen=st.integers(0, 2**40),
    seed=st.integers(0, 2**62),
    mean=st.floats(-20, 20),
)
@settings(max_examples=60)
def test_levels_always_lie_in_the_table(
    levels: str, schedule: str, size: int, seen: int, seed: int, mean: float
) -> None:
    config = DiffusionConfig(levels=levels, schedule=schedule, log_mean=mean)  # type: ignore[arg-type]
    process = NoiseSchedule(config)
    sigma = sampled_sigmas(process, seen, size, seed)
    assert (sigma.shape, sigma.dtype) == ((size,), torch.float32)
    assert (sigma >= process.sigma_min * (1 - 1e-5)).all()
    assert (sigma <= float(process.sigmas[-1]) * (1 + 1e-5)).all()
    assert torch.equal(sigma, sampled_sigmas(process, seen, size, seed))


def test_levels_of_another_seed_are_others() -> None:
    process = NoiseSchedule(DiffusionConfig(levels="lognormal"))
    assert not torch.equal(sampled_sigmas(process, 0, 8, 0), sampled_sigmas(process, 0, 8, 1))


def test_the_hybrid_loss_is_the_simple_one_and_a_thousandth_of_the_bound() -> None:
    """Nichol and Dhariwal 2021, equation 16 with their lambda."""
    config = DiffusionConfig(learned_variance=True, min_snr=None)
    x0, sigma, eps, condition = lesson(NoiseSchedule(config))
    said = torch.cat([torch.zeros_like(x0), torch.full_like(x0, 0.3)], dim=1)
    both = Denoiser(Rightly(lambda _x, _t: said), config, (3, 8, 8))
    both.network.requires_grad_(False)
    hybrid = denoising_losses(both, x0, sigma, eps, condition)
    simple = losses_of(DiffusionConfig(min_snr=None), torch.zeros(1, 3, 8, 8))
    wrong = both.denoise(x0 + sigma[:, None, None, None] * eps, sigma, condition) - x0
    bound = bound_losses(both.schedule, torch.full_like(x0, 0.3), wrong.square(), sigma)
    assert torch.allclose(hybrid - simple, 0.001 * bound, rtol=1e-3, atol=1e-5)
    assert float(bound.max()) > 1


@pytest.mark.parametrize(
    "diffusion",
    [
        {"prediction": "edm", "schedule": "edm", "levels": "lognormal"},
        {"prediction": "v", "schedule": "edm", "levels": "lognormal"},
        {"prediction": "v", "schedule": "sigmoid"},
        {"prediction": "eps", "schedule": "linear", "learned_variance": True},
        {"prediction": "v", "schedule": "cosine", "learned_variance": True},
        {"prediction": "x0", "schedule": "cosine", "min_snr": None},
    ],
)
def test_every_kind_of_objective_is_learnt_and_drawn_from(
    pack: Path, diffusion: dict[str, Any]
) -> None:
    learner = learner_of(tiny_config(pack, lr=0.01, images=10_000, diffusion=diffusion))
    batches, losses = batches_of(learner.config, count=8), []
    for _ in range(4):
        for _ in range(10):
            learner.step(batches)
        losses.append(learner.read_figures().loss)
    assert losses[-1] < 0.9 * losses[0]
    for sampler in ("ddpm", "dpm++2m"):
        labels = of_labels(torch.tensor([0, 1]))
        drawn = draw_pictures(learner.denoiser, labels, [1, 2], Sampling(sampler=sampler, steps=10))
        assert torch.isfinite(drawn).all()
        assert 0.1 < float(drawn.std()) < 1.0
