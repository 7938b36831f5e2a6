from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.train.drawn_pack import tiny_config
from train.gradients import Gradients, Statistics, has_statistics, share_count, uses_bfloat16
from train.held_weights import HeldWeights
from train.lesson import Lesson

CPU = torch.device("cpu")


class Numbers(NamedTuple):
    """A lesson of plain vectors."""

    x: Tensor  # (B, 4)

    def part(self, start: int, stop: int) -> "Numbers":
        return Numbers(self.x[start:stop])


class Line(nn.Module):
    """Something to learn, and a parameter that it holds and never uses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line, self.idle = nn.Linear(4, 3), nn.Parameter(torch.ones(2))
        self.largest = 0  # pictures that it was shown at once

    def losses(self, lesson: Lesson) -> Tensor:
        assert isinstance(lesson, Numbers)
        self.largest = max(self.largest, len(lesson.x))
        out: Tensor = self.line(lesson.x)
        return out.square().sum(dim=1).float()


def computed(count: int = 10, **changes: Any) -> tuple[Line, Tensor]:
    """The network with its gradients, and the loss, of a batch of `count`."""
    network, config = Line(), tiny_config(Path("pack.h5"), **changes)
    x = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
    gradients = Gradients(HeldWeights(network), config, CPU)
    return network, gradients.compute(network.losses, Numbers(x), count, count)


def gradients_of(network: nn.Module) -> list[Tensor]:
    return [p.grad for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("shares", [1, 2, 3, 16])
@pytest.mark.parametrize("micro_batch", [0, 1, 3, 10, 64])
def test_pieces_and_shares_have_the_gradient_of_the_whole_batch(
    shares: int, micro_batch: int
) -> None:
    network, loss = computed(shares=shares, micro_batch=micro_batch)
    whole, of_whole = computed(shares=1)
    torch.testing.assert_close(loss, of_whole)
    torch.testing.assert_close(gradients_of(network), gradients_of(whole))
    assert not loss.requires_grad


@pytest.mark.parametrize("shares", [1, 2])
def test_no_piece_is_larger_than_asked_for(shares: int) -> None:
    assert computed(shares=shares, micro_batch=4)[0].largest <= 4
    assert computed(shares=1)[0].largest == 10


@pytest.mark.parametrize("shares", [1, 2])
def test_a_parameter_that_is_never_used_has_a_gradient_of_zeros(shares: int) -> None:
    network, _ = computed(shares=shares)
    assert network.idle.grad is not None
    assert not network.idle.grad.any()


@pytest.mark.parametrize("shares", [1, 2])
def test_a_batch_of_one_is_learnt(shares: int) -> None:
    torch.testing.assert_close(
        gradients_of(computed(1, shares=shares)[0]), gradients_of(computed(1, shares=1)[0])
    )


@pytest.mark.parametrize("shares", [1, 2])
def test_gradients_lie_in_memory_as_their_weights_do(shares: int) -> None:
    """The fused optimiser reads numbers in order of memory; of other orders it says nothing."""
    torch.manual_seed(0)
    turned = nn.Linear(3, 4, bias=False)

    def losses(lesson: Lesson) -> Tensor:
        assert isinstance(lesson, Numbers)
        turning = turned.weight.t() * torch.arange(12.0).view(3, 4)  # its gradient comes turned
        return lesson.x.sum(dim=1) + turning.sum()

    gradients = Gradients(HeldWeights(turned), tiny_config(Path("pack.h5"), shares=shares), CPU)
    gradients.compute(losses, Numbers(torch.ones(2, 4)), 2, 2)
    found = turned.weight.grad
    assert found is not None
    assert found.stride() == turned.weight.stride()
    assert torch.equal(found, torch.arange(12.0).view(3, 4).t())


def test_networks_that_keep_statistics_or_drop_out_see_the_batch_whole() -> None:
    config = tiny_config(Path("pack.h5"), shares=4)
    plain, normed = nn.Linear(2, 2), nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    assert share_count(config, plain, CPU) == 4
    assert share_count(config, normed, CPU) == 1
    assert share_count(tiny_config(Path("p"), unet={"dropout": 0.1}), plain, CPU) == 1
    assert share_count(config, plain, torch.device("cuda")) == 1
    assert has_statistics(normed)
    assert not has_statistics(nn.GroupNorm(1, 1))


def test_statistics_of_a_bad_batch_are_put_back() -> None:
    network = nn.BatchNorm2d(1)
    statistics = Statistics(network)
    network(torch.ones(2, 1, 4, 4))
    good = {name: buffer.clone() for name, buffer in network.named_buffers()}
    for bad in (True, False):
        statistics.note()
        network(torch.full((2, 1, 4, 4), 7.0))
        statistics.put_back(torch.tensor(bad))
        same = all(torch.equal(good[name], now) for name, now in network.named_buffers())
        assert same == bad


def test_bfloat16_is_for_gpus_unless_asked_for() -> None:
    cuda, config = torch.device("cuda"), tiny_config(Path("pack.h5"))
    assert uses_bfloat16(config, cuda)
    assert not uses_bfloat16(config, CPU)
    assert uses_bfloat16(tiny_config(Path("p"), precision="bfloat16"), CPU)
    assert not uses_bfloat16(tiny_config(Path("p"), precision="float32"), cuda)
