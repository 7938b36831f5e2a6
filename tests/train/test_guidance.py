"""Guidance: what a scale means, where it holds, and what its corrections keep."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dataset.errors import ConfigError
from tests.train.small_denoiser import SHAPE, small_denoiser
from train.condition import NO_LABEL, Condition, of_labels
from train.denoiser import Denoiser, everywhere
from train.diffusion_config import DiffusionConfig
from train.guidance import Guidance, across, guided, rescaled

LABELS = torch.tensor([0, 2])


def noise(seed: int = 0, batch: int = 2) -> Tensor:
    return torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(seed))


class Watched(nn.Module):
    """Says 0.5 where it is told of a class and -0.25 where not; keeps the size of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.calls: list[int] = []

    def forward(self, x: Tensor, _time: Tensor, condition: Condition) -> Tensor:
        self.calls.append(len(x))
        told = condition.labels >= 0
        if condition.absent is not None:
            told = told & ~condition.absent
        return torch.where(told[:, None, None, None], 0.5, -0.25).expand_as(x) + self.weight


def watched() -> tuple[Denoiser, list[int]]:
    network = Watched()
    return Denoiser(network, DiffusionConfig(prediction="x0"), SHAPE), network.calls


@pytest.mark.parametrize(
    ("scale", "said"), [(0.0, -0.25), (0.4, 0.05), (1.0, 0.5), (1.5, 0.875), (3.0, 1.0)]
)
def test_a_scale_goes_from_unconditional_through_conditional_and_is_clamped(
    scale: float, said: float
) -> None:
    denoiser, _ = watched()
    x0 = guided(denoiser, of_labels(LABELS), Guidance(scale=scale))(noise(), 1.0).x0
    assert torch.allclose(x0, torch.full_like(x0, said))


@pytest.mark.parametrize(("scale", "size"), [(0.0, 2), (1.0, 2), (2.5, 4)])
def test_a_guided_step_is_one_call_of_the_network(scale: float, size: int) -> None:
    denoiser, calls = watched()
    guided(denoiser, of_labels(LABELS), Guidance(scale=scale))(noise(), 1.0)
    assert calls == [size]


def test_where_nothing_is_told_nothing_is_called_twice() -> None:
    denoiser, calls = watched()
    nobody = of_labels(torch.full((2,), NO_LABEL))
    guided(denoiser, nobody, Guidance(scale=4.0))(noise(), 1.0)
    assert calls == [2]
    told = nobody._replace(vectors=torch.ones(2, 3))
    guided(denoiser, told, Guidance(scale=4.0))(noise(), 1.0)
    assert calls == [2, 4]


@pytest.mark.parametrize("sigma", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "edm"])
def test_guiding_x0_is_guiding_the_noise(prediction: str, sigma: float) -> None:
    denoiser = small_denoiser(prediction=prediction)
    x, level = sigma * noise(), torch.full((2,), sigma)
    asked = denoiser.denoise(x, level, of_labels(LABELS))
    unasked = denoiser.denoise(x, level, of_labels(LABELS).without())
    eps = torch.lerp((x - unasked) / sigma, (x - asked) / sigma, 2.5)
    right = (x - sigma * eps).clamp(-1.0, 1.0)
    got = guided(denoiser, of_labels(LABELS), Guidance(scale=2.5))(x, sigma).x0
    assert torch.allclose(got, right, atol=2e-4)


def test_guidance_holds_between_its_sigmas_alone() -> None:
    denoiser, calls = watched()
    guidance = Guidance(scale=1.5, sigma_from=0.3, sigma_to=5.0)
    denoise = guided(denoiser, of_labels(LABELS), guidance)
    said = {s: float(denoise(noise(), s).x0.mean()) for s in (0.1, 0.3, 1.0, 5.0, 5.1)}
    assert said == pytest.approx({0.1: 0.5, 0.3: 0.875, 1.0: 0.875, 5.0: 0.875, 5.1: 0.5})
    assert calls == [2, 4, 4, 4, 2]


def test_an_unconditional_drawing_is_so_at_every_level() -> None:
    denoiser, _ = watched()
    never = Guidance(scale=0.0, sigma_from=1.0, sigma_to=2.0)
    denoise = guided(denoiser, of_labels(LABELS), never)
    assert float(denoise(noise(), 50.0).x0.max()) == -0.25


