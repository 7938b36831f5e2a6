"""Which figures there are, what they are called, and how they are shown."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from sample.embed import Vectors
from sample.evaluation_table import shown, table_lines
from sample.figures_of_merit import METRICS, compare, title_of
from sample.frechet import frechet_distance
from sample.kernel_distance import kernel_distance
from sample.manifold import manifold


def normal(count: int, seed: int, spread: float = 1.0) -> Vectors:
    return np.random.default_rng(seed).normal(0.0, spread, (count, 8)).astype(np.float32)


def test_all_figures_are_those_of_their_own_modules() -> None:
    real, drawn = normal(40, 1), normal(40, 2, 1.2)
    found = compare(real, drawn, METRICS, published=False, replicates=8, seed=0).figures
    values = {name: figure.value for name, figure in found.items()}
    expected = {
        "fid": frechet_distance(real, drawn),
        "kid": kernel_distance(real, drawn),
        **asdict(manifold(real, drawn)),
    }
    assert values == pytest.approx(expected, rel=1e-9)


def test_only_what_is_asked_for_is_worked_out() -> None:
    found = compare(
        normal(40, 3), normal(40, 4), ("recall",), published=False, replicates=2, seed=0
    )
    assert set(found.figures) == {"recall"}
    assert not found.refused


@pytest.mark.parametrize(
    ("count", "there"),
    [(5, {"kid"}), (8, {"kid", "precision"}), (9, {"fid", "kid", "precision"})],
)
def test_few_pictures_get_what_can_be_had_and_the_reason_for_the_rest(
    count: int, there: set[str]
) -> None:
    asked = ("fid", "kid", "precision")
    sets = normal(count, 5), normal(count, 6)
    found = compare(*sets, asked, published=False, replicates=4, seed=0)
    assert set(found.figures) == there
    assert set(found.refused) == set(asked) - there
    assert all(f"there are {count}" in reason for reason in found.refused.values())


def test_names_of_published_figures_are_used_in_their_space_alone() -> None:
    assert title_of("fid", published=True).name == "FID"
    assert title_of("kid", published=True).name == "KID ×1000"
    assert title_of("fid", published=False).name == "FD"
    assert title_of("kid", published=False).name == "KD ×1000"
    few = normal(8, 7)
    refused = compare(few, few, ("fid",), published=True, replicates=2, seed=0).refused
    assert refused["fid"].startswith("FID needs more than 8 pictures")


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.5, 0.4, 0.6, "0.50 ± 0.10"),
        (0.99, 0.9, 1.0, "0.99 ± 0.09"),
        (1234.56, 1134.56, 1334.56, "1234.6 ± 100.0"),
        (0.5, -math.inf, math.inf, "0.50"),
    ],
)
def test_a_figure_is_shown_with_the_longer_arm_of_its_interval(
    value: float, low: float, high: float, text: str
) -> None:
    title = asdict(title_of("density", published=False))
    assert shown({"value": value, "low": low, "high": high}, title) == text


def test_what_is_missing_is_a_dash_and_fewer_pictures_are_said() -> None:
    title = asdict(title_of("kid", published=False))
    space = {
        "space": "outline",
        "encoder": "outline/1",
        "dim": 117,
        "metrics": ["kid"],
        "titles": {"kid": title},
        "refused": {"fid": "FD needs more"},
    }
    row = {"name": "held-out pictures", "real": True, "n": 9, "facts": {}, "figures": {}}
    row["figures"] = {"outline": {}}
    record = {"n": 20, "reference": "training pictures", "spaces": [space], "sets": [row]}
    lines = table_lines(record)
    assert any(line.endswith("–") for line in lines)
    assert "FD needs more" in lines
    assert any(line.startswith("fewer held-out pictures than n") for line in lines)
