"""Drawing with a network: what decides a picture, and what is refused."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.small_denoiser import SHAPE, Rightly, small_denoiser
from train.condition import of_labels
from train.denoiser import Denoiser
from train.diffusion_config import DiffusionConfig
from train.drawing import Sampling, draw_pictures
from train.guidance import Guidance
from train.samplers import SAMPLERS, SolverOptions
from train.spacing import SpacingName

EACH = pytest.mark.parametrize("sampler", SAMPLERS)
LABELS = of_labels(torch.tensor([0, 1, 2]))
SEEDS = [11, 12, 13]


def sampling(sampler: str, **changes: object) -> Sampling:
    """8 steps, guided, with all the fresh noise that the sampler can take."""
    options = SolverOptions(eta=0.7, churn=10.0)
    settings: dict[str, object] = {"steps": 8, "options": options} | changes
    guidance = Guidance(scale=2.0, rescale=0.5, orthogonal=True)
    return Sampling(sampler=sampler, guidance=guidance, **settings)  # type: ignore[arg-type]


@EACH
@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "edm"])
def test_every_sampler_draws_with_every_model(sampler: str, prediction: str) -> None:
    drawn = draw_pictures(small_denoiser(prediction=prediction), LABELS, SEEDS, sampling(sampler))
    assert drawn.shape == (3, *SHAPE)
    assert drawn.dtype == torch.float32
    assert bool(drawn.isfinite().all())
    assert float(drawn.abs().max()) <= 1.0
    assert drawn.is_contiguous()


@EACH
def test_a_picture_depends_on_its_seed_and_not_on_its_batch(sampler: str) -> None:
    denoiser = small_denoiser()
    together = draw_pictures(denoiser, LABELS, SEEDS, sampling(sampler))
    for i, seed in enumerate(SEEDS):
        alone = draw_pictures(denoiser, LABELS.part(i, i + 1), [seed], sampling(sampler))
        assert torch.allclose(alone[0], together[i], atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.01)


@EACH
def test_a_picture_is_drawn_the_same_again_to_the_bit(sampler: str) -> None:
    denoiser = small_denoiser()
    first = draw_pictures(denoiser, LABELS, SEEDS, sampling(sampler))
    assert torch.equal(first, draw_pictures(denoiser, LABELS, SEEDS, sampling(sampler)))


@pytest.mark.parametrize("spacing", ["karras", "logsnr"])
@pytest.mark.parametrize(
    ("sampler", "steps"),
    [("ddim", 1000), ("euler", 1000), ("heun", 40), ("dpm++2m", 60), ("unipc", 30)],
)
def test_all_flows_lead_a_seed_to_the_same_picture(
    sampler: str, steps: int, spacing: SpacingName
) -> None:
    smooth = Rightly(lambda x, _time: 0.7 * torch.tanh(2.0 * x))
    denoiser = Denoiser(smooth, DiffusionConfig(prediction="x0"), SHAPE)
    right = draw_pictures(denoiser, LABELS, SEEDS, Sampling(sampler="heun", steps=300))
    flow = Sampling(sampler=sampler, steps=steps, spacing=spacing)
    got = draw_pictures(denoiser, LABELS, SEEDS, flow)
    assert float((got - right).abs().max()) < 0.01


def test_a_learnt_variance_is_used_by_ddpm() -> None:
    denoiser = small_denoiser(learned_variance=True)
    ancestral = Sampling(sampler="ddpm", steps=8)
    got = draw_pictures(denoiser, LABELS, SEEDS, ancestral)
    same = Sampling(sampler="ddim", steps=8, options=SolverOptions(eta=1.0))
    assert bool(got.isfinite().all())
    assert not torch.allclose(got, draw_pictures(denoiser, LABELS, SEEDS, same), atol=1e-3)


def test_a_broken_picture_breaks_no_other() -> None:
    def answer(x: Tensor, _time: Tensor) -> Tensor:
        said = 0.1 * x
        return torch.where(said[:, :1, :1, :1] > said[:, :1, :1, :1].median(), math.nan, said)

    denoiser = Denoiser(Rightly(answer), DiffusionConfig(), SHAPE)
    drawn = draw_pictures(denoiser, LABELS, SEEDS, Sampling(steps=1))
    broken = drawn.isnan().flatten(1).any(1)
    assert int(broken.sum()) == 1
    assert bool(drawn[~broken].isfinite().all())


def test_the_steps_are_reported_with_pictures_that_become_clean() -> None:
    seen: list[tuple[int, float]] = []
    draw_pictures(
        small_denoiser(),
        LABELS,
        SEEDS,
        Sampling(steps=6),
        lambda done, x, _x0: seen.append((done, float(x.std()))),
    )
    assert [done for done, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[0][1] == pytest.approx(80.0, rel=0.2)
    assert all(more > less for (_, more), (_, less) in pairwise(seen))


def test_what_decides_a_picture_is_told_with_the_defaults_spelt_out() -> None:
    assert Sampling().facts() == {
        "sampler": "dpm++2m",
        "steps": 20,
        "spacing": "karras",
        "guidance": 1.0,
        "guidance_from": 0.0,
        "guidance_to": None,
        "rescale": 0.0,
        "orthogonal": False,
        "precision": "auto",
    }
    assert Sampling(sampler="ddim").facts()["eta"] == 0.0
    assert Sampling(sampler="dpm++2m-sde").facts()["eta"] == 1.0
    half = SolverOptions(eta=0.5, churn=3.0)
    assert Sampling(sampler="ddim", options=half).facts()["eta"] == 0.5
    assert Sampling(sampler="heun", options=half).facts()["churn"] == 3.0
    assert Sampling(sampler="unipc").facts()["order"] == 3
    assert Sampling(sampler="ddpm", options=half).facts().keys().isdisjoint({"eta", "churn"})
    assert Sampling(sampler="ddpm", spacing="logsnr").facts()["spacing"] == "logsnr"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sampler", "plms"),
        ("steps", 0),
        ("spacing", "even"),
        ("precision", "float16"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        Sampling(**{name: value})  # type: ignore[arg-type]


def test_more_steps_than_the_model_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 to 50"):
        draw_pictures(small_denoiser(steps=50), LABELS, SEEDS, Sampling(steps=51))
