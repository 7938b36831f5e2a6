"""One score at a time: where its cut lies, who is on which side, and what a cut takes away."""

import re
import sqlite3
from typing import Any

import pytest

from curate_app.auto import judge_automatically
from dataset.issues import standard_of
from dataset.quality import QualityCuts
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_actions import state


@pytest.fixture
def ids(drawn: DrawnCatalogue) -> list[int]:
    """Twenty pictures with a sharpness of 0.05, 0.1 ... 1."""
    found = drawn.add_many(20)
    score(drawn, "sharpness", {i: (place + 1) / 20 for place, i in enumerate(found)})
    return found


def score(drawn: DrawnCatalogue, measure: str, scores: dict[int, float]) -> None:
    with drawn.open() as catalog, catalog.transaction():
        for image_id, value in scores.items():
            catalog.images.set_quality(image_id, {measure: value})


def page(judge: Judge, query: str = "measure=sharpness&preset=photo") -> dict[str, Any]:
    found: dict[str, Any] = judge.get(f"/issues?format=json&{query}").get_json()
    return found


def shown(found: dict[str, Any], row: str) -> list[int]:
    return [picture["id"] for picture in found["pictures"][row]]


def cut(judge: Judge, at: float, count: int, **more: Any) -> Any:
    body = {"measure": "sharpness", "cut": at, "preset": "photo", "filter": {}, "count": count}
    return judge.post("/issues/apply", {**body, **more})


def test_both_sides_of_the_usual_cut_are_shown_nearest_first(judge: Judge, ids: list[int]) -> None:
    found = page(judge)
    assert (found["issue"], found["cut"], found["bad"]) == ("blur", 0.5, "low")
    assert (found["would_go"], found["total"], found["unknown"]) == (9, 20, 0)
    assert shown(found, "bad") == ids[8::-1]
    assert shown(found, "good") == ids[9:]
    assert shown(found, "worst") == []
    assert found["scores"][str(ids[8])] == 0.45
    assert found["bad_at"][found["stops"].index(0.5)] == 9


def test_the_worst_are_those_that_are_not_near_the_cut(judge: Judge, ids: list[int]) -> None:
    found = page(judge, "measure=sharpness&preset=photo&cut=0.8")
    assert found["would_go"] == 15
    assert shown(found, "bad") == ids[14:2:-1]
    assert shown(found, "worst") == ids[:3]


