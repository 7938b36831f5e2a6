import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.batches import load_split
from train.checkpoint import checkpoint_folders, load_checkpoint
from train.condition import of_labels
from train.config import TrainConfig
from train.drawing import Sampling, draw_pictures
from train.learners import make_learner, subject_of
from train.loop import train
from train.subject import Subject

CPU = torch.device("cpu")
VAE = {"base_channels": 8, "multipliers": [1, 2], "latent_channels": 3}
SIXTEEN = (3, 16, 16)


@pytest.fixture(scope="module")
def pack16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of 16 x 16 in colour, two classes."""
    path = tmp_path_factory.mktemp("pack") / "pack.h5"
    return write_drawn_pack(path, count=48, shape=SIXTEEN)


@pytest.fixture(scope="module")
def vae_run(pack16: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an autoencoder that learnt for some seconds."""
    config = tiny_config(
        pack16,
        name="vae",
        kind="vae",
        vae=VAE,
        images=2400,
        batch=16,
        lr=4e-3,
        checkpoint_every_images=2400,
    )
    return train(config, tmp_path_factory.mktemp("runs")).run


def latent_config(pack: Path, vae: Path, **changes: Any) -> TrainConfig:
    return tiny_config(pack, latent=str(vae), **changes)


def tensors(run: Path) -> dict[str, torch.Tensor]:
    """Everything in the files of the latest checkpoint."""
    found: dict[str, torch.Tensor] = {}
    for path in sorted(checkpoint_folders(run)[-1].glob("*.safetensors")):
        found |= {f"{path.name}:{name}": tensor for name, tensor in load_file(path).items()}
    return found


class Stop(Exception):
    """Ends a run from within, at a checkpoint."""


@pytest.mark.slow
def test_a_model_in_latents_learns_and_draws_pictures(
    pack16: Path, vae_run: Path, tmp_path: Path
) -> None:
    config = latent_config(
        pack16, vae_run, images=3200, batch=16, lr=4e-3, checkpoint_every_images=3200
    )
    run = train(config, tmp_path / "runs").run
    alone = tmp_path / "elsewhere"
    shutil.move(checkpoint_folders(run)[-1], alone)
    checkpoint = load_checkpoint(alone)
    assert checkpoint.subject.shape == (3, 8, 8)
    assert checkpoint.shape == SIXTEEN
    denoiser = checkpoint.denoiser()
    labels = of_labels(torch.tensor([0, 1] * 8))
    drawn = draw_pictures(denoiser, labels, list(range(16)), Sampling(steps=12))
    assert drawn.shape == (16, *SIXTEEN)
    assert float(drawn.abs().max()) <= 1.0
    # Pictures are flat areas: neighbours differ little, unlike in noise of the same deviation.
    rough = (drawn[:, :, :, 1:] - drawn[:, :, :, :-1]).square().mean() / drawn.var()
    assert float(rough) < 0.6
    assert list((run / "previews").glob("*.png"))


def test_latents_are_not_kept_to_what_pictures_can_be(
    pack16: Path, vae_run: Path, tmp_path: Path
) -> None:
    denoiser = load_checkpoint(train(latent_config(pack16, vae_run), tmp_path).run).denoiser()
    far = torch.full((1, 3, 8, 8), 2.5)
    assert torch.equal(denoiser.limited(far), far)
    assert float(denoiser.pictures(far).abs().max()) <= 1.0


def test_latents_have_unit_variance_as_measured_once(pack16: Path, vae_run: Path) -> None:
    config = latent_config(pack16, vae_run)
    pack = PackedDataset(pack16)
    subject = subject_of(config, Subject.of_pack(pack))
    learner = make_learner(config, subject, CPU)
    batches = load_split(pack, "train", seed=0, flip=False, device=CPU)
    learner.begin(batches)
    fixed = learner.fixed_tensors()
    assert not torch.equal(fixed["deviation"], torch.ones(3, 1, 1))
    for _ in range(3):
        learner.step(batches)
    again = learner.fixed_tensors()
    assert fixed.keys() == again.keys()
    for name, tensor in fixed.items():
        assert torch.equal(tensor, again[name]), name


