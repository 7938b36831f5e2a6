"""The Fréchet distance: known answers, another's answer, and when it must not be had."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from dataset.errors import DataError
from sample.embed import Vectors
from sample.frechet import frechet_distance, refusal, replicated_frechet
from sample.resampling import resampled


def normal(count: int, dim: int, seed: int, spread: float = 1.0, shift: float = 0.0) -> Vectors:
    found = np.random.default_rng(seed).normal(shift, spread, (count, dim))
    return found.astype(np.float32)


class AsItIs(nn.Module):
    """A feature extractor that torchmetrics may take: what is given is the vector already."""

    num_features = 24

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, : self.num_features]


def test_two_lines_of_numbers_have_the_distance_of_the_formula() -> None:
    first = np.array([[-1.0], [0.0], [1.0]], np.float32)  # mean 0, variance 1
    second = np.array([[1.0], [3.0], [5.0]], np.float32)  # mean 3, variance 4
    # (3 - 0)² + 1 + 4 - 2 √(1 · 4)
    assert frechet_distance(first, second) == pytest.approx(10.0, abs=1e-12)


def test_uncorrelated_numbers_add_up() -> None:
    first, second = normal(5000, 3, 1), normal(5000, 3, 2, spread=2.0, shift=1.0)
    # Each of three: 1² + (2 - 1)²
    assert frechet_distance(first, second) == pytest.approx(6.0, abs=0.5)


@pytest.mark.parametrize("dim", [1, 24, 200])
def test_the_same_set_is_at_distance_0(dim: int) -> None:
    vectors = 30.0 * normal(300, dim, 3)
    assert abs(frechet_distance(vectors, vectors.copy())) < 1e-4


def test_the_same_set_is_at_distance_0_where_numbers_never_vary() -> None:
    vectors = normal(300, 20, 4)
    vectors[:, 5:] = vectors[:, :1]  # most of the covariance is singular
    vectors[:, 19] = 7.0
    assert abs(frechet_distance(vectors, vectors.copy())) < 1e-4


def test_the_distance_has_no_direction_and_the_order_does_not_matter() -> None:
    first, second = normal(200, 24, 5), normal(150, 24, 6, 1.3, 0.2)
    there = frechet_distance(first, second)
    assert frechet_distance(second, first) == pytest.approx(there, rel=1e-9)
    assert frechet_distance(first[::-1], second) == pytest.approx(there, rel=1e-9)


def test_turning_both_sets_changes_nothing() -> None:
    first, second = normal(200, 24, 7), normal(200, 24, 8, 1.5)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(24, 24)))[0].astype(np.float32)
    turned = frechet_distance(first @ turn, second @ turn)
    assert turned == pytest.approx(frechet_distance(first, second), rel=1e-4)


@pytest.mark.parametrize(("spread", "shift"), [(1.0, 0.0), (1.2, 0.1), (0.3, 2.0)])
def test_agrees_with_torchmetrics_on_the_same_vectors(spread: float, shift: float) -> None:
    real, drawn = normal(400, 24, 10), normal(300, 24, 11, spread, shift)
    other = FrechetInceptionDistance(
        feature=AsItIs(), input_img_size=(3, 4, 4), normalize=True
    ).set_dtype(torch.float64)
    for vectors, is_real in ((real, True), (drawn, False)):
        padded = np.zeros((len(vectors), 48))
        padded[:, :24] = vectors
        other.update(torch.from_numpy(padded.reshape(-1, 3, 4, 4)), real=is_real)
    assert frechet_distance(real, drawn) == pytest.approx(float(other.compute()), abs=1e-3)


def test_the_same_call_gives_the_same_bits() -> None:
    first, second = normal(200, 24, 12), normal(200, 24, 13, 1.1)
    counts = resampled(200, 5, 0, 0), resampled(200, 5, 0, 1)
    once = replicated_frechet(first, second, *counts)
    again = replicated_frechet(first.copy(), second.copy(), *counts)
    assert once.tobytes() == again.tobytes()
    assert frechet_distance(first, second) == frechet_distance(first.copy(), second.copy())


def test_counting_every_vector_once_is_the_distance_itself() -> None:
    first, second = normal(60, 8, 14), normal(50, 8, 15)
    once = [np.ones((1, len(vectors)), np.int64) for vectors in (first, second)]
    found = replicated_frechet(first, second, *once)
    assert found[0] == pytest.approx(frechet_distance(first, second), rel=1e-9)


def test_a_vector_counted_twice_is_as_good_as_two_of_it() -> None:
    first, second = normal(30, 4, 16), normal(30, 4, 17)
    counts = np.array([[2, 0, 1] * 10])
    repeated = np.repeat(first, counts[0], axis=0)
    plain = np.ones((1, 30), np.int64)
    found = replicated_frechet(first, second, counts, plain)[0]
    assert found == pytest.approx(frechet_distance(repeated, second), rel=1e-9)


@pytest.mark.parametrize("count", [2, 23, 24])
def test_too_few_for_the_dimension_are_refused_with_the_reason(count: int) -> None:
    few, many = normal(count, 24, 18), normal(100, 24, 19)
    for pair in ((few, many), (many, few)):
        with pytest.raises(DataError, match=f"more than 24 pictures .* there are {count}: draw"):
            frechet_distance(*pair)


def test_one_more_than_the_dimension_is_enough() -> None:
    assert refusal("FID", 24, 25) is None
    assert frechet_distance(normal(25, 24, 20), normal(25, 24, 21)) > 0
    reason = refusal("FID", 2048, 2048)
    assert reason is not None
    assert "\n" not in reason
    assert "kernel distance" in reason
