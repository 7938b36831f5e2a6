from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dataset.errors import DataError
from tests.train.drawn_pack import drawn_pictures
from train.autoencoder import in_latents
from train.batches import DeviceBatches, to_signed
from train.latents import LatentSpace, latents_of
from train.subject import Subject
from train.vae import Vae
from train.vae_config import VaeConfig

CPU = torch.device("cpu")
CONFIG = VaeConfig(base_channels=8, multipliers=(1, 2), latent_channels=3)
PICTURE = (3, 8, 8)
HERE = Path("runs/somewhere")


def space(config: VaeConfig = CONFIG) -> LatentSpace:
    torch.manual_seed(3)
    vae = Vae(config, PICTURE)
    with torch.no_grad():  # latents far from mean 0 and deviation 1
        last = vae.encoder[-1]
        assert isinstance(last, torch.nn.Conv2d)
        last.weight.mul_(5.0)
        assert last.bias is not None
        last.bias[: config.latent_channels] = torch.arange(config.latent_channels) * 4.0 - 3.0
    return LatentSpace(vae)


def batches(count: int = 40) -> DeviceBatches:
    return DeviceBatches(*drawn_pictures(count), seed=0, flip=False, device=CPU)


def all_pictures(count: int = 40) -> Tensor:
    return to_signed(torch.from_numpy(drawn_pictures(count)[0]))


@pytest.mark.parametrize("count", [5, 40, 150])
def test_latents_of_the_measured_split_have_mean_0_and_variance_1_in_each_channel(
    count: int,
) -> None:
    latents = space()
    latents.measure(batches(count))
    encoded = latents.encoded(all_pictures(count)).double()
    assert torch.allclose(encoded.mean(dim=(0, 2, 3)), torch.zeros(3).double(), atol=1e-4)
    variance = encoded.square().mean(dim=(0, 2, 3))
    assert torch.allclose(variance, torch.ones(3).double(), atol=1e-3)


def test_measuring_again_changes_nothing() -> None:
    latents = space()
    latents.measure(batches())
    before = {name: tensor.clone() for name, tensor in latents.state_dict().items()}
    latents.measure(batches())
    for name, tensor in latents.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_channel_that_always_says_the_same_stays_finite() -> None:
    latents = space()
    last = latents.vae.encoder[-1]
    assert isinstance(last, torch.nn.Conv2d)
    last.weight[0] = 0.0
    latents.measure(batches())
    encoded = latents.encoded(all_pictures())
    assert bool(torch.isfinite(encoded).all())
    assert float(encoded[:, 0].abs().max()) < 1e-2


def test_scaling_is_undone_on_the_way_back() -> None:
    latents = space()
    pictures = all_pictures(4)
    plain = latents.vae(pictures).clamp(-1.0, 1.0)
    latents.measure(batches())
    assert torch.allclose(latents.decoded(latents.encoded(pictures)), plain, atol=1e-4)


def test_noise_moves_latents_by_the_deviations_of_the_autoencoder() -> None:
    latents = space()
    latents.measure(batches())
    pictures, noise = all_pictures(4), torch.ones(4, *latents.vae.shape)
    moved = latents.encoded(pictures, noise) - latents.encoded(pictures)
    deviation = (0.5 * latents.vae.encode(pictures).log_variance).exp()
    assert torch.allclose(moved, deviation / latents.deviation, atol=1e-4)


def test_nothing_of_it_learns() -> None:
    latents = space()
    assert not any(parameter.requires_grad for parameter in latents.parameters())
    assert not latents.encoded(all_pictures(2)).requires_grad
    assert not latents.training


def test_a_checkpoints_tensors_give_the_same_latents() -> None:
    first = space().on(CPU)
    first.measure(batches())
    subject = in_latents(Subject.of_pictures(PICTURE), CONFIG)
    second = latents_of(subject, first.state_dict(), CPU, HERE)
    assert second is not None
    assert torch.equal(first.encoded(all_pictures(4)), second.encoded(all_pictures(4)))


def test_a_model_of_pixels_has_no_latents() -> None:
    assert latents_of(Subject.of_pictures(PICTURE), {}, CPU, HERE) is None


@pytest.mark.parametrize("fault", ["absent", "empty", "shape"])
def test_tensors_of_another_autoencoder_are_a_damaged_checkpoint(fault: str) -> None:
    tensors = dict(space().state_dict())
    if fault == "absent":
        del tensors["mean"]
    elif fault == "empty":
        tensors = {}
    else:
        tensors["deviation"] = torch.ones(5, 1, 1)
    subject = in_latents(Subject.of_pictures(PICTURE), CONFIG)
    with pytest.raises(DataError, match="another autoencoder"):
        latents_of(subject, tensors, CPU, HERE)


def test_a_subject_in_latents_survives_the_way_through_its_facts() -> None:
    subject = in_latents(Subject.of_pictures(PICTURE, ("bar", "block")), CONFIG)
    assert subject.shape == (3, 4, 4)
    assert subject.picture == PICTURE
    assert Subject.from_facts(subject.facts()) == subject
    facts = replace(subject, latent=None).facts()
    del facts["latent"]  # as the first checkpoints were written
    assert Subject.from_facts(facts).latent is None


@pytest.mark.parametrize("damage", [{"base_channels": 7}, {"unknown": 1}, 5, "text"])
def test_a_damaged_fact_of_latents_is_told_from_a_bug(damage: object) -> None:
    facts = in_latents(Subject.of_pictures(PICTURE), CONFIG).facts()
    with pytest.raises((TypeError, ValueError)):
        Subject.from_facts(facts | {"latent": damage})
