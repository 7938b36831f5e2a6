"""Precision, recall, density, coverage: against loops, and in the right direction."""

from dataclasses import astuple

import numpy as np
import pytest

from dataset.errors import DataError
from sample.embed import Vectors
from sample.manifold import NEAREST, Manifold, manifold, replicated_manifold
from sample.resampling import resampled


def normal(count: int, seed: int, spread: float = 1.0, shift: float = 0.0) -> Vectors:
    found = np.random.default_rng(seed).normal(shift, spread, (count, 8))
    return found.astype(np.float32)


def by_loops(real: Vectors, drawn: Vectors) -> Manifold:
    """Naeem et al. 2020, equations 1 to 4 and 6, as they are written."""
    apart = np.linalg.norm(real[:, None].astype(float) - drawn[None], axis=2)  # (n, m)

    def radii(vectors: Vectors) -> list[float]:
        own = np.linalg.norm(vectors[:, None].astype(float) - vectors[None], axis=2)
        return [float(np.sort(row)[NEAREST]) for row in own]  # the vector itself is at 0

    balls = apart <= np.array(radii(real))[:, None]
    drawn_balls = apart <= np.array(radii(drawn))[None]
    return Manifold(
        precision=float(balls.any(axis=0).mean()),
        recall=float(drawn_balls.any(axis=1).mean()),
        density=float(balls.sum(axis=0).mean() / NEAREST),
        coverage=float(balls.any(axis=1).mean()),
    )


@pytest.mark.parametrize(("spread", "shift"), [(1.0, 0.0), (0.4, 0.0), (1.7, 0.0), (1.0, 1.0)])
def test_is_what_the_loops_say(spread: float, shift: float) -> None:
    real, drawn = normal(70, 1), normal(60, 2, spread, shift)
    expected = astuple(by_loops(real, drawn))
    assert astuple(manifold(real, drawn)) == pytest.approx(expected, abs=1e-9)


def test_the_same_set_is_precise_and_complete() -> None:
    vectors = normal(80, 3)
    found = manifold(vectors, vectors.copy())
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    # Each is within its own ball, and within those that it is one of the nearest of.
    assert found.density == pytest.approx((NEAREST + 1) / NEAREST)


def test_few_kinds_drawn_well_are_precise_but_not_complete() -> None:
    found = manifold(normal(300, 4), normal(300, 5, spread=0.2))
    assert found.precision > 0.95
    assert found.recall < 0.2
    assert found.coverage < 0.4


def test_everything_and_more_is_complete_but_not_precise() -> None:
    found = manifold(normal(300, 6), normal(300, 7, spread=3.0))
    assert found.recall > 0.9
    assert found.precision < 0.2


def test_what_is_far_away_is_neither() -> None:
    assert manifold(normal(50, 8), normal(50, 9, shift=100.0)) == Manifold(0.0, 0.0, 0.0, 0.0)


def test_one_outlier_among_the_real_disturbs_density_less_than_precision() -> None:
    real, drawn = normal(100, 10), normal(100, 11, shift=6.0)
    real[0] = 12.0  # its ball reaches over everything that is drawn
    assert manifold(real, drawn).precision > 0.9
    assert manifold(real, drawn).density < 0.5


def test_blank_pictures_that_are_all_the_same_do_not_fail() -> None:
    same = np.zeros((20, 8), np.float32)
    found = manifold(same, same.copy())
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_large_numbers_that_hardly_differ_are_told_apart() -> None:
    real = normal(60, 12) + 1000.0
    assert manifold(real, real.copy()).precision == 1.0
    assert manifold(real, real + 30.0).precision == 0.0


def test_replicates_are_repeatable_and_around_the_value() -> None:
    real, drawn = normal(200, 13), normal(200, 14, 0.8)
    counts = resampled(200, 30, 0, 0), resampled(200, 30, 0, 1)
    once, again = (replicated_manifold(real, drawn, *counts) for _ in range(2))
    assert once.tobytes() == again.tobytes()
    assert once.shape == (30, 4)
    values = np.array(astuple(manifold(real, drawn)))
    assert once.mean(axis=0) == pytest.approx(values, rel=0.2)


def test_fewer_than_six_have_no_balls() -> None:
    with pytest.raises(DataError, match="need 6 pictures, there are 5"):
        manifold(normal(5, 15), normal(50, 16))