def test_a_resumed_run_in_latents_is_the_uninterrupted_one_without_the_autoencoders_folder(
    pack16: Path, vae_run: Path, tmp_path: Path
) -> None:
    vae = tmp_path / "vae"
    shutil.copytree(vae_run, vae)
    config = latent_config(pack16, vae, flip=True)
    whole = tensors(train(config, tmp_path / "whole").run)

    def die(path: Path) -> None:
        if path.name == "000000024":
            raise Stop

    with pytest.raises(Stop):
        train(config, tmp_path / "parts", on_checkpoint=die)
    shutil.rmtree(vae)
    parts = tensors(train(config, tmp_path / "parts").run)
    assert whole.keys() == parts.keys()
    assert any(name.endswith(":vae.decoder.0.weight") for name in whole)
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_the_latents_of_a_diffusion_run_are_refused(pack16: Path, tmp_path: Path) -> None:
    other = train(tiny_config(pack16), tmp_path / "other").run
    with pytest.raises(ConfigError, match="of kind diffusion, no autoencoder"):
        train(latent_config(pack16, other), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_an_autoencoder_of_other_channels_is_refused(vae_run: Path, tmp_path: Path) -> None:
    grey = write_drawn_pack(tmp_path / "grey.h5", shape=(1, 16, 16))
    with pytest.raises(ConfigError, match=r"of 3 channels, the pack's have 1"):
        train(latent_config(grey, vae_run), tmp_path / "runs")


def test_pictures_that_the_autoencoder_cannot_halve_are_refused(
    vae_run: Path, tmp_path: Path
) -> None:
    odd = write_drawn_pack(tmp_path / "odd.h5", shape=(3, 9, 9))
    with pytest.raises(ConfigError, match=r"9 x 9, but vae\.multipliers ask for multiples of 2"):
        train(latent_config(odd, vae_run), tmp_path / "runs")


def test_latents_that_the_network_cannot_halve_are_refused(vae_run: Path, tmp_path: Path) -> None:
    odd = write_drawn_pack(tmp_path / "odd.h5", shape=(3, 10, 10))
    with pytest.raises(ConfigError, match=r"5 x 5, but unet\.multipliers"):
        train(latent_config(odd, vae_run), tmp_path / "runs")


def test_an_autoencoder_serves_pictures_of_another_size(vae_run: Path, tmp_path: Path) -> None:
    wide = write_drawn_pack(tmp_path / "wide.h5", shape=(3, 8, 24))
    run = train(latent_config(wide, vae_run), tmp_path).run
    assert load_checkpoint(run).subject.shape == (3, 4, 12)


@pytest.mark.parametrize("path", ["runs/nowhere", "."])
def test_an_autoencoder_that_is_not_there_is_said_so(
    pack16: Path, tmp_path: Path, path: str
) -> None:
    with pytest.raises(ConfigError, match="checkpoint"):
        train(latent_config(pack16, tmp_path / path), tmp_path / "runs")


def test_enlarging_in_latents_is_refused(pack16: Path, vae_run: Path, tmp_path: Path) -> None:
    config = latent_config(pack16, vae_run, upscale={"from_size": 8})
    with pytest.raises(ConfigError, match=r"latent and upscale\.from_size exclude each other"):
        train(config, tmp_path / "runs")


def test_a_damaged_autoencoder_is_the_datas_fault(
    pack16: Path, vae_run: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(vae_run, broken)
    for folder in checkpoint_folders(broken):
        (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        train(latent_config(pack16, broken), tmp_path / "runs")


def test_the_deviation_of_latents_is_1_and_a_run_that_says_otherwise_is_warned(
    pack16: Path, vae_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subject = Subject.of_pictures(SIXTEEN)
    subject_of(latent_config(pack16, vae_run, diffusion={"prediction": "edm"}), subject)
    assert "diffusion.sigma_data should be 1" in caplog.text
    caplog.clear()
    right = {"prediction": "edm", "sigma_data": 1.0}
    subject_of(latent_config(pack16, vae_run, diffusion=right), subject)
    assert not caplog.records
