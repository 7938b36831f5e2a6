"""Drawing from pictures and between seeds: what is kept, what changes, what is refused."""

import math

import pytest
import torch
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.small_denoiser import SHAPE, Rightly, small_denoiser
from train.condition import of_labels
from train.denoiser import Denoiser
from train.diffusion_config import DiffusionConfig
from train.drawing import Sampling, draw_pictures
from train.editing import fill_in, interpolate, redraw
from train.latents import LatentSpace
from train.samplers import SAMPLERS, SolverOptions
from train.vae import Vae
from train.vae_config import VaeConfig

EACH = pytest.mark.parametrize("sampler", SAMPLERS)
LABELS = of_labels(torch.tensor([0, 1]))
SEEDS = [5, 6]
NOISY = SolverOptions(eta=1.0, churn=10.0)


def pictures(seed: int = 0) -> Tensor:
    return torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def left_half() -> Tensor:
    known = torch.zeros(8, 8, dtype=torch.bool)
    known[:, :4] = True
    return known


def sampling(sampler: str, steps: int = 8) -> Sampling:
    return Sampling(sampler=sampler, steps=steps, options=NOISY)


@EACH
@pytest.mark.parametrize("rounds", [1, 3])
def test_known_pixels_are_kept_to_the_bit_and_the_others_drawn(sampler: str, rounds: int) -> None:
    given, known = pictures(), left_half()
    filled = fill_in(
        small_denoiser(), LABELS, SEEDS, sampling(sampler), given, known, rounds=rounds
    )
    assert torch.equal(filled[..., :4], given[..., :4])
    assert not torch.allclose(filled[..., 4:], given[..., 4:], atol=0.1)
    assert float(filled.abs().max()) <= 1.0


@EACH
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_model_sees_the_known_part_with_noise_of_the_level(sampler: str, rounds: int) -> None:
    given, levels = pictures(), list[tuple[float, float, float]]()
    config = DiffusionConfig(prediction="x0")

    class Watched(Denoiser):
        def denoise_with_variance(self, x, sigma, condition):  # type: ignore[no-untyped-def]
            noise = (x - given)[..., :4] / sigma[0]
            levels.append((float(sigma[0]), float(noise.mean()), float(noise.std())))
            return super().denoise_with_variance(x, sigma, condition)

    denoiser = Watched(Rightly(lambda x, _time: 0.3 * x), config, SHAPE)
    fill_in(denoiser, LABELS, SEEDS, sampling(sampler, 12), given, left_half(), rounds=rounds)
    assert len(levels) >= 12 * rounds
    for sigma, mean, deviation in levels:  # of 192 numbers
        assert mean == pytest.approx(0.0, abs=0.35), sigma
        assert deviation == pytest.approx(1.0, abs=0.25), sigma


def test_a_mask_of_everything_gives_the_picture_and_of_nothing_draws_one() -> None:
    denoiser, given = small_denoiser(), pictures()
    all_known = torch.ones(8, 8, dtype=torch.bool)
    how = Sampling(steps=6)
    assert torch.equal(fill_in(denoiser, LABELS, SEEDS, how, given, all_known), given)
    drawn = draw_pictures(denoiser, LABELS, SEEDS, how)
    filled = fill_in(denoiser, LABELS, SEEDS, how, given, ~all_known)
    assert torch.allclose(filled, drawn, atol=1e-5)


def test_each_picture_may_have_its_own_mask() -> None:
    given = pictures()
    known = torch.stack([left_half(), ~left_half()])[:, None]
    filled = fill_in(small_denoiser(), LABELS, SEEDS, Sampling(steps=4), given, known)
    assert torch.equal(filled[0, ..., :4], given[0, ..., :4])
    assert torch.equal(filled[1, ..., 4:], given[1, ..., 4:])


@pytest.mark.parametrize("rounds", [1, 2])
def test_every_step_of_filling_in_is_reported(rounds: int) -> None:
    steps: list[int] = []
    fill_in(
        small_denoiser(),
        LABELS,
        SEEDS,
        Sampling(steps=7),
        pictures(),
        left_half(),
        rounds=rounds,
        on_step=lambda done, _x, _x0: steps.append(done),
    )
    jumps = {1: [1, 2, 3, 4, 5, 6, 7], 2: [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 6, 7]}
    assert steps == jumps[rounds]


@EACH
def test_little_strength_keeps_the_picture_and_full_strength_draws_anew(sampler: str) -> None:
    given = 0.5 * pictures()
    right = Denoiser(Rightly(lambda x, _t: x), DiffusionConfig(prediction="x0"), SHAPE)
    apart = []
    for strength in (0.1, 0.5, 1.0):
        how = sampling(sampler, 20)
        drawn = redraw(right, LABELS, SEEDS, how, given, strength=strength)
        apart.append(float((drawn - given).square().mean().sqrt()))
    assert apart[0] < apart[1] < apart[2]
    assert apart[0] < 0.2


