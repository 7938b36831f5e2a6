"""The grid shows each picture once, filtered by the address, the same as page and as JSON."""

import re
from html import unescape
from urllib.parse import unquote

import pytest

from curate_app import grid
from dataset.records import Caption
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing

TILE = re.compile(r'<li class="tile[^>]*data-id="(\d+)" data-status="(\w+)" data-stars="(\d)"')


def tiles_of(html: str) -> list[tuple[int, str, int]]:
    return [(int(i), status, int(stars)) for i, status, stars in TILE.findall(html)]


def test_page_and_json_show_the_same_pictures_counts_and_next_address(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "TILES_PER_PAGE", 5)
    ids = drawn.add_many(8)
    judge.judge("keep", ids[0])
    judge.judge("stars", ids[1], stars=4)
    html = judge.get("/?licence=unknown").text
    page = judge.get("/?licence=unknown&format=json").get_json()
    shown = [(p["id"], p["status"], p["stars"]) for p in page["pictures"]]
    assert tiles_of(html) == shown
    assert len(shown) == page["total"]
    for facet, values in page["facets"].items():
        found = re.findall(rf'data-facet="{facet}" data-value="([^"]*)".*?"count">(\d+)<', html)
        assert [(unescape(v), int(n)) for v, n in found] == [
            (value["value"], value["count"]) for value in values
        ]
    first = judge.get("/?format=json").get_json()
    assert first["next"] == f"/?after={ids[4]}"
    assert f'href="{first["next"]}"' in judge.get("/").text


@pytest.mark.parametrize("per_page", [1, 3, 7, 8])
def test_pages_by_key_cover_every_picture_exactly_once(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch, per_page: int
) -> None:
    monkeypatch.setattr(grid, "TILES_PER_PAGE", per_page)
    ids = drawn.add_many(7)
    address, seen = "/", []
    while address:
        page = judge.get(address + ("&" if "?" in address else "?") + "format=json").get_json()
        seen += [picture["id"] for picture in page["pictures"]]
        address = page["next"]
    assert seen == ids


def test_pictures_judged_between_two_pages_are_neither_lost_nor_doubled(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "TILES_PER_PAGE", 3)
    ids = drawn.add_many(7)
    first = judge.get("/?status=undecided&format=json").get_json()
    judge.judge("keep", *ids[:3])
    second = judge.get(first["next"] + "&format=json").get_json()
    assert [picture["id"] for picture in second["pictures"]] == ids[3:6]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {1, 2, 3, 4, 5, 6}),
        ("label=cat", {2, 6}),
        ("label=", set()),
        ("status=keep", {1, 2}),
        ("status=undecided&label=bird", {5}),
        ("licence=CC-BY-4.0", {2, 5}),
        ("source=drawn", {1, 2, 3, 4, 5, 6}),
        ("source=elsewhere", set()),
        ("text=number+3", {4}),
        ("text=%25", set()),
        ("text=", {1, 2, 3, 4, 5, 6}),
        ("after=4", {5, 6}),
        ("after=9223372036854775807", set()),
    ],
)
def test_filter_in_the_address_chooses_the_pictures(
    judge: Judge, drawn: DrawnCatalogue, query: str, expected: set[int]
) -> None:
    drawn.add_many(6)
    judge.judge("keep", 1, 2)
    page = judge.get(f"/?{query}&format=json").get_json()
    assert {picture["id"] for picture in page["pictures"]} == expected
    assert {number for number, _, _ in tiles_of(judge.get(f"/?{query}").text)} == expected


@pytest.mark.parametrize(
    "query",
    [
        "status=maybe",
        "status=",
        "after=-1",
        "after=1.5",
        "after=x",
        "after=",
        "after=9223372036854775808",
        "after=%D9%A1",
        "colour=red",
        "status=keep&status=reject",
        "format=xml",
        f"label={'x' * 2001}",
        f"text={'x' * 201}",
    ],
)
def test_impossible_filter_is_refused_with_one_line(judge: Judge, query: str) -> None:
    answer = judge.get(f"/?{query}")
    assert answer.status_code == 400
    told = judge.client.get(f"/?{query}", headers={"Accept": "application/json"})
    assert told.status_code == 400
    assert "\n" not in told.get_json()["error"]


