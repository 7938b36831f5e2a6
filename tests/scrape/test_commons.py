"""Wikimedia Commons: batches in parts, categories, HTML metadata, licences, a busy API."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dataset.errors import ConfigError
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.recorded import ReplayTransport
from scrape.sources import SourceError
from scrape.sources.commons import Commons, CommonsSpec, is_picture
from scrape.sources.commons_text import texts_of
from scrape.sources.mediawiki import merge_pages
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.loopback import Answer, LoopbackSite

BY_SA = "https://creativecommons.org/licenses/by-sa/4.0"
Reply = Callable[[dict[str, str]], Any]


def meta(**fields: Any) -> dict[str, Any]:
    return {name: {"value": value, "source": "desc-page"} for name, value in fields.items()}


def info(number: int, **more: Any) -> dict[str, Any]:
    stated = meta(
        Artist='<a href="//commons.example/wiki/User:Anna" title="User:Anna">Anna</a>',
        AttributionRequired="true",
        Credit='<span class="int-own-work" lang="en">Own work</span>',
        ImageDescription=f"A drawing, number {number}",
        LicenseShortName="CC BY-SA 4.0",
        LicenseUrl=BY_SA,
        ObjectName=f"Drawing {number}",
    )
    return {
        "url": f"https://media.example/{number}.png",
        "descriptionurl": f"https://commons.example/wiki/File:Drawing_{number}.png",
        "mime": "image/png",
        "mediatype": "BITMAP",
        "width": 2000,
        "height": 1000,
        "timestamp": "2020-05-05T00:00:00Z",
        "user": "Anna",
        "extmetadata": stated,
        **more,
    }


def page(number: int, **more: Any) -> dict[str, Any]:
    return {
        "pageid": number,
        "ns": 6,
        "title": f"File:Drawing {number}.png",
        "imageinfo": [info(number, **more)],
    }


def whole(*pages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"batchcomplete": "", "query": {"pages": {str(p["pageid"]): p for p in pages}}, **more}


class Wiki:
    """An API on loopback: `reply` gets the parameters of a question and returns the answer."""

    def __init__(self, site: LoopbackSite, reply: Reply) -> None:
        self._site = site
        site.routes["/w/api.php"] = self._answer
        self._reply = reply

    def _answer(self, earlier: int) -> Answer:
        answer = self._reply(self.asked()[-1])
        return answer if isinstance(answer, Answer) else Answer(json.dumps(answer).encode())

    def asked(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(urlsplit(path).query)) for path in self._site.paths("/w/api.php")]


def source(site: LoopbackSite, **keys: Any) -> Commons:
    declared: dict[str, Any] = {"kind": "commons", "name": "commons", "queries": ("drawing",)}
    return Commons(CommonsSpec(**{**declared, "api": f"{site.url}/w/api.php", **keys}))


def items_of(site: LoopbackSite, client: PoliteClient, **keys: Any) -> list[ScrapedItem]:
    return list(source(site, **keys).items(client))


def one(site: LoopbackSite, client: PoliteClient, found: Any, **keys: Any) -> ScrapedItem:
    Wiki(site, lambda asked: whole(found))
    (item,) = items_of(site, client, **keys)
    return item


def test_a_file_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    item = one(site, client, page(7))
    assert item.picture_url == "https://media.example/7.png"
    assert item.page_url == "https://commons.example/wiki/File:Drawing_7.png"
    assert [(c.text, c.origin) for c in item.captions] == [
        ("A drawing, number 7", "commons ImageDescription"),
        ("Drawing 7", "commons ObjectName"),
    ]
    assert (item.author, item.author_url) == ("Anna", "http://commons.example/wiki/User:Anna")
    assert (item.licence, item.licence_url) == ("CC-BY-SA-4.0", BY_SA)
    assert item.attribution.startswith('"Drawing 7" by Anna (http')
    assert (item.label, item.query, item.fallback_urls) == ("drawing", "drawing", ())


def test_a_search_asks_politely_and_by_rank(site: LoopbackSite, client: PoliteClient) -> None:
    pages = [{**page(1), "index": 2}, {**page(2), "index": 1}]
    wiki = Wiki(site, lambda asked: whole(*pages))
    found = items_of(site, client, queries=("red panda",), language="de", batch=20)
    assert [item.picture_url[-5:] for item in found] == ["2.png", "1.png"]
    (asked,) = wiki.asked()
    assert asked["gsrsearch"] == "filetype:bitmap|drawing red panda"
    assert (asked["gsrnamespace"], asked["gsrlimit"], asked["maxlag"]) == ("6", "20", "5")
    assert asked["iiextmetadatalanguage"] == "de"
    assert "metadata" not in asked["iiprop"].split("|")


def test_a_batch_in_parts_is_merged_until_it_is_whole(
    site: LoopbackSite, client: PoliteClient
) -> None:
    bare = {"pageid": 2, "title": "File:Drawing 2.png"}

    def reply(asked: dict[str, str]) -> Any:
        if asked.get("gsroffset") == "2":
            return whole(page(3))
        if "iicontinue" in asked:
            more = {"gsroffset": 2, "continue": "gsroffset||"}
            return whole({"pageid": 1, "title": "File:Drawing 1.png"}, page(2)) | {"continue": more}
        more = {"iicontinue": "2|x", "continue": "||imageinfo"}
        return {"query": {"pages": {"1": page(1), "2": bare}}, "continue": more}

    wiki = Wiki(site, reply)
    reader = source(site)
    found = [item.picture_url[-5:] for item in reader.items(client)]
    assert found == ["1.png", "2.png", "3.png"]
    assert [asked.get("continue") for asked in wiki.asked()] == [None, "||imageinfo", "gsroffset||"]
    assert reader.warnings == []


def test_merging_keeps_properties_and_joins_lists() -> None:
    batch: dict[str, Any] = {}
    first = {"1": {"pageid": 1, "title": "A", "usage": [{"a": 1}]}}
    merge_pages(batch, first)
    merge_pages(batch, [{"pageid": 1, "title": "B", "usage": [{"a": 1}, {"a": 2}], "ns": 6}])
    merge_pages(batch, None)
    merge_pages(batch, ["no page"])
    assert batch == {"1": {"pageid": 1, "title": "A", "usage": [{"a": 1}, {"a": 2}], "ns": 6}}
    assert first["1"]["usage"] == [{"a": 1}]


def test_a_batch_that_is_never_whole_ends_at_a_cap(
    site: LoopbackSite, client: PoliteClient
) -> None:
    count = Counter[str]()

    def reply(asked: dict[str, str]) -> Any:
        count["asked"] += 1
        more = {"iicontinue": str(count["asked"]), "continue": "||imageinfo"}
        return {"query": {"pages": {"1": page(1)}}, "continue": more}

    Wiki(site, reply)
    reader = source(site)
    assert len(list(reader.items(client))) == 1
    assert count["asked"] == 50
    assert "not whole after 50 answers" in reader.warnings[0]


def test_a_token_given_twice_ends_the_list(site: LoopbackSite, client: PoliteClient) -> None:
    numbers = iter(range(100))
    more = {"gsroffset": 50, "continue": "gsroffset||"}
    wiki = Wiki(site, lambda asked: whole(page(next(numbers)), **{"continue": more}))
    reader = source(site)
    assert len(list(reader.items(client))) == 2
    assert len(wiki.asked()) == 2
    assert "in a circle" in reader.warnings[0]


def test_a_batch_with_nothing_new_and_max_pages_end_the_list(
    site: LoopbackSite, client: PoliteClient
) -> None:
    numbers = iter(range(1000))

    def endless(asked: dict[str, str]) -> Any:
        number = next(numbers)
        more = {"gsroffset": number, "continue": "gsroffset||"}
        return whole(page(min(number, 4)), **{"continue": more})

    wiki = Wiki(site, endless)
    assert len(items_of(site, client)) == 5
    assert len(wiki.asked()) == 6
    numbers = iter(range(1000))
    assert len(items_of(site, client, max_pages=2)) <= 3


def test_categories_are_walked_to_a_depth_each_once(
    site: LoopbackSite, client: PoliteClient
) -> None:
    below = {
        "Category:Bears": ["Category:Pandas", "Category:Brown bears"],
        "Category:Pandas": ["Category:Bears", "Category:Red pandas"],
        "Category:Red pandas": ["Category:Too deep"],
    }
    files = {"Category:Bears": 1, "Category:Pandas": 2, "Category:Brown bears": 3}

    def reply(asked: dict[str, str]) -> Any:
        if "cmtitle" in asked:
            members = [{"ns": 14, "title": title} for title in below.get(asked["cmtitle"], [])]
            return {"batchcomplete": "", "query": {"categorymembers": members}}
        number = files.get(asked["gcmtitle"], 9)
        return whole(page(number), page(1))

    wiki = Wiki(site, reply)
    found = items_of(site, client, queries=(), categories=("bears",), depth=2)
    walked = [asked["gcmtitle"] for asked in wiki.asked() if "gcmtitle" in asked]
    assert walked == [f"Category:{n}" for n in ("Bears", "Pandas", "Brown bears", "Red pandas")]
    assert [item.picture_url[-5:] for item in found] == ["1.png", "2.png", "3.png", "9.png"]
    assert {item.label for item in found} == {"Bears"}
    flat = items_of(site, client, queries=(), categories=("Category:Bears",))
    assert len(flat) == 1


def test_a_span_of_time_lists_uploads_and_narrows_searches(
    site: LoopbackSite, client: PoliteClient
) -> None:
    pages = [page(1), page(2, timestamp="2019-01-01T00:00:00Z")]
    wiki = Wiki(site, lambda asked: whole(*pages))
    keys = {"since": "2020-01-01", "until": "2021-01-01T02:00:00+02:00"}
    assert len(items_of(site, client, queries=(), **keys)) == 1
    asked = wiki.asked()[0]
    assert (asked["generator"], asked["gaisort"]) == ("allimages", "timestamp")
    assert asked["gaistart"] == "2020-01-01T00:00:00Z"
    assert asked["gaiend"] == "2021-01-01T00:00:00Z"
    assert len(items_of(site, client, **keys)) == 1


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"mime": "image/jpeg", "mediatype": "BITMAP"}, True),
        ({"mime": "image/svg+xml", "mediatype": "DRAWING"}, True),
        ({"mime": "application/ogg", "mediatype": "AUDIO"}, False),
        ({"mime": "application/pdf", "mediatype": "OFFICE"}, False),
        ({"mime": "image/gif", "mediatype": "VIDEO"}, False),
        ({"mime": "video/webm"}, False),
        ({"url": "https://m.example/a.JPG", "width": 5}, True),
        ({"url": "https://m.example/a.ogg", "width": 0}, False),
        ({"url": "https://m.example/a.jpg", "width": 0}, False),
    ],
)
def test_only_pictures_are_pictures(about: dict[str, Any], expected: bool) -> None:
    assert is_picture(about) is expected


def test_files_that_are_gone_are_skipped_and_unexpected_gaps_are_told(
    site: LoopbackSite, client: PoliteClient
) -> None:
    gone = page(2, filemissing="")
    deleted = {"pageid": -1, "title": "File:No.png", "missing": ""}
    bare = {"pageid": 3, "title": "File:Bare.png"}
    sound = page(4, mime="application/ogg", mediatype="AUDIO")
    unaddressed = page(5, url="javascript:alert(1)")
    Wiki(site, lambda asked: whole(page(1), gone, deleted, bare, sound, unaddressed))
    reader = source(site)
    assert len(list(reader.items(client))) == 1
    assert [warning.partition(": ")[2] for warning in reader.warnings] == [
        "drawing: 1 of 6 files without imageinfo",
        "drawing: 1 of 6 files without imageinfo.0.url",
    ]


@pytest.mark.parametrize(
    ("width", "asked", "keys", "is_drawn"),
    [
        (0, "960", {}, False),
        (0, "960", {"mime": "image/svg+xml", "mediatype": "DRAWING"}, True),
        (1000, "1280", {}, True),
        (1280, "1280", {}, True),
        (1300, "1920", {"width": 1920}, False),
        (3840, "3840", {}, False),
    ],
)
def test_a_width_is_one_that_commons_keeps(
    site: LoopbackSite,
    client: PoliteClient,
    width: int,
    asked: str,
    keys: dict[str, Any],
    is_drawn: bool,
) -> None:
    thumb = "https://media.example/thumb/7.png"
    wiki = Wiki(site, lambda _: whole(page(7, thumburl=thumb, **keys)))
    (item,) = items_of(site, client, width=width)
    assert wiki.asked()[0]["iiurlwidth"] == asked
    original = "https://media.example/7.png"
    assert item.picture_url == (thumb if is_drawn else original)
    assert item.fallback_urls == ((original,) if is_drawn else ())


@pytest.mark.parametrize(
    ("artist", "author", "address"),
    [
        ('<a href="https://a.example/x">Anna B</a>', "Anna B", "https://a.example/x"),
        ('<div class="fn value">\nAnna B</div>', "Anna B", ""),
        ('<bdi><a href="//a.example/x">Anna\n</a></bdi>', "Anna", "http://a.example/x"),
        (
            'First put here by <a href="https://a.example/x">Anna</a> at <a href="/y">Y</a>.',
            "First put here by Anna at Y.",
            "https://a.example/x",
        ),
        ('<a href="/w/index.php?title=User:A&amp;redlink=1">Anna</a>', "Anna", ""),
        ('<a href="javascript:alert(1)">Anna</a>', "Anna", ""),
        ("Anna; Bert", "Anna; Bert", ""),
        ('<div><span lang="en">Unknown author</span></div>', "uploader", "/wiki/User:uploader"),
        ("", "uploader", "/wiki/User:uploader"),
        (None, "uploader", "/wiki/User:uploader"),
        (["Anna"], "uploader", "/wiki/User:uploader"),
        ('Anna<style>.a{}</style><b style="display: none;">hidden</b>', "Anna", ""),
    ],
)
def test_an_author_in_any_markup(
    site: LoopbackSite, client: PoliteClient, artist: Any, author: str, address: str
) -> None:
    found = page(1, user="uploader")
    found["imageinfo"][0]["extmetadata"]["Artist"] = {"value": artist}
    item = one(site, client, found)
    assert item.author == author
    assert item.author_url == (f"{site.url}{address}" if address.startswith("/") else address)


def test_the_attribution_that_an_author_asks_for_goes_first(
    site: LoopbackSite, client: PoliteClient
) -> None:
    asked = meta(Attribution='Photo: <a href="/a">Anna</a> / Example', AttributionRequired="true")
    assert one(site, client, page(1, extmetadata=asked)).attribution == "Photo: Anna / Example"
    free = meta(Artist="Anna", AttributionRequired="false")
    assert one(site, client, page(1, extmetadata=free)).attribution == ""
    found = meta(Credit='<a href="https://m.example">The museum</a>', AttributionRequired="true")
    item = one(site, client, page(1, extmetadata=found))
    assert '"Drawing 1" by The museum, licence unknown' in item.attribution
    assert item.author == ""


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("A red  panda", ["A red panda"]),
        ('In <a href="/x">Ghent</a>, Belgium', ["In Ghent, Belgium"]),
        ("<p>One</p><p>Two</p>", ["One Two"]),
        (
            '<div class="description de" lang="de"><span class="language de"><b>Deutsch:</b></span>'
            ' Ein Hund</div><div class="description en" lang="en">A dog</div>',
            ["A dog", "Ein Hund"],
        ),
        ({"_type": "lang", "de": "Hund", "en": "Dog", "fr": None}, ["Dog", "", "Hund"]),
        ('<i>Night</i><div style="display: none;">label QS:Len</div>', ["Night"]),
        (5, [""]),
        (None, [""]),
    ],
)
def test_captions_come_out_of_their_markup(value: Any, texts: list[str]) -> None:
    assert [text for text in texts_of(value, "en") if text] == [text for text in texts if text]


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"LicenseUrl": BY_SA}, "CC-BY-SA-4.0"),
        ({"LicenseUrl": "//creativecommons.org/licenses/by/3.0/"}, "CC-BY-3.0"),
        ({"LicenseShortName": "Public domain", "License": "pd"}, "PDM-1.0"),
        ({"LicenseShortName": "See text", "License": "cc-by-2.5"}, "CC-BY-2.5"),
        ({"UsageTerms": "Creative Commons Attribution-Share Alike 3.0 de"}, "CC-BY-SA-3.0"),
        ({"LicenseShortName": "No restrictions"}, "no-known-copyright"),
        ({"LicenseShortName": "GFDL"}, "GFDL-1.2-or-later"),
        ({"LicenseShortName": "house rules"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_licence_is_found_without_its_address(
    site: LoopbackSite, client: PoliteClient, fields: dict[str, str], licence: str
) -> None:
    assert one(site, client, page(1, extmetadata=meta(**fields))).licence == licence


def test_a_lagging_database_is_waited_for(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    lag = json.dumps({"error": {"code": "maxlag", "info": "9 seconds lagged", "lag": 9}}).encode()
    answers = iter([Answer(lag, headers={"Retry-After": "17"}), Answer(lag), whole(page(1))])
    Wiki(site, lambda asked: next(answers))
    assert len(items_of(site, client)) == 1
    assert clock.now() == pytest.approx(17 + 5, abs=1)


def test_a_database_that_goes_on_lagging_is_an_error(
    site: LoopbackSite, client: PoliteClient
) -> None:
    wiki = Wiki(site, lambda asked: {"error": {"code": "maxlag", "info": "lagged"}})
    with pytest.raises(SourceError) as failure:
        items_of(site, client)
    assert failure.value.reason == "maxlag"
    assert len(wiki.asked()) == 5


@pytest.mark.parametrize(
    "error", [{"code": "badvalue", "info": "No such <b>value</b>"}, "broken", None, [1], {}]
)
def test_an_error_in_an_answer_is_named(
    site: LoopbackSite, client: PoliteClient, error: Any
) -> None:
    Wiki(site, lambda asked: {"error": error})
    with pytest.raises(SourceError, match="answered with the error") as failure:
        items_of(site, client)
    assert failure.value.reason == "api-error"
    assert "<b>" not in str(failure.value)


def test_warnings_of_the_api_are_passed_on_once(site: LoopbackSite, client: PoliteClient) -> None:
    told = {"imageinfo": {"*": "Unrecognized value"}, "main": {"warnings": "Old format"}, "x": 1}
    Wiki(site, lambda asked: whole(page(1), warnings=told))
    reader = source(site, queries=("a", "b"))
    list(reader.items(client))
    assert [warning.partition("warns: ")[2] for warning in reader.warnings] == [
        "imageinfo: Unrecognized value",
        "main: Old format",
        "x:",
    ]


@pytest.mark.parametrize("body", ["{}", "[]", "null", "7", '{"query": {"pages": 3}}', "<html>"])
def test_an_answer_of_another_shape_is_kept_and_named(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path, body: str
) -> None:
    Wiki(site, lambda asked: Answer(body.encode()))
    reader = source(site)
    reader.folder = tmp_path
    with pytest.raises(SourceError) as failure:
        list(reader.items(client))
    assert failure.value.reason == ("bad-json" if body == "<html>" else "no-items")
    if failure.value.reason == "no-items":
        assert (tmp_path / "commons-answer.json").read_text() == body


def test_no_results_are_no_error(site: LoopbackSite, client: PoliteClient) -> None:
    Wiki(site, lambda asked: {"batchcomplete": ""})
    reader = source(site)
    assert list(reader.items(client)) == []
    assert reader.warnings == []


@pytest.mark.parametrize(
    "hostile",
    [
        {"imageinfo": 5},
        {"imageinfo": [7]},
        {"imageinfo": [{"url": {"deep": 1}, "mime": "image/png"}]},
        {"imageinfo": [info(1, url="file:///etc/passwd")]},
        {"imageinfo": [info(1, extmetadata=[1, 2])], "title": None},
        {"imageinfo": [info(1, extmetadata={"Artist": 5, "LicenseUrl": {"value": []}})]},
        {"imageinfo": [info(1, width="NaN", timestamp=5, user=None)], "index": "first"},
        {"imageinfo": [info(1, extmetadata=meta(Artist="<a href='x'>" * 5000))]},
        {"imageinfo": [info(1, extmetadata=meta(ImageDescription="x" * 100_000))]},
        {"title": "\ud800", "imageinfo": [info(1, descriptionurl="\ud800://x")]},
    ],
)
def test_hostile_entries_harm_nothing(
    site: LoopbackSite, client: PoliteClient, hostile: dict[str, Any]
) -> None:
    Wiki(site, lambda asked: whole({**page(1), **hostile}, page(2)))
    found = items_of(site, client)
    assert found[-1].picture_url == "https://media.example/2.png"
    assert all(item.picture_url.startswith("https://media.example/") for item in found)
    assert all(len(caption.text) <= 2000 for item in found for caption in item.captions)


def test_a_hostile_token_is_sent_back_as_text(site: LoopbackSite, client: PoliteClient) -> None:
    more = {"gsroffset": "\ud800&action=delete", "continue": None, "x": {"y": 1}}
    answers = iter([whole(page(1), **{"continue": more}), whole(page(2))])
    wiki = Wiki(site, lambda asked: next(answers))
    assert len(items_of(site, client)) == 2
    assert wiki.asked()[1]["action"] == "query"


@pytest.mark.parametrize(
    "keys",
    [
        {"queries": ()},
        {"width": 5000},
        {"depth": -1},
        {"batch": 0},
        {"since": "yesterday"},
        {"api": "ftp://example.org"},
    ],
)
def test_a_declaration_that_cannot_work_is_refused(
    site: LoopbackSite, keys: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="source commons"):
        source(site, **keys)


def test_hosts_and_limits_are_those_of_commons() -> None:
    spec = CommonsSpec(kind="commons", name="commons", queries=("dog",))
    limits = Commons(spec).limits()
    assert spec.hosts() == ("commons.wikimedia.org",)
    assert limits["commons.wikimedia.org"].connections == 1
    assert limits["upload.wikimedia.org"].connections == 2


def test_a_recording_is_read_without_any_network(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path
) -> None:
    wiki = Wiki(site, lambda asked: whole(page(1), page(2)))
    live = items_of(site, client)
    assert len(wiki.asked()) == 1
    line = {"url": f"{site.url}{site.paths('/w/')[0]}", "json": whole(page(1), page(2))}
    (tmp_path / "answers.jsonl").write_text(json.dumps(line))
    with PoliteClient(SETTINGS, clock=StepClock(), transport=ReplayTransport(tmp_path)) as replay:
        assert items_of(site, replay) == live
    assert len(wiki.asked()) == 1
