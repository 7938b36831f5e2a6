"""One picture's page: everything that is known of it, and who judged it when."""

import re
from html import unescape

import pytest

from curate_app import grid
from dataset.records import Caption, Origin
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing


def test_page_shows_captions_origins_scores_and_history(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    number = drawn.add(drawing(1), caption="On the card", label="bird", licence="CC-BY-4.0")
    second = Origin(
        url="http://other.test/a.png",
        page_url="https://other.test/page",
        source="other",
        query="birds",
        author="B. Finch",
        licence="CC0-1.0",
        licence_url="https://creativecommons.test/zero",
    )
    with drawn.open() as catalog:
        catalog.images.add_origin(number, second)
        catalog.images.add_caption(number, Caption(text="On the detail page", origin="detail"))
    judge.judge("keep", number)
    judge.judge("stars", number, stars=4)
    html = judge.get(f"/picture/{number}").text
    for text in (
        *("On the card", "On the detail page", "http://pictures.test/1", "https://other.test/page"),
        *("CC-BY-4.0", "CC0-1.0", "a tester", "B. Finch", "birds", "Contrast", "Collage"),
        *("keep: undecided → keep", "stars: 0 → 4", "96 × 96", "PNG"),
    ):
        assert text in html, text
    assert 'href="https://creativecommons.test/zero"' in html
    page = judge.get(f"/picture/{number}?format=json").get_json()
    assert [origin["author"] for origin in page["origins"]] == ["a tester", "B. Finch"]
    assert [event["verb"] for event in page["events"]] == ["keep", "stars"]
    assert {"contrast", "collage", "sharpness", "detail"} <= set(page["quality"])


def test_page_lists_the_issues_beside_the_scores(judge: Judge, drawn: DrawnCatalogue) -> None:
    soft, fine = drawn.add_many(2)
    with drawn.open() as catalog:
        for measure, good in {
            "sharpness": 1.0,
            "side": 200.0,
            "entropy": 7.0,
            "flatness": 0.1,
        }.items():
            catalog.images.set_quality(soft, {measure: good})
            catalog.images.set_quality(fine, {measure: good})
        catalog.images.set_quality(soft, {"sharpness": 0.25, "dark": 0.9})
    page = judge.get(f"/picture/{soft}?format=json").get_json()
    assert page["preset"] == "photo"
    assert page["issues"] == [
        {"name": "blur", "measure": "sharpness", "score": 0.25, "cut": 0.5},
        {"name": "dark", "measure": "dark", "score": 0.9, "cut": 0.7},
    ]
    html = judge.get(f"/picture/{soft}").text
    assert "blur: sharpness 0.25, under 0.5" in html
    assert "dark: dark 0.9, over 0.7" in html
    assert "none (cuts for photos)" in judge.get(f"/picture/{fine}").text


def test_cuts_of_the_data_folder_hold_for_the_page(judge: Judge, drawn: DrawnCatalogue) -> None:
    [number] = drawn.add_many(1)
    (drawn.data / "quality.toml").write_text('preset = "logo"\ncut.too-small = 500\n')
    page = judge.get(f"/picture/{number}?format=json").get_json()
    assert page["preset"] == "logo"
    assert "too-small" in [issue["name"] for issue in page["issues"]]
    (drawn.data / "quality.toml").write_text("cut.small = 500\n")
    page = judge.get(f"/picture/{number}?format=json").get_json()
    assert "quality.toml: cut.small: no such issue" in page["warning"]
    assert "too-small" not in [issue["name"] for issue in page["issues"]]
    assert "quality.toml: cut.small: no such issue" in judge.get(f"/picture/{number}").text


def test_page_shows_what_duplicates_hand_over_and_leads_to_them(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    judge.post("/duplicates/keep-best", {"keeper": large, "members": [large, small]})
    html = judge.get(f"/picture/{large}").text
    assert f'handed over by <a href="/picture/{small}">' in html
    assert f'Stands for <a href="/picture/{small}">' in html
    for text in ("Small copy 50", "http://pictures.test/1", "another file of it"):
        assert text in html, text
    assert f'In its stead: <a href="/picture/{large}">' in judge.get(f"/picture/{small}").text
    page = judge.get(f"/picture/{large}?format=json").get_json()
    assert [(c["by"], c["text"]) for c in page["handed_captions"]] == [(small, "Small copy 50")]
    assert (page["duplicates"], page["duplicate_of"]) == ([small], None)
    judge.post("/undo", {})
    assert "Small copy 50" not in judge.get(f"/picture/{large}").text


def test_neighbours_follow_the_filter_of_the_address(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(9)  # classes bird, cat, dog, fish in turn
    html = judge.get("/picture/5?label=bird").text
    assert 'rel="prev" href="/picture/1?label=bird"' in html
    assert 'rel="next" href="/picture/9?label=bird"' in html
    first = judge.get("/picture/1").text
    assert 'rel="prev"' not in first
    assert 'rel="next" href="/picture/2"' in first
    assert "rel=\"next\"" not in judge.get("/picture/9").text  # fmt: skip


@pytest.mark.parametrize("sort", ["", "id", "-id", "sharpness", "-sharpness", "-stars", "pixels"])
def test_grid_leads_back_to_the_page_that_holds_the_picture(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(grid, "TILES_PER_PAGE", 3)
    ids = drawn.add_many(9)
    judge.judge("stars", 3, 5, stars=4)
    for image_id in ids:
        html = judge.get(f"/picture/{image_id}" + (f"?sort={sort}" if sort else "")).text
        [back] = re.findall('class="back" href="([^"]*)"', html)
        page = judge.get(f"{unescape(back)}&format=json").get_json()
        assert image_id in [tile["id"] for tile in page["pictures"]]
        assert page["sort"] == (sort or "id")


@pytest.mark.parametrize("number", ["0", "2", "9223372036854775807"])
def test_unknown_picture_is_404_in_one_line(
    judge: Judge, drawn: DrawnCatalogue, number: str
) -> None:
    drawn.add_many(1)
    answer = judge.get(f"/picture/{number}?format=json")
    assert answer.status_code == 404
    assert answer.get_json()["error"] == f"there is no picture {number} in this catalogue"


@pytest.mark.parametrize("number", ["-1", "one", "1.0", "9223372036854775808", "1/../2", "%00"])
def test_what_is_no_number_is_no_picture(judge: Judge, drawn: DrawnCatalogue, number: str) -> None:
    drawn.add_many(1)
    assert judge.get(f"/picture/{number}").status_code == 404


def test_bad_filter_in_the_address_is_refused(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(1)
    assert judge.get("/picture/1?status=maybe").status_code == 400
    assert judge.get("/picture/1?after=1").status_code == 400
    for address in ("/picture/1?sort=nope", "/picture/1?sort=nope&format=json"):
        answer = judge.get(address)
        assert answer.status_code == 400
        assert "there is no score 'nope'" in unescape(answer.text)


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,<script>1</script>", "//evil.test", "http://[", "x"],
)
def test_only_web_addresses_become_links(judge: Judge, drawn: DrawnCatalogue, address: str) -> None:
    number = drawn.add(drawing(1))
    origin = Origin(url=address, page_url=address, source="s", licence="l", licence_url=address)
    with drawn.open() as catalog:
        catalog.images.add_origin(number, origin)
    html = judge.get(f"/picture/{number}").text
    assert f'href="{address}"' not in html
    assert "<script>1" not in html


def test_hostile_texts_are_escaped(judge: Judge, drawn: DrawnCatalogue) -> None:
    number = drawn.add(drawing(1), caption=HOSTILE, label=HOSTILE, licence=HOSTILE)
    origin = Origin(url=HOSTILE, page_url=HOSTILE, source=HOSTILE, query=HOSTILE, author=HOSTILE)
    with drawn.open() as catalog:
        catalog.images.add_origin(number, origin)
    html = judge.get(f"/picture/{number}").text
    assert "&lt;script&gt;document" in html
    assert "<script>document" not in html
    assert "<img src=x" not in html
