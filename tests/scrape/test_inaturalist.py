"""iNaturalist is read by its cursor; every photograph has its own licence, author and sizes."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dataset.errors import ConfigError
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.recorded import ReplayTransport
from scrape.sources import SourceError
from scrape.sources.inaturalist import INaturalist, INaturalistSpec, addresses_of, author_of
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.loopback import Answer, LoopbackSite

MEDIA = "https://inaturalist-open-data.s3.amazonaws.com/photos"


def inaturalist(site: LoopbackSite, **keys: Any) -> INaturalist:
    declared = {"kind": "inaturalist", "name": "inat", "queries": ("Ailurus fulgens",)}
    return INaturalist(
        INaturalistSpec(**{**declared, "api": f"{site.url}/v1/observations", **keys})
    )


def photo(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "url": f"{MEDIA}/{number}/square.jpg?1598551272",
        "license_code": "cc-by-nc",
        "attribution": "(c) Anna Berg, some rights reserved (CC BY-NC)",
        "original_dimensions": {"width": 2048, "height": 1361},
        **fields,
    }


def observation(number: int, *photos: Any, **fields: Any) -> dict[str, Any]:
    """One observation in the layout of the service, with one photograph unless given."""
    return {
        "id": number,
        "quality_grade": "research",
        "description": "In the bamboo,\n<i>asleep</i>.",
        "species_guess": "Panda",
        "taxon": {
            "name": "Ailurus fulgens",
            "preferred_common_name": "Red Panda",
            "iconic_taxon_name": "Mammalia",
        },
        "user": {"login": "anna", "name": "Anna Berg"},
        "photos": list(photos) or [photo(number)],
        **fields,
    }


def body(*entries: Any, **more: Any) -> Answer:
    return Answer(json.dumps({"total_results": 10**6, "results": entries, **more}).encode())


def items_of(source: INaturalist, client: PoliteClient) -> list[ScrapedItem]:
    return list(source.items(client))


def serve(site: LoopbackSite, *pages: Answer) -> None:
    """Answer the requests with these pages one after the other, then with empty ones."""
    given = iter(pages)
    site.routes["/v1/observations"] = lambda earlier: next(given, body(total_results=0))


def asked(site: LoopbackSite, number: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(site.paths("/v1/observations")[number]).query)


def test_a_photograph_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(observation(577)))
    (item,) = items_of(inaturalist(site), client)
    assert item.picture_url == f"{MEDIA}/577/large.jpg"
    assert item.fallback_urls == (f"{MEDIA}/577/original.jpg", f"{MEDIA}/577/medium.jpg")
    assert item.page_url == "https://www.inaturalist.org/observations/577"
    assert [(c.text, c.origin) for c in item.captions] == [
        ("Red Panda (Ailurus fulgens)", "inaturalist taxon"),
        ("In the bamboo, asleep.", "inaturalist description"),
    ]
    assert (item.author, item.author_url) == (
        "Anna Berg",
        "https://www.inaturalist.org/people/anna",
    )
    assert item.licence == "CC-BY-NC-4.0"
    assert item.licence_url == "https://creativecommons.org/licenses/by-nc/4.0/"
    assert item.attribution == "(c) Anna Berg, some rights reserved (CC BY-NC)"
    assert (item.label, item.query, item.source) == ("Ailurus fulgens", "Ailurus fulgens", "inat")


def test_an_observation_gives_all_of_its_photographs_each_once(
    site: LoopbackSite, client: PoliteClient
) -> None:
    own = photo(2, license_code="cc0", attribution="Bo Lin, no rights reserved (CC0)")
    serve(site, body(observation(1, photo(1), own, photo(1)), observation(3, photo(2))))
    first, second = items_of(inaturalist(site), client)
    assert (first.licence, second.licence) == ("CC-BY-NC-4.0", "CC0-1.0")
    assert (second.author, second.author_url) == ("Bo Lin", "")
    assert second.page_url.endswith("/observations/1")


def test_the_question_is_ordered_by_number_and_never_by_page(
    site: LoopbackSite, client: PoliteClient
) -> None:
    serve(site, body(observation(11), observation(12)), body(observation(40)))
    assert len(items_of(inaturalist(site), client)) == 3
    first = {
        "taxon_name": ["Ailurus fulgens"],
        "photos": ["true"],
        "quality_grade": ["research"],
        "photo_license": ["cc0,cc-by,cc-by-sa,cc-by-nd,cc-by-nc,cc-by-nc-sa,cc-by-nc-nd,pd,gfdl"],
        "locale": ["en"],
        "per_page": ["200"],
        "order_by": ["id"],
        "order": ["asc"],
    }
    assert asked(site, 0) == first
    assert asked(site, 1) == {**first, "id_above": ["12"]}
    assert asked(site, 2) == {**first, "id_above": ["40"]}
    assert len(site.paths("/v1/")) == 3


def test_a_list_ends_where_the_service_has_no_more(
    site: LoopbackSite, client: PoliteClient
) -> None:
    serve(site, body(observation(1), observation(2), total_results=2))
    assert len(items_of(inaturalist(site), client)) == 2
    assert len(site.paths("/v1/")) == 1


def test_a_list_that_goes_in_a_circle_ends(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/v1/observations"] = body(observation(5), observation(9))
    assert len(items_of(inaturalist(site), client)) == 2
    assert len(site.paths("/v1/")) == 2


def test_a_list_ends_at_the_cap(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, *(body(observation(number)) for number in range(1, 10)))
    assert len(items_of(inaturalist(site, max_pages=3), client)) == 3
    assert len(site.paths("/v1/")) == 3


def test_taxa_may_be_given_by_number(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(observation(1), total_results=1), body(observation(2), total_results=1))
    source = inaturalist(site, queries=(), taxon_ids=(41967, 42), quality_grade="any")
    items = items_of(source, client)
    assert [asked(site, number)["taxon_id"] for number in (0, 1)] == [["41967"], ["42"]]
    assert "taxon_name" not in asked(site)
    assert "quality_grade" not in asked(site)
    assert [(item.label, item.query) for item in items] == [("Ailurus fulgens", "")] * 2


@pytest.mark.parametrize(
    ("keys", "label"),
    [
        ({}, "Ailurus fulgens"),
        ({"queries": ("red panda",)}, "red panda"),
        ({"queries": ("red panda",), "label_from": "taxon"}, "Ailurus fulgens"),
        ({"label_from": "iconic"}, "Mammalia"),
        ({"label_from": "iconic", "label": "panda"}, "panda"),
    ],
)
def test_the_label_is_the_query_the_taxon_or_its_group(
    site: LoopbackSite, client: PoliteClient, keys: dict[str, Any], label: str
) -> None:
    serve(site, body(observation(1)))
    (item,) = items_of(inaturalist(site, **keys), client)
    assert item.label == label


@pytest.mark.parametrize(
    ("code", "id"),
    [
        ("cc0", "CC0-1.0"),
        ("cc-by", "CC-BY-4.0"),
        ("CC-BY-SA", "CC-BY-SA-4.0"),
        ("cc-by-nc-nd", "CC-BY-NC-ND-4.0"),
        ("pd", "PDM-1.0"),
        ("gfdl", "GFDL-1.2-or-later"),
        (None, "all-rights-reserved"),
        ("new-licence", "unknown"),
        ("", "unknown"),
        (7, "unknown"),
    ],
)
def test_a_photograph_without_a_code_is_reserved_and_a_strange_one_unknown(
    site: LoopbackSite, client: PoliteClient, code: Any, id: str
) -> None:
    serve(site, body(observation(1, photo(1, license_code=code))))
    (item,) = items_of(inaturalist(site, licences=("any",)), client)
    assert item.licence == id
    assert "photo_license" not in asked(site)


def test_a_gate_holds_for_each_photograph_of_an_observation(
    site: LoopbackSite, client: PoliteClient
) -> None:
    photos = [photo(n, license_code=code) for n, code in enumerate(("cc-by", None, "cc-by-nc"))]
    serve(site, body(observation(1, *photos)))
    source = inaturalist(site, licences=("free",))
    assert [item.licence for item in items_of(source, client)] == ["CC-BY-4.0"]
    assert asked(site, 0)["photo_license"] == ["cc0,cc-by,cc-by-sa,pd,gfdl"]
    assert source.warnings == []


@pytest.mark.parametrize(
    ("size", "names"),
    [
        ("original", ["original", "large", "medium"]),
        ("large", ["large", "original", "medium"]),
        ("medium", ["medium", "large", "original"]),
    ],
)
def test_the_square_becomes_the_wanted_size_and_the_others_stand_by(
    size: str, names: list[str]
) -> None:
    written = "https://static.inaturalist.org/photos/7/square.jpeg?1545715684"
    addresses = [f"https://static.inaturalist.org/photos/7/{name}.jpeg" for name in names]
    assert list(addresses_of(written, size)) == addresses


@pytest.mark.parametrize(
    ("written", "addresses"),
    [
        ("https://live.example.org/65/7_s.jpg?x=1", ("https://live.example.org/65/7_s.jpg?x=1",)),
        ("https://www.inaturalist.org/assets/copyright-infringement-square.png", ()),
        ("javascript:square.jpg", ()),
        ("", ()),
    ],
)
def test_an_address_of_another_form_stays_as_it_is(written: str, addresses: tuple[str]) -> None:
    assert addresses_of(written, "large") == addresses


@pytest.mark.parametrize(
    ("line", "author"),
    [
        ("(c) Anna Berg, some rights reserved (CC BY)", "Anna Berg"),
        ("(c) Berg, Anna, some rights reserved (CC BY-NC-SA)", "Berg, Anna"),
        ("(c) anna, some rights reserved (CC BY-NC), uploaded by bo, the other", "anna"),
        ("\u00a9 Anna, all rights reserved", "Anna"),
        ("Anna, no known copyright restrictions (public domain)", "Anna"),
        ("(c) Anna, certains droits r\u00e9serv\u00e9s (CC BY-NC)", "Anna"),
        ("no rights reserved", ""),
        ("Anna", ""),
        ("", ""),
        (", (CC BY)", ""),
        ("a, " * 300, ""),
    ],
)
def test_the_author_stands_in_the_attribution(line: str, author: str) -> None:
    assert author_of(line) == author


@pytest.mark.parametrize(
    ("fields", "author", "address"),
    [
        ({"user": {"login": "a b/c", "name": None}}, "a b/c", "/people/a%20b%2Fc"),
        ({"user": {"login": "anna", "name": "Anna"}}, "Anna", "/people/anna"),
        ({"user": None}, "the finder", ""),
    ],
)
def test_without_an_attribution_the_observer_is_the_author(
    site: LoopbackSite, client: PoliteClient, fields: dict[str, Any], author: str, address: str
) -> None:
    serve(site, body(observation(1, photo(1, attribution=None), **fields)))
    (item,) = items_of(inaturalist(site, author="the finder"), client)
    assert (item.author, item.attribution) == (author, "")
    assert item.author_url.endswith(address)


@pytest.mark.parametrize(
    ("taxon", "caption"),
    [
        ({"name": "Ailurus", "preferred_common_name": None}, "Ailurus"),
        ({"name": "Ailurus", "preferred_common_name": "Ailurus"}, "Ailurus"),
        ({"preferred_common_name": "Pandas"}, "Pandas"),
        ({}, "Panda"),
        (None, "Panda"),
    ],
)
def test_a_caption_is_made_of_what_names_there_are(
    site: LoopbackSite, client: PoliteClient, taxon: Any, caption: str
) -> None:
    serve(site, body(observation(1, taxon=taxon, description=None)))
    (item,) = items_of(inaturalist(site), client)
    assert [c.text for c in item.captions] == [caption]


def test_hidden_photographs_are_left_alone(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(observation(1, photo(1, hidden=True), photo(2))))
    source = inaturalist(site)
    assert [item.picture_url for item in items_of(source, client)] == [f"{MEDIA}/2/large.jpg"]
    assert source.warnings == []


HOSTILE: list[Any] = [None, 7, "text", [], {}, {"id": 3}, {"photos": []}, {"id": "3", "photos": []}]


def test_what_cannot_be_used_is_counted_by_the_field_that_is_gone(
    site: LoopbackSite, client: PoliteClient
) -> None:
    broken: list[Any] = [None, {}, photo(8, url=None), photo(9, url="javascript:x"), [], 7]
    serve(site, body(*HOSTILE, observation(1, *broken, photo(1))))
    source = inaturalist(site)
    assert len(items_of(source, client)) == 1
    told = " ".join(source.warnings)
    assert "9 observations, 6 times no photos" in told
    assert "2 times no id" in told
    assert "6 times no photos.url" in told


@pytest.mark.parametrize("value", [None, 7, [], {}, True, "\x00", "<script>", "é" * 100_000])
def test_any_other_field_may_be_anything(
    site: LoopbackSite, client: PoliteClient, value: Any
) -> None:
    fields = dict.fromkeys(set(observation(1)) - {"id", "photos"}, value)
    strange = dict.fromkeys(set(photo(1)) - {"url", "license_code"}, value)
    serve(site, body(observation(1, photo(1, **strange), **fields), total_results=value))
    (item,) = items_of(inaturalist(site), client)
    assert len(item.author) <= 120
    assert len(item.attribution) <= 1000


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "7", None, 1 << 70, float("nan")])
def test_a_number_that_is_none_ends_the_list(
    site: LoopbackSite, client: PoliteClient, number: Any
) -> None:
    site.routes["/v1/observations"] = body(observation(number))
    assert items_of(inaturalist(site), client) == []
    assert len(site.paths("/v1/")) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"<html>busy</html>"), "bad-json"),
        (Answer(b"[" * 100_000), "bad-json"),
        (Answer(b"[]"), "no-items"),
        (Answer(b'{"results": null}'), "no-items"),
        (Answer(b'{"error": "Unknown taxon_id 0", "status": 422}', 422), "bad-question"),
    ],
)
def test_an_answer_of_another_shape_is_a_fault_with_a_reason(
    site: LoopbackSite, client: PoliteClient, answer: Answer, reason: str, tmp_path: Path
) -> None:
    serve(site, answer)
    source = inaturalist(site)
    source.folder = tmp_path
    with pytest.raises(SourceError) as failure:
        items_of(source, client)
    assert failure.value.reason == reason
    assert (tmp_path / "inat-answer.json").exists() == (reason == "no-items")


def test_a_name_that_nobody_knows_is_told(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(total_results=0))
    source = inaturalist(site, queries=("Pandus",))
    assert items_of(source, client) == []
    assert source.warnings == ["inat: iNaturalist has no observations of 'Pandus'"]


@pytest.mark.parametrize(
    "keys",
    [
        {"queries": ()},
        {"queries": (), "taxon_ids": (0,)},
        {"api": "file:///etc/passwd"},
        {"licences": ("MIT",)},
        {"licences": ("cc-by",)},
        {"licences": ()},
    ],
)
def test_a_declaration_that_asks_for_nothing_is_refused(
    site: LoopbackSite, keys: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="source inat"):
        inaturalist(site, **keys)


def test_the_services_limits_are_stated(site: LoopbackSite) -> None:
    limits = inaturalist(site, size="original").limits()
    api = limits[f"127.0.0.1:{site.port}"]
    assert (api.gap_s, api.connections) == (1.0, 1)
    # 24 GB a day at 1.3 MB a picture
    assert limits["inaturalist-open-data.s3.amazonaws.com"].gap_s == 5.0
    assert limits["static.inaturalist.org"].gap_s == 5.0
    assert inaturalist(site, size="medium").limits()["static.inaturalist.org"].gap_s < 1


def test_too_many_requests_without_a_wait_cost_a_minute(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    serve(
        site, Answer(b'{"error": "normal_throttling"}', 429), body(observation(1), total_results=1)
    )
    source = inaturalist(site)
    for host, limit in source.limits().items():
        client.limit(host, limit)
    before = clock.now()
    assert len(items_of(source, client)) == 1
    assert 60 <= clock.now() - before < 75


def test_recorded_answers_are_read_without_a_network(tmp_path: Path) -> None:
    asked = (
        "https://api.inaturalist.org/v1/observations?taxon_name=Ailurus&photos=true"
        "&quality_grade=research&photo_license=cc0&locale=en&per_page=200&order_by=id&order=asc"
    )
    answers = [
        (asked, [observation(1, photo(1, license_code="cc0"))]),
        (f"{asked}&id_above=1", []),
    ]
    lines = [
        {"url": url, "method": "GET", "json": {"total_results": 9, "results": results}}
        for url, results in answers
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    spec = INaturalistSpec(
        kind="inaturalist", name="inat", queries=("Ailurus",), licences=("CC0-1.0",)
    )
    with PoliteClient(SETTINGS, clock=StepClock(), transport=ReplayTransport(tmp_path)) as client:
        (item,) = INaturalist(spec).items(client)
    assert item.picture_url == f"{MEDIA}/1/large.jpg"
