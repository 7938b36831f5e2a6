"""The kernel distance: the definition term by term, another's answer, and no bias."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

from dataset.errors import DataError
from sample.embed import Vectors
from sample.kernel_distance import kernel_distance, replicated_kernel, subset_distance
from sample.resampling import resampled

DIM = 24
# torchmetrics says at every start that it keeps all vectors.
tells_of_its_memory = pytest.mark.filterwarnings("ignore:Metric `Kernel Inception:UserWarning")


def normal(count: int, seed: int, spread: float = 1.0, shift: float = 0.0) -> Vectors:
    found = np.random.default_rng(seed).normal(shift, spread, (count, DIM))
    return found.astype(np.float32)


def kernel(x: Vectors, y: Vectors) -> float:
    return (float(np.dot(x.astype(float), y.astype(float))) / len(x) + 1.0) ** 3


def by_definition(first: Vectors, second: Vectors) -> float:
    """Bińkowski et al. 2018, equation 4, one pair after another."""
    within = [
        np.mean([kernel(x, y) for i, x in enumerate(v) for j, y in enumerate(v) if i != j])
        for v in (first, second)
    ]
    across = np.mean([kernel(x, y) for x in first for y in second])
    return float(within[0] + within[1] - 2.0 * across)


class AsItIs(nn.Module):
    """A feature extractor for torchmetrics: what is given is the vector already."""

    num_features = DIM

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_is_the_definition() -> None:
    first, second = normal(9, 1), normal(7, 2, 1.4, 0.5)
    assert kernel_distance(first, second) == pytest.approx(by_definition(first, second), rel=1e-9)


def test_more_rows_than_a_block_change_nothing() -> None:
    first, second = normal(1100, 3), normal(30, 4)
    parts = kernel_distance(first, second)
    assert parts == pytest.approx(kernel_distance(second, first), rel=1e-9)
    assert parts == pytest.approx(kernel_distance(first[::-1], second), rel=1e-9)


@tells_of_its_memory
@pytest.mark.parametrize(("spread", "shift"), [(1.0, 0.0), (1.2, 0.1), (0.5, 1.0)])
def test_agrees_with_torchmetrics_over_all_pairs(spread: float, shift: float) -> None:
    real, drawn = normal(200, 5), normal(200, 6, spread, shift)
    other = KernelInceptionDistance(feature=AsItIs(), subsets=1, subset_size=200)
    other.set_dtype(torch.float64)
    other.update(torch.from_numpy(real).double(), real=True)
    other.update(torch.from_numpy(drawn).double(), real=False)
    assert kernel_distance(real, drawn) == pytest.approx(float(other.compute()[0]), abs=1e-3)


@tells_of_its_memory
def test_agrees_with_torchmetrics_over_subsets_under_the_same_seed() -> None:
    real, drawn = normal(300, 7), normal(250, 8, 1.2)
    other = KernelInceptionDistance(feature=AsItIs(), subsets=20, subset_size=60)
    other.update(torch.from_numpy(real), real=True)
    other.update(torch.from_numpy(drawn), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        mean, deviation = other.compute()
    ours = subset_distance(real, drawn, subsets=20, size=60, seed=3)
    assert ours.mean == pytest.approx(float(mean), abs=1e-3)
    assert ours.deviation == pytest.approx(float(deviation), abs=1e-3)


def test_sets_of_the_same_kind_are_at_distance_0_on_average() -> None:
    """Unbiased: with few pictures uncertain, but not larger."""
    found = [kernel_distance(normal(20, 2 * i), normal(20, 2 * i + 1)) for i in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    assert min(found) < 0


def test_a_shift_and_a_spread_are_seen() -> None:
    usual = kernel_distance(normal(300, 9), normal(300, 10))
    assert kernel_distance(normal(300, 9), normal(300, 10, shift=0.5)) > 10 * abs(usual)
    assert kernel_distance(normal(300, 9), normal(300, 10, spread=1.5)) > 10 * abs(usual)


def test_the_same_call_gives_the_same_bits() -> None:
    first, second = normal(150, 11), normal(150, 12)
    counts = resampled(150, 20, 4, 0), resampled(150, 20, 4, 1)
    once, again = (replicated_kernel(first, second, *counts) for _ in range(2))
    assert once.tobytes() == again.tobytes()
    one, other = (subset_distance(first, second, subsets=3, size=50, seed=1) for _ in range(2))
    assert one == other


def test_replicates_lie_around_the_value_though_vectors_are_taken_twice() -> None:
    first, second = normal(200, 13), normal(200, 14, shift=0.3)
    found = replicated_kernel(first, second, resampled(200, 300, 0, 0), resampled(200, 300, 0, 1))
    value = kernel_distance(first, second)
    assert found.mean() == pytest.approx(value, abs=0.15 * value)


def test_fewer_than_two_vectors_have_no_distance() -> None:
    with pytest.raises(DataError, match="needs 2 pictures, there are 1"):
        kernel_distance(normal(1, 15), normal(5, 16))


def test_a_subset_cannot_be_larger_than_the_set() -> None:
    with pytest.raises(DataError, match="subsets of 60 cannot be taken from 50"):
        subset_distance(normal(100, 17), normal(50, 18), size=60)
