import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.diffusion_config import DiffusionConfig
from train.noise_schedule import NoiseSchedule
from train.parameterisation import loss_weights, parameterisation, targets

PREDICTIONS = ("eps", "v", "x0", "edm")
EACH = pytest.mark.parametrize("prediction", PREDICTIONS)


def predicting(prediction: str, min_snr: float | None = 5.0) -> DiffusionConfig:
    return DiffusionConfig(prediction=prediction, min_snr=min_snr)  # type: ignore[arg-type]


# Worked out apart from the code: table 1 of Karras et al. 2022 with sigma_data 0.5.
@pytest.mark.parametrize(
    ("sigma", "scale", "skip", "out", "weight"),
    [
        (0.002, 1.99998400, 0.99998400, 0.00199998, 250004.0),
        (0.5, 1.41421356, 0.5, 0.35355339, 8.0),
        (1.0, 0.89442719, 0.2, 0.44721360, 5.0),
        (80.0, 0.01249976, 0.0000390610, 0.49999023, 4.00015625),
    ],
)
def test_edm_preconditioning_is_that_of_the_paper(
    sigma: float, scale: float, skip: float, out: float, weight: float
) -> None:
    config, level = predicting("edm"), torch.tensor([sigma])
    found = parameterisation(config, level)
    assert float(found.scale) == pytest.approx(scale, rel=1e-5)
    assert float(found.skip) == pytest.approx(skip, rel=1e-5)
    assert float(found.out) == pytest.approx(out, rel=1e-5)
    # lambda on the error of x0 makes every level weigh 1 on that of the output (equation 8).
    of_x0 = float(loss_weights(config, level)) / float(found.out) ** 2
    assert of_x0 == pytest.approx(weight, rel=1e-5)


def test_edm_inputs_and_targets_have_unit_variance_at_every_level() -> None:
    config = predicting("edm")
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(4, 1, 256, 256, generator=generator) * config.sigma_data
    eps = torch.randn(x0.shape, generator=generator)
    sigma = torch.tensor([0.002, 0.3, 2.0, 80.0])
    scaled = parameterisation(config, sigma).scale * (x0 + sigma[:, None, None, None] * eps)
    for pictures in (scaled, targets(config, x0, eps, sigma)):
        assert pictures.std(dim=(1, 2, 3)).tolist() == pytest.approx([1.0] * 4, rel=0.02)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_the_network_sees_the_x_t_of_ddpm(prediction: str) -> None:
    process = NoiseSchedule(DiffusionConfig(schedule="linear"))
    t = torch.tensor([0, 300, 999])
    x0, eps = torch.full((3, 1, 1, 1), 0.7), torch.full((3, 1, 1, 1), -1.3)
    sigma = process.sigmas[t].float()
    seen = parameterisation(predicting(prediction), sigma).scale * (
        x0 + sigma[:, None, None, None] * eps
    )
    alphas = process.alphas_cumprod[t].float()[:, None, None, None]
    assert torch.allclose(seen, alphas.sqrt() * x0 + (1 - alphas).sqrt() * eps, atol=1e-6)


def test_targets_are_what_their_names_say() -> None:
    x0, eps = torch.full((1, 1, 1, 1), 0.6), torch.full((1, 1, 1, 1), -0.2)
    sigma = torch.tensor([0.75])  # alphas_cumprod 0.64: x_t = 0.8 x0 + 0.6 eps
    expected = {"eps": -0.2, "x0": 0.6, "v": 0.8 * -0.2 - 0.6 * 0.6}
    for prediction, value in expected.items():
        found = targets(predicting(prediction), x0, eps, sigma)
        assert float(found) == pytest.approx(value)
    # (x0 - c_skip x) / c_out for edm, with x = 0.45 and sigma_data 0.5
    total = math.hypot(0.75, 0.5)
    by_hand = (0.6 - 0.25 / total**2 * 0.45) / (0.75 * 0.5 / total)
    assert float(targets(predicting("edm"), x0, eps, sigma)) == pytest.approx(by_hand)


