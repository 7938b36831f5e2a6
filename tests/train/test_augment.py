import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.drawn_pack import drawn_pictures, tiny_config
from tests.train.test_unet import small
from train.augment import CONDITIONS, augmented, sampled_transformations, warped
from train.augment_config import AugmentConfig
from train.batches import to_signed
from train.checkpoint import load_checkpoint
from train.condition import Condition, of_labels
from train.denoiser import everywhere
from train.loop import train
from train.network_config import Told
from train.networks.unet import UNet

SHAPES = [(1, 8, 8), (3, 8, 8), (4, 8, 8), (3, 8, 12)]
STILL = {"x_flip": False, "scaling": 0.0, "rotation": 0.0, "anisotropy": 0.0, "translation": 0.0}


def only(**changes: float) -> AugmentConfig:
    """Always, and nothing but, what is named."""
    return AugmentConfig(**({"probability": 1.0} | STILL | changes))  # type: ignore[arg-type]


def drawn(count: int = 24, shape: tuple[int, int, int] = (3, 8, 8)) -> Tensor:
    return to_signed(torch.from_numpy(drawn_pictures(count, shape)[0]))


def turned(count: int, angle: float = 0.0) -> Tensor:
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64).expand(count, 2, 2)


def shifted(count: int, right: float, down: float) -> Tensor:
    return torch.tensor([[right, down]], dtype=torch.float64).expand(count, 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_augmentation_pictures_are_untouched_to_the_bit(
    shape: tuple[int, int, int],
) -> None:
    pictures = drawn(shape=shape)
    given_back, conditions = augmented(pictures, torch.arange(24), AugmentConfig(), 0)
    assert torch.equal(given_back, pictures)
    assert conditions.shape == (24, CONDITIONS)
    assert not conditions.any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_is_untouched_to_the_bit_exactly_where_its_conditions_are_zero(
    shape: tuple[int, int, int],
) -> None:
    pictures = torch.rand(200, *shape) * 2 - 1
    config = AugmentConfig(probability=0.2, y_flip=True)
    given_back, conditions = augmented(pictures, torch.arange(200), config, 0)
    untouched = ~conditions.any(dim=1)
    assert 40 < int(untouched.sum()) < 120
    same = (given_back == pictures).flatten(1).all(dim=1)
    assert torch.equal(same, untouched)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_warp_that_moves_nothing_is_the_identity(shape: tuple[int, int, int]) -> None:
    pictures = drawn(6, shape)
    moved = warped(pictures, turned(6), shifted(6, 0, 0))
    torch.testing.assert_close(moved, pictures, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("key", "axis", "column"), [("x_flip", 3, 0), ("y_flip", 2, 1)])
def test_a_flip_is_torch_flip_to_the_bit_and_its_condition_is_one(
    key: str, axis: int, column: int
) -> None:
    pictures = torch.rand(200, 3, 8, 12)
    given_back, conditions = augmented(pictures, torch.arange(200), only(**{key: True}), 0)
    flipped = conditions[:, column] == 1
    assert 70 < int(flipped.sum()) < 130
    assert torch.equal(given_back[flipped], pictures[flipped].flip(axis))
    assert torch.equal(given_back[~flipped], pictures[~flipped])
    assert torch.equal(conditions.sum(dim=1), flipped.float())


@given(right=st.integers(-7, 7), down=st.integers(-7, 7), shape=st.sampled_from(SHAPES))
@settings(max_examples=40, deadline=None)
def test_a_whole_pixel_shift_is_a_roll_with_mirrored_edges(
    right: int, down: int, shape: tuple[int, int, int]
) -> None:
    pictures = drawn(4, shape)
    if shape[0] == 4:
        pictures[:, 3] = pictures[:, 3].clamp(min=-0.9)  # the colour of clear pixels is no matter
    height, width = shape[1:]
    edges = ((0, 0), (0, 0), (7, 7), (7, 7))
    wide = np.roll(np.pad(pictures.numpy(), edges, "reflect"), (down, right), axis=(2, 3))
    expected = torch.from_numpy(wide[:, :, 7 : 7 + height, 7 : 7 + width].copy())
    moved = warped(pictures, turned(4), shifted(4, right, down))
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact(quarters: int) -> None:
    pictures = drawn(6)
    moved = warped(pictures, turned(6, quarters * math.pi / 2), shifted(6, 0, 0))
    # rot90 turns anticlockwise as seen.
    torch.testing.assert_close(moved, pictures.rot90(-quarters, (2, 3)), atol=1e-4, rtol=0)


def test_enlarging_twice_shows_the_middle_half() -> None:
    side = 33
    slope = torch.linspace(-0.5, 0.5, side).expand(1, 1, side, side)
    moved = warped(slope, 2.0 * turned(1), shifted(1, 0, 0))
    torch.testing.assert_close(moved, slope / 2, atol=1e-3, rtol=0)


def test_beyond_the_edge_lies_the_mirror_image() -> None:
    picture = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]).expand(1, 1, 2, 5)
    moved = warped(picture, turned(1), shifted(1, 3, 0))
    assert moved[0, 0, 1].tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.2], abs=1e-5)


