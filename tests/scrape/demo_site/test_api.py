"""The JSON API: paging covers everything once, filters filter, bad parameters are refused."""

from collections import Counter

import pytest

from scrape.demo_site import DemoSite
from scrape.demo_site.animals import KINDS
from tests.scrape.demo_site.visitor import Visitor

KEYS = {
    "id",
    "url",
    "page_url",
    "title",
    "label",
    "breed",
    "author",
    "licence",
    "licence_url",
    "width",
    "height",
}


@pytest.mark.parametrize("per_page", [37, 100])
def test_paging_shows_every_picture_exactly_once(
    site: DemoSite, visitor: Visitor, per_page: int
) -> None:
    entries = visitor.entries(f"/api/pictures?per_page={per_page}")
    assert Counter(entry["url"] for entry in entries) == Counter(
        picture.address for picture in site.collection.labelled
    )
    assert len({entry["id"] for entry in entries}) == len(entries)


def test_the_first_page_tells_how_many_there_are(visitor: Visitor) -> None:
    answer = visitor.get("/api/pictures?label=bird").json()
    assert set(answer) == {"page", "pages", "total", "next", "results"}
    assert (answer["page"], len(answer["results"])) == (1, 50)
    assert answer["pages"] == -(-answer["total"] // 50)
    assert answer["total"] >= 150
    assert answer["next"].startswith("/api/pictures?")
    assert "label=bird" in answer["next"]


def test_an_entry_has_all_its_facts(visitor: Visitor) -> None:
    for entry in visitor.get("/api/pictures?per_page=100").json()["results"]:
        assert set(entry) == KEYS
        assert entry["url"].startswith("/")
        assert entry["page_url"] == f"/pictures/{entry['id']}/"
        assert entry["label"] in entry["title"].lower() or "sheet" in entry["title"]
        assert min(entry["width"], entry["height"]) >= 64
        assert (entry["breed"] is not None) == (entry["label"] == "dog")


def test_licences_vary_and_some_are_missing(visitor: Visitor) -> None:
    licences = Counter(entry["licence"] for entry in visitor.entries())
    assert set(licences) == {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "unknown", None}
    assert min(licences.values()) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_shows_its_kind_alone(visitor: Visitor, kind: str) -> None:
    entries = visitor.entries(f"/api/pictures?label={kind}&per_page=100")
    assert {entry["label"] for entry in entries} == {kind}
    assert len(entries) >= 150


def test_breeds_and_words_filter(visitor: Visitor) -> None:
    poodles = visitor.entries("/api/pictures?breed=poodle")
    assert {entry["breed"] for entry in poodles} == {"poodle"}
    assert visitor.entries("/api/pictures?q=poodle") == poodles
    assert visitor.entries("/api/pictures?q=Poodles+dog") == poodles
    red = visitor.entries("/api/pictures?q=red+bird")
    assert 0 < len(red) < 150
    assert all("red" in entry["title"].lower() for entry in red)


def test_the_whole_list_mixes_the_kinds_from_its_start(visitor: Visitor) -> None:
    first = visitor.get("/api/pictures?per_page=100").json()["results"]
    assert {entry["label"] for entry in first} == set(KINDS)


@pytest.mark.parametrize("query", ["label=unicorn", "q=xyzzy", "label=dog&breed=none", "page=9999"])
def test_nothing_found_is_an_empty_page(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/api/pictures?{query}")
    assert answer.status_code == 200
    assert (answer.json()["results"], answer.json()["next"]) == ([], None)


def test_per_page_is_capped(visitor: Visitor) -> None:
    answer = visitor.get("/api/pictures?per_page=1000").json()
    assert len(answer["results"]) == 100
    assert "per_page=100" in answer["next"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=two",
        "page=1e3",
        "page=10000001",
        "page=" + "9" * 300,
        "per_page=0",
        "per_page=-5",
        "per_page=%00",
        "page=1&page=2",
        "lable=dog",
        "q=" + "a" * 201,
    ],
)
def test_a_bad_parameter_is_a_400_that_names_it(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/api/pictures?{query}")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert query.split("=")[0] in answer.json()["error"]
