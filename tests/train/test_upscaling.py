from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.drawn_pack import drawn_pictures, tiny_config, write_drawn_pack
from train.batches import to_signed
from train.checkpoint import Checkpoint, load_checkpoint
from train.condition import Condition, of_labels
from train.drawing import Sampling
from train.loop import train
from train.upscale_config import UpscaleConfig
from train.upscaling import enlarged, shrunk, small_shape, told, told_of_shrunk

CPU = torch.device("cpu")
FROM_4 = UpscaleConfig(from_size=4, noise=0.5)
SAMPLING = Sampling(steps=8)


def pictures(count: int = 8, size: int = 8) -> Tensor:
    return to_signed(torch.from_numpy(drawn_pictures(count, (3, size, size))[0]))


def told_of(count: int, start: int = 0, config: UpscaleConfig = FROM_4, seed: int = 0) -> Condition:
    labels = of_labels(torch.zeros(count, dtype=torch.int64))
    places = torch.arange(start, start + count)
    return told_of_shrunk(labels, pictures(count), places, config, seed)


def test_the_small_copy_is_the_mean_over_each_area() -> None:
    picture = torch.arange(64, dtype=torch.float32).view(1, 1, 8, 8)
    small = shrunk(picture, UpscaleConfig(from_size=2))
    assert small.tolist() == [[[[13.5, 17.5], [45.5, 49.5]]]]


@pytest.mark.parametrize(
    ("picture", "from_size", "small"),
    [
        ((3, 128, 128), 32, (3, 32, 32)),
        ((1, 8, 8), 4, (1, 4, 4)),
        ((4, 24, 12), 8, (4, 8, 4)),
        ((3, 8, 16), 1, (3, 1, 2)),
    ],
)
def test_small_pictures_keep_channels_and_proportions(
    picture: tuple[int, int, int], from_size: int, small: tuple[int, int, int]
) -> None:
    assert small_shape(UpscaleConfig(from_size=from_size), picture) == small


@pytest.mark.parametrize(
    ("picture", "from_size"),
    [((3, 128, 128), 48), ((3, 8, 8), 8), ((3, 8, 8), 16), ((3, 8, 8), 5), ((3, 12, 8), 4)],
)
def test_a_size_that_does_not_divide_is_refused(
    picture: tuple[int, int, int], from_size: int
) -> None:
    with pytest.raises(ConfigError, match=rf"upscale\.from_size is {from_size}; it must"):
        small_shape(UpscaleConfig(from_size=from_size), picture)


def test_an_even_picture_stays_even_when_enlarged() -> None:
    small, zeros = torch.full((2, 3, 4, 4), 0.25), torch.zeros(2, 3, 4, 4)
    condition = told(of_labels(torch.zeros(2)), small, torch.zeros(2), zeros, (8, 8))
    assert condition.picture is not None
    assert torch.allclose(condition.picture, torch.full((2, 3, 8, 8), 0.25))