def test_one_colour_stays_that_colour_whatever_is_done() -> None:
    pictures = torch.full((100, 3, 8, 8), 0.3)
    moved, conditions = augmented(pictures, torch.arange(100), AugmentConfig(probability=1.0), 0)
    assert conditions[:, 2:].all()
    torch.testing.assert_close(moved, pictures, atol=1e-5, rtol=0)


def test_numbers_stay_within_the_range_of_pictures() -> None:
    for channels in (1, 3, 4):
        noise = torch.randint(0, 2, (100, channels, 8, 8)).float() * 2 - 1
        moved, _ = augmented(noise, torch.arange(100), AugmentConfig(probability=1.0), 0)
        assert torch.isfinite(moved).all()
        assert (float(moved.min()), float(moved.max())) == (-1.0, 1.0)


def test_the_unseen_colour_of_clear_pixels_does_not_bleed_in() -> None:
    picture = torch.full((1, 4, 9, 9), -1.0)  # clear black around ...
    picture[:, :, 2:7, 2:7] = torch.tensor([1.0, 0.2, -0.5, 1.0])[None, :, None, None]
    moved = warped(picture, turned(1, 0.4), shifted(1, 0.3, 0.6))
    seen = moved[0, 3] > -0.9
    assert int(((moved[0, 3] < 0.9) & seen).sum()) > 5  # half-clear pixels at the rim
    for channel, value in enumerate((1.0, 0.2, -0.5)):
        torch.testing.assert_close(
            moved[0, channel][seen],
            torch.full_like(moved[0, channel][seen], value),
            atol=1e-3,
            rtol=0,
        )


@pytest.mark.parametrize(
    ("config", "columns"),
    [
        (only(), []),
        (only(scaling=0.2), [2]),
        (only(rotation=1.0), [3, 4]),
        (only(anisotropy=0.2), [5, 6]),
        (only(translation=0.125), [7, 8]),
    ],
)
def test_each_transformation_fills_its_own_conditions(
    config: AugmentConfig, columns: list[int]
) -> None:
    _, conditions = augmented(drawn(), torch.arange(24), config, 0)
    filled = conditions.any(dim=0).nonzero().flatten().tolist()
    assert filled == columns


@pytest.mark.parametrize("shape", [(1, 128, 128), (1, 96, 128)])
def test_conditions_say_what_was_done_to_the_picture(shape: tuple[int, int, int]) -> None:
    """A blot right of the middle is where the conditions, read back by hand, put it."""
    _, height, width = shape
    right, down = torch.meshgrid(
        torch.arange(width) - (width - 1) / 2,
        torch.arange(height) - (height - 1) / 2,
        indexing="xy",
    )

    def blot(x: float, y: float) -> Tensor:
        return torch.exp(-((right - x) ** 2 + (down - y) ** 2) / 8.0)

    pictures = blot(8.0, 3.0).expand(60, 1, height, width) * 2 - 1
    config = AugmentConfig(probability=0.7, y_flip=True, translation=0.01)
    moved, conditions = augmented(pictures, torch.arange(60), config, 4)
    for picture, told in zip(moved, conditions.double(), strict=True):
        x, y = 8.0 * (1 - 2 * float(told[0])), 3.0 * (1 - 2 * float(told[1]))
        size = 2 ** (0.2 * float(told[2]))
        x, y = x * size, y * size
        cos, sin = float(told[3]) + 1, float(told[4])
        x, y = cos * x - sin * y, sin * x + cos * y
        factor = 2 ** (0.2 * math.hypot(float(told[5]), float(told[6])))
        axis = math.atan2(float(told[6]), float(told[5])) / 2
        along = (math.cos(axis) * x + math.sin(axis) * y) * factor
        across = (math.cos(axis) * y - math.sin(axis) * x) / factor
        x = math.cos(axis) * along - math.sin(axis) * across + 0.01 * width * float(told[7])
        y = math.sin(axis) * along + math.cos(axis) * across + 0.01 * height * float(told[8])
        # Near the middle: in the corners mirror images of the blot may appear.
        weights = (picture[0].double() + 1) / 2 * (right.hypot(down) < 40)
        found = [float((weights * place).sum() / weights.sum()) for place in (right, down)]
        assert math.dist(found, (x, y)) < 0.1


