import pytest
import torch

from tests.train.small_denoiser import Rightly, noisy, small_denoiser
from train.condition import of_labels
from train.denoiser import Denoiser, everywhere
from train.diffusion_config import DiffusionConfig
from train.guidance import Guidance, guided

PREDICTIONS = ("eps", "v", "x0", "edm")


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_predicted_picture_is_in_range(prediction: str, scale: float) -> None:
    denoiser = small_denoiser(prediction=prediction)
    x, _, condition = noisy()
    for sigma in (0.02, 3.0, 60.0):
        x0 = guided(denoiser, condition, Guidance(scale=scale))(sigma * x, sigma).x0
        assert x0.shape == x.shape
        assert x0.dtype == torch.float32
        assert x0.abs().max() <= 1


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_denoiser_itself_clamps_nothing(prediction: str) -> None:
    denoiser = small_denoiser(prediction=prediction)
    x, sigma, condition = noisy()
    assert denoiser.denoise(3 * x, sigma, condition).abs().max() > 1


def test_guidance_of_one_is_the_conditional_prediction() -> None:
    denoiser = small_denoiser()
    x, _, condition = noisy()
    near = guided(denoiser, condition, Guidance(scale=1.0 + 1e-6))(x, 3.0).x0
    exact = guided(denoiser, condition, Guidance(scale=1.0))(x, 3.0).x0
    assert torch.allclose(near, exact, atol=1e-4)
    told = denoiser.denoise(x, everywhere(3.0, x), condition)
    assert torch.equal(exact, told.clamp(-1, 1))


def test_guidance_of_zero_is_the_unconditional_prediction() -> None:
    denoiser = small_denoiser()
    x, _, condition = noisy()
    nothing = of_labels(torch.full((4,), -1))
    without = denoiser.denoise(x, everywhere(3.0, x), nothing).clamp(-1, 1)
    unguided = guided(denoiser, condition, Guidance(scale=0.0))(x, 3.0).x0
    assert torch.allclose(unguided, without, atol=1e-6)
    for scale in (0.0, 1.0, 5.0):
        unasked = guided(denoiser, nothing, Guidance(scale=scale))(x, 3.0).x0
        assert torch.allclose(unasked, without, atol=1e-5)
    asked = guided(denoiser, condition, Guidance(scale=1.0))(x, 3.0).x0
    assert not torch.allclose(asked, without, atol=1e-3)


def test_guided_prediction_does_not_depend_on_the_batch() -> None:
    denoiser = small_denoiser()
    x, _, condition = noisy()
    together = guided(denoiser, condition, Guidance(scale=2.5))(x, 3.0).x0
    for i in range(4):
        one = guided(denoiser, condition.part(i, i + 1), Guidance(scale=2.5))
        assert torch.allclose(together[i], one(x[i : i + 1], 3.0).x0[0], atol=1e-5)


@pytest.mark.parametrize("steps", [100, 1000, 4000])
def test_the_network_is_told_thousandths_of_the_table(steps: int) -> None:
    told: list[torch.Tensor] = []

    def listen(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        told.append(time)
        return x

    network = Rightly(listen)
    denoiser = Denoiser(network, DiffusionConfig(steps=steps), (3, 8, 8))
    middle = float(denoiser.schedule.sigmas[steps // 2])
    x = torch.zeros(2, 3, 8, 8)
    denoiser.denoise(x, everywhere(middle, x), of_labels(torch.full((2,), -1)))
    assert told[0].tolist() == pytest.approx([500.0, 500.0], abs=0.01)


def test_what_the_network_says_in_half_precision_is_gone_on_with_in_full() -> None:
    network = Rightly(lambda x, _time: torch.cat([x, x], dim=1).bfloat16())
    config = DiffusionConfig(learned_variance=True)
    denoiser = Denoiser(network.bfloat16(), config, (3, 8, 8))
    for said in denoiser.denoise_with_variance(*noisy()):
        assert said is not None
        assert said.dtype == torch.float32


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid", "edm"])
def test_every_prediction_denoises_on_every_schedule_at_any_level(
    prediction: str, schedule: str
) -> None:
    denoiser = small_denoiser(prediction=prediction, schedule=schedule)
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for sigma in (1e-4, 0.3, 123.4):  # below, between and perhaps beyond the table's levels
        found = denoiser.denoise(
            x * (1 + sigma), everywhere(sigma, x), of_labels(torch.zeros(3).long())
        )
        assert torch.isfinite(found).all()