def test_enlarging_is_bilinear_between_centres() -> None:
    small = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 1, 2, 2)
    none = torch.zeros(1, 1, 2, 2)
    condition = told(of_labels(torch.zeros(1)), small, torch.zeros(1), none, (4, 4))
    assert condition.picture is not None
    assert condition.picture[0, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_the_network_is_told_how_much_noise_was_added() -> None:
    condition = told_of(4096)
    assert condition.picture is not None
    assert condition.picture_noise is not None
    sigma = condition.picture_noise
    assert 0.0 <= float(sigma.min()) < 0.01
    assert 0.49 < float(sigma.max()) < 0.5
    assert float(sigma.mean()) == pytest.approx(0.25, abs=0.01)
    clean = F.interpolate(shrunk(pictures(4096), FROM_4), size=(8, 8), mode="bilinear")
    added = F.avg_pool2d(condition.picture - clean, 8).flatten(1).std(dim=1)
    loud, quiet = added[sigma > 0.4].mean(), added[sigma < 0.1].mean()
    assert float(loud / quiet) > 4.0


def test_without_noise_the_small_copy_is_told_as_it_is() -> None:
    config = UpscaleConfig(from_size=4, noise=0.0)
    condition = told_of(8, config=config)
    clean = F.interpolate(shrunk(pictures(), config), size=(8, 8), mode="bilinear")
    assert condition.picture_noise is not None
    assert condition.picture is not None
    assert not condition.picture_noise.any()
    assert torch.allclose(condition.picture, clean)


def test_noise_of_a_picture_is_decided_by_seed_and_place() -> None:
    whole, again, moved, other = told_of(8), told_of(8), told_of(8, start=8), told_of(8, seed=1)
    assert whole.picture is not None
    assert again.picture is not None
    assert torch.equal(whole.picture, again.picture)
    for changed in (moved, other):
        assert changed.picture is not None
        assert not torch.allclose(whole.picture, changed.picture)


@pytest.mark.parametrize(("key", "value"), [("from_size", -1), ("noise", -0.1), ("noise", 2.5)])
def test_a_wrong_value_is_refused_by_its_name(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"upscale\.{key}"):
        UpscaleConfig(**{key: value})


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A model that learnt for some seconds to enlarge 4 to 8 pixels."""
    folder = tmp_path_factory.mktemp("enlarger")
    pack = write_drawn_pack(folder / "pack.h5", count=256, labelled=False)
    config = tiny_config(
        pack,
        images=4800,
        batch=16,
        lr=4e-3,
        checkpoint_every_images=4800,
        upscale={"from_size": 4, "noise": 0.2},
        diffusion={"prediction": "x0"},
        unet={"base_channels": 16, "attention_levels": []},
    )
    return load_checkpoint(train(config, folder / "runs").run)


def unseen() -> tuple[Tensor, Tensor]:
    """Pictures that were not learnt from (B, 3, 8, 8), and their small copies; uint8."""
    large = torch.from_numpy(drawn_pictures(8, seed=7)[0])
    small = F.avg_pool2d(large.float(), 2).round().to(torch.uint8)
    return large, small


def test_pictures_never_seen_are_enlarged_better_than_bilinearly(enlarger: Checkpoint) -> None:
    large, small = unseen()
    made = enlarged(enlarger, small, list(range(8)), SAMPLING, CPU)
    assert made.shape == large.shape
    assert made.dtype == torch.uint8
    plain = F.interpolate(small.float(), scale_factor=2.0, mode="bilinear")
    learnt = (made.float() - large).square().mean()
    assert float(learnt) < 0.9 * float((plain - large).square().mean())


def test_an_enlarged_picture_is_decided_by_its_seed_alone(enlarger: Checkpoint) -> None:
    _, small = unseen()
    together = enlarged(enlarger, small, list(range(8)), SAMPLING, CPU, noise=0.1)
    alone = enlarged(enlarger, small[5:6], [5], SAMPLING, CPU, noise=0.1)
    assert int((together[5:6].int() - alone.int()).abs().max()) <= 1
    other = enlarged(enlarger, small[5:6], [6], SAMPLING, CPU, noise=0.1)
    assert not torch.equal(alone, other)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 3, 8, 8), torch.uint8), ((2, 1, 4, 4), torch.uint8), ((2, 3, 4, 4), torch.float32)],
)
def test_pictures_of_another_kind_are_refused(
    enlarger: Checkpoint, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    with pytest.raises(ConfigError, match=r"this model enlarges \(3, 4, 4\)"):
        enlarged(enlarger, torch.zeros(shape, dtype=dtype), [0, 1], SAMPLING, CPU)


def test_every_picture_needs_a_seed(enlarger: Checkpoint) -> None:
    with pytest.raises(ConfigError, match="8 pictures have 2 seeds"):
        enlarged(enlarger, unseen()[1], [0, 1], SAMPLING, CPU)


@pytest.mark.parametrize("noise", [-0.1, 0.3])
def test_more_noise_than_was_learnt_is_refused(enlarger: Checkpoint, noise: float) -> None:
    with pytest.raises(ConfigError, match=r"noise is .*; it must be from 0 to the 0\.2"):
        enlarged(enlarger, unseen()[1], list(range(8)), SAMPLING, CPU, noise=noise)


def test_a_model_that_draws_from_nothing_enlarges_nothing(pack: Path, tmp_path: Path) -> None:
    plain = load_checkpoint(train(tiny_config(pack), tmp_path).run)
    with pytest.raises(ConfigError, match=r"upscale\.from_size"):
        enlarged(plain, unseen()[1], list(range(8)), SAMPLING, CPU)


def test_a_preview_shows_small_enlarged_and_original(enlarger: Checkpoint) -> None:
    assert len(list((enlarger.run / "previews").glob("*.png"))) == 1


def test_a_size_that_does_not_divide_is_refused_before_anything_is_written(
    pack: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"upscale\.from_size is 3"):
        train(tiny_config(pack, upscale={"from_size": 3}), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
