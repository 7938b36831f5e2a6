"""Who is among the best K, how many places are wrong, and when it is enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from curate_app.top_k import cut_of, limit_of, most_wrong, top_of
from dataset.errors import DataError

items = st.lists(st.tuples(st.floats(-4, 4), st.floats(0, 2)), min_size=1, max_size=30)


@given(items, st.integers(0, 35))
@settings(max_examples=60, deadline=None)
def test_chances_add_up_to_the_places(rows: list[tuple[float, float]], k: int) -> None:
    scores, deviations = np.array(rows).T
    top = top_of(scores, deviations, k)
    assert top.k == min(k, len(rows)) == top.inside.sum()
    assert top.probability.sum() == pytest.approx(top.k)
    assert ((top.probability >= 0) & (top.probability <= 1 + 1e-12)).all()
    assert top.expected_wrong == pytest.approx(top.probability[~top.inside].sum(), abs=1e-9)


@given(items, st.integers(0, 35))
@settings(max_examples=30, deadline=None)
def test_equal_items_have_equal_chances(rows: list[tuple[float, float]], k: int) -> None:
    scores, deviations = np.array([*rows, *rows]).T
    probability = top_of(scores, deviations, k).probability
    spread_out = deviations > 0  # of what is certain and equal, the earlier is taken
    half = len(rows)
    same = np.isclose(probability[:half], probability[half:])
    assert (same | ~spread_out[:half]).all()


def test_of_two_the_chance_is_that_of_the_difference() -> None:
    top = top_of([0.5, 0.0], [0.6, 0.8], 1)
    assert top.probability[0] == pytest.approx(norm.cdf(0.5), abs=0.015)
    assert top.inside.tolist() == [True, False]


@pytest.mark.parametrize(("size", "k"), [(300, 30), (300, 270), (1200, 600)])
def test_many_items_get_the_chances_that_drawing_gives_them(size: int, k: int) -> None:
    dice = np.random.default_rng(size + k)
    scores, deviations = dice.normal(0, 1, size), dice.uniform(0.8, 1.5, size)
    drawn = scores + deviations * dice.standard_normal((6000, size))
    best = np.argpartition(drawn, size - k, axis=1)[:, size - k :]
    share = np.bincount(best.ravel(), minlength=size) / 6000
    top = top_of(scores, deviations, k)
    assert top.probability == pytest.approx(share, abs=0.035)  # 3 deviations and 0.015
    assert top.probability.sum() == pytest.approx(k)
    assert top.expected_wrong == pytest.approx((1 - share[top.inside]).sum(), rel=0.03)


def test_few_left_out_are_not_settled_by_luck() -> None:
    assert limit_of(99, 100) == limit_of(1, 100) == 0.25
    assert limit_of(50, 400) == most_wrong(50)
    assert not top_of(np.zeros(100), np.full(100, 1.5), 99).settled
    assert top_of(np.zeros(100), np.full(100, 1.5), 100).settled


def test_certain_scores_are_settled_and_far_ones_are_not_drawn() -> None:
    top = top_of([3.0, 2.0, 1.0, 0.0], [0.01] * 4, 2)
    assert top.probability.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert top.expected_wrong == 0.0
    assert top.settled
    assert not top.tied.any()


def test_what_the_votes_cannot_tell_apart_at_the_cut_is_tied() -> None:
    top = top_of([9.0, 1.0, 1.0, -9.0], [0.5] * 4, 2)
    assert top.tied.tolist() == [False, True, True, False]
    assert not top.settled


def test_few_places_need_not_be_surer_than_three_in_four() -> None:
    assert most_wrong(1) == most_wrong(10) == 0.25
    assert most_wrong(100) == 2.0
    assert top_of([1.0, 0.0], [0.5, 0.5], 1).settled
    assert not top_of([0.4, 0.0], [0.5, 0.5], 1).settled


def test_same_question_gets_the_same_answer() -> None:
    dice = np.random.default_rng(4)
    scores, deviations = dice.normal(size=500), dice.uniform(0.2, 0.6, 500)
    one, other = (top_of(scores, deviations, 50).probability for _ in range(2))
    assert (one == other).all()


def test_own_guess_of_wrong_places_is_right_on_average() -> None:
    dice = np.random.default_rng(0)
    wrong, guessed = [], []
    for _ in range(60):
        truth = dice.normal(0, 1.5, 150)
        deviations = dice.uniform(0.3, 0.8, 150)
        # What is known of each: the posterior of a prior N(0, 1.5^2) and one noisy look.
        noise = 1 / np.sqrt(deviations**-2 - 1.5**-2)
        seen = truth + dice.normal(0, noise)
        top = top_of(seen * deviations**2 / noise**2, deviations, 15)
        wrong.append(15 - top.inside[np.argsort(-truth)[:15]].sum())
        guessed.append(top.expected_wrong)
    assert np.mean(guessed) == pytest.approx(np.mean(wrong), abs=0.5)


def test_cut_lies_between_the_last_in_and_the_first_out() -> None:
    assert cut_of(np.array([0.0, 3.0, 1.0]), 1) == 2.0
    assert cut_of(np.array([0.0, 3.0, 1.0]), 3) == 0.0
    assert cut_of(np.array([0.0, 3.0, 1.0]), 0) == 3.0
    assert cut_of(np.zeros(0), 0) == 0.0


@pytest.mark.parametrize(
    ("scores", "deviations", "k"),
    [
        ([1.0], [1.0, 2.0], 1),
        ([[1.0]], [[1.0]], 1),
        ([float("nan")], [1.0], 1),
        ([1.0], [-1.0], 1),
        ([1.0], [float("inf")], 1),
        ([1.0], [1.0], -1),
    ],
)
def test_what_is_no_score_is_refused(scores: list[float], deviations: list[float], k: int) -> None:
    with pytest.raises(DataError):
        top_of(scores, deviations, k)


def test_nothing_has_a_top_of_nothing() -> None:
    top = top_of([], [], 5)
    assert top.k == 0
    assert top.expected_wrong == 0.0
