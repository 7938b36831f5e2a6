"""The JSON API source reads lists and pages of any layout, and hostile answers with a reason."""

import json
from typing import Any

import pytest

from scrape.client import PoliteClient
from scrape.json_answer import look_up
from scrape.sources import SourceError
from scrape.sources.json_api import FieldMap, JsonApi, JsonApiSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.loopback import Answer, LoopbackSite

FIELDS = FieldMap(
    picture="url",
    page="page_url",
    captions=("title",),
    label="label",
    author="author",
    licence="licence",
    licence_url="licence_url",
)


def api(site: LoopbackSite, path: str = "/api", **keys: Any) -> JsonApi:
    declared = {
        "kind": "json-api",
        "name": "animals",
        "start": (f"{site.url}{path}",),
        "items": "results",
        "next": "next",
        "fields": FIELDS,
    }
    return JsonApi(JsonApiSpec(**{**declared, **keys}))


def answer(*results: Any, **more: Any) -> Answer:
    return Answer(json.dumps({"results": results, **more}).encode())


def items_of(source: JsonApi, client: PoliteClient) -> list[ScrapedItem]:
    return list(source.items(client))


def test_an_entry_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/api"] = answer(
        {
            "url": "/media/1.png",
            "page_url": "/pictures/1/",
            "title": "A <b>brown</b> dog",
            "label": "dog",
            "author": "Anna",
            "licence": "CC BY 4.0",
            "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        },
        next=None,
    )
    (item,) = items_of(api(site), client)
    assert item.picture_url == f"{site.url}/media/1.png"
    assert item.page_url == f"{site.url}/pictures/1/"
    assert [(c.text, c.origin) for c in item.captions] == [("A brown dog", "api title")]
    assert (item.label, item.author, item.licence) == ("dog", "Anna", "CC-BY-4.0")
    assert item.detail_url == ""
    assert api(site).complete(client, item) == item


def test_a_next_link_is_followed_and_never_in_a_circle(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/api"] = answer({"url": "/1.png"}, next="/api?page=2")
    site.routes["/api?page=2"] = answer({"url": "/2.png"}, next=f"{site.url}/api")
    assert [item.picture_url[-6:] for item in items_of(api(site), client)] == ["/1.png", "/2.png"]


def test_a_page_number_counts_up_until_a_page_is_empty(
    site: LoopbackSite, client: PoliteClient
) -> None:
    for number in (0, 1, 2):
        entries = [{"url": f"/{number}.png"}] if number < 2 else []
        site.routes[f"/api?label=a+b&page={number}"] = answer(*entries)
    source = api(site, "/api?label=a+b&page=7", next="", page_parameter="page", first_page=0)
    assert len(items_of(source, client)) == 2
    assert len(site.paths("/api")) == 3


def test_pages_end_at_the_cap(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/api"] = answer({"url": "/1.png"})
    source = api(site, next="", page_parameter="page", max_pages=4)
    assert len(items_of(source, client)) == 4


def test_items_may_lie_deep_or_be_a_table(site: LoopbackSite, client: PoliteClient) -> None:
    body = {"query": {"pages": {"7": {"info": [{"url": "/7.png"}]}, "9": {"info": []}}}}
    site.routes["/api"] = Answer(json.dumps(body).encode())
    fields = FieldMap(picture="info.0.url", captions=())
    source = api(site, items="query.pages", next="continue", fields=fields)
    assert [item.picture_url for item in items_of(source, client)] == [f"{site.url}/7.png"]
    assert "1 of them without a picture; look at fields.picture" in source.warnings[0]


def test_the_whole_answer_may_be_the_list(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/api"] = Answer(json.dumps([{"url": "/1.png"}]).encode())
    assert len(items_of(api(site, items="", next=""), client)) == 1


def test_label_and_licence_of_the_source_fill_what_is_missing(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/api?q=cat"] = answer({"url": "/1.png"}, {"url": "/2.png", "label": "tabby"})
    source = api(site, "/api?q={query}", queries=("cat",), licence="CC0", author="ACME", next="")
    first, second = items_of(source, client)
    assert (first.label, first.licence, first.author) == ("cat", "CC0-1.0", "ACME")
    assert (second.label, second.query) == ("tabby", "cat")
    (fixed, _) = items_of(
        api(site, "/api?q={query}", queries=("cat",), label="felidae", next=""), client
    )
    assert fixed.label == "felidae"


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"url": None},
        {"url": ""},
        {"url": "javascript:alert(1)"},
        {"url": {"deep": 1}},
        {"url": True},
        "text",
        None,
        7,
        [],
    ],
)
def test_an_entry_without_a_usable_picture_is_left_out_with_a_warning(
    site: LoopbackSite, client: PoliteClient, entry: Any
) -> None:
    site.routes["/api"] = answer(entry, {"url": "/1.png"})
    source = api(site)
    assert len(items_of(source, client)) == 1
    assert len(source.warnings) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", b'{"results": [', b"[" * 100_000, b"\xff\xfe", b"9" * 5000],
)
def test_an_answer_that_is_no_json_is_named_so(
    site: LoopbackSite, client: PoliteClient, body: bytes
) -> None:
    site.routes["/api"] = Answer(body)
    with pytest.raises(SourceError) as failure:
        items_of(api(site), client)
    assert failure.value.reason == "bad-json"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"results": 3}', b'{"error": "no"}'])
def test_an_answer_without_the_list_is_named_so(
    site: LoopbackSite, client: PoliteClient, body: bytes
) -> None:
    site.routes["/api"] = Answer(body)
    with pytest.raises(SourceError, match="no list at items = 'results'") as failure:
        items_of(api(site), client)
    assert failure.value.reason == "no-items"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("list.1", "y"),
        ("list.9", None),
        ("tags.*.name", ["p", "q"]),
        ("a.none.x", None),
        ("list.-1", None),
    ],
)
def test_dotted_paths_reach_into_tables_and_lists(path: str, value: Any) -> None:
    data = {"a": {"b": 1}, "list": ["x", "y"], "tags": [{"name": "p"}, {"name": "q"}]}
    assert look_up(data, path) == value


def test_numbers_and_lists_become_captions(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/api"] = answer(
        {"url": "/1.png", "id": 12, "tags": [{"name": "brown"}, {"name": "dog"}]}
    )
    fields = FieldMap(picture="url", captions=("tags.*.name", "id"))
    (item,) = items_of(api(site, fields=fields), client)
    assert [caption.text for caption in item.captions] == ["brown, dog", "12"]
