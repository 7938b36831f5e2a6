"""Conformal p, Benjamini-Hochberg q and Wilson's interval against known answers and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sample.significance import (
    benjamini_hochberg,
    conformal_p,
    fewest_findings,
    wilson_interval,
)

# The example of Benjamini & Hochberg (1995), section 4.1: 15 endpoints of a clinical trial.
TRIAL_P = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]
SCORES = st.lists(st.integers(0, 12), min_size=2, max_size=30)


def test_p_counts_the_calibration_scores_that_are_as_small() -> None:
    p = conformal_p([0.1, 0.2, 0.35, 0.9], [0.2, 0.3, 0.4, 0.5])
    assert p.tolist() == [0.2, 0.4, 0.6, 1.0]


def test_without_calibration_every_p_is_one() -> None:
    assert conformal_p([0.0, 1.0], []).tolist() == [1.0, 1.0]


@given(SCORES)
def test_p_never_promises_more_than_it_keeps_on_exchangeable_scores(scores: list[int]) -> None:
    # Any of n + 1 exchangeable scores is as likely to be the new one: over all of them, the share
    # with p <= a is at most a.
    p = [
        conformal_p([score], scores[:place] + scores[place + 1 :])[0]
        for place, score in enumerate(scores)
    ]
    for level in sorted(set(p)):
        assert np.mean(np.array(p) <= level) <= level + 1e-12


@given(st.sets(st.integers(0, 1000), min_size=2, max_size=40))
def test_p_is_exactly_uniform_without_ties(scores: set[int]) -> None:
    p = [conformal_p([score], sorted(scores - {score}))[0] for score in scores]
    n = len(scores)
    assert np.allclose(sorted(p), np.arange(1, n + 1) / n)


def test_the_trial_of_benjamini_and_hochberg_has_four_findings() -> None:
    q = benjamini_hochberg(TRIAL_P)
    assert int((q <= 0.05).sum()) == 4
    assert q[:4] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625])


def test_q_in_any_order_of_the_p_values() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_q_is_at_least_p_at_most_one_and_keeps_the_order(p: list[float]) -> None:
    q = benjamini_hochberg(p)
    assert (q >= np.array(p) - 1e-12).all()
    assert (q <= 1).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= -1e-12).all()


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson_s_interval(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(hits, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("pictures", "calibration", "needed"), [(64, 55, 23), (64, 1279, 1), (1, 19, 1), (0, 10, 0)]
)
def test_how_many_findings_it_takes(pictures: int, calibration: int, needed: int) -> None:
    assert fewest_findings(pictures, calibration, 0.05) == needed
    if pictures:
        p = np.ones(pictures)
        p[:needed] = 1 / (calibration + 1)
        assert benjamini_hochberg(p)[0] <= 0.05
        p[needed - 1] = 1.0
        assert benjamini_hochberg(p)[0] > 0.05
