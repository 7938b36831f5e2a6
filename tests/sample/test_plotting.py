"""The plot: curves over training where there is a course, else sets one under another."""

from typing import Any

import numpy as np

from sample.plotting import evaluation_figure, series_of

TITLES = {
    "kid": {"name": "KD ×1000", "more_is_better": False, "times": 1000.0, "digits": 2},
    "recall": {"name": "recall", "more_is_better": True, "times": 1.0, "digits": 3},
}


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def drawn(name: str, images_seen: int | None, value: float) -> dict[str, Any]:
    facts = {} if images_seen is None else {"images_seen": images_seen}
    figures = {"outline": {"kid": figure(value), "recall": figure(value)}}
    return {"name": name, "real": False, "n": 60, "facts": facts, "figures": figures}


def record(*sets: dict[str, Any]) -> dict[str, Any]:
    real = drawn("other training pictures", None, 0.0) | {"real": True}
    space = {"space": "outline", "encoder": "outline/1", "metrics": ["kid", "recall"]}
    return {
        "n": 60,
        "reference": "training pictures",
        "spaces": [space | {"titles": TITLES}],
        "sets": [real, *sets],
    }


def test_checkpoints_of_a_run_are_a_curve_over_the_images_seen() -> None:
    points = [drawn(f"tiny {seen} ddim:20", seen, 1.0 / seen) for seen in (300, 100, 200)]
    axes = evaluation_figure(record(*points)).axes
    assert axes[0].get_xlabel() == "images seen"
    (curve,) = [line for line in axes[0].lines if line.get_marker() == "o"]
    assert np.asarray(curve.get_xdata()).tolist() == [100, 200, 300]
    assert np.asarray(curve.get_ydata()).tolist() == [1000.0 / 100, 1000.0 / 200, 1000.0 / 300]


def test_samplers_are_curves_of_their_own_with_names() -> None:
    points = [
        drawn(f"tiny {seen} {way}", seen, 0.5)
        for seen in (100, 200)
        for way in ("ddim:9", "heun:9")
    ]
    made = evaluation_figure(record(*points))
    (legend,) = made.legends
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {"real against real", "tiny ddim:9", "tiny heun:9"}


def test_folders_lie_one_under_another_below_the_real_ones() -> None:
    made = evaluation_figure(record(drawn("a/samples", None, 0.3), drawn("b/samples", 48, 0.2)))
    names = [label.get_text() for label in made.axes[0].get_yticklabels()]
    assert names == ["other training pictures", "a/samples", "b/samples"]
    assert [label.get_text() for label in made.axes[1].get_yticklabels()] in ([], [""] * 3)
    assert "less is better" in made.axes[0].get_title()
    assert "more is better" in made.axes[1].get_title()


def test_a_figure_that_is_missing_and_an_interval_without_end_are_left_out() -> None:
    lacking = drawn("a", None, 0.3)
    del lacking["figures"]["outline"]["kid"]
    endless = drawn("b", None, 0.2)
    endless["figures"]["outline"]["kid"] |= {"low": float("-inf"), "high": float("inf")}
    evaluation_figure(record(lacking, endless)).canvas.draw()


def test_a_name_longer_than_the_panel_is_cut() -> None:
    made = evaluation_figure(record(drawn("a" * 80, None, 0.3)))
    assert len(made.axes[0].get_yticklabels()[1].get_text()) == 30


def test_a_series_is_the_name_without_the_images() -> None:
    assert series_of(drawn("tiny 100 ddim:100", 100, 0.0)) == "tiny ddim:100"
    assert series_of(drawn("samples", None, 0.0)) == "samples"
