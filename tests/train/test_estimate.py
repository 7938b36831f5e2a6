from pathlib import Path

import pytest

from dataset.errors import ConfigError
from tests.train.drawn_pack import tiny_config
from tests.train.test_unet import small
from train.estimate import estimate
from train.unet import UNet, count_parameters


def test_parameters_are_those_of_the_network(pack: Path) -> None:
    config = tiny_config(pack)
    assert estimate(config, (3, 8, 8), 2).parameters == count_parameters(
        UNet(config.unet, (3, 8, 8), 2)
    )


def test_flops_of_convolutions_are_two_per_multiply_add(pack: Path) -> None:
    config = tiny_config(pack, unet={"multipliers": [1], "attention_levels": []})
    costs = estimate(config, (3, 8, 8), 2)
    ends = 2 * 64 * 9 * 8 * 3 * 2
    blocks = 2 * 64 * (9 * 8 * 8 * 7 + 9 * 16 * 8 + 16 * 8)
    linear = 2 * (2 * 16 * 16 + 4 * 16 * 16)
    assert costs.forward_flops == ends + blocks + linear
    assert 2.5 < costs.training_flops / costs.forward_flops < 3.1
    assert costs.run_flops == costs.training_flops * 48


def test_memory_grows_with_the_batch_and_the_picture(pack: Path) -> None:
    small_batch, large_batch = (
        estimate(tiny_config(pack, batch=batch), (3, 8, 8), 2) for batch in (8, 16)
    )
    larger_picture = estimate(tiny_config(pack), (3, 16, 16), 2)
    assert large_batch.activations_bytes == 2 * small_batch.activations_bytes > 0
    assert larger_picture.activations_bytes > 3 * small_batch.activations_bytes
    assert small_batch.weights_bytes == 20 * small_batch.parameters
    assert small_batch.memory_bytes == small_batch.weights_bytes + small_batch.activations_bytes


def test_a_picture_size_that_does_not_fit_is_refused(pack: Path) -> None:
    with pytest.raises(ConfigError, match="multiples of 2"):
        estimate(tiny_config(pack), (3, 7, 8), 2)
    assert small().granularity == 2
