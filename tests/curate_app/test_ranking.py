"""The laws of the Bradley-Terry fit, its agreement with choix, and how honest its intervals are."""

from typing import Any

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app import posterior
from curate_app.posterior import PRIOR_SPREAD
from curate_app.ranking import Votes, fit
from dataset.errors import DataError
from tests.curate_app.simulated_judge import NO_VOTES, random_votes

ITEMS = 8
one_vote = st.tuples(
    st.integers(0, ITEMS - 1), st.integers(1, ITEMS - 1), st.sampled_from([-1, 0, 1])
)


@st.composite
def some_votes(draw: st.DrawFn) -> Votes:
    rows = draw(st.lists(one_vote, min_size=1, max_size=30))
    left, step, outcome = (np.array(column) for column in zip(*rows, strict=True))
    return Votes.of(left, (left + step) % ITEMS, outcome)


@pytest.mark.parametrize("ties", [False, True])
def test_mode_is_that_of_choix_with_the_same_prior(ties: bool) -> None:
    _truth, votes = random_votes(500, 3_000)
    if ties:  # half a win each: to choix a win and a loss, and all other votes twice
        votes = Votes.of(votes.left, votes.right, np.where(np.arange(3_000) % 7, votes.outcome, 0))
    pairs = []
    for left, right, won in zip(votes.left, votes.right, votes.outcome, strict=True):
        both = [(int(left), int(right)), (int(right), int(left))]
        pairs += both if won == 0 else 2 * [both[0] if won > 0 else both[1]]
    # choix penalises by alpha times the sum of squares; of doubled votes, by twice as much.
    theirs = choix.opt_pairwise(500, pairs, alpha=1 / PRIOR_SPREAD**2, tol=1e-9)
    ours = fit(500, votes, spread=PRIOR_SPREAD, with_bias=False)
    assert np.abs(ours.mode - theirs).max() < 1e-4


@given(some_votes(), st.permutations(range(ITEMS)))
@settings(max_examples=30, deadline=None)
def test_renumbering_the_items_renumbers_the_scores(votes: Votes, order: list[int]) -> None:
    names = np.array(order)
    renamed = Votes.of(names[votes.left], names[votes.right], votes.outcome)
    one, other = fit(ITEMS, votes, spread=1.0), fit(ITEMS, renamed, spread=1.0)
    assert np.allclose(one.scores, other.scores[names], atol=1e-3)
    assert np.allclose(one.deviations, other.deviations[names], atol=1e-3)


