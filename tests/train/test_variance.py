import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.train.small_denoiser import SHAPE, noisy, small_denoiser
from train.condition import of_labels
from train.denoiser import Denoiser, learned_channels
from train.diffusion_config import DiffusionConfig
from train.networks.unet import UNet
from train.noise_schedule import NoiseSchedule
from train.objective import denoising_losses
from train.variance import bound_losses, log_variance, variance_bounds

VARIANCE_PRESERVING = ("linear", "cosine", "sigmoid")


def process_of(name: str) -> NoiseSchedule:
    return NoiseSchedule(DiffusionConfig(schedule=name, learned_variance=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", VARIANCE_PRESERVING)
def test_bounds_are_ddpm_s_beta_tilde_and_beta(name: str) -> None:
    process = process_of(name)
    alphas = process.alphas_cumprod
    least, greatest = variance_bounds(process.sigmas[1:], process.sigmas[:-1])
    # Theirs are of x_t, which is x times the root of alphas_cumprod.
    least, greatest = least * alphas[:-1], greatest * alphas[:-1]
    betas = 1 - alphas[1:] / alphas[:-1]
    assert torch.allclose(greatest, betas, rtol=1e-9)
    assert torch.allclose(least, betas * (1 - alphas[:-1]) / (1 - alphas[1:]), rtol=1e-9)
    assert (least < greatest).all()


def test_bounds_of_a_longer_step_are_those_of_its_own_beta() -> None:
    process = process_of("cosine")
    now, then = process.sigmas[[700]], process.sigmas[[300]]
    beta = 1 - process.alphas_cumprod[700] / process.alphas_cumprod[300]
    greatest = variance_bounds(now, then)[1] * process.alphas_cumprod[300]
    assert float(greatest) == pytest.approx(float(beta))


def test_the_last_step_has_no_variance_to_know_of() -> None:
    least, _ = variance_bounds(torch.tensor([0.01]), torch.tensor([0.0]))
    assert float(least) == 0.0


@given(now=st.floats(0.01, 100), share=st.floats(0.01, 0.99), output=st.floats(-1, 1))
def test_outputs_from_minus_one_to_one_lie_between_the_bounds(
    now: float, share: float, output: float
) -> None:
    levels = torch.tensor([now]), torch.tensor([now * share])
    least, greatest = (float(bound) for bound in variance_bounds(*levels))
    found = float(log_variance(torch.full((1, 1, 1, 1), output), *levels))
    by_hand = (output + 1) / 2 * math.log(greatest) + (1 - output) / 2 * math.log(least)
    assert found == pytest.approx(by_hand, abs=1e-4)
    assert math.log(least) - 1e-4 <= found <= math.log(greatest) + 1e-4


def normal(mean: float, variance: float) -> torch.distributions.Normal:
    deviation = torch.tensor(variance, dtype=torch.float64).sqrt()
    return torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64), deviation)


@pytest.mark.parametrize("t", [1, 400, 999])
def test_the_bound_is_the_divergence_between_the_two_steps(t: int) -> None:
    process = process_of("linear")
    x0, guess, x, output = 0.3, 0.1, 1.7, 0.4
    now, then = float(process.sigmas[t]), float(process.sigmas[t - 1])
    # Means and variances of Ho et al. 2020, equation 7, in their own frame.
    alpha_now, alpha_then = (float(process.alphas_cumprod[i]) for i in (t, t - 1))
    beta = 1 - alpha_now / alpha_then
    of_x0 = math.sqrt(alpha_then) * beta / (1 - alpha_now)
    of_x = math.sqrt(1 - beta) * (1 - alpha_then) / (1 - alpha_now)
    right = normal(of_x0 * x0 + of_x * x, beta * (1 - alpha_then) / (1 - alpha_now))
    levels = torch.tensor([now]), torch.tensor([then])
    variance = float(log_variance(torch.full((1, 1, 1, 1), output), *levels).exp()) * alpha_then
    said = normal(of_x0 * guess + of_x * x, variance)
    expected = float(torch.distributions.kl_divergence(right, said)) * 1000
    error = torch.full((1, 3, 2, 2), (x0 - guess) ** 2)
    found = bound_losses(
        process, torch.full_like(error, output), error, torch.tensor([now], dtype=torch.float32)
    )
    assert float(found) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("name", VARIANCE_PRESERVING)