@given(start=st.integers(0, 2**40), cut=st.integers(1, 31))
@settings(max_examples=20, deadline=None)
def test_what_is_done_does_not_depend_on_where_batches_begin(start: int, cut: int) -> None:
    config = AugmentConfig(probability=0.5)
    pictures, places = drawn(32), torch.arange(start, start + 32)
    whole = augmented(pictures, places, config, 7)
    parts = [augmented(pictures[s], places[s], config, 7) for s in (slice(cut), slice(cut, 32))]
    for tensor, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(tensor, torch.cat([first, second]))


def test_each_kind_is_done_as_often_as_asked_and_spread_as_the_paper_says() -> None:
    config = AugmentConfig(probability=0.25, y_flip=True)
    done = sampled_transformations(config, 0, torch.arange(40_000))
    assert float(done.x_flip.double().mean()) == pytest.approx(0.125, abs=0.01)
    assert float(done.y_flip.double().mean()) == pytest.approx(0.125, abs=0.01)
    for field in (done.scaling, done.stretch, done.shift_x, done.shift_y):
        used = field[field != 0]
        assert len(used) / 40_000 == pytest.approx(0.25, abs=0.01)
        assert float(used.mean()) == pytest.approx(0.0, abs=0.04)
        assert float(used.std()) == pytest.approx(1.0, abs=0.03)
    turns = done.angle[done.angle != 0]
    assert len(turns) / 40_000 == pytest.approx(0.25, abs=0.01)
    assert float(turns.std()) == pytest.approx(math.pi / math.sqrt(3), abs=0.05)
    assert float(turns.abs().max()) <= math.pi


def test_seeds_differ_and_the_first_conditions_are_pinned() -> None:
    config = AugmentConfig(probability=0.5, y_flip=True)
    first = sampled_transformations(config, 0, torch.arange(4)).conditions()
    other = sampled_transformations(config, 1, torch.arange(4)).conditions()
    assert not torch.equal(first, other)
    assert first.sum(dim=1).tolist() == pytest.approx(PINNED, abs=1e-5)


PINNED = [-1.0586966, 1.9527174, -2.7263246, -1.6861930]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("probability", -0.1),
        ("probability", 1.1),
        ("rotation", 2.0),
        ("scaling", -0.1),
        ("anisotropy", 3.0),
        ("translation", 0.6),
        ("probability", math.nan),
    ],
)
def test_strengths_out_of_range_are_refused_with_their_key(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"augment.{key}"):
        AugmentConfig(**{key: value})  # type: ignore[arg-type]


def test_a_network_that_hears_of_augmentation_starts_from_the_same_weights() -> None:
    networks = []
    for hears in (False, True):
        torch.manual_seed(3)
        told = Told(classes=2, augmented=hears)
        networks.append(UNet(small(), (3, 8, 8), told).state_dict())
    plain, hearing = networks
    assert hearing.keys() - plain.keys() == {"embedding.augmentation.weight"}
    assert all(torch.equal(plain[name], hearing[name]) for name in plain)


def test_to_the_network_zeros_are_no_augmentation_and_others_change_what_it_says() -> None:
    unet = UNet(small(), (3, 8, 8), Told(classes=2, augmented=True)).requires_grad_(False)
    for parameter in unet.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    inputs = torch.randn(2, 3, 8, 8), torch.tensor([1.0, 2.0])
    labels, nothing = torch.tensor([0, 1]), torch.zeros(2, CONDITIONS)
    untold = unet(*inputs, Condition(labels=labels))
    assert torch.equal(untold, unet(*inputs, Condition(labels=labels, augmentation=nothing)))
    told = unet(*inputs, Condition(labels=labels, augmentation=nothing + 1.0))
    assert not torch.allclose(untold, told, atol=1e-3)


def test_an_augmented_run_learns_is_resumed_to_the_bit_and_drawn_from(
    pack: Path, tmp_path: Path
) -> None:
    config = tiny_config(pack, augment={"probability": 0.5})
    whole = train(config, tmp_path / "whole")
    again = tmp_path / "parts"
    train(config, again)
    newest = again / "test" / "checkpoints" / "000000048"
    (newest / "model.safetensors").write_bytes(b"damaged")
    resumed = train(config, again)
    for one, other in ((whole.checkpoint, resumed.checkpoint),):
        for name in ("model.safetensors", "state.safetensors"):
            assert (one / name).read_bytes() == (other / name).read_bytes()
    denoiser = load_checkpoint(whole.run).denoiser()
    noisy = torch.randn(1, 3, 8, 8)
    x0 = denoiser.denoise(noisy, everywhere(1.0, noisy), of_labels(torch.tensor([0])))
    assert torch.isfinite(x0).all()
    assert load_checkpoint(whole.run).model_tensors()["embedding.augmentation.weight"].any()
