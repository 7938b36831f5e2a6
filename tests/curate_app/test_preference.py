"""Intervals and stopping: pinned values, laws of the mixture, how often a fair coin misleads."""

import math

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app.preference import (
    LEVEL,
    always_valid,
    log_evidence,
    preference_of,
    strengths,
    wilson,
)

COUNTS = st.integers(0, 400)


def test_wilson_gives_the_values_of_the_textbook() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_evidence_is_the_mixture_likelihood_ratio() -> None:
    """B(3 + 8, 1 + 8) / B(8, 8) over 0.3^3 0.7 = 10! 8! 15! / (19! 7! 7!) / 0.0189."""
    f = math.factorial
    expected = f(10) * f(8) * f(15) / (f(19) * f(7) * f(7)) / (0.3**3 * 0.7)
    assert math.exp(log_evidence(3, 1, 0.3)) == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("votes", [1, 7, 40])
def test_evidence_has_the_mean_1_under_its_own_share(share: float, votes: int) -> None:
    mean = sum(
        math.comb(votes, wins)
        * share**wins
        * (1 - share) ** (votes - wins)
        * math.exp(log_evidence(wins, votes - wins, share))
        for wins in range(votes + 1)
    )
    assert mean == pytest.approx(1.0)


@given(share=st.floats(0.05, 0.95), tie=st.floats(0, 1), wins=COUNTS, losses=COUNTS)
def test_ties_as_halves_never_raise_the_expected_evidence(
    share: float, tie: float, wins: int, losses: int
) -> None:
    """One more vote of mean `share`, of which a part of the chance is put on 1/2."""
    half = tie * 2 * min(share, 1 - share)
    win, before = share - half / 2, log_evidence(wins, losses, share)
    steps = [(win, 1.0, 0.0), (half, 0.5, 0.5), (1 - win - half, 0.0, 1.0)]
    after = sum(
        chance * math.exp(log_evidence(wins + more, losses + fewer, share) - before)
        for chance, more, fewer in steps
    )
    assert after <= 1 + 1e-9


@given(wins=COUNTS, losses=COUNTS)
def test_interval_for_every_moment_holds_the_share_and_is_wider_than_wilsons(
    wins: int, losses: int
) -> None:
    low, high = always_valid(wins, losses)
    fixed_low, fixed_high = wilson(wins, wins + losses)
    assert 0 <= low <= fixed_low + 1e-9
    assert fixed_high - 1e-9 <= high <= 1
    mirrored = always_valid(losses, wins)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-9)


@given(wins=st.integers(5, 300), losses=st.integers(5, 300))
def test_evidence_at_the_ends_of_the_interval_is_just_enough(wins: int, losses: int) -> None:
    for end in always_valid(wins, losses):
        assert log_evidence(wins, losses, end) == pytest.approx(math.log(20), abs=1e-6)


def coins(share: float, runs: int, votes: int, seed: int = 0) -> list[list[float]]:
    thrown = np.random.default_rng(seed).random((runs, votes)) < share
    return [row.astype(float).tolist() for row in thrown]


def test_whoever_looks_after_every_vote_is_misled_by_a_fair_coin_at_most_5_times_in_100() -> None:
    misled = [preference_of(0, 1, row, LEVEL).state for row in coins(0.5, 300, 400)]
    wrong = sum(state in ("first", "second") for state in misled)
    assert wrong <= 0.05 * 300
    # Wilson's interval, looked at as often, misleads many times as often.
    naive = 0
    for row in coins(0.5, 300, 400):
        wins = np.cumsum(row)
        naive += any(
            not wilson(float(w), n)[0] <= 0.5 <= wilson(float(w), n)[1]
            for n, w in enumerate(wins, 1)
            if n >= 10
        )
    assert naive > 0.2 * 300


def test_plain_preference_is_settled_soon_and_equality_in_the_end() -> None:
    strong = [preference_of(0, 1, row, LEVEL) for row in coins(0.7, 60, 300)]
    assert {one.state for one in strong} == {"first"}
    assert sorted(one.settled_after or 0 for one in strong)[30] < 80
    even = preference_of(0, 1, [1.0, 0.0] * 400, LEVEL)
    assert even.state == "equal"
    assert even.settled_after is not None
    assert 150 < even.settled_after < 350


def test_settled_once_is_settled_for_ever() -> None:
    votes = [0.0] * 30
    first = preference_of(0, 1, votes, LEVEL)
    assert (first.state, first.settled_after) == ("second", 14)
    later = preference_of(0, 1, [*votes, *([1.0] * 60)], LEVEL)
    assert (later.state, later.settled_after) == ("second", 14)
    assert later.share == pytest.approx(60 / 90)


def test_several_pairs_share_the_5_percent() -> None:
    votes = [1.0] * 14
    assert preference_of(0, 1, votes, LEVEL).state == "first"
    assert preference_of(0, 1, votes, LEVEL / 3).state == "open"


def test_without_votes_nothing_is_known() -> None:
    none = preference_of(0, 1, [], LEVEL)
    assert (none.votes, none.share, none.state, none.settled_after) == (0, 0.5, "open", None)
    assert none.always == none.wilson == (0.0, 1.0)
    assert [one.score for one in strengths(3, [])] == [0.0, 0.0, 0.0]


def test_ties_are_half_a_vote_for_each() -> None:
    one = preference_of(0, 1, [1.0, 0.5, 0.5, 0.0, 1.0], LEVEL)
    assert (one.wins, one.ties, one.losses, one.share) == (2, 2, 1, 0.6)
    assert one.wilson == wilson(3, 5)


def test_strengths_are_those_of_another_bradley_terry_fit() -> None:
    true, dice = [0.9, 0.0, -0.3, -0.6], np.random.default_rng(1)
    votes = []
    for _ in range(3000):
        a, b = dice.choice(4, 2, replace=False).tolist()
        chance = 1 / (1 + math.exp(true[b] - true[a]))
        votes.append((a, b, float(dice.random() < chance)))
    theirs = choix.ilsr_pairwise(4, [(a, b) if v else (b, a) for a, b, v in votes], alpha=1e-6)
    ours = strengths(4, votes)
    assert [one.number for one in ours] == [0, 1, 2, 3]
    for one in ours:
        assert one.score == pytest.approx(theirs[one.number] - theirs.mean(), abs=0.02)
        assert abs(one.score - true[one.number]) < one.margin + 0.1


@settings(max_examples=30)
@given(wins=st.integers(20, 200), losses=st.integers(20, 200))
def test_two_sets_have_the_log_odds_of_their_votes(wins: int, losses: int) -> None:
    votes = [(0, 1, 1.0)] * wins + [(0, 1, 0.0)] * losses
    found = {one.number: one for one in strengths(2, votes)}
    gap = found[0].score - found[1].score
    assert gap == pytest.approx(math.log(wins / losses), abs=0.12)
    # Half of the gap each, with half of its deviation: 1.96 / 2 sqrt(1/wins + 1/losses).
    usual = 0.98 * math.sqrt(1 / wins + 1 / losses)
    assert found[0].margin == pytest.approx(usual, rel=0.1)
    assert found[0].margin == pytest.approx(found[1].margin)
