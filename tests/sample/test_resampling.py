"""The bootstrap: counts that add up, streams that differ, intervals that hold the truth."""

import math

import numpy as np

from sample.resampling import figure, resampled, share


def test_every_replicate_takes_as_many_as_there_are() -> None:
    counts = resampled(50, 20, 0, 0)
    assert counts.shape == (20, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.min() == 0
    assert counts.max() > 1


def test_seed_and_stream_decide_the_draw() -> None:
    assert (resampled(50, 5, 1, 0) == resampled(50, 5, 1, 0)).all()
    assert (resampled(50, 5, 1, 0) != resampled(50, 5, 1, 1)).any()
    assert (resampled(50, 5, 1, 0) != resampled(50, 5, 2, 0)).any()


def test_the_interval_is_around_the_value_even_if_the_replicates_are_not() -> None:
    found = figure(1.0, np.array([3.0, 3.2, 3.4]), 0.0)
    assert found.low < found.value < found.high
    assert math.isclose(found.high - found.value, 1.959964 * 0.2)


def test_the_interval_stays_within_what_is_possible() -> None:
    found = figure(0.99, np.array([0.7, 1.0, 0.9]), 0.0, 1.0)
    assert found.high == 1.0
    assert figure(0.01, np.array([0.7, 1.0, 0.9]), 0.0, 1.0).low == 0.0


def test_one_replicate_says_nothing_of_the_spread() -> None:
    found = figure(1.0, np.array([1.0]), -math.inf)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_intervals_of_a_mean_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held = 0
    for trial in range(300):
        values = random.normal(2.0, 1.0, 60)
        replicated = resampled(60, 60, trial, 0) @ values / 60
        found = figure(float(values.mean()), replicated, -math.inf)
        held += found.low <= 2.0 <= found.high
    assert 0.90 <= held / 300 <= 0.98


def test_none_or_all_of_some_pictures_is_not_certain() -> None:
    none, every = (share(value, np.full(20, value), 100) for value in (0.0, 1.0))
    assert (none.low, every.high) == (0.0, 1.0)
    assert math.isclose(none.high, 0.037, abs_tol=1e-3)  # Wilson: 0 of 100
    assert math.isclose(every.low, 0.963, abs_tol=1e-3)
    wide = np.array([0.1, 0.5, 0.9])
    assert share(0.5, wide, 10**6) == figure(0.5, wide, 0.0, 1.0)
