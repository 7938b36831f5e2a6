from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dataset.errors import ConfigError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import drawn_pictures, tiny_config, write_drawn_pack
from train.autoencoder import autoencoder
from train.batches import DeviceBatches, load_split, to_signed
from train.checkpoint import MODEL, STATE, checkpoint_folders, load_checkpoint
from train.config import TrainConfig
from train.learners import subject_of
from train.loop import train
from train.order import Share
from train.subject import Subject
from train.vae import drawn_from_prior
from train.vae_learner import VaeLearner

CPU = torch.device("cpu")
TINY = {"base_channels": 8, "multipliers": [1, 2], "latent_channels": 4}


def vae_config(pack: Path, **changes: Any) -> TrainConfig:
    vae = TINY | changes.pop("vae", {})
    return tiny_config(pack, kind="vae", vae=vae, **changes)


def learner(config: TrainConfig) -> VaeLearner:
    return VaeLearner(config, Subject.of_pictures((3, 8, 8)), CPU)


def batches(config: TrainConfig) -> DeviceBatches:
    assert config.pack is not None
    return load_split(
        PackedDataset(config.pack), "train", seed=config.seed, flip=config.flip, device=CPU
    )


def tensors(run: Path) -> dict[str, torch.Tensor]:
    folder = checkpoint_folders(run)[-1]
    return load_file(folder / MODEL) | load_file(folder / STATE)


class Stop(Exception):
    """Ends a run from within, at a checkpoint."""


def train_until(images: int, config: TrainConfig, runs: Path) -> None:
    def die(path: Path) -> None:
        if path.name == f"{images:09d}":
            raise Stop

    with pytest.raises(Stop):
        train(config, runs, on_checkpoint=die)


@pytest.mark.parametrize("adversarial_weight", [0.0, pytest.param(0.1, marks=pytest.mark.slow)])
def test_pictures_are_restored_better_than_by_the_mean_picture(
    tmp_path: Path, adversarial_weight: float
) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", count=64)
    config = vae_config(
        pack,
        images=3200,
        batch=16,
        lr=4e-3,
        checkpoint_every_images=3200,
        vae={"adversarial_weight": adversarial_weight, "discriminator_lr": 0.1},
    )
    vae = autoencoder(load_checkpoint(train(config, tmp_path).run))
    unseen = to_signed(torch.from_numpy(drawn_pictures(32, seed=9)[0]))
    mean = to_signed(torch.from_numpy(drawn_pictures(64)[0])).mean(dim=0)
    error = (vae(unseen) - unseen).square().mean()
    assert float(error) < 0.3 * float((mean - unseen).square().mean())


@pytest.mark.parametrize("adversarial_weight", [0.0, 0.1])
def test_a_resumed_autoencoder_is_the_uninterrupted_one_to_the_bit(
    pack: Path, tmp_path: Path, adversarial_weight: float
) -> None:
    config = vae_config(pack, flip=True, vae={"adversarial_weight": adversarial_weight})
    whole = tensors(train(config, tmp_path / "whole").run)
    train_until(24, config, tmp_path / "parts")
    parts = tensors(train(config, tmp_path / "parts").run)
    assert whole.keys() == parts.keys()
    assert any("discriminator" in name for name in whole) == (adversarial_weight > 0)
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_the_discriminator_learns_at_its_share_of_the_rate(pack: Path) -> None:
    config = vae_config(pack, warmup_images=0, weight_decay=0.0, vae={"discriminator_lr": 0.25})
    one = learner(config)
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    one.step(batches(config))
    # Adam's first step is the learning rate, whatever the gradient.
    moved = {
        name: float((value - before[name]).abs().max())
        for name, value in one.network.state_dict().items()
    }
    rate = one.config.lr
    assert moved["vae.encoder.0.bias"] == pytest.approx(rate, rel=0.05)
    assert moved["discriminator.layers.0.bias"] == pytest.approx(0.25 * rate, rel=0.05)


def test_the_discriminators_word_counts_from_its_image_on(pack: Path) -> None:
    config = vae_config(pack, vae={"adversarial_weight": 0.5, "adversarial_after_images": 12})
    one = learner(config)
    lesson = one.lesson(batches(config).batch(8, 8), Share(8, 8))
    assert lesson.adversity.tolist() == [0.0] * 4 + [0.5] * 4


def test_a_share_of_a_batch_is_told_what_it_would_be_in_the_whole(pack: Path) -> None:
    config = vae_config(pack)
    one = learner(config)
    whole = one.lesson(batches(config).batch(8, 8), Share(8, 8))
    for rank in (0, 1):
        part = one.lesson(batches(config).batch(8, 8, rank, 2), Share(8, 8, rank, 2))
        for own, all_of_it in zip(part, whole, strict=True):
            assert torch.equal(own, all_of_it[rank * 4 : rank * 4 + 4])


def test_a_preview_shows_original_restored_and_drawn(pack: Path, tmp_path: Path) -> None:
    config = vae_config(pack)
    one = learner(config)
    panel = one.preview(one.network, batches(config))
    assert panel.row_names == ("original", "restored", "drawn")
    assert panel.pictures.shape == (24, 3, 8, 8)
    originals = batches(config).batch(0, 8).pictures
    assert torch.equal(to_signed(torch.from_numpy(panel.pictures[:8])), originals)
    run = train(config, tmp_path).run
    assert [path.name for path in (run / "previews").iterdir()] == ["000000048.png"]


def test_an_autoencoder_is_drawn_from_on_its_own(pack: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(train(vae_config(pack), tmp_path).run)
    drawn = drawn_from_prior(autoencoder(checkpoint), [1, 2, 3])
    assert drawn.shape == (3, 3, 8, 8)
    assert bool(torch.isfinite(drawn).all())


def test_an_autoencoder_has_no_noise_levels(pack: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(train(vae_config(pack), tmp_path).run)
    with pytest.raises(ConfigError, match="autoencoder"):
        checkpoint.denoiser()


def test_a_batch_that_is_not_a_number_changes_neither_autoencoder_nor_discriminator(
    pack: Path,
) -> None:
    config = vae_config(pack)
    one, data = learner(config), drawn_pictures()

    class Broken(DeviceBatches):
        def batch(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Any:
            batch = super().batch(images_seen, size, rank, world)
            return batch._replace(pictures=batch.pictures * float("nan"))

    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    one.step(Broken(*data, seed=0, flip=False, device=CPU))
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert one.read_figures().skipped == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"latent": "runs/other"}, "latent"),
        ({"upscale": {"from_size": 4}}, r"upscale\.from_size"),
        ({"vectors": "clip"}, "vectors"),
    ],
)
def test_what_has_no_meaning_for_an_autoencoder_is_refused(
    pack: Path, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{key} has no meaning for kind vae"):
        subject_of(vae_config(pack, **changes), Subject.of_pictures((3, 8, 8)))


def test_pictures_that_do_not_halve_as_often_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    pack = write_drawn_pack(tmp_path / "odd.h5", shape=(3, 10, 10))
    config = vae_config(pack, vae={"multipliers": [1, 1, 1]})
    with pytest.raises(ConfigError, match=r"10 x 10, but vae\.multipliers ask for multiples of 4"):
        train(config, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_the_pictures_need_not_suit_the_unet(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "odd.h5", shape=(1, 6, 10))
    config = vae_config(pack, unet={"multipliers": [1, 2, 2], "attention_levels": []})
    assert train(config, tmp_path).images_seen == 48