@given(some_votes(), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_a_prior_moved_by_a_constant_moves_every_score_by_it(votes: Votes, by: float) -> None:
    one, other = fit(ITEMS, votes, spread=1.0), fit(ITEMS, votes, spread=1.0, prior=by)
    assert np.allclose(one.scores + by, other.scores, atol=1e-3)
    assert np.allclose(one.deviations, other.deviations, atol=1e-3)


@given(some_votes())
@settings(max_examples=30, deadline=None)
def test_swapping_the_sides_of_all_votes_turns_the_bias_round(votes: Votes) -> None:
    swapped = Votes.of(votes.right, votes.left, -votes.outcome)
    one, other = fit(ITEMS, votes, spread=1.0), fit(ITEMS, swapped, spread=1.0)
    assert one.bias == pytest.approx(-other.bias, abs=1e-3)
    assert np.allclose(one.scores, other.scores, atol=1e-3)


@given(some_votes())
@settings(max_examples=30, deadline=None)
def test_reversing_all_outcomes_reverses_the_scores(votes: Votes) -> None:
    turned = Votes.of(votes.left, votes.right, -votes.outcome)
    one, other = fit(ITEMS, votes, spread=1.0), fit(ITEMS, turned, spread=1.0)
    assert np.allclose(one.scores, -other.scores, atol=1e-3)


def test_more_votes_of_the_same_kind_never_make_a_score_less_sure() -> None:
    _truth, votes = random_votes(40, 400)
    before = np.full(40, PRIOR_SPREAD)
    for count in (0, 50, 100, 200, 400):
        now = fit(40, votes.chosen(np.arange(400) < count), spread=PRIOR_SPREAD).deviations
        # A vote between items far apart tells little, and the curve may flatten a little.
        assert (now <= before * 1.15).all()
        assert now.mean() <= before.mean() + 1e-9
        before = now


def test_a_tie_draws_two_items_together() -> None:
    won = Votes.of([0, 0], [1, 1], [1, 1])
    tied = Votes.of([0, 0, 0], [1, 1, 1], [1, 1, 0])
    gaps = [np.ptp(fit(2, votes, spread=1.5).scores) for votes in (won, tied)]
    assert gaps[1] < gaps[0]


def test_without_votes_the_scores_are_the_prior() -> None:
    found = fit(3, NO_VOTES, prior=[1.0, 0.0, -2.0])
    assert found.scores.tolist() == [1.0, 0.0, -2.0]
    assert found.deviations.tolist() == [PRIOR_SPREAD] * 3
    assert found.bias == 0.0
    assert fit(0, NO_VOTES).scores.shape == (0,)


def test_what_was_never_voted_on_does_not_touch_the_others() -> None:
    _truth, votes = random_votes(30, 200)
    small, large = fit(30, votes), fit(3_000, votes)
    assert np.allclose(small.scores, large.scores[:30], atol=1e-6)
    assert (large.scores[30:] == 0).all()
    assert (large.deviations[30:] == large.spread).all()


def test_never_beaten_item_has_a_finite_score() -> None:
    found = fit(2, Votes.of([0] * 10_000, [1] * 10_000, [1] * 10_000))
    assert np.isfinite(found.scores).all()
    assert found.scores[0] > 1 > -1 > found.scores[1]


@pytest.mark.parametrize("bias", [-0.8, 0.6])
def test_preference_for_a_side_is_found_and_does_not_spoil_the_scores(bias: float) -> None:
    truth, votes = random_votes(100, 4_000, bias=bias)
    found = fit(100, votes)
    assert abs(found.bias - bias) < 3 * found.bias_deviation
    assert found.bias_deviation < 0.06
    assert np.corrcoef(found.scores, truth)[0, 1] > 0.95
    assert fit(100, votes, with_bias=False).bias == 0.0


@pytest.mark.parametrize("spread", [0.7, 1.5, 3.0])
def test_spread_of_the_scores_is_found_from_the_votes(spread: float) -> None:
    found = [fit(300, random_votes(300, 3_000, seed, spread)[1]).spread for seed in range(4)]
    assert np.mean(found) == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize(("items", "per_item"), [(200, 10), (200, 30), (1_500, 6)])
def test_nine_of_ten_true_scores_lie_in_their_interval(items: int, per_item: int) -> None:
    covered = []
    for seed in range(5):
        truth, votes = random_votes(items, items * per_item // 2, seed)
        found = fit(items, votes)
        covered.append((np.abs(found.scores - truth) < 1.6449 * found.deviations).mean())
    assert 0.85 <= np.mean(covered) <= 0.95


def test_deviations_of_many_items_are_close_to_the_exact_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _truth, votes = random_votes(900, 5_000)
    exact = fit(900, votes, spread=1.5).deviations
    monkeypatch.setattr(posterior, "MOST_EXACT", 0)
    quick = fit(900, votes, spread=1.5).deviations
    assert (quick <= exact + 1e-9).all()
    assert (quick / exact).min() > 0.97


def test_earlier_fit_spares_steps_and_leads_to_the_same_place() -> None:
    _truth, votes = random_votes(300, 2_000)
    cold = fit(300, votes)
    warm = fit(300, votes, start=fit(300, votes.chosen(np.arange(2_000) < 1_990)))
    assert warm.steps < cold.steps
    assert np.allclose(warm.scores, cold.scores, atol=0.01)


@pytest.mark.parametrize(
    "columns",
    [
        ([0], [1, 2], [1]),
        ([[0]], [[1]], [[1]]),
        ([0], [0], [1]),
        ([0], [1], [2]),
        ([0.5], [1], [1]),
        (["a"], [1], [1]),
    ],
)
def test_votes_that_make_no_sense_are_refused(columns: tuple[list[int], ...]) -> None:
    with pytest.raises(DataError):
        Votes.of(*columns)


@pytest.mark.parametrize(
    ("items", "options"),
    [
        (1, {}),
        (2, {"prior": [0.0]}),
        (2, {"prior": [0.0, float("nan")]}),
        (2, {"spread": 0.0}),
        (2, {"spread": float("nan")}),
    ],
)
def test_fit_of_what_is_not_there_is_refused(items: int, options: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        fit(items, Votes.of([0], [1], [1]), **options)
    with pytest.raises(DataError):
        fit(2, Votes.of([-1], [1], [1]))
