import math

import pytest
import torch
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.test_diffusion import small_denoiser
from train.config import DiffusionConfig
from train.diffusion import NoiseSchedule
from train.samplers import SAMPLERS, Sampler, ddim, ddpm, spaced_times, starting_noise

SHAPE = (3, 8, 8)
EACH = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=list(SAMPLERS))


class KnownPicture:
    """The perfect denoiser of a data set that is one picture."""

    def __init__(self, picture: Tensor, steps: int = 1000) -> None:
        self.schedule = NoiseSchedule(DiffusionConfig(steps=steps))
        self.picture = picture

    def predict(
        self, x: Tensor, t: Tensor, labels: Tensor | None = None, guidance: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        x0 = self.picture.expand_as(x)
        signal, noise = self.schedule.coefficients(t)
        return x0, (x - signal * x0) / noise


class GaussianPictures(KnownPicture):
    """The perfect denoiser of pictures whose pixels are normal with this mean and deviation."""

    mean, deviation = 0.1, 0.2

    def predict(
        self, x: Tensor, t: Tensor, labels: Tensor | None = None, guidance: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        signal, noise = self.schedule.coefficients(t)
        variance = self.deviation**2
        gain = signal * variance / (signal.square() * variance + noise.square())
        x0 = self.mean + gain * (x - signal * self.mean)
        return x0, (x - signal * x0) / noise


@EACH
@pytest.mark.parametrize("steps", [1, 2, 10, 50])
def test_perfect_denoiser_of_one_picture_draws_that_picture(sampler: Sampler, steps: int) -> None:
    picture = torch.linspace(-1, 1, 3 * 8 * 8).reshape(SHAPE)
    noise, generators = starting_noise([1, 2], SHAPE)
    drawn = sampler(
        KnownPicture(picture), noise, None, steps=steps, guidance=1.0, generators=generators
    )
    assert torch.allclose(drawn, picture.expand_as(drawn), atol=1e-5)


@pytest.mark.parametrize(
    ("sampler", "eta", "steps"), [(ddim, 0.0, 200), (ddim, 0.5, 400), (ddpm, 0.0, 1000)]
)
def test_perfect_denoiser_of_normal_pictures_draws_their_distribution(
    sampler: Sampler, eta: float, steps: int
) -> None:
    noise, generators = starting_noise(range(32), SHAPE)
    drawn = sampler(
        GaussianPictures(torch.zeros(SHAPE)),
        noise,
        None,
        steps=steps,
        guidance=1.0,
        generators=generators,
        eta=eta,
    )
    assert float(drawn.mean()) == pytest.approx(GaussianPictures.mean, abs=0.01)
    assert float(drawn.std()) == pytest.approx(GaussianPictures.deviation, rel=0.05)


@pytest.mark.parametrize("steps", [20, 1000])
def test_ddim_with_eta_one_is_ddpm(steps: int) -> None:
    drawn = []
    for sampler in (ddim, ddpm):
        noise, generators = starting_noise([5, 6], SHAPE)
        drawn.append(
            sampler(
                GaussianPictures(torch.zeros(SHAPE)),
                noise,
                None,
                steps=steps,
                guidance=1.0,
                generators=generators,
                eta=1.0,
            )
        )
    assert torch.allclose(drawn[0], drawn[1], atol=1e-3)


def test_one_ddpm_step_has_the_posterior_mean_and_variance() -> None:
    process = KnownPicture(torch.full((1, 64, 64), 0.4))
    t, alphas = 500, process.schedule.alphas_cumprod
    seen: list[Tensor] = []
    noise, generators = starting_noise([9], (1, 64, 64))
    ddpm(
        process,
        noise,
        None,
        steps=1000,
        guidance=1.0,
        generators=generators,
        on_step=lambda _done, x, _x0: seen.append(x),
    )
    x_t, before = seen[999 - t - 1], seen[999 - t]
    alpha, beta = float(alphas[t] / alphas[t - 1]), float(process.schedule.betas[t])
    now, then = float(alphas[t]), float(alphas[t - 1])
    of_x0, of_x = math.sqrt(then) * beta / (1 - now), math.sqrt(alpha) * (1 - then) / (1 - now)
    mean = of_x0 * 0.4 + of_x * x_t
    variance = (1 - then) / (1 - now) * beta
    assert float((before - mean).mean()) == pytest.approx(0.0, abs=4 * math.sqrt(variance) / 64)
    assert float((before - mean).var()) == pytest.approx(variance, rel=0.1)


@EACH
def test_a_picture_depends_on_its_seed_and_not_on_its_batch(sampler: Sampler) -> None:
    denoiser, labels = small_denoiser(), torch.tensor([0, 1, 2])
    seeds = [11, 12, 13]
    noise, generators = starting_noise(seeds, SHAPE)
    together = sampler(
        denoiser, noise, labels, steps=8, guidance=2.0, generators=generators, eta=0.7
    )
    for i, seed in enumerate(seeds):
        noise, generators = starting_noise([seed], SHAPE)
        alone = sampler(
            denoiser,
            noise,
            labels[i : i + 1],
            steps=8,
            guidance=2.0,
            generators=generators,
            eta=0.7,
        )
        assert torch.allclose(alone[0], together[i], atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.01)


def test_starting_noise_is_exactly_the_seed_s() -> None:
    together, _ = starting_noise([3, 4, 5], SHAPE)
    assert torch.equal(together[1], starting_noise([4], SHAPE)[0][0])
    assert together.shape == (3, *SHAPE)


@EACH
def test_every_step_is_reported_once_and_in_order(sampler: Sampler) -> None:
    noise, generators = starting_noise([1], SHAPE)
    steps: list[int] = []
    sampler(
        KnownPicture(torch.zeros(SHAPE)),
        noise,
        None,
        steps=7,
        guidance=1.0,
        generators=generators,
        on_step=lambda done, _x, _x0: steps.append(done),
    )
    assert steps == [1, 2, 3, 4, 5, 6, 7]


@EACH
def test_the_given_noise_is_left_as_it_was(sampler: Sampler) -> None:
    noise, generators = starting_noise([1], SHAPE)
    before = noise.clone()
    sampler(small_denoiser(), noise, None, steps=3, guidance=1.0, generators=generators)
    assert torch.equal(noise, before)


def test_times_go_from_pure_noise_to_the_picture_without_repeats() -> None:
    for steps in (2, 3, 16, 50, 999, 1000):
        times = spaced_times(1000, steps)
        assert (times[0], times[-1], len(set(times))) == (999, 0, steps)
        assert times == sorted(times, reverse=True)
    assert spaced_times(1000, 1) == [999]


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_more_steps_than_the_process_has_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match="1 to 1000"):
        spaced_times(1000, steps)


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_eta_outside_zero_to_one_is_refused(eta: float) -> None:
    noise, generators = starting_noise([1], SHAPE)
    with pytest.raises(ConfigError, match="eta"):
        ddim(
            KnownPicture(torch.zeros(SHAPE)),
            noise,
            None,
            steps=2,
            guidance=1.0,
            generators=generators,
            eta=eta,
        )
