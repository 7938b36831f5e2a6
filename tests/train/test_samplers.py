"""Every sampler on data whose answer is known: orders, laws of equality, distributions."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.perfect_models import (
    DEVIATION,
    MEAN,
    SHAPE,
    DoubleNoise,
    OnePicture,
    flow_of_normal_pixels,
    normal_pixels,
    two_points,
)
from train.diffusion_config import DiffusionConfig
from train.noise_schedule import NoiseSchedule
from train.picture_noise import PictureNoise
from train.samplers import (
    SAMPLERS,
    Denoise,
    Prediction,
    Sampler,
    SolverOptions,
    ancestral_deviation,
    ddim,
    ddpm,
    dpmpp_2m,
    dpmpp_2m_sde,
    euler,
    exponential_step,
    heun,
    unipc,
)
from train.spacing import SPACINGS, SpacingName, spaced_sigmas

EACH = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=list(SAMPLERS))
CPU = torch.device("cpu")
COSINE = NoiseSchedule(DiffusionConfig())


def falling(start: float, end: float, steps: int, power: float = 0.0) -> list[float]:
    """Levels even in ln sigma, or (like Karras') in sigma^power."""
    if power == 0.0:
        return [start * (end / start) ** (i / steps) for i in range(steps + 1)]
    a, b = start**power, end**power
    return [(a + i / steps * (b - a)) ** (1 / power) for i in range(steps + 1)]


def drawn(
    sampler: Sampler, denoise: Denoise, levels: list[float], **options: float | int
) -> Tensor:
    """16 pixels in float64 from the noise that is always the same."""
    noise = DoubleNoise()
    return sampler(denoise, levels[0] * noise.draw(0), levels, noise, SolverOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("power", [0.0, 1 / 7], ids=["logsnr", "karras"])
@pytest.mark.parametrize(
    ("name", "options", "order"),
    [
        ("ddim", {}, 1),
        ("euler", {}, 1),
        ("heun", {}, 2),
        ("dpm++2m", {}, 2),
        ("dpm++2m-sde", {"eta": 0.0}, 2),
        ("unipc", {"order": 1}, 2),
        ("unipc", {"order": 2}, 3),
        ("unipc", {"order": 3}, 4),
    ],
)
def test_halving_the_steps_divides_the_error_by_two_to_the_order(
    name: str, options: dict[str, float], order: int, power: float
) -> None:
    x = 10.0 * DoubleNoise().draw(0)
    right = flow_of_normal_pixels(x, 10.0, 0.05)
    errors = []
    for steps in (64, 128, 256):
        levels = falling(10.0, 0.05, steps, power)
        got = SAMPLERS[name](normal_pixels, x, levels, DoubleNoise(), SolverOptions(**options))  # type: ignore[arg-type]
        errors.append(float((got - right).abs().max()))
    seen = [math.log2(more / less) for more, less in pairwise(errors)]
    assert seen[-1] == pytest.approx(order, abs=0.2), seen
    assert errors[-1] < 0.03 * 0.1 ** (order - 1)


@EACH
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50])
def test_a_model_of_one_picture_draws_that_picture(
    sampler: Sampler, steps: int, spacing: SpacingName
) -> None:
    picture = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(SHAPE)
    levels = spaced_sigmas(COSINE, steps, spacing)
    got = drawn(sampler, OnePicture(picture), levels, churn=5.0, churn_to=20.0)
    # Along the table, levels of 20,000 leave rounding errors of that size in float64.
    assert torch.allclose(got, picture.expand_as(got), atol=1e-9)