@given(
    x0=st.floats(-1, 1),
    eps=st.floats(-4, 4),
    log_sigma=st.floats(math.log(0.002), math.log(80)),
    prediction=st.sampled_from(PREDICTIONS),
    data=st.floats(0.1, 2.0),
)
def test_the_clean_picture_comes_back_from_every_target(
    x0: float, eps: float, log_sigma: float, prediction: str, data: float
) -> None:
    config = DiffusionConfig(prediction=prediction, sigma_data=data)  # type: ignore[arg-type]
    sigma = torch.tensor([math.exp(log_sigma)], dtype=torch.float32)
    clean, noise = torch.full((1, 1, 1, 1), x0), torch.full((1, 1, 1, 1), eps)
    x = clean + sigma[:, None, None, None] * noise
    back = parameterisation(config, sigma).clean(x, targets(config, clean, noise, sigma))
    # What float32 keeps of x0 in x: less, the more noise lies on top.
    assert float(back) == pytest.approx(x0, abs=2e-6 * (1 + float(sigma)))


@given(
    output=st.floats(-3, 3),
    x=st.floats(-10, 10),
    log_sigma=st.floats(math.log(0.01), math.log(20)),
    prediction=st.sampled_from(PREDICTIONS),
)
def test_the_target_of_the_clean_picture_is_the_output_that_said_it(
    output: float, x: float, log_sigma: float, prediction: str
) -> None:
    config, sigma = predicting(prediction), torch.tensor([math.exp(log_sigma)])
    said, noisy = torch.full((1, 1, 1, 1), output), torch.full((1, 1, 1, 1), x)
    clean = parameterisation(config, sigma).clean(noisy, said)
    eps = (noisy - clean) / sigma[:, None, None, None]
    again = float(targets(config, clean, eps, sigma))
    assert again == pytest.approx(output, abs=1e-4 * (1 + abs(x)) * (1 + 1 / float(sigma)))


@EACH
@pytest.mark.parametrize("sigma", [0.006, 1.0, 20_000.0])
def test_coefficients_and_targets_are_finite_over_the_whole_table(
    prediction: str, sigma: float
) -> None:
    config, level = predicting(prediction), torch.tensor([sigma])
    x0, eps = torch.ones(1, 3, 2, 2), torch.full((1, 3, 2, 2), -3.0)
    for tensor in (*parameterisation(config, level), targets(config, x0, eps, level)):
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()
    assert 0 < float(loss_weights(config, level)) < math.inf


@EACH
def test_a_large_sigma_loses_nothing_of_the_target(prediction: str) -> None:
    config, sigma = predicting(prediction), torch.tensor([20_000.0])
    x0, eps = torch.rand(1, 3, 4, 4) * 2 - 1, torch.randn(1, 3, 4, 4)
    found = targets(config, x0, eps, sigma)
    exact = targets(config, x0.double(), eps.double(), sigma.double())
    assert torch.allclose(found.double(), exact, atol=1e-6)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_min_snr_is_one_weight_on_the_error_of_x0(prediction: str) -> None:
    config = predicting(prediction)
    sigma = NoiseSchedule(config).sigmas[::9]
    of_one = parameterisation(config, sigma).out.flatten().double() ** 2
    weights = loss_weights(config, sigma)
    of_x0 = sigma.pow(-2).clamp(max=5.0)
    assert torch.allclose(weights.double(), of_x0 * of_one, rtol=1e-4)


# Hang et al. 2023, section 3.4: min(SNR, gamma) for x0, over SNR for eps, over SNR + 1 for v.
@pytest.mark.parametrize(
    ("prediction", "weights"),
    [
        ("x0", [5.0, 4.0, 1.0, 0.25]),
        ("eps", [5.0 / 400.0, 1.0, 1.0, 1.0]),
        ("v", [5.0 / 401.0, 0.8, 0.5, 0.2]),
        ("edm", [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_min_snr_weights_are_those_of_the_paper(prediction: str, weights: list[float]) -> None:
    sigma = torch.tensor([0.05, 0.5, 1.0, 2.0])  # SNR 400, 4, 1 and 1/4
    assert loss_weights(predicting(prediction), sigma).tolist() == pytest.approx(weights)


@EACH
def test_without_min_snr_every_level_weighs_alike(prediction: str) -> None:
    config = predicting(prediction, None)
    assert (loss_weights(config, NoiseSchedule(config).sigmas.float()) == 1).all()
