"""Groups of pictures that look alike, side by side, until each is decided."""

import html as html_module
import io
import json
import re
import sqlite3
import time

import pytest
from PIL import Image

from curate_app import duplicates, grouping
from curate_app.auto import judge_automatically
from dataset.likeness import LIKENESS, refresh_edges
from dataset.records import Edge, Origin
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_actions import state


def groups(judge: Judge, query: str = "") -> list[tuple[int, list[int]]]:
    page = judge.get(f"/duplicates?format=json{query}").get_json()
    return [(g["keeper"], [p["id"] for p in g["pictures"]]) for g in page["groups"]]


def test_larger_copy_is_suggested_with_its_reason_and_facts(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(3)
    small, large = drawn.add_pair(50)
    page = judge.get("/duplicates?format=json").get_json()
    assert page["total"] == 1
    [group] = page["groups"]
    assert group["keeper"] == large
    assert re.fullmatch(r"more true resolution: \d+ px against \d+ px", group["reason"])
    assert [(p["id"], p["width"], p["licence"]) for p in group["pictures"]] == [
        (large, 128, "unknown"),
        (small, 64, "unknown"),
    ]
    html = judge.get("/duplicates").text
    assert re.findall(r'data-keeper="(\d+)"', html) == [str(large)]
    assert re.findall(r'class="tile best"[^>]*data-id="(\d+)"', html) == [str(large)]
    assert re.findall(r'class="tile[^>]*data-id="(\d+)"', html) == [str(large), str(small)]
    for fact in ("128 × 128", "64 × 64", group["reason"], "Large one 50", "drawn", "unknown"):
        assert fact in html


def test_keep_best_keeps_the_keeper_and_says_of_the_others_why_they_went(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    answer = judge.post("/duplicates/keep-best", {"keeper": large, "members": [large, small]})
    assert answer.get_json()["message"] == f"kept #{large}, rejected #{small}"
    assert state(drawn, large, small) == [("keep", "", 0), ("reject", f"duplicate of #{large}", 0)]
    assert groups(judge) == []
    judge.post("/undo", {})
    assert state(drawn, large, small) == [("undecided", "", 0)] * 2
    assert groups(judge) == [(large, [large, small])]


def test_another_than_the_suggested_one_can_be_kept(judge: Judge, drawn: DrawnCatalogue) -> None:
    small, large = drawn.add_pair(50)
    judge.post("/duplicates/keep-best", {"keeper": small, "members": [large, small]})
    assert state(drawn, small, large) == [("keep", "", 0), ("reject", f"duplicate of #{small}", 0)]


def test_duplicates_can_all_be_kept_and_are_not_asked_about_again(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    judge.post("/duplicates/keep-all", {"members": [large, small]})
    assert state(drawn, large, small) == [("keep", "", 0)] * 2
    assert groups(judge) == []
    assert groups(judge, "&show=all") == [(large, [large, small])]
    assert f'data-keeper="{large}"' in judge.get("/duplicates?show=all").text


def test_what_a_person_calls_different_is_never_a_group_again_until_undone(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    answer = judge.post("/duplicates/different", {"members": [large, small]}).get_json()
    assert answer["message"] == "2 pictures are no duplicates"
    assert answer["pairs"] == [{"a": small, "b": large, "verdict": "different"}]
    assert state(drawn, large, small) == [("undecided", "", 0)] * 2
    assert groups(judge, "&show=all&radius=12") == []
    assert "different: #1 and #2 different" in judge.get(f"/picture/{small}").text
    again = judge.post("/duplicates/different", {"members": [small, large]}).get_json()
    assert again["batch"] is None
    undone = judge.post("/undo", {}).get_json()
    assert undone["message"] == "undid “not duplicates” of 2 pictures"
    assert undone["pairs"] == [{"a": small, "b": large, "verdict": ""}]
    assert groups(judge) == [(large, [large, small])]


def test_keep_best_leaves_alone_what_was_told_apart_from_the_keeper(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    members = [large, third, small]
    judge.post("/duplicates/different", {"picture": small, "members": members})
    answer = judge.post("/duplicates/keep-best", {"keeper": large, "members": members}).get_json()
    assert answer["message"] == (
        f"kept #{large}, rejected #{third}; #{small} told apart from it, left alone"
    )
    assert state(drawn, small) == [("undecided", "", 0)]
    answer = judge.post("/duplicates/keep-best", {"keeper": small, "members": members}).get_json()
    assert answer["message"] == f"kept #{small}; 2 pictures told apart from it, left alone"


def test_what_is_called_different_again_comes_back(judge: Judge, drawn: DrawnCatalogue) -> None:
    """However it went: here by hand, and the difference was said before."""
    small, large = drawn.add_pair(50)
    body = {"members": [large, small]}
    judge.post("/duplicates/different", body)
    with sqlite3.connect(drawn.data / "catalog.sqlite") as other:
        other.execute(
            "UPDATE image SET status = 'reject', reason = ? WHERE id = ?",
            (f"duplicate of #{large}", small),
        )
    answer = judge.post("/duplicates/different", body).get_json()
    assert answer["message"] == f"2 pictures are no duplicates; #{small} is undecided again"
    assert state(drawn, small) == [("undecided", "", 0)]


def test_too_many_to_tell_apart_at_once_are_told_what_to_do(judge: Judge) -> None:
    answer = judge.post("/duplicates/different", {"members": list(range(1, 202))})
    assert answer.status_code == 400
    for way in ("one by one (s)", "a smaller radius", "keep all (a)"):
        assert way in answer.get_json()["error"]


def test_a_broken_rule_is_told_in_one_line_and_stops_nothing(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    (drawn.data / "keep.toml").write_text('order = ["<script>"]')
    assert groups(judge) == [(large, [large, small])]
    page = judge.get("/duplicates?format=json").get_json()
    assert "keep.toml is '<script>'; it must be one of" in page["warning"]
    html = judge.get("/duplicates").text
    assert 'role="alert"' in html
    assert "Edit the file" in html
    assert "<script>&#39;" not in html
    assert judge.judge("reject", large).status_code == 200
    (drawn.data / "keep.toml").unlink()
    assert 'role="alert"' not in judge.get("/duplicates").text


def test_every_radius_is_offered_with_its_exact_counts(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_pair(50)
    small, large = drawn.add_pair(51)
    judge.judge("keep", small, large)
    html = judge.get("/duplicates?radius=3").text
    [told] = re.findall(r'data-table="([^"]*)"', html)
    table = json.loads(html_module.unescape(told))
    assert [row["radius"] for row in table] == list(range(13))
    assert table == judge.get("/duplicates?format=json").get_json()["radii"]
    assert table[12] == {"radius": 12, "groups": 2, "would_go": 1, "to_decide": 1}
    assert 'min="0" max="12" step="1" value="3"' in html
    assert "<strong>3</strong> bits: 2 groups, 1 to decide; 1 picture would go" in html


def test_facts_of_each_picture_are_told_for_comparison(judge: Judge, drawn: DrawnCatalogue) -> None:
    small, _large = drawn.add_pair(50)
    [group] = judge.get("/duplicates?format=json").get_json()["groups"]
    best, other = (picture["facts"] for picture in group["pictures"])
    assert set(best) == {
        *("Size", "True detail", "Sharpness", "File", "Compression", "Faults"),
        *("Licence", "Source", "Distance"),
    }
    assert (best["Size"], other["Size"]) == ("128 × 128", "64 × 64")
    assert best["Distance"] == "suggested"
    assert re.fullmatch(r"\d+ of 64 bits", other["Distance"])
    assert f'<dl class="compared" data-of="{small}"' in judge.get("/duplicates").text


def test_a_large_picture_can_be_looked_at_pixel_by_pixel(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(60, 1800))
    drawn.add(drawing(60, 1800).resize((900, 900)))
    [group] = judge.get("/duplicates?format=json").get_json()["groups"]
    large = group["pictures"][0]["large"]
    for address, side in ((large, 1600), (large.replace("/large-v", "/full-v"), 1800)):
        shown = Image.open(io.BytesIO(judge.get(address).data))
        assert shown.size == (side, side)


def chain(drawn: DrawnCatalogue) -> tuple[int, int, int]:
    """Two pictures that are like a third, which is the best, and not like each other."""
    a, b = drawn.add_many(2)
    best = drawn.add(drawing(77, 128), licence="CC0-1.0")
    with drawn.open() as catalog:
        refresh_edges(catalog)
        edges = [
            Edge(a=one, b=best, phash_bits=6, dhash_bits=6, colour_levels=1.0) for one in (a, b)
        ]
        catalog.edges.join(edges, [], LIKENESS)
    return best, a, b


def test_a_chain_is_told_and_taken_apart_in_one_step(judge: Judge, drawn: DrawnCatalogue) -> None:
    best, a, b = chain(drawn)
    [group] = judge.get("/duplicates?format=json").get_json()["groups"]
    assert group["chain"]
    assert sorted(map(sorted, group["parts"])) in ([[a, best], [b]], [[a], [b, best]])
    assert "A chain: not all are like each other." in judge.get("/duplicates").text
    answer = judge.post("/duplicates/parts", {"parts": group["parts"]}).get_json()
    assert answer["message"] == "3 pictures taken apart into 2 groups"
    assert len(answer["pairs"]) == 2
    together = next(part for part in group["parts"] if len(part) == 2)
    assert groups(judge) == [(best, together)]
    judge.post("/undo", {})
    assert [set(members) for _keeper, members in groups(judge)] == [{best, a, b}]


def test_parts_with_too_many_decisions_are_told_what_to_do(judge: Judge) -> None:
    parts = [list(range(1, 202)), list(range(202, 403))]
    answer = judge.post("/duplicates/parts", {"parts": parts})
    assert answer.status_code == 400
    assert "40401 decisions" in answer.get_json()["error"]


def test_new_pictures_of_a_large_catalogue_are_compared_behind_the_page(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = drawn.add_pair(50)
    assert groups(judge) == [(large, [large, small])]
    monkeypatch.setattr(grouping, "SMALL", 0)
    drawn.add_pair(51)
    held = judge.app.extensions["grouping"]
    held._rest_until = time.monotonic() + 1000
    html = judge.get("/duplicates").text
    assert "Comparing 2 new pictures …" in html
    assert re.findall(r'data-keeper="(\d+)"', html) == [str(large)]
    page = judge.get("/duplicates?format=json").get_json()
    assert (page["pending"], page["total"]) == (2, 1)


def test_a_tile_shows_the_licence_that_the_rule_goes_by(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    with drawn.open() as catalog:
        origin = Origin(url="http://other.test", source="library", licence="CC0-1.0")
        catalog.images.add_origin(small, origin)
    [group] = judge.get("/duplicates?format=json").get_json()["groups"]
    assert group["reason"] == "better licence: CC0-1.0 against unknown"
    assert [(p["id"], p["licence"], p["source"]) for p in group["pictures"]] == [
        (small, "CC0-1.0", "library"),
        (large, "unknown", "drawn"),
    ]


def test_who_looks_at_duplicates_waits_for_nobody_who_writes(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    assert groups(judge) == [(large, [large, small])]
    other = sqlite3.connect(drawn.data / "catalog.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert groups(judge) == [(large, [large, small])]
    with drawn.open() as catalog:
        assert judge_automatically(catalog, dry_run=True).rejected == {"duplicate": 1}
    other.close()


def test_one_picture_is_split_off_and_the_others_stay_a_group(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    assert groups(judge) == [(large, [large, third, small])]
    body = {"picture": small, "members": [large, third, small]}
    assert judge.post("/duplicates/different", body).get_json()["message"] == (
        f"#{small} is no duplicate of the others"
    )
    assert groups(judge) == [(large, [large, third])]


def test_when_the_kept_one_is_rejected_its_duplicates_are_undecided_again(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    assert groups(judge) == [(large, [large, third, small])]
    judge.post("/duplicates/keep-best", {"keeper": large, "members": [large, third, small]})
    answer = judge.judge("reject", large).get_json()
    assert answer["message"] == f"rejected #{large}; 2 pictures are undecided again"
    assert {p["id"]: p["status"] for p in answer["pictures"]} == {
        large: "reject", third: "undecided", small: "undecided",
    }  # fmt: skip
    assert groups(judge) == [(third, [third, small])]
    judge.post("/undo", {})
    assert state(drawn, large, third, small) == [
        ("keep", "", 0),
        ("reject", f"duplicate of #{large}", 0),
        ("reject", f"duplicate of #{large}", 0),
    ]


def test_the_rule_in_the_data_folder_says_which_one_is_suggested(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    rule = 'order = ["licence", "resolution"]\nlicences = ["CC-BY", "CC0"]\n'
    third = drawn.add(drawing(50, 128).resize((80, 80)), licence="CC-BY-4.0")
    fourth = drawn.add(drawing(50, 128).resize((90, 90)), licence="CC0-1.0")
    assert groups(judge) == [(fourth, [fourth, third, large, small])]
    (drawn.data / "keep.toml").write_text(rule)
    assert groups(judge) == [(third, [third, fourth, large, small])]


def test_pages_by_keeper_cover_every_group_once(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "GROUPS_PER_PAGE", 2)
    keepers = [drawn.add_pair(seed)[1] for seed in (50, 51, 52)]
    first = judge.get("/duplicates?format=json").get_json()
    assert first["total"] == 3
    assert [group["keeper"] for group in first["groups"]] == keepers[:2]
    second = judge.get(f"{first['next']}&format=json").get_json()
    assert [group["keeper"] for group in second["groups"]] == keepers[2:]
    assert second["next"] is None


def test_smaller_radius_never_shows_more_groups(judge: Judge, drawn: DrawnCatalogue) -> None:
    image = drawing(50, 128)
    drawn.add(image)
    dirty = image.copy()
    dirty.paste((30, 30, 30), (8, 8, 30, 30))
    drawn.add(dirty)
    drawn.add_pair(51)
    page = judge.get("/duplicates?format=json").get_json()
    totals = [
        judge.get(f"/duplicates?radius={radius}&format=json").get_json()["total"]
        for radius in range(13)
    ]
    assert totals == sorted(totals)
    assert totals[-1] >= 1
    # Every page has the counts of every radius.
    assert [row["groups"] for row in page["radii"]] == totals


@pytest.mark.parametrize(
    "query", ["radius=2.5", "radius=13", "radius=-2", "radius=x", "show=none", "status=keep", "a=1"]
)
def test_impossible_address_is_refused(judge: Judge, query: str) -> None:
    assert judge.get(f"/duplicates?{query}").status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("keep-best", {}),
        ("keep-best", {"keeper": 1, "members": [1]}),
        ("keep-best", {"keeper": 1, "members": [2, 3]}),
        ("keep-best", {"keeper": "1", "members": [1, 2]}),
        ("keep-best", {"keeper": 1, "members": [1, 2], "verb": "keep"}),
        ("keep-all", {}),
        ("keep-all", {"members": []}),
        ("keep-all", {"members": {"1": 2}}),
        ("different", {}),
        ("parts", {}),
        ("parts", {"parts": [[1, 2, 3]]}),
        ("parts", {"parts": [[1, 2], [2, 3]]}),
        ("parts", {"parts": [[1, 2], []]}),
        ("parts", {"parts": [[1, 2], "3"]}),
        ("parts", {"parts": {"1": [2]}}),
        ("different", {"members": [1]}),
        ("different", {"members": [1, 1]}),
        ("different", {"picture": 3, "members": [1, 2]}),
        ("different", {"picture": "1", "members": [1, 2]}),
        ("different", {"picture": None, "members": [1, 2]}),
        ("different", {"members": list(range(1, 202))}),
    ],
)
def test_malformed_decision_is_refused(
    judge: Judge, drawn: DrawnCatalogue, path: str, body: object
) -> None:
    drawn.add_many(3)
    assert judge.post(f"/duplicates/{path}", body).status_code == 400
    assert state(drawn, 1, 2, 3) == [("undecided", "", 0)] * 3


def test_hostile_caption_is_escaped(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add(drawing(50, 128), caption=HOSTILE, licence=HOSTILE)
    drawn.add(drawing(50, 128).resize((64, 64)), caption=HOSTILE)
    html = judge.get("/duplicates").text
    assert "&lt;script&gt;document" in html
    assert "<script>document" not in html
    assert "<img src=x" not in html