@EACH
@pytest.mark.parametrize("options", [{}, {"eta": 0.5}, {"eta": 1.0}, {"churn": 30.0}])
def test_normal_pixels_are_drawn_with_their_mean_and_deviation(
    sampler: Sampler, options: dict[str, float]
) -> None:
    shape = (3, 16, 16)
    noise = PictureNoise(range(40), shape, CPU)
    # Steps of the first order lose variance: about 6 % of the deviation in 100 steps.
    levels = spaced_sigmas(COSINE, 300 if sampler in (ddim, ddpm, euler) else 60, "karras")
    x = levels[0] * noise.draw(0)
    got = sampler(normal_pixels, x, levels, noise, SolverOptions(**options))  # type: ignore[arg-type]
    assert float(got.mean()) == pytest.approx(MEAN, abs=0.015)
    assert float(got.std()) == pytest.approx(DEVIATION, rel=0.03)


@EACH
@pytest.mark.parametrize("spacing", SPACINGS)
def test_two_points_are_drawn_as_two_points_alike_in_number(
    sampler: Sampler, spacing: SpacingName
) -> None:
    noise = PictureNoise(range(20), (1, 16, 16), CPU)
    levels = spaced_sigmas(COSINE, 40, spacing)
    got = sampler(two_points, levels[0] * noise.draw(0), levels, noise)
    assert float((got.abs() - 0.8).abs().max()) < 0.01
    assert float((got > 0).float().mean()) == pytest.approx(0.5, abs=0.03)


@EACH
def test_one_step_gives_the_mean_of_the_data(sampler: Sampler) -> None:
    got = drawn(sampler, normal_pixels, [1e6, 0.0])
    assert float((got - MEAN).abs().max()) < 1e-5


@pytest.mark.parametrize("steps", [5, 50, 1000])
def test_ddim_with_eta_one_is_ddpm(steps: int) -> None:
    levels = spaced_sigmas(COSINE, steps)
    apart = drawn(ddim, two_points, levels, eta=1.0) - drawn(ddpm, two_points, levels)
    assert float(apart.abs().max()) < 1e-6


@pytest.mark.parametrize("spacing", SPACINGS)
def test_euler_is_ddim_without_noise(spacing: SpacingName) -> None:
    levels = spaced_sigmas(COSINE, 30, spacing)
    apart = drawn(euler, two_points, levels) - drawn(ddim, two_points, levels, eta=0.0)
    assert float(apart.abs().max()) < 1e-6


def test_the_sde_solver_without_noise_is_dpm_solver() -> None:
    levels = spaced_sigmas(COSINE, 20, "karras")
    apart = drawn(dpmpp_2m_sde, two_points, levels, eta=0.0) - drawn(dpmpp_2m, two_points, levels)
    assert float(apart.abs().max()) < 1e-9


def test_the_first_step_of_the_sde_solver_is_ancestral() -> None:
    apart = drawn(dpmpp_2m_sde, two_points, [3.0, 1.0]) - drawn(ddpm, two_points, [3.0, 1.0])
    assert float(apart.abs().max()) < 1e-12


