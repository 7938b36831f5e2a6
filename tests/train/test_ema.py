import pytest
import torch

from tests.train.test_unet import small
from train.ema import WeightAverage
from train.unet import UNet


def network() -> UNet:
    torch.manual_seed(0)
    return UNet(small(), (3, 8, 8), classes=2)


def test_half_life_is_the_images_after_which_half_is_forgotten() -> None:
    unet = network()
    average = WeightAverage(unet, half_life_images=100, ramp=1e9)
    before = average.model.stem.weight.clone()
    with torch.no_grad():
        unet.stem.weight += 1.0
    for step in range(1, 11):
        average.update(unet, images_seen=step * 10, batch=10)
    moved = average.model.stem.weight - before
    assert torch.allclose(moved, torch.full_like(moved, 0.5), atol=1e-5)


def test_early_on_the_half_life_is_a_share_of_the_images_seen() -> None:
    average = WeightAverage(network(), half_life_images=10_000, ramp=0.05)
    assert average.decay(images_seen=2000, batch=100) == pytest.approx(0.5)
    assert average.decay(images_seen=10**7, batch=100) == pytest.approx(0.5**0.01)


def test_without_half_life_the_average_is_the_weights() -> None:
    unet = network()
    average = WeightAverage(unet, half_life_images=0, ramp=0.05)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(1.0)
    average.update(unet, images_seen=10, batch=10)
    for ours, theirs in zip(average.model.parameters(), unet.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_average_is_no_alias_of_the_weights_and_learns_nothing_itself() -> None:
    unet = network()
    average = WeightAverage(unet, half_life_images=10, ramp=1.0)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    assert average.model.stem.weight.data_ptr() != unet.stem.weight.data_ptr()
