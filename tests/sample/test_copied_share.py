"""The estimate of how many per cent are copies: unbiased, honest about its doubt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sample.copied_share import Chances, CopiedShare, copied_share, false_alarm_chances


def estimate(judged: int, counted: int) -> CopiedShare:
    """As with 300 calibration pictures, the third-lowest the border, 1 of 100 new ones counted,
    and 632 of 660 planted copies."""
    return copied_share(judged, counted, [(1.0, false_alarm_chances(3, 300, 1, 100))], 632, 660)


@pytest.mark.parametrize(
    ("counted", "share"), [(0, 0.0), (2, 0.0), (22, 0.1), (100, 0.5), (200, 1.0)]
)
def test_known_shares_lie_in_the_interval(counted: int, share: float) -> None:
    found = estimate(200, counted)
    assert found.rate is not None
    low, high = found.interval
    assert low <= share <= high
    assert low <= found.rate <= high
    assert found.rate == pytest.approx(share, abs=0.06)
    assert high - low < 0.25


def test_no_flags_mean_none_up_to_about_three_in_n() -> None:
    low, high = estimate(1000, 0).interval
    assert low == 0
    assert high < 0.005


def test_everything_flagged_means_all() -> None:
    found = estimate(1000, 1000)
    assert found.rate == 1
    assert found.interval[1] == 1
    assert found.interval[0] > 0.85


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    # However the copies are disguised, as long as the audit's are no easier to find on average.
    chance = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.5, 1.0):
        held = 0
        for _ in range(40):
            false = chance.beta(3, 298)  # of a border at the third-lowest of 300
            rates = np.where(np.arange(200) < share * 200, chance.choice([1.0, 0.98, 0.96]), false)
            low, high = estimate(200, int((chance.random(200) < rates).sum())).interval
            held += low - 1e-9 <= share <= high + 1e-9
        assert held >= 36, share


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.data())
def test_the_estimate_is_a_share_and_grows_with_what_is_counted(
    judged: int, data: st.DataObject
) -> None:
    counted = data.draw(st.integers(0, judged - 1))
    fewer, more = estimate(judged, counted), estimate(judged, counted + 1)
    assert fewer.rate is not None
    assert more.rate is not None
    assert 0 <= fewer.interval[0] <= fewer.rate <= fewer.interval[1] <= 1
    assert fewer.rate <= more.rate + 1e-9


def test_the_same_counts_give_the_same_answer() -> None:
    assert estimate(137, 9) == estimate(137, 9)


@pytest.mark.parametrize("judged", [0, 10])
def test_without_error_rates_or_pictures_nothing_is_estimated(judged: int) -> None:
    chances = false_alarm_chances(3, 300, 0, 0)
    counted = min(3, judged)
    empty = [copied_share(judged, counted, [], 60, 60)]
    empty.append(copied_share(judged, counted, [(1.0, chances)], 0, 0))
    empty.append(copied_share(0, 0, [(1.0, chances)], 60, 60))
    for found in empty:
        assert (found.rate, found.interval) == (None, (0.0, 1.0))


def test_a_test_that_finds_nothing_says_nothing() -> None:
    blind = copied_share(100, 1, [(1.0, false_alarm_chances(1, 99, 0, 0))], 0, 60)
    assert blind.interval[0] == 0
    assert blind.interval[1] == 1


def test_false_alarms_follow_the_order_statistic() -> None:
    # The k-th smallest of n exchangeable scores: a new one is below it with chance Beta(k, n+1-k).
    chance = np.random.default_rng(0)
    borders = np.sort(chance.random((4000, 99)), axis=1)[:, 1]
    expected = false_alarm_chances(2, 99, 0, 0)
    assert (expected.hits, expected.misses) == (2, 98)
    assert borders.mean() == pytest.approx(expected.mean, rel=0.05)
    assert borders.std() == pytest.approx(np.sqrt(0.02 * 0.98 / 101), rel=0.05)


def test_strata_weigh_as_they_occur() -> None:
    lax, strict = Chances(20, 80), Chances(1, 999)
    mostly_lax = copied_share(200, 38, [(0.95, lax), (0.05, strict)], 60, 60)
    mostly_strict = copied_share(200, 38, [(0.05, lax), (0.95, strict)], 60, 60)
    assert mostly_lax.interval[0] == 0
    assert mostly_strict.interval[0] > 0.1