@given(st.integers(0, 1000), st.floats(1.0, 10.0))
def test_an_orthogonal_push_changes_nothing_along_the_conditional_picture(
    seed: int, scale: float
) -> None:
    asked, unasked = noise(seed), noise(seed + 1)
    x0 = Guidance(scale=scale, orthogonal=True).combined(asked, unasked, scale)
    push = (x0 - asked).double()
    along = (push * asked.double()).flatten(1).sum(1)
    assert float(along.abs().max()) < 1e-3 * scale
    plain = Guidance(scale=scale).combined(asked, unasked, scale)
    assert float(push.norm()) <= float((plain - asked).norm()) + 1e-3


def test_across_keeps_what_is_at_a_right_angle_and_removes_what_is_along() -> None:
    direction, other = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    direction[:, :, 0, 0], other[:, :, 1, 1] = 3.0, 2.0
    assert torch.equal(across(other, direction), other)
    assert torch.equal(across(direction, direction), torch.zeros_like(direction))
    assert torch.equal(across(other - 5 * direction, direction), other)
    nothing = torch.zeros_like(direction)
    assert torch.equal(across(other, nothing), other)  # and no division by 0


@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_rescaling_brings_the_contrast_back_and_leaves_the_mean(seed: int, phi: float) -> None:
    asked, pushed = 0.3 * noise(seed) + 0.2, 1.5 * noise(seed + 1) - 0.4
    got = rescaled(pushed, asked, phi)
    have, want, new = (x.std(dim=(1, 2, 3), correction=0) for x in (pushed, asked, got))
    assert torch.allclose(new, torch.lerp(have, want, phi), atol=1e-4)
    assert torch.allclose(got.mean(dim=(1, 2, 3)), pushed.mean(dim=(1, 2, 3)), atol=1e-4)


def test_rescaling_an_even_picture_is_finite() -> None:
    even = torch.full((2, *SHAPE), 0.7)
    assert torch.allclose(rescaled(even, noise(), 1.0), even, atol=1e-3)


def test_corrections_of_one_picture_do_not_see_the_others() -> None:
    asked, unasked = noise(1, batch=3), noise(2, batch=3)
    guidance = Guidance(scale=5.0, rescale=0.7, orthogonal=True)
    whole = guidance.combined(asked, unasked, 5.0)
    asked[1], unasked[1] = math.nan, math.nan
    broken = guidance.combined(asked, unasked, 5.0)
    assert torch.equal(broken[[0, 2]], whole[[0, 2]])
    assert bool(broken[1].isnan().all())


def test_the_learnt_variance_is_that_of_the_conditional_prediction() -> None:
    denoiser = small_denoiser(learned_variance=True)
    x = noise()
    plain = guided(denoiser, of_labels(LABELS), Guidance(scale=1.0))(x, 1.0).variance
    pushed = guided(denoiser, of_labels(LABELS), Guidance(scale=3.0))(x, 1.0).variance
    assert plain is not None
    assert pushed is not None
    assert torch.allclose(plain, pushed, atol=1e-5)
    _, right = denoiser.denoise_with_variance(x, everywhere(1.0, x), of_labels(LABELS))
    assert right is not None
    assert torch.allclose(plain, right, atol=1e-5)


def test_bfloat16_predictions_are_near_and_come_back_in_float32() -> None:
    denoiser = small_denoiser(prediction="v")
    exact = guided(denoiser, of_labels(LABELS), Guidance())(noise(), 0.5).x0
    rough = guided(denoiser, of_labels(LABELS), Guidance(), bfloat16=True)(noise(), 0.5).x0
    assert rough.dtype == torch.float32
    assert 0.0 < float((exact - rough).abs().max()) < 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", -0.1),
        ("scale", math.nan),
        ("scale", 1000.0),
        ("sigma_from", -1.0),
        ("sigma_from", math.nan),
        ("sigma_to", 0.0),
        ("rescale", -0.1),
        ("rescale", 1.1),
        ("rescale", math.nan),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match="guidance" if name == "scale" else name):
        Guidance(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("classes", "label"), [(0, 0), (0, 2), (3, 3), (3, -2)])
def test_a_label_that_the_network_does_not_know_is_refused(classes: int, label: int) -> None:
    told = of_labels(torch.tensor([NO_LABEL, label]))
    with pytest.raises(ConfigError, match=f"label {label} .* {classes} classes"):
        guided(small_denoiser(classes), told, Guidance())