def test_the_bound_is_never_negative_and_zero_at_the_first_entry(name: str) -> None:
    process = process_of(name)
    sigma = process.sigma(torch.arange(0, 1000, 37))
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(len(sigma), 3, 4, 4, generator=generator).requires_grad_()
    error = torch.rand(output.shape, generator=generator) * sigma[:, None, None, None] ** 2
    losses = bound_losses(process, output, error, sigma)
    assert torch.isfinite(losses).all()
    assert float(losses.detach()[0]) == 0.0
    assert (losses[1:] > 0).all()
    (gradient,) = torch.autograd.grad(losses.sum(), output)
    assert torch.isfinite(gradient).all()
    assert (gradient[0] == 0).all()


def test_the_variance_that_is_learnt_is_the_one_that_the_errors_ask_for() -> None:
    """Where the picture is known the least variance; where it is guessed wrongly, more."""
    process = process_of("linear")
    sigma = process.sigma(torch.tensor([500]))
    now, then = process.step(sigma)
    least, greatest = (float(bound) for bound in variance_bounds(now, then))
    for share in (0.0, 0.3, 1.0):
        wanted = least ** (1 - share) * greatest**share
        # The mean squared error at which the best variance is `wanted`: least + apart^2.
        error = (wanted - least) / float((1 - (then / now) ** 2) ** 2)
        output = torch.zeros(1, 1, 1, 1, requires_grad=True)
        optimiser = torch.optim.Adam([output], lr=0.05)
        for _ in range(400):
            optimiser.zero_grad()
            loss = bound_losses(process, output, torch.full((1, 1, 1, 1), error), sigma)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        assert (float(output.detach()) + 1) / 2 == pytest.approx(share, abs=0.02)


def test_the_mean_learns_nothing_from_the_bound() -> None:
    denoiser = small_denoiser(learned_variance=True)
    network = denoiser.network
    assert isinstance(network, UNet)
    weight = network.out.weight.requires_grad_()  # its first three rows are the mean's
    plain = Denoiser(_FirstHalf(network), DiffusionConfig(), SHAPE)
    sigma, condition = torch.tensor([0.5, 3.0]), of_labels(torch.tensor([0, 1]))
    x0, eps = (torch.linspace(-1, 1, 2 * 3 * 64).reshape(2, *SHAPE) for _ in range(2))
    without, hybrid = (
        torch.autograd.grad(denoising_losses(each, x0, sigma, eps, condition).sum(), weight)[0]
        for each in (plain, denoiser)
    )
    assert torch.allclose(without[:3], hybrid[:3], atol=1e-6)
    assert (without[3:] == 0).all()
    assert (hybrid[3:] != 0).any()


class _FirstHalf(torch.nn.Module):
    """The mean alone of a network that also gives a variance."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *asked: torch.Tensor) -> torch.Tensor:
        mean: torch.Tensor = self.network(*asked).chunk(2, dim=1)[0]
        return mean


def test_a_network_with_learned_variance_gives_both_and_denoises_alike() -> None:
    denoiser = small_denoiser(learned_variance=True)
    x, sigma, condition = noisy()
    clean, variance = denoiser.denoise_with_variance(x, sigma, condition)
    assert variance is not None
    assert clean.shape == variance.shape == x.shape
    assert torch.equal(clean, denoiser.denoise(x, sigma, condition))
    assert small_denoiser().denoise_with_variance(x, sigma, condition)[1] is None
    assert learned_channels(denoiser.config, 3) == 6
