"""Which one stays: every criterion alone, ties by content, a total order, words for the reason."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageOps

from dataset.errors import ConfigError
from dataset.ingest import measure
from dataset.keep_rule import (
    CRITERIA,
    Contenders,
    KeepRule,
    Ranking,
    best_licence,
    licence_class,
    read_rule,
)
from tests.dataset.pictures import encoded
from tests.dataset.test_likeness import photograph


def contenders(*facts: dict[str, Any]) -> Contenders:
    """Pictures that are alike but for `facts`; the sha256 are a, b, c... of their places."""

    def column(name: str, default: Any) -> list[Any]:
        return [fact.get(name, default) for fact in facts]

    measures = ("detail", "sharpness", "compression", "watermark", "collage")
    return Contenders(
        ids=np.arange(1, len(facts) + 1),
        sha256=[f.get("sha256", "abcdefgh"[i] * 64) for i, f in enumerate(facts)],
        kept=np.array(column("kept", False)),
        stars=np.array(column("stars", 0)),
        side=np.array(column("side", 100)),
        byte_count=np.array(column("byte_count", 10_000)),
        added=column("added", "2026-03-01"),
        licences=column("licences", ()),
        scores={name: np.array(column(name, np.nan), float) for name in measures},
    )


WINNERS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"kept": True}, {"side": 900}, "kept already, the other undecided"),
    ({"stars": 4}, {"stars": 1, "side": 900}, "more stars: 4 against 1"),
    (
        {"licences": ("CC0-1.0", "unknown")},
        {"licences": ("CC-BY-4.0",), "side": 900},
        "better licence: CC0-1.0 against CC-BY-4.0",
    ),
    ({"side": 480}, {"side": 310}, "more true resolution: 480 px against 310 px"),
    # Enlarged to twice its size: more pixels, no more detail.
    (
        {"side": 400, "detail": 0.9},
        {"side": 800, "detail": 0.4},
        "more true resolution: 360 px against 320 px",
    ),
    ({"sharpness": 0.8}, {"sharpness": 0.3}, "sharper: 0.8 against 0.3"),
    (
        {"compression": 92},
        {"compression": 40, "byte_count": 99_000},
        "less compressed: quality 92 against 40",
    ),
    ({}, {"watermark": 0.9, "collage": 0.95}, "fewer faults: none against collage, watermark"),
    ({"byte_count": 20_000}, {"byte_count": 9_000}, "larger file: 20 kB against 9 kB"),
    (
        {"added": "2026-02-28"},
        {"added": "2026-03-01"},
        "longer here: since 2026-02-28 against 2026-03-01",
    ),
    ({"sha256": "0" * 64}, {"sha256": "f" * 64}, "alike in everything, either would do"),
]


@pytest.mark.parametrize(("better", "worse", "reason"), WINNERS)
def test_the_first_criterion_that_differs_decides_and_says_why(
    better: dict[str, Any], worse: dict[str, Any], reason: str
) -> None:
    for order in ([better, worse], [worse, better]):
        ranking = Ranking(KeepRule(), contenders(*order))
        assert ranking.order.tolist() == [order.index(better), order.index(worse)]
        assert ranking.reason(order.index(better), order.index(worse)) == reason


def test_a_difference_within_the_step_is_none() -> None:
    near = contenders({"side": 1000, "byte_count": 50_000}, {"side": 1001, "byte_count": 90_000})
    assert Ranking(KeepRule(), near).order.tolist() == [1, 0]
    assert Ranking(KeepRule(), near).reason(1, 0).startswith("larger file")
    exact = KeepRule(resolution_step=0.0)
    assert Ranking(exact, near).reason(1, 0) == "more true resolution: 1001 px against 1000 px"


def test_the_order_of_the_criteria_is_the_users() -> None:
    those = contenders({"stars": 5, "side": 50}, {"side": 900})
    assert Ranking(KeepRule(), those).order.tolist() == [0, 1]
    assert Ranking(KeepRule(order=("resolution", "stars")), those).order.tolist() == [1, 0]
    assert Ranking(KeepRule(order=()), those).order.tolist() == [0, 1]


FACTS = st.fixed_dictionaries(
    {
        "kept": st.booleans(),
        "stars": st.integers(0, 2),
        "side": st.integers(90, 120),
        "byte_count": st.integers(9_000, 12_000),
        "detail": st.sampled_from([0.5, 0.52, 1.0, np.nan]),
        "sharpness": st.sampled_from([0.5, 0.52, 0.9, np.nan]),
        "compression": st.sampled_from([85, 86, 40, np.nan]),
        "watermark": st.sampled_from([0.1, 0.9, np.nan]),
        "licences": st.sampled_from([(), ("CC0-1.0",), ("unknown", "CC-BY-4.0"), ("odd",)]),
        "added": st.sampled_from(["2026-03-01", "2026-03-02"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FACTS, min_size=1, max_size=7), st.randoms(use_true_random=False), st.data())
def test_the_order_is_total_and_does_not_depend_on_who_stands_where(
    facts: list[dict[str, Any]], rng: Any, data: st.DataObject
) -> None:
    facts = [{**fact, "sha256": "abcdefg"[i] * 64} for i, fact in enumerate(facts)]
    rule = KeepRule(order=tuple(data.draw(st.permutations(CRITERIA))))
    those = contenders(*facts)
    names = [those.sha256[place] for place in Ranking(rule, those).order]
    moved = contenders(*rng.sample(facts, len(facts)))
    assert [moved.sha256[place] for place in Ranking(rule, moved).order] == names
    # Two by two, as all at once: no margin makes a circle.
    for first, second in itertools.combinations(names, 2):
        two = contenders(*(fact for fact in facts if fact["sha256"] in (first, second)))
        assert two.sha256[Ranking(rule, two).order[0]] == first


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("CC0-1.0", "CC-BY-4.0"),
        ("PDM-1.0", "CC-BY-SA-4.0"),
        ("cc-by-4.0", "CC-BY-NC-4.0"),
        ("CC-BY-SA-3.0", "CC-BY-ND"),
        ("CC-BY-NC-ND-2.0", "Some site's own terms"),
        ("Some site's own terms", "all-rights-reserved"),
        ("all-rights-reserved", "unknown"),
        ("CC-BY", "CC-BYTE"),
        ("CC BY 4.0", "CC-BY-NC-4.0"),
        ("Some site's own terms", "All rights reserved"),
        ("Some site's own terms", "© 2020 A. Photographer. All Rights Reserved."),
        ("Some site's own terms", "Copyright A. Photographer"),
        ("copyrighted-free-use", "CC-BY-4.0"),
        ("All rights reserved", "unknown"),
    ],
)
def test_licences_have_classes_by_the_longest_name_that_fits(better: str, worse: str) -> None:
    rule = KeepRule()
    assert licence_class(rule, better) > licence_class(rule, worse)
    assert best_licence(rule, [worse, better]) == better


def test_licences_of_one_class_are_alike() -> None:
    rule = KeepRule()
    reserved = ("all-rights-reserved", "All rights reserved", "ALL_RIGHTS_RESERVED", "©2020 A")
    assert {licence_class(rule, name) for name in reserved} == {1}
    assert licence_class(rule, "CC-BY-4.0") == licence_class(rule, "CC-BY-SA-2.0")
    assert licence_class(rule, "") == licence_class(rule, "unknown") == 0
    assert licence_class(KeepRule(licences=("CC0",)), "CC-BY-4.0") == 0
    assert best_licence(rule, []) == "unknown"


@pytest.mark.parametrize(
    "assignment",
    [
        'order=["stars","stars"]',
        'order=["beauty"]',
        "resolution_step=-0.1",
        "size_step=2",
        "age_step_days=-1",
        'licences=["CC0","cc0"]',
        'licences=["CC0 | "]',
        "sharpnes_step=0.1",
        'issues={"watermark"="much"}',
        "issues.nonsense=0.5",
        "issues.sharpness=0.5",
        "issues.watermark=nan",
        "issues.watermark=inf",
        "unmeasured_detail=nan",
        "unmeasured_detail=inf",
        "unmeasured_detail=1.5",
        "unmeasured_sharpness=-4",
        "unmeasured_compression=101",
        "unmeasured_compression=-inf",
        "resolution_step=1e-320",
        "resolution_step=nan",
        pytest.param(f"resolution_step=1{'0' * 400}", id="resolution_step=10^400"),
        pytest.param(f"compression_step=1{'0' * 400}", id="compression_step=10^400"),
        pytest.param(f"compression_step=1{'0' * 5000}", id="compression_step=10^5000"),
        pytest.param(f"order={'[' * 3000}{']' * 3000}", id="order of 3,000 brackets"),
        "age_step_days=99999999999999999999",
    ],
)
def test_an_impossible_rule_is_refused(tmp_path: Path, assignment: str) -> None:
    with pytest.raises(ConfigError):
        read_rule(tmp_path, None, [assignment])


@pytest.mark.parametrize(
    "content",
    [b"order = " + b"[" * 3000 + b"]" * 3000, b"age_step_days = 1" + b"0" * 5000, b"\xff\xfe"],
    ids=["brackets", "digits", "bytes"],
)
def test_a_rule_that_cannot_be_read_is_told_by_the_name_of_its_file(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "keep.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"keep\.toml is not valid TOML"):
        read_rule(tmp_path)


def test_the_rule_is_the_file_named_else_that_of_the_folder_else_the_default(
    tmp_path: Path,
) -> None:
    assert read_rule(tmp_path) == KeepRule()
    (tmp_path / "keep.toml").write_text('order = ["stars", "age"]\nresolution_step = 0.2\n')
    assert read_rule(tmp_path).order == ("stars", "age")
    other = tmp_path / "other.toml"
    other.write_text('order = ["size"]\n')
    rule = read_rule(tmp_path, other, ["size_step=0.5"])
    assert (rule.order, rule.size_step, rule.resolution_step) == (("size",), 0.5, 0.05)


def test_a_frame_makes_no_picture_better() -> None:
    plain = measure(encoded(photograph(4, (300, 240))))
    framed = measure(encoded(ImageOps.expand(photograph(4, (300, 240)), 60, "white")))
    assert framed.quality["content"] == pytest.approx(plain.quality["content"], rel=0.03)
    assert framed.quality["border"] > KeepRule().issues["border"] > plain.quality["border"]
    assert KeepRule().order.index("issues") < KeepRule().order.index("resolution")
