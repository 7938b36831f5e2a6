"""The charts: every picture is counted, nothing leaves the frame."""

import re

import pytest

from sample.report_charts import HEIGHT, WIDTH, histogram_bars, ratio_height, scatter


def test_the_histogram_counts_everything_and_stacks() -> None:
    bars = histogram_bars({"copy": [0.01, 0.02], "novel": [0.01, 0.9, 5.0]})
    heights = {bar.height for bar in bars}
    assert sum(bar.height for bar in bars) == pytest.approx(5 * min(heights))
    first = [bar for bar in bars if bar.x == 0]
    assert [bar.set for bar in first] == ["copy", "novel"]
    assert min(bar.y for bar in first) == pytest.approx(0)
    assert histogram_bars({"copy": []}) == []


def test_the_scatter_keeps_every_dot_inside_the_frame() -> None:
    drawn = scatter(
        {"held-out": [(1.0, 0.5), (2.0, 9.0)], "copy": [(1.5, 0.0)], "novel": []},
        [(1.5, "plain"), (99.0, "never seen")],
    )
    assert drawn is not None
    assert [(dots.set, dots.count) for dots in drawn.dots] == [("held-out", 2), ("copy", 1)]
    for dots in drawn.dots:
        for x, y in re.findall(r"M([\d.e+-]+) ([\d.e+-]+)h0", dots.path):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT
    assert drawn.dots[1].path.endswith(f" {HEIGHT}h0")
    assert [bound.text for bound in drawn.bounds] == ["plain"]
    assert drawn.bounds[0].at == pytest.approx(WIDTH / 2, abs=2)


def test_a_stratum_too_narrow_for_its_name_goes_without() -> None:
    pairs = [(float(place), 0.5) for place in range(101)]
    drawn = scatter({"novel": pairs}, [(50.0, "plain"), (55.0, "middling")])
    assert drawn is not None
    assert [bound.text for bound in drawn.bounds] == ["plain", ""]


def test_equal_places_are_drawn_once() -> None:
    drawn = scatter({"novel": [(1.0, 0.5)] * 9 + [(3.0, 0.5)] * 2000})
    assert drawn is not None
    assert drawn.dots[0].path.count("M") == 2


def test_one_dot_and_no_dot_are_charts_too() -> None:
    drawn = scatter({"novel": [(1.0, 0.5)]})
    assert drawn is not None
    assert drawn.dots[0].path.count("M") == 1
    assert scatter({"novel": []}) is None


def test_a_ratio_lies_between_the_edges() -> None:
    assert ratio_height(0.0) == HEIGHT
    assert ratio_height(7.0) == 0