def test_a_score_that_is_bad_when_high_has_its_sides_the_other_way(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    score(drawn, "border", {i: (place + 1) / 20 for place, i in enumerate(ids)})
    found = page(judge, "measure=border&cut=0.6")
    assert (found["issue"], found["would_go"]) == ("border", 8)
    assert shown(found, "bad") == ids[12:]
    assert shown(found, "good") == ids[11::-1]


def test_a_cut_rejects_what_is_undecided_on_its_bad_side_and_one_undo_takes_it_back(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    judge.judge("keep", ids[1])  # rescued
    assert page(judge, "measure=sharpness&preset=photo&cut=0.12")["would_go"] == 1
    answer = cut(judge, 0.12, 1).get_json()
    assert answer["message"] == f"rejected #{ids[0]}: blur: sharpness under 0.12"
    assert state(drawn, *ids[:3]) == [
        ("reject", "blur: sharpness under 0.12", 0),
        ("keep", "", 0),
        ("undecided", "", 0),
    ]
    assert cut(judge, 0.32, 4).get_json()["message"].startswith("rejected 4 pictures: blur")
    assert [s for s, _, _ in state(drawn, *ids[:7])] == [
        "reject",
        "keep",
        *["reject"] * 4,
        "undecided",
    ]
    judge.post("/undo", {})
    assert state(drawn, *ids[2:6]) == [("undecided", "", 0)] * 4


def test_a_cut_is_refused_when_others_would_go_than_were_seen(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    judge.judge("keep", ids[0])
    answer = cut(judge, 0.22, 4)
    assert answer.status_code == 409
    assert answer.get_json()["error"] == "3 pictures would go now, not 4; look again"
    assert state(drawn, *ids[1:4]) == [("undecided", "", 0)] * 3


def test_a_filter_says_among_which_pictures_the_cut_is_made(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    found = page(judge, "measure=sharpness&preset=photo&label=cat")
    cats = ids[1::4]
    assert found["total"] == len(cats)
    assert cut(judge, 0.5, 2, filter={"label": "cat"}).status_code == 200
    assert [s for s, _, _ in state(drawn, *cats)] == ["reject", "reject", *["undecided"] * 3]
    judge.judge("keep", cats[2])
    kept = page(judge, "measure=sharpness&status=keep")
    assert shown(kept, "good") == [cats[2]]
    # Who wants to cut among the kept ones says so.
    assert cut(judge, 1.0, 1, filter={"status": "keep"}).status_code == 200
    assert cut(judge, 1.0, 1, filter={"status": "reject"}).status_code == 400


def test_a_remembered_cut_holds_for_auto_and_reports_until_it_is_undone(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    body = {"measure": "sharpness", "cut": 0.22}
    answer = judge.post("/issues/remember", body).get_json()
    assert answer["message"] == "from now on sharpness under 0.22 is: blur"
    found = page(judge)
    assert (found["cut"], found["usual"], found["remembered"]) == (0.22, 0.5, 0.22)
    with drawn.open() as catalog:
        rules = standard_of(catalog, QualityCuts(preset="photo")).rules
        assert [rule.cut for rule in rules if rule.issue == "blur"] == [0.22]
        outcome = judge_automatically(catalog, dry_run=True, reject=["blur"], preset="photo")
        assert outcome.rejected["blur"] == 4
    judge.post("/undo", {})
    found = page(judge)
    assert (found["cut"], found["remembered"]) == (0.5, None)
    judge.post("/issues/remember", body)
    again = judge.post("/issues/remember", {"measure": "sharpness", "cut": None}).get_json()
    assert again["message"] == "the usual cut of sharpness holds again"
    assert page(judge)["cut"] == 0.5


def test_a_file_goes_before_what_was_remembered_and_the_page_says_so(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    judge.post("/issues/remember", {"measure": "sharpness", "cut": 0.22})
    (drawn.data / "quality.toml").write_text("[cut]\nblur = 0.4\n")
    assert page(judge)["cut"] == 0.4
    html = judge.get("/issues?measure=sharpness").text
    assert "quality.toml sets this cut to 0.4; edit it there" in html
    assert 'data-act="remember-cut"' not in html


def test_a_broken_file_is_told_in_one_line_and_stops_nothing(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    (drawn.data / "quality.toml").write_text("[cut]\nblur = 7\n")
    html = judge.get("/issues?measure=sharpness&preset=photo").text
    assert 'role="alert"' in html
    assert "Edit quality.toml" in html
    assert page(judge)["cut"] == 0.5


def test_a_setting_that_is_no_cut_is_passed_over(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(1)
    with sqlite3.connect(drawn.data / "catalog.sqlite") as other:
        rows = [("cut:sharpness", "9"), ("cut:border", "x"), ("cut:nothing", "1"), ("dark", "0.1")]
        other.executemany("INSERT INTO setting VALUES (?, ?)", rows)
    assert page(judge)["cut"] == 0.5


def test_pictures_that_a_measure_cannot_tell_are_counted_and_left_alone(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    with sqlite3.connect(drawn.data / "catalog.sqlite") as other:
        other.execute("DELETE FROM quality WHERE measure = 'sharpness' AND image_id = 1")
    found = page(judge, "measure=sharpness&cut=1")
    assert (found["unknown"], found["would_go"]) == (1, 18)
    assert "1 picture too small or too empty" in judge.get("/issues?measure=sharpness").text


def test_every_measure_has_a_page_also_in_an_empty_catalogue(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    html = judge.get("/issues").text
    measures = re.findall(r'<a href="/issues\?[^"]*measure=([a-z]+)', html)
    assert len(measures) > 14
    drawn.add(drawing(3), caption=HOSTILE, label=HOSTILE)
    for measure in measures:
        html = judge.get(f"/issues?measure={measure}").text
        assert "<svg" in html
        assert "<script>document" not in html


@pytest.mark.parametrize(
    "query",
    [
        *("measure=nothing", "measure=brightness", "cut=x", "cut=nan", "cut=2", "cut=-0.1"),
        *("preset=cat", "scale=square", "status=all", "between=nothing:1..2", "a=1", "cut="),
        "measure=side&cut=1e300",
    ],
)
def test_impossible_address_is_refused(judge: Judge, ids: list[int], query: str) -> None:
    if "measure" not in query:
        query += "&measure=sharpness"
    assert judge.get(f"/issues?{query}").status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        {"measure": "nothing"},
        {"cut": None},
        {"cut": True},
        {"cut": "much"},
        {"cut": 2},
        {"cut": [0.5]},
        {"preset": "cat"},
        {"filter": None},
        {"filter": {"colour": "red"}},
        {"filter": {"status": 3}},
        {"count": 0},
        {"count": "9"},
        {"count": True},
        {"verb": "keep"},
    ],
)
def test_malformed_cut_is_refused(
    judge: Judge, drawn: DrawnCatalogue, ids: list[int], more: dict[str, Any]
) -> None:
    answer = cut(judge, 0.5, more.pop("count", 9), **more)
    assert answer.status_code == 400
    assert answer.get_json()["error"]
    assert state(drawn, ids[0]) == [("undecided", "", 0)]
