"""A cut through scores: every number exact, both sides of it in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app.cutting import Cutting, rules_to_cut
from dataset.quality import MEASURES, PRESETS, Rule

BLUR = Rule("blur", "sharpness", "low", 0.5)
BORDER = Rule("border", "border", "high", 0.5)
SMALL = Rule("too-small", "side", "low", 96.0)

scores = st.lists(st.integers(0, 10_000).map(lambda n: n / 10_000), max_size=60)


def cutting(rule: Rule, values: list[float]) -> Cutting:
    ids = np.arange(1, len(values) + 1, dtype=np.int64)
    return Cutting(rule, ids, np.array(values, np.float32))


@pytest.mark.parametrize("rule", [BLUR, BORDER])
@given(values=scores, cut=st.integers(0, 10_000).map(lambda n: n / 10_000))
def test_counts_and_sides_are_those_of_the_rule_itself(
    rule: Rule, values: list[float], cut: float
) -> None:
    cut_here = Rule(rule.issue, rule.measure, rule.bad, cut)
    bad = {i for i, value in enumerate(values, 1) if cut_here.is_met(value)}
    made = cutting(rule, values)
    assert set(made.bad_ids(cut)) == bad
    stops = made.stops(cut)
    assert made.bad(stops)[stops.index(cut)] == len(bad)
    near, good, worst = made.around(cut, 5)
    assert len(near) == min(5, len(bad))
    assert set(near) <= bad
    assert set(good).isdisjoint(bad)
    assert len(good) == min(5, len(values) - len(bad))
    assert set(worst) <= bad - set(near)
    away = [abs(np.float32(values[i - 1]) - np.float32(cut)) for i in near]
    assert away == sorted(away)


@given(values=scores)
def test_bars_hold_every_picture_once(values: list[float]) -> None:
    made = cutting(BLUR, values)
    for log_counts in (True, False):
        bars = made.bars(made.stops(), log_counts=log_counts)
        assert sum(bar.count for bar in bars) == len(values)
        assert max(bar.height for bar in bars) == (100 if values else 0)
        assert bars[0].x == 0
        assert bars[-1].x + bars[-1].width == pytest.approx(100, abs=0.01)


def test_a_score_at_the_cut_is_on_its_good_side() -> None:
    values = [0.35, 0.36, 0.37]
    assert cutting(BLUR, values).bad_ids(0.36) == [1]
    assert cutting(BORDER, values).bad_ids(0.36) == [3]


def test_what_has_no_score_is_on_no_side() -> None:
    made = cutting(BLUR, [0.2, float("nan"), 0.8])
    assert (len(made), made.unknown) == (2, 1)
    assert made.bad([1.0]) == [2]


def test_stops_of_pixels_are_whole_and_reach_the_largest_picture() -> None:
    stops = cutting(SMALL, [40, 3000]).stops(96.5)
    assert stops == sorted(set(stops))
    assert (stops[0], 96.5 in stops) == (1.0, True)
    assert stops[-1] == 3000
    assert all(stop == int(stop) for stop in stops if stop != 96.5)
    assert 200 <= len(stops) <= 500


def test_every_measure_with_a_bad_end_can_be_cut_under_a_name_of_its_own() -> None:
    rules = rules_to_cut(PRESETS["logo"])
    assert rules[: len(PRESETS["logo"])] == list(PRESETS["logo"])
    bad = {measure.name for measure in MEASURES.values() if measure.bad != "neither"}
    assert {rule.measure for rule in rules} == bad
    assert len({rule.issue for rule in rules}) == len(rules)
