import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.config import DiffusionConfig, UNetConfig
from train.diffusion import Denoiser, NoiseSchedule, loss_weights, split_output, target
from train.unet import UNet

PREDICTIONS = ("eps", "v", "x0")


def schedule(name: str, steps: int = 1000) -> NoiseSchedule:
    return NoiseSchedule(DiffusionConfig(schedule=name, steps=steps))  # type: ignore[arg-type]


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
    ],
)
def test_alphas_cumprod_are_those_of_the_papers(name: str, t: int, expected: float) -> None:
    assert float(schedule(name).alphas_cumprod[t]) == pytest.approx(expected, abs=1e-9, rel=1e-4)


def test_cosine_follows_its_closed_form_where_the_betas_are_not_clipped() -> None:
    def curve(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    alphas = schedule("cosine").alphas_cumprod
    for t in range(0, 990, 7):
        assert float(alphas[t]) == pytest.approx(curve((t + 1) / 1000) / curve(0), abs=1e-9)


@pytest.mark.parametrize("steps", [25, 100, 250, 4000])
def test_linear_schedule_of_other_lengths_ends_at_about_the_same_noise(steps: int) -> None:
    assert float(schedule("linear", steps).alphas_cumprod[-1]) < 2e-4


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [25, 1000])
def test_noise_grows_with_time(name: str, steps: int) -> None:
    alphas = schedule(name, steps).alphas_cumprod
    assert alphas.dtype == torch.float64
    assert (alphas.diff() < 0).all()
    assert 0 < float(alphas[-1]) < float(alphas[0]) < 1


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("t", [0, 300, 999])
def test_forward_process_has_the_mean_and_spread_of_equation_4(name: str, t: int) -> None:
    process, generator = schedule(name), torch.Generator().manual_seed(0)
    x0 = torch.full((4, 3, 64, 64), 0.7)
    eps = torch.randn(x0.shape, generator=generator)
    x = process.q_sample(x0, torch.full((4,), t), eps)
    alpha = float(process.alphas_cumprod[t])
    assert float(x.mean()) == pytest.approx(math.sqrt(alpha) * 0.7, abs=0.02)
    assert float(x.std()) == pytest.approx(math.sqrt(1 - alpha), abs=0.02)


def test_noised_pictures_are_not_clamped() -> None:
    x = schedule("cosine").q_sample(
        torch.ones(1, 3, 8, 8), torch.tensor([500]), torch.full((1, 3, 8, 8), 3.0)
    )
    assert float(x.max()) > 2


@given(
    x0=st.floats(-1, 1),
    eps=st.floats(-4, 4),
    t=st.integers(0, 990),
    kind=st.sampled_from(PREDICTIONS),
)
def test_x0_and_eps_come_back_from_every_target(x0: float, eps: float, t: int, kind: str) -> None:
    alpha = schedule("linear").alphas_cumprod[t]
    signal, noise = alpha.sqrt(), (1 - alpha).sqrt()
    clean, noisy = torch.tensor(x0, dtype=torch.float64), torch.tensor(eps, dtype=torch.float64)
    output = target(kind, clean, noisy, signal, noise)
    back = split_output(kind, output, signal * clean + noise * noisy, signal, noise)
    assert float(back[0]) == pytest.approx(x0, abs=1e-6)
    assert float(back[1]) == pytest.approx(eps, abs=1e-6)


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_min_snr_weights_are_one_weight_on_the_error_of_x0(kind: str) -> None:
    config = DiffusionConfig(prediction=kind, min_snr=5.0)  # type: ignore[arg-type]
    alphas = NoiseSchedule(config).alphas_cumprod
    signal, noise = alphas.sqrt(), (1 - alphas).sqrt()
    x, output = torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.1, dtype=torch.float64)
    one = split_output(kind, output, x, signal, noise)[0]
    other = split_output(kind, output + 1.0, x, signal, noise)[0]
    of_x0 = (alphas / (1 - alphas)).clamp(max=5.0) * (one - other).square()
    assert torch.allclose(loss_weights(config, alphas).double(), of_x0, rtol=1e-4)


def test_without_min_snr_every_time_weighs_alike() -> None:
    config = DiffusionConfig(min_snr=None)
    assert (loss_weights(config, NoiseSchedule(config).alphas_cumprod) == 1).all()


def small_denoiser(prediction: str = "v", classes: int = 3) -> Denoiser:
    config = UNetConfig(
        base_channels=8,
        multipliers=(1, 2),
        blocks=1,
        attention_levels=(),
        embedding_channels=16,
    )
    torch.manual_seed(0)
    unet = UNet(config, (3, 8, 8), classes).eval().requires_grad_(False)
    for parameter in unet.parameters():  # the zeroed layers would hide everything
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    return Denoiser(unet, DiffusionConfig(prediction=prediction))  # type: ignore[arg-type]


def noisy(batch: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(batch, 3, 8, 8, generator=generator)
    return x, torch.tensor([5, 300, 700, 999])[:batch], torch.tensor([0, 1, 2, 0])[:batch]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("guidance", [0.0, 1.0, 3.0])
def test_predicted_picture_is_in_range_and_belongs_to_its_noise(
    prediction: str, guidance: float
) -> None:
    denoiser = small_denoiser(prediction)
    x, t, labels = noisy()
    x0, eps = denoiser.predict(x, t, labels, guidance)
    assert x0.abs().max() <= 1
    assert torch.allclose(denoiser.schedule.q_sample(x0, t, eps), x, atol=1e-5)


def test_guidance_of_one_is_the_conditional_prediction() -> None:
    denoiser = small_denoiser()
    x, t, labels = noisy()
    near = denoiser.predict(x, t, labels, 1.0 + 1e-6)
    exact = denoiser.predict(x, t, labels, 1.0)
    for a, b in zip(near, exact, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_guidance_of_zero_is_the_unconditional_prediction() -> None:
    denoiser = small_denoiser()
    x, t, labels = noisy()
    without = denoiser.predict(x, t, None, 5.0)
    assert torch.equal(denoiser.predict(x, t, labels, 0.0)[0], without[0])
    nothing = torch.full_like(labels, -1)
    assert torch.allclose(denoiser.predict(x, t, nothing, 4.0)[0], without[0], atol=1e-5)
    assert not torch.allclose(denoiser.predict(x, t, labels, 1.0)[0], without[0], atol=1e-3)


def test_guided_prediction_does_not_depend_on_the_batch() -> None:
    denoiser = small_denoiser()
    x, t, labels = noisy()
    together = denoiser.predict(x, t, labels, 2.5)[0]
    for i in range(4):
        alone = denoiser.predict(x[i : i + 1], t[i : i + 1], labels[i : i + 1], 2.5)[0]
        assert torch.allclose(together[i], alone[0], atol=1e-5)
