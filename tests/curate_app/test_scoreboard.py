"""What the rank screen says of a class: percentages that claim nothing, places, the strip."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app.ranker import HeldOut, Standing
from curate_app.scoreboard import (
    certainty_of,
    count_text,
    facts_line,
    percent,
    progress_of,
    strip_of,
)


def standing(contenders: int, k: int, *, votes: int = 50, wrong: float = 1.0) -> Standing:
    """Scores that fall by 0.1 from place to place."""
    places = np.arange(contenders)
    return Standing(
        label="dog",
        k=k,
        contenders=contenders,
        votes=votes,
        fitted_votes=votes,
        aside_votes=0,
        people=1,
        ids=places.astype(np.int64) + 1,
        scores=-0.1 * places.astype(np.float64),
        deviations=np.full(contenders, 0.5),
        vote_counts=np.full(contenders, 3),
        probability=(places < k).astype(np.float64),
        tied=np.abs(places - k) < 2,
        expected_wrong=wrong,
        settled=False,
        heldout=HeldOut(accuracy=0.0, low=0.0, high=1.0, votes=0),
        left_bias=0.0,
        left_bias_deviation=0.5,
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0001, "<1 %"),
        (0.012, "1 %"),
        (0.5, "50 %"),
        (0.9899, "99 %"),
        (0.9999, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_probability_is_never_rounded_to_a_certainty(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (0.001, "<0.01"),
        (0.04, "0.04"),
        (0.25, "0.25"),
        (1.0, "1"),
        (9.94, "9.9"),
        (123.4, "123"),
    ],
)
def test_expected_number_has_as_many_digits_as_it_deserves(number: float, text: str) -> None:
    assert count_text(number) == text


def test_line_says_what_is_left_to_do() -> None:
    assert progress_of(standing(1, 1)).line == "nothing to compare"
    assert progress_of(standing(4, 4)).line == "all 4 are in the top 4"
    assert progress_of(standing(40, 4, votes=0)).line == "no votes yet; 4 of 40 to find"
    line = "12 of the top 50 expected to be wrong; stop when 1 or fewer are"
    assert progress_of(standing(400, 50, wrong=12.3)).line == line
    done = replace(standing(400, 50, wrong=0.9), settled=True)
    assert progress_of(done).line == "the top 50 are settled: 0.9 of 50 expected to be wrong"
    assert progress_of(done).sure == "0.9 of 50 are expected to be wrong."


@given(st.integers(3, 500), st.data())
def test_bar_grows_as_errors_fall_and_is_full_only_when_settled(
    n: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, n - 1))
    start = k * (1 - k / n)
    wrong = sorted(data.draw(st.lists(st.floats(0.001, 1), min_size=2, max_size=5)), reverse=True)
    bars = [progress_of(standing(n, k, wrong=start * share)).done for share in wrong]
    assert bars == sorted(bars)
    assert all(0 <= bar < 1 for bar in bars)
    assert progress_of(replace(standing(n, k, wrong=start), settled=True)).done == 1


@given(st.integers(2, 300), st.data())
def test_strip_keeps_every_mark_inside_and_draws_the_cut_between_two_of_them(
    n: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, n))
    strip = strip_of(standing(n, k))
    if strip is None:
        return
    for mark in strip.marks:
        assert 0 <= mark.high <= mark.y <= mark.low <= strip.height
        assert 0 < mark.x < strip.width
    assert [mark.y for mark in strip.marks] == sorted(mark.y for mark in strip.marks)
    if k == n:
        assert strip.cut is None
    else:
        assert strip.cut is not None
        assert all((mark.x < strip.cut) == mark.inside for mark in strip.marks)


def test_a_place_is_sure_by_its_probability_and_not_by_where_it_stands() -> None:
    probability = np.array([0.95, 0.8, 0.5, 0.02, 0.02, 0.5, 0.1, 0.0])
    votes = np.array([3, 3, 3, 3, 0, 3, 3, 0])
    tied = (probability > 0.05) & (probability < 0.95)
    told = replace(standing(8, 5), probability=probability, vote_counts=votes, tied=tied)
    found = [certainty_of(told, row) for row in range(8)]
    assert found == ["sure", "sure", "open", "unproven", "unproven", "open", "", ""]
    strip = strip_of(told)
    assert strip is not None
    assert "2 of the top 5 are sure so far" in strip.caption
    assert certainty_of(replace(told, votes=0), 0) == "unproven"


def test_no_strip_without_votes() -> None:
    assert strip_of(standing(20, 5, votes=0)) is None


def test_bias_is_told_only_when_it_is_notable() -> None:
    slight = replace(standing(20, 5), left_bias=0.05, left_bias_deviation=0.01)
    unsure = replace(standing(20, 5), left_bias=0.6, left_bias_deviation=0.4)
    strong = replace(standing(20, 5), left_bias=-0.405, left_bias_deviation=0.1)
    assert "chosen" not in facts_line(slight)
    assert "chosen" not in facts_line(unsure)
    assert "of two equals the right one is chosen 60 % of the time" in facts_line(strong)


def test_facts_tell_votes_people_and_the_held_out_accuracy_with_its_interval() -> None:
    heldout = HeldOut(accuracy=0.8, low=0.55, high=0.93, votes=15)
    told = replace(standing(20, 5, votes=1234), people=2, heldout=heldout, aside_votes=17)
    assert facts_line(told) == (
        "1,234 votes by 2 people; of 15 set aside the scores foretell 80 % "
        "(95 % interval 55 % to 93 %)."
    )
    assert "17 set aside to measure the fit" in facts_line(
        replace(told, heldout=HeldOut(accuracy=0.0, low=0.0, high=1.0, votes=0))
    )