@pytest.mark.parametrize(("strength", "done"), [(0.001, 1), (0.3, 3), (0.5, 5), (1.0, 10)])
def test_strength_is_the_share_of_the_steps(strength: float, done: int) -> None:
    steps: list[int] = []
    redraw(
        small_denoiser(),
        LABELS,
        SEEDS,
        Sampling(steps=10),
        pictures(),
        strength=strength,
        on_step=lambda step, _x, _x0: steps.append(step),
    )
    assert steps == list(range(1, done + 1))


@EACH
def test_edits_depend_on_their_seed_and_not_on_their_batch(sampler: str) -> None:
    denoiser, given, how = small_denoiser(), pictures(), sampling(sampler)
    redrawn = redraw(denoiser, LABELS, SEEDS, how, given)
    filled = fill_in(denoiser, LABELS, SEEDS, how, given, left_half(), rounds=2)
    one = LABELS.part(1, 2)
    alone = redraw(denoiser, one, SEEDS[1:], how, given[1:])
    assert torch.allclose(alone[0], redrawn[1], atol=1e-4)
    alone = fill_in(denoiser, one, SEEDS[1:], how, given[1:], left_half(), rounds=2)
    assert torch.allclose(alone[0], filled[1], atol=1e-4)


@EACH
def test_an_interpolation_begins_and_ends_with_the_pictures_of_its_seeds(sampler: str) -> None:
    denoiser, how = small_denoiser(), sampling(sampler)
    same = of_labels(torch.tensor([1, 1, 1]))
    way = interpolate(denoiser, same, (5, 6), [0.0, 0.5, 1.0], how)
    ends = draw_pictures(denoiser, of_labels(torch.tensor([1, 1])), [5, 6], how)
    assert torch.allclose(way[[0, 2]], ends, atol=1e-4)
    assert not torch.allclose(way[1], way[0], atol=0.01)
    assert not torch.allclose(way[1], way[2], atol=0.01)


def test_near_shares_give_near_pictures() -> None:
    shares = [i / 40 for i in range(41)]
    labels = of_labels(torch.zeros(41, dtype=torch.int64))
    way = interpolate(small_denoiser(), labels, (1, 2), shares, Sampling(steps=12))
    steps = (way[1:] - way[:-1]).square().mean(dim=(1, 2, 3)).sqrt()
    assert float(steps.max()) < 0.25 * float((way[0] - way[-1]).square().mean().sqrt())


def test_a_model_of_latents_edits_pictures() -> None:
    config = VaeConfig(base_channels=8, multipliers=(1, 2), blocks=1, latent_channels=4)
    torch.manual_seed(0)
    latents = LatentSpace(Vae(config, SHAPE))
    network = small_denoiser(shape=(4, 4, 4)).network
    denoiser = Denoiser(network, DiffusionConfig(), (4, 4, 4), latents)
    given = pictures()
    redrawn = redraw(denoiser, LABELS, SEEDS, Sampling(steps=4), given)
    assert redrawn.shape == given.shape
    filled = fill_in(denoiser, LABELS, SEEDS, Sampling(steps=4), given, left_half())
    assert torch.equal(filled[..., :4], given[..., :4])
    assert float(filled.abs().max()) <= 1.0


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.1, math.nan])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="strength"):
        redraw(small_denoiser(), LABELS, SEEDS, Sampling(), pictures(), strength=strength)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(2, 3, 16, 16), "does not draw"),
        (torch.zeros(2, 1, 8, 8), "does not draw"),
        (torch.zeros(3, 3, 8, 8), "one for each"),
        (torch.zeros(3, 8, 8), "one for each"),
        (torch.full((2, 3, 8, 8), 127.0), r"in \[-1, 1\]"),
        (torch.full((2, 3, 8, 8), math.nan), r"in \[-1, 1\]"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(given: Tensor, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        redraw(small_denoiser(), LABELS, SEEDS, Sampling(steps=2), given)
    with pytest.raises(ConfigError, match=said):
        fill_in(small_denoiser(), LABELS, SEEDS, Sampling(steps=2), given, left_half())


@pytest.mark.parametrize(
    "known",
    [
        torch.ones(8, 8),
        torch.ones(4, 8, dtype=torch.bool),
        torch.ones(3, 1, 8, 8, dtype=torch.bool),
        torch.ones(2, 3, 8, 8, dtype=torch.bool),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(known: Tensor) -> None:
    with pytest.raises(ConfigError, match="mask"):
        fill_in(small_denoiser(), LABELS, SEEDS, Sampling(steps=2), pictures(), known)


@pytest.mark.parametrize("rounds", [0, 101])
def test_rounds_out_of_range_are_refused(rounds: int) -> None:
    known = left_half()
    with pytest.raises(ConfigError, match="rounds"):
        fill_in(small_denoiser(), LABELS, SEEDS, Sampling(), pictures(), known, rounds=rounds)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_shares_out_of_range_are_refused(share: float) -> None:
    one = of_labels(torch.tensor([0]))
    with pytest.raises(ConfigError, match="shares"):
        interpolate(small_denoiser(), one, (1, 2), [share], Sampling(steps=2))