def test_two_steps_of_unipc_of_order_one_use_the_trapezium_of_their_ends() -> None:
    seen: list[Tensor] = []

    def linear(x: Tensor, sigma: float) -> Prediction:
        seen.append(x)
        return Prediction(torch.full_like(x, -math.log(sigma)))  # x0 is lambda itself

    # The flow of x0 = lambda from lambda 0 is x = exp(-u) x + u - 1 + exp(-u), which a
    # straight line between two points catches exactly.
    levels = [1.0, 0.5, 0.25]
    drawn(unipc, linear, levels, order=1)
    start = DoubleNoise().draw(0)
    u = math.log(2.0)
    corrected = 0.5 * start + u - 1.0 + 0.5
    predicted = 0.5 * seen[0]  # with x0 of the start, which is 0
    assert torch.allclose(seen[1], predicted)
    again = exponential_step(start, 1.0, 0.5, [(1.0, 0.0 * start), (0.5, start * 0.0 + u)])
    assert torch.allclose(again, corrected)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_an_exponential_step_is_exact_for_polynomials_of_lambda(degree: int) -> None:
    def polynomial(sigma: float) -> float:
        return sum((-math.log(sigma)) ** power for power in range(degree + 1))

    levels = [2.0, 1.1, 0.7, 0.3]
    x, ones = torch.full((1,), 0.9, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    known = [(sigma, polynomial(sigma) * ones) for sigma in levels[: degree + 1]]
    got = exponential_step(x, 0.7, 0.5, known)
    parts = 20_000  # of a fine sum over u, lambda less its value at 0.7
    h = math.log(0.7 / 0.5)
    middles = [(i + 0.5) / parts * h for i in range(parts)]
    heights = [math.exp(u - h) * polynomial(0.7 * math.exp(-u)) for u in middles]
    total = sum(heights) * h / parts
    assert float(got) == pytest.approx(math.exp(-h) * 0.9 + total, abs=1e-8)


@EACH
def test_only_what_is_noisy_by_name_draws_noise(sampler: Sampler) -> None:
    noise = DoubleNoise()
    levels = falling(5.0, 0.1, 6)
    sampler(two_points, noise.draw(0), [*levels, 0.0], noise)
    if sampler in (ddpm, dpmpp_2m_sde):
        assert noise.asked == [0, 1, 2, 3, 4, 5, 6]  # none in the last step
    else:
        assert noise.asked == [0]


def test_heun_without_churn_takes_no_notice_of_the_noise() -> None:
    levels = spaced_sigmas(COSINE, 12, "karras")
    x = levels[0] * DoubleNoise().draw(0)
    still = heun(two_points, x, levels, DoubleNoise(), SolverOptions(churn=0.0))
    assert torch.equal(still, heun(two_points, x, levels, PictureNoise([7], SHAPE, CPU)))
    churned = heun(two_points, x, levels, DoubleNoise(), SolverOptions(churn=40.0))
    assert not torch.equal(still, churned)


def test_churn_is_added_between_its_sigmas_alone_and_never_more_than_fits() -> None:
    noise = DoubleNoise()
    levels = [8.0, 4.0, 2.0, 1.0, 0.5, 0.0]
    options = SolverOptions(churn=1.0, churn_from=0.9, churn_to=4.0)
    heun(normal_pixels, noise.draw(0), levels, noise, options)
    assert noise.asked == [0, 2, 3, 4]
    assert options.gamma(2.0, 5) == pytest.approx(0.2)
    assert SolverOptions(churn=1e9).gamma(2.0, 5) == pytest.approx(math.sqrt(2.0) - 1.0)


def test_heun_asks_twice_a_step_and_the_others_once() -> None:
    for name, sampler in SAMPLERS.items():
        asked: list[float] = []

        def counted(x: Tensor, sigma: float, asked: list[float] = asked) -> Prediction:
            asked.append(sigma)
            return normal_pixels(x, sigma)

        drawn(sampler, counted, [*falling(5.0, 0.1, 9), 0.0])
        assert len(asked) == (19 if name == "heun" else 10), name


@pytest.mark.parametrize("t", [1, 500, 998])
def test_one_ancestral_step_has_the_posterior_of_ddpm(t: int) -> None:
    now, then = float(COSINE.sigmas[t]), float(COSINE.sigmas[t - 1])
    alphas = COSINE.alphas_cumprod
    of_now, of_then = float(alphas[t]), float(alphas[t - 1])
    alpha, x0 = of_now / of_then, 0.4
    x = now * DoubleNoise().draw(0)
    got = drawn(ddpm, OnePicture(torch.full(SHAPE, x0, dtype=torch.float64)), [now, then])
    # Ho et al. 2020, equation 7, in their frame.
    x_t = math.sqrt(of_now) * x
    of_x0 = math.sqrt(of_then) * (1 - alpha) / (1 - of_now)
    mean = of_x0 * x0 + math.sqrt(alpha) * (1 - of_then) / (1 - of_now) * x_t
    deviation = math.sqrt((1 - of_then) / (1 - of_now) * (1 - alpha))
    right = (mean + deviation * DoubleNoise().draw(1)) / math.sqrt(of_then)
    assert torch.allclose(got, right, rtol=1e-9)


def test_a_learnt_variance_spans_beta_tilde_to_beta() -> None:
    now, then = float(COSINE.sigmas[600]), float(COSINE.sigmas[500])
    of_now, of_then = float(COSINE.alphas_cumprod[600]), float(COSINE.alphas_cumprod[500])
    beta = 1 - of_now / of_then
    tilde = beta * (1 - of_then) / (1 - of_now)
    ends = [variance / of_then for variance in (tilde, beta)]
    ask = torch.tensor([-1.0, 0.0, 1.0, -5.0, 5.0, math.nan])[:, None, None, None]
    deviation = ancestral_deviation(now, then, ask)
    assert isinstance(deviation, Tensor)
    least, middle, most, under, over, _ = deviation.square().flatten().tolist()
    assert least == pytest.approx(ends[0], rel=1e-4)
    assert middle == pytest.approx(math.sqrt(ends[0] * ends[1]), rel=1e-4)
    assert most == pytest.approx(ends[1], rel=1e-4)
    assert (under, over) == (least, most)
    assert ancestral_deviation(now, then, None) == pytest.approx(math.sqrt(ends[0]), rel=1e-6)


def test_ddpm_uses_the_variance_that_the_model_learnt() -> None:
    levels = spaced_sigmas(COSINE, 10)

    def learnt(share: float) -> Denoise:
        return lambda x, sigma: Prediction(normal_pixels(x, sigma).x0, torch.full(x.shape, share))

    usual = drawn(ddpm, normal_pixels, levels)
    assert torch.allclose(drawn(ddpm, learnt(-1.0), levels), usual, atol=1e-5)
    wider = drawn(ddpm, learnt(1.0), levels)
    assert float(wider.std()) > 1.1 * float(usual.std())


@EACH
def test_numbers_that_are_not_finite_stay_in_their_picture(sampler: Sampler) -> None:
    def broken(x: Tensor, sigma: float) -> Prediction:
        x0 = normal_pixels(x, sigma).x0.clone()
        x0[1, :, 0] = math.nan
        return Prediction(x0)

    levels = spaced_sigmas(COSINE, 8, "karras")
    noise = PictureNoise([1, 2, 3], SHAPE, CPU)
    x = levels[0] * noise.draw(0)
    got = sampler(broken, x, levels, noise)
    right = sampler(normal_pixels, x, levels, noise)
    assert bool(got[1].isnan().any())
    assert torch.equal(got[[0, 2]], right[[0, 2]])


@EACH
def test_every_step_is_reported_once_and_in_order(sampler: Sampler) -> None:
    steps: list[int] = []
    noise = DoubleNoise()
    levels = [*falling(3.0, 0.1, 6), 0.0]
    sampler(
        normal_pixels,
        noise.draw(0),
        levels,
        noise,
        on_step=lambda done, _x, _x0: steps.append(done),
    )
    assert steps == [1, 2, 3, 4, 5, 6, 7]


@EACH
def test_the_given_noise_is_left_as_it_was(sampler: Sampler) -> None:
    noise = DoubleNoise()
    x = noise.draw(0)
    before = x.clone()
    sampler(normal_pixels, x, [3.0, 1.0, 0.5, 0.0], noise, SolverOptions(churn=3.0))
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eta", -0.1),
        ("eta", 1.1),
        ("eta", math.nan),
        ("churn", -1.0),
        ("churn", math.inf),
        ("churn_from", -1.0),
        ("churn_to", 0.0),
        ("churn_noise", 0.0),
        ("churn_noise", math.nan),
        ("order", 0),
        ("order", 4),
    ],
)
def test_options_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        SolverOptions(**{name: value})  # type: ignore[arg-type]
