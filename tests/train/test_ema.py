import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dataset.errors import DataError
from tests.train.kept_run import files_of, small_network, wander
from train.checkpoint import MODEL, STATE
from train.ema import WeightAverages, decay, exponent

WIDTHS = (0.05, 0.1)
# gamma of a width: the relative deviation of the profile (gamma + 1) tau^gamma on [0, 1].
KNOWN_EXPONENTS = {0.05: 16.972, 0.1: 6.937, 0.15: 3.558}


def profile_width(gamma: float) -> float:
    """The standard deviation of a power function's profile, as a share of the time."""
    return math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))


@pytest.mark.parametrize(("width", "gamma"), KNOWN_EXPONENTS.items())
def test_exponents_are_those_of_the_paper(width: float, gamma: float) -> None:
    assert exponent(width) == pytest.approx(gamma, abs=1e-3)
    assert profile_width(exponent(width)) == pytest.approx(width, rel=1e-9)


def test_the_steps_add_up_to_the_profile_whatever_the_first_weights_were() -> None:
    gamma, batch, steps = exponent(0.1), 8, 50
    shares = [0.0] * steps
    for step in range(1, steps + 1):
        kept = decay(gamma, step * batch, batch)
        shares = [share * kept for share in shares]
        shares[step - 1] += 1 - kept
    wanted = [((k + 1) / steps) ** (gamma + 1) - (k / steps) ** (gamma + 1) for k in range(steps)]
    assert shares == pytest.approx(wanted, abs=1e-12)
    assert sum(shares) == pytest.approx(1.0)


def test_the_average_is_the_sum_of_all_weights_so_far_by_their_shares() -> None:
    network = small_network()
    averages = WeightAverages(network, WIDTHS)
    seen: list[Tensor] = []
    for step in range(1, 21):
        wander(network, step)
        seen.append(next(network.parameters()).detach().double().clone())
        averages.update(network, step * 8, 8)
    for width, named in averages.by_width().items():
        gamma = exponent(width)
        shares = [(k / 20) ** (gamma + 1) - ((k - 1) / 20) ** (gamma + 1) for k in range(1, 21)]
        wanted = sum(share * weights for share, weights in zip(shares, seen, strict=True))
        assert isinstance(wanted, Tensor)
        assert torch.allclose(next(iter(named.values())).double(), wanted, atol=1e-6)


def test_after_the_first_step_every_average_is_the_weights() -> None:
    network = small_network()
    averages = WeightAverages(network, WIDTHS)
    wander(network, 1)
    averages.update(network, 8, 8)
    for named in averages.by_width().values():
        for name, parameter in network.named_parameters():
            assert torch.equal(named[name], parameter)


def test_the_averages_are_no_aliases_of_the_weights_or_of_each_other() -> None:
    network = small_network()
    averages = WeightAverages(network, WIDTHS)
    assert not any(parameter.requires_grad for parameter in averages.model.parameters())
    copies = [network.parameters(), *(named.values() for named in averages.by_width().values())]
    addresses = [tensor.data_ptr() for tensors in copies for tensor in tensors]
    assert len(set(addresses)) == len(addresses)


def test_what_is_drawn_with_is_the_first_average() -> None:
    network = small_network()
    averages = WeightAverages(network, WIDTHS)
    for step in range(1, 4):
        wander(network, step)
        averages.update(network, step * 8, 8)
    first, second = averages.by_width().values()
    for name, parameter in averages.model.named_parameters():
        assert torch.equal(parameter, first[name])
        assert not torch.equal(parameter, second[name])
        assert not torch.equal(parameter, network.get_parameter(name))


def test_buffers_are_copied_and_never_averaged() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    averages = WeightAverages(network, WIDTHS)
    for step in range(1, 6):
        network(torch.randn(4, 1, 3, 3) * step + step)
        averages.update(network, step * 4, 4)
    for (name, ours), theirs in zip(averages.model.named_buffers(), network.buffers(), strict=True):
        assert torch.equal(ours, theirs), name
    assert int(averages.model.get_buffer("1.num_batches_tracked")) == 5
    assert all("running" not in name for name in averages.by_width()[0.05])


def test_averages_are_restored_to_the_bit_and_go_on_alike() -> None:
    network = small_network()
    averages = WeightAverages(network, WIDTHS)
    for step in range(1, 6):
        wander(network, step)
        averages.update(network, step * 8, 8)
    files = files_of(network, averages)
    other = WeightAverages(small_network(), WIDTHS)
    other.restore(files[MODEL], files[STATE], Path("here"))
    wander(network, 6)
    for each in (averages, other):
        each.update(network, 48, 8)
    for width, named in averages.by_width().items():
        for name, tensor in named.items():
            assert torch.equal(tensor, other.by_width()[width][name])


@pytest.mark.parametrize("widths", [(0.05,), (0.05, 0.1, 0.2), (0.05, 0.12)])
def test_averages_of_other_widths_are_not_taken_for_these(widths: tuple[float, ...]) -> None:
    network = small_network()
    files = files_of(network, WeightAverages(network, WIDTHS))
    with pytest.raises(DataError, match=r"another architecture: average\."):
        WeightAverages(network, widths).restore(files[MODEL], files[STATE], Path("here"))


def test_parts_of_sharded_weights_are_averaged_as_the_whole_is() -> None:
    network = small_network()
    whole, parts = WeightAverages(network, WIDTHS), WeightAverages(network, WIDTHS)
    name, parameter = next(iter(network.named_parameters()))
    half = len(parameter) // 2
    parts.shard({name: parameter[:half]})
    for step in range(1, 4):
        wander(network, step)
        for each in (whole, parts):
            each.update(network, step * 8, 8)
    for width, named in parts.by_width().items():
        assert list(named) == [name]
        assert torch.equal(named[name], whole.by_width()[width][name][:half])


def test_a_part_is_cut_out_of_what_was_saved_whole() -> None:
    network = small_network()
    averages = WeightAverages(network, WIDTHS)
    wander(network, 1)
    averages.update(network, 8, 8)
    wander(network, 2)
    averages.update(network, 16, 8)
    files = files_of(network, averages)
    name, parameter = next(iter(network.named_parameters()))
    other = WeightAverages(small_network(), WIDTHS)
    other.shard({name: parameter[:2]})
    other.restore(files[MODEL], files[STATE], Path("here"), own=lambda _name, whole: whole[:2])
    for width, named in averages.by_width().items():
        assert torch.equal(other.by_width()[width][name], named[name][:2])