def test_choosing_a_facet_keeps_the_others_and_choosing_it_again_takes_it_back(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(6)
    page = judge.get("/?label=cat&status=undecided&format=json").get_json()
    by_value = {value["value"]: value for value in page["facets"]["label"]}
    assert by_value["cat"]["chosen"]
    assert by_value["cat"]["address"] == "/?status=undecided"
    assert by_value["dog"]["address"] == "/?status=undecided&label=dog"
    # The counts of a facet are those under the other facets' choices.
    assert {value: found["count"] for value, found in by_value.items()} == {
        "bird": 2, "cat": 2, "dog": 1, "fish": 1,
    }  # fmt: skip


def test_hostile_caption_and_label_are_escaped(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add(drawing(1), caption=HOSTILE, label=HOSTILE, licence=HOSTILE)
    html = judge.get("/").text
    assert "<script>document" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;document" in html
    # A filter's value is shown, too.
    searched = judge.client.get("/", query_string={"text": HOSTILE, "label": '"><script>'}).text
    assert "<script>document" not in searched
    assert '"><script>' not in searched


def test_values_of_any_length_and_letters_leave_a_page_whose_addresses_all_open(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(1), label="x" * 2000, licence="y" * 2001)
    drawn.add(drawing(2), label="A&B=c#d?e+ ü/%41\0\x1b", licence="CC0-1.0")
    page = judge.get("/?format=json").get_json()
    assert page["total"] == 2
    assert [value["value"] for value in page["facets"]["licence"]] == ["CC0-1.0"]
    for value in page["facets"]["label"]:
        assert value["count"] == 1
        chosen = judge.get(value["address"] + "&format=json").get_json()
        assert [picture["label"] for picture in chosen["pictures"]] == [value["value"]]
        assert judge.get(value["address"]).status_code == 200


def test_longest_version_of_a_caption_is_shown(judge: Judge, drawn: DrawnCatalogue) -> None:
    number = drawn.add(drawing(1), caption="A red bird on a bl...")
    with drawn.open() as catalog:
        whole = Caption(text="A red bird on a blue branch", origin="detail page")
        catalog.images.add_caption(number, whole)
    page = judge.get("/?format=json").get_json()
    assert page["pictures"][0]["caption"] == "A red bird on a blue branch"


def test_empty_catalogue_says_what_to_do(judge: Judge) -> None:
    assert "python -m scrape run" in judge.get("/").text


# ------------------------------------------------------------ sorts, spans and ranges


def ids_of(judge: Judge, query: str) -> list[int]:
    page = judge.get(f"/?{query}&format=json").get_json()
    return [picture["id"] for picture in page["pictures"]]


def test_sort_and_filters_stay_in_every_address_of_a_page(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "TILES_PER_PAGE", 2)
    drawn.add_many(8)
    query = "sort=-sharpness&text=drawing&stars=0-3&between=sharpness%3A0.."
    page = judge.get(f"/?{query}&format=json").get_json()
    facets = [value["address"] for values in page["facets"].values() for value in values]
    wanted = {"sort=-sharpness", "text=drawing", "stars=0-3", "between=sharpness:0.."}
    for address in (page["next"], *facets):
        given = set(unquote(address.removeprefix("/?")).split("&"))
        assert len(wanted - given) <= (address in facets)
        assert judge.get(address).status_code == 200
    assert page["filter"] == {"text": "drawing", "stars": "0-3", "between": "sharpness:0.."}
    assert page["sort"] == "-sharpness"


def test_stars_and_ranges_choose_the_pictures(judge: Judge, drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(6)
    for stars, number in enumerate(ids):
        judge.judge("stars", number, stars=stars)
    with drawn.open() as catalog:
        for place, number in enumerate(ids):
            catalog.images.set_quality(number, {"sharpness": place / 10})
        catalog.scores.note_measured()
    assert ids_of(judge, "stars=3-5") == ids[3:]
    assert ids_of(judge, "stars=0") == ids[:1]
    assert ids_of(judge, "between=sharpness:0.1..0.3") == ids[1:4]
    assert ids_of(judge, "between=sharpness:0.1..,stars:..2") == ids[1:3]
    assert ids_of(judge, "between=score:-9..9") == []
    assert ids_of(judge, "sort=-stars") == ids[::-1]
    assert ids_of(judge, "sort=-sharpness&stars=2-4") == ids[4:1:-1]


def test_the_count_of_a_span_of_stars_is_of_the_whole_span(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    for stars, number in enumerate(drawn.add_many(6)):
        judge.judge("stars", number, stars=stars)
    page = judge.get("/?stars=3-5&format=json").get_json()
    counts = {value["value"]: value["count"] for value in page["facets"]["stars"]}
    assert counts == {"5": 1, "4": 1, "3": 1, "2": 1, "1": 1, "0": 1, "3-5": 3}
    assert page["total"] == 3


@pytest.mark.parametrize(
    "query",
    [
        "sort=shapness",
        "sort=--id",
        "sort=stars&sort=id",
        "between=shapness:1..2",
        "between=sharpness",
        "between=sharpness:a..b",
        "between=sharpness:..",
        "stars=6",
        "stars=5-1",
        "text=%00",
        "after=nan:1",
        "after=1e999:1",
        "before=3",
        "at=50&after=3",
    ],
)
def test_impossible_sort_range_or_place_is_refused_with_one_line(
    judge: Judge, drawn: DrawnCatalogue, query: str
) -> None:
    drawn.add_many(1)
    answer = judge.get(f"/?{query}")
    assert answer.status_code == 400
    told = judge.get(f"/?{query}&format=json")
    assert told.status_code == 400
    assert "\n" not in told.get_json()["error"]


def test_three_fields_make_the_range_in_the_address(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(1)

    def goes_to(query: str) -> str:
        answer = judge.get(f"/between?{query}")
        assert answer.status_code == 302
        return unquote(answer.headers["Location"])

    assert goes_to("score=sharpness&from=0.2&to=") == "/?between=sharpness:0.2.."
    kept = "sort=-id&text=a&between=sharpness:0..1,stars:..2"
    changed = goes_to(f"{kept}&score=sharpness&from=&to=0.5")
    assert changed == "/?text=a&sort=-id&between=stars:..2,sharpness:..0.5"
    assert goes_to(f"{kept}&score=stars") == "/?text=a&sort=-id&between=sharpness:0..1"
    assert judge.get("/between?score=a&form=1").status_code == 400


def test_impossible_range_is_told_beside_the_grid_with_the_rest_of_the_filter(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    bird = drawn.add(drawing(1, 48), label="bird")
    drawn.add(drawing(2, 48), label="cat")
    answer = judge.get("/?label=bird&between=sharpnes:0..1")
    assert answer.status_code == 400
    assert "there is no score &#39;sharpnes&#39;; known: id, " in answer.text
    assert re.findall(r'class="tile[^>]*data-id="(\d+)"', answer.text) == [str(bird)]
    assert judge.get("/?label=bird&between=sharpnes:0..1&format=json").status_code == 400


def test_hostile_searches_are_looked_for_and_nothing_else(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(3)
    for text in (
        '"',
        "*",
        "NEAR(",
        "OR",
        "a OR b",
        "%",
        "_",
        "\\",
        "text:drawing",
        "'",
    ):
        answer = judge.client.get("/", query_string={"text": text, "format": "json"})
        assert answer.status_code == 200, text
        assert answer.get_json()["total"] == 0, text
    for text in ("drawing*", '"drawing', "(drawing)", "-drawing", "^drawing", "drawing number"):
        answer = judge.client.get("/", query_string={"text": text, "format": "json"})
        assert answer.get_json()["total"] == 3, text


def test_text_that_a_command_adds_while_the_app_runs_is_found(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    [number] = drawn.add_many(1)
    assert ids_of(judge, "text=owl") == []
    with drawn.open() as catalog:
        catalog.images.add_caption(number, Caption(text="an owl", origin="captioner"))
    assert ids_of(judge, "text=owl") == [number]
