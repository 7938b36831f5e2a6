from pathlib import Path
from typing import Any

import pytest
import torch

from dataset.errors import ConfigError
from tests.train.drawn_pack import tiny_config
from train.condition import of_labels
from train.estimate import Estimate, at_once, estimate
from train.networks import build_network, count_parameters
from train.subject import Subject

SUBJECT = Subject.of_pictures((3, 8, 8), ("bar", "block"))


def costs(pack: Path, subject: Subject = SUBJECT, **changes: Any) -> Estimate:
    return estimate(tiny_config(pack, **changes), subject)


@pytest.mark.parametrize("network", ["unet", "favicon", "dogs93m"])
def test_parameters_are_those_of_the_network(pack: Path, network: str) -> None:
    config, subject = tiny_config(pack, network=network), Subject.of_pictures((3, 32, 32))
    with torch.device("meta"):
        built = build_network(config, subject)
    assert estimate(config, subject).parameters == count_parameters(built)


def test_flops_of_convolutions_are_two_per_multiply_add(pack: Path) -> None:
    found = costs(pack, unet={"multipliers": [1], "attention_levels": []})
    ends = 2 * 64 * 9 * 8 * 3 * 2
    blocks = 2 * 64 * (9 * 8 * 8 * 7 + 9 * 16 * 8 + 16 * 8)
    linear = 2 * (2 * 16 * 16 + 4 * 16 * 16)
    assert found.forward_flops == ends + blocks + linear
    assert 2.5 < found.training_flops / found.forward_flops < 3.1
    assert found.run_flops == found.training_flops * 48


def test_attention_counts_two_products_of_all_places_with_all(pack: Path) -> None:
    width, places = 16, 16  # level 1 of 8 x 8 pictures; three attentions
    alone = costs(pack).forward_flops - costs(pack, unet={"attention_levels": []}).forward_flops
    each = 2 * places * width * 4 * width + 2 * 2 * places * places * width
    assert alone == 3 * each


@pytest.mark.parametrize(
    ("changes", "vector_length"),
    [
        ({"vectors": "clip"}, 6),
        ({"vectors": "clip", "tokens": 2}, 6),
        ({"upscale": {"from_size": 4}}, 0),
        ({"augment": {"probability": 0.1}}, 0),
        ({"diffusion": {"learned_variance": True}}, 0),
    ],
)
def test_what_a_network_is_told_is_counted(
    pack: Path, changes: dict[str, Any], vector_length: int
) -> None:
    subject = Subject(picture=(3, 8, 8), shape=(3, 8, 8), vector_length=vector_length)
    plain, more = costs(pack, Subject.of_pictures((3, 8, 8))), costs(pack, subject, **changes)
    assert more.parameters > plain.parameters
    assert more.forward_flops > plain.forward_flops


def test_an_autoencoder_is_counted_with_its_discriminator(pack: Path) -> None:
    vae = {"base_channels": 8, "multipliers": [1, 2]}
    alone = costs(pack, kind="vae", vae=vae | {"adversarial_weight": 0.0})
    judged = costs(pack, kind="vae", vae=vae)
    assert 0 < alone.parameters < judged.parameters
    assert 0 < alone.training_flops < judged.training_flops


def test_memory_grows_with_the_batch_and_the_picture(pack: Path) -> None:
    small_batch, large_batch = (costs(pack, batch=batch) for batch in (8, 16))
    larger_picture = costs(pack, Subject.of_pictures((3, 16, 16), ("bar", "block")))
    assert large_batch.activations_bytes == 2 * small_batch.activations_bytes > 0
    assert larger_picture.activations_bytes > 3 * small_batch.activations_bytes
    assert small_batch.memory_bytes == small_batch.weights_bytes + small_batch.activations_bytes


def test_weights_are_kept_with_gradient_two_moments_and_each_average(pack: Path) -> None:
    for widths in ([0.05], [0.05, 0.1], [0.02, 0.05, 0.1]):
        found = costs(pack, ema_widths=widths)
        assert found.weights_bytes == 4 * (4 + len(widths)) * found.parameters


def test_only_pictures_that_are_worked_on_at_once_take_memory(pack: Path) -> None:
    whole, pieces = costs(pack, batch=8), costs(pack, batch=8, micro_batch=2)
    assert pieces.activations_bytes == whole.activations_bytes // 4
    assert at_once(tiny_config(pack, batch=8, micro_batch=100)) == 8


def test_bfloat16_keeps_half_as_much(pack: Path) -> None:
    config = tiny_config(pack)
    exact, halved = (estimate(config, SUBJECT, bfloat16=half) for half in (False, True))
    assert halved.activations_bytes == exact.activations_bytes // 2
    assert halved.weights_bytes == exact.weights_bytes
    insisting = estimate(tiny_config(pack, precision="bfloat16"), SUBJECT)
    assert insisting.activations_bytes == halved.activations_bytes


def test_the_table_of_attention_is_never_kept(pack: Path) -> None:
    def activations(side: int, *levels: int) -> int:
        subject = Subject.of_pictures((3, side, side))
        return costs(pack, subject, unet={"attention_levels": list(levels)}).activations_bytes

    small, large = (activations(side, 0) - activations(side) for side in (16, 32))
    assert large < 4.1 * small  # in step with the places, not with their square


def test_memory_is_what_the_backward_pass_keeps_on_a_cpu(pack: Path) -> None:
    config = tiny_config(pack, batch=1, unet={"attention_levels": []})
    network = build_network(config, SUBJECT)
    kept: dict[int, int] = {}
    weights = {parameter.data_ptr() for parameter in network.parameters()}
    alive = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            alive.append(storage)
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(torch.zeros(1, 3, 8, 8), torch.zeros(1), of_labels(torch.tensor([-1])))
    assert estimate(config, SUBJECT).activations_bytes == pytest.approx(sum(kept.values()), rel=0.1)


def test_a_picture_size_that_does_not_fit_is_refused(pack: Path) -> None:
    with pytest.raises(ConfigError, match="multiples of 2"):
        costs(pack, Subject.of_pictures((3, 7, 8)))
