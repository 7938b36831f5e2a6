"""Openverse is read as deep as it lets itself be read, with its licences, limits and tokens."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from dataset.errors import ConfigError, DisallowedError
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.recorded import ReplayTransport
from scrape.response import FetchError
from scrape.sources import SourceError
from scrape.sources.openverse import Openverse, OpenverseSpec, codes_of
from scrape.sources.openverse_access import has_access, throttled_for_s
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.loopback import Answer, LoopbackSite

ID = "0f5c3a5e-9d6d-4b0e-8a0c-2f1f2f3f4f5f"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENVERSE_TOKEN", "OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)


def openverse(site: LoopbackSite, **keys: Any) -> Openverse:
    declared = {"kind": "openverse", "name": "ov", "queries": ("red panda",)}
    api = {"api": f"{site.url}/v1/images/", "token_address": f"{site.url}/token/"}
    return Openverse(OpenverseSpec(**{**declared, **api, **keys}))


def result(number: int, **fields: Any) -> dict[str, Any]:
    """One result in the layout of the service."""
    return {
        "id": ID,
        "title": f"A drawing {number}",
        "url": f"https://pictures.example.org/{number}_b.jpg",
        "thumbnail": f"https://api.example.org/v1/images/{number}/thumb/",
        "creator": "Anna Berg",
        "creator_url": "https://pictures.example.org/people/anna",
        "foreign_landing_url": f"https://pictures.example.org/photos/{number}",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "attribution": f'"A drawing {number}" by Anna Berg is licensed under CC BY-SA 2.0.',
        "tags": [{"name": "drawing"}, {"name": "blue"}],
        **fields,
    }


def body(*results: Any, **more: Any) -> Answer:
    head = {"result_count": len(results), "page_count": 1, "page_size": 20}
    return Answer(json.dumps({**head, "results": results, **more}).encode())


def serve(site: LoopbackSite, *pages: Answer, query: str = "red panda") -> None:
    """Give `site` these pages of a search, by number; others answer 404."""
    for number, page in enumerate(pages, start=1):
        asked = urlencode({"q": query, "page_size": 20, "page": number})
        site.routes[f"/v1/images/?{asked}"] = page


def items_of(source: Openverse, client: PoliteClient) -> list[ScrapedItem]:
    return list(source.items(client))


def asked(site: LoopbackSite) -> dict[str, list[str]]:
    return parse_qs(urlsplit(site.paths("/v1/images/")[-1]).query)


def test_a_result_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(result(7)))
    (item,) = items_of(openverse(site), client)
    assert item.picture_url == "https://pictures.example.org/7_b.jpg"
    assert item.fallback_urls == ("https://api.example.org/v1/images/7/thumb/",)
    assert item.page_url == "https://pictures.example.org/photos/7"
    assert [(c.text, c.origin) for c in item.captions] == [
        ("A drawing 7", "openverse title"),
        ("drawing, blue", "openverse tags"),
    ]
    assert (item.author, item.author_url) == (
        "Anna Berg",
        "https://pictures.example.org/people/anna",
    )
    assert item.licence == "CC-BY-SA-2.0"
    assert item.licence_url == "https://creativecommons.org/licenses/by-sa/2.0/"
    assert item.attribution == '"A drawing 7" by Anna Berg is licensed under CC BY-SA 2.0.'
    assert (item.label, item.query, item.source) == ("red panda", "red panda", "ov")


@pytest.mark.parametrize(
    ("code", "version", "url", "id", "address"),
    [
        ("by", "4.0", "", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        # The address is of another country's version, or of another licence altogether.
        (
            "by-nc-nd",
            "2.0",
            "https://creativecommons.org/licenses/by-nd-nc/2.0/jp/",
            "CC-BY-NC-ND-2.0",
            "https://creativecommons.org/licenses/by-nc-nd/2.0/",
        ),
        (
            "by-nc",
            "2.0",
            "https://creativecommons.org/licenses/by/4.0/",
            "CC-BY-NC-2.0",
            "https://creativecommons.org/licenses/by-nc/2.0/",
        ),
        (
            "by",
            None,
            "https://creativecommons.org/licenses/by/3.0/",
            "CC-BY-3.0",
            "https://creativecommons.org/licenses/by/3.0/",
        ),
        ("cc0", "1.0", "", "CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("pdm", "1.0", "", "PDM-1.0", "https://creativecommons.org/publicdomain/mark/1.0/"),
        ("by", "9.9", "", "CC-BY", ""),
        ("sampling+", "1.0", "", "unknown", ""),
        ("", "", "", "unknown", ""),
        (None, 4, ["x"], "unknown", ""),
    ],
)
def test_the_licence_is_code_and_version_and_not_the_address(
    site: LoopbackSite,
    client: PoliteClient,
    code: Any,
    version: Any,
    url: Any,
    id: str,
    address: str,
) -> None:
    serve(site, body(result(1, license=code, license_version=version, license_url=url)))
    (item,) = items_of(openverse(site), client)
    assert (item.licence, item.licence_url) == (id, address)


def test_pages_are_read_to_the_last_one_that_the_answer_names(
    site: LoopbackSite, client: PoliteClient
) -> None:
    pages = [body(result(number), page_count=3) for number in range(4)]
    serve(site, *pages)
    assert len(items_of(openverse(site), client)) == 3
    assert len(site.paths("/v1/images/")) == 3


@pytest.mark.parametrize(
    "end",
    [
        Answer(b'{"detail": {"page": ["Ensure this value is at most 2."]}}', 400),
        Answer(b'{"detail": "page_size times page may not exceed 40"}', 401),
        Answer(b'{"detail": "Invalid page."}', 404),
        body(page_count=250),
        body(result(2), page_count=250),  # what was there before
    ],
)
def test_a_page_beyond_the_end_ends_a_search_without_a_fault(
    site: LoopbackSite, client: PoliteClient, end: Answer
) -> None:
    serve(site, body(result(1), page_count=250), body(result(2), page_count=250), end)
    source = openverse(site)
    assert len(items_of(source, client)) == 2
    assert len(site.paths("/v1/images/")) == 3
    assert source.warnings == []


def test_pages_end_at_the_cap_and_each_query_begins_anew(
    site: LoopbackSite, client: PoliteClient
) -> None:
    for query in ("cat", "dog"):
        serve(site, *(body(result(n), page_count=9) for n in range(9)), query=query)
    found = items_of(openverse(site, queries=("cat", "dog"), max_pages=2, label=""), client)
    assert [(item.label, item.picture_url[-7:]) for item in found] == [
        (label, f"/{number}_b.jpg"[-7:]) for label in ("cat", "dog") for number in (0, 1)
    ]


def test_a_picture_is_named_once_in_a_search(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(result(1), result(1), page_count=2), body(result(1), result(2), page_count=2))
    assert len(items_of(openverse(site), client)) == 2


def test_a_search_that_finds_nothing_says_so(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, body(page_count=0))
    source = openverse(site)
    assert items_of(source, client) == []
    assert source.warnings == ["ov: Openverse finds nothing for 'red panda'"]


def test_every_filter_is_asked_as_the_service_names_it(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/v1/images/"] = body(result(1))
    source = openverse(
        site,
        licences=("CC-BY-SA", "CC0-1.0"),
        license_type=("commercial", "modification"),
        sources=("flickr", "wikimedia"),
        extension=("jpg", "png"),
        aspect_ratio="square",
        size="large",
        category="photograph",
        page_size=5,
    )
    assert len(items_of(source, client)) == 1
    assert asked(site) == {
        "q": ["red panda"],
        "page_size": ["5"],
        "license": ["by-sa,cc0"],
        "license_type": ["commercial,modification"],
        "source": ["flickr,wikimedia"],
        "extension": ["jpg,png"],
        "aspect_ratio": ["square"],
        "size": ["large"],
        "category": ["photograph"],
        "page": ["1"],
    }


def test_a_gate_asks_for_licences_and_drops_what_comes_nevertheless(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/v1/images/"] = body(
        result(1, license="by-nc"), result(2), result(3, license_version="4.0")
    )
    assert len(items_of(openverse(site), client)) == 3
    assert "license" not in asked(site)
    assert len(items_of(openverse(site, licences=("free",)), client)) == 2
    assert asked(site)["license"] == ["by,by-sa,cc0,pdm"]
    (item,) = items_of(openverse(site, licences=("CC-BY-SA-4.0",)), client)
    assert (asked(site)["license"], item.licence) == (["by-sa"], "CC-BY-SA-4.0")


def test_all_licences_need_no_filter(site: LoopbackSite, client: PoliteClient) -> None:
    assert len(codes_of(("shareable",))) == 8
    site.routes["/v1/images/"] = body(result(1))
    assert len(items_of(openverse(site, licences=("shareable",)), client)) == 1
    assert "license" not in asked(site)


@pytest.mark.parametrize(
    "keys",
    [
        {"queries": ()},
        {"queries": (" ",)},
        {"api": "ftp://example.org/"},
        {"token_address": "token"},
        {"licences": ("MIT",)},
        {"licences": ("nonsense",)},
        {"licences": ()},
        {"page_size": 0},
        {"page_size": 501},
    ],
)
def test_a_declaration_that_asks_for_nothing_is_refused(
    site: LoopbackSite, keys: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="source ov"):
        openverse(site, **keys)


HOSTILE: list[Any] = [
    {},
    None,
    7,
    "text",
    [],
    float("nan"),
    {"url": None},
    {"url": ""},
    {"url": "javascript:alert(1)"},
    {"url": {"deep": 1}},
    {"url": "http://["},
]


def test_results_without_a_usable_address_are_counted_and_left_out(
    site: LoopbackSite, client: PoliteClient
) -> None:
    serve(site, body(*HOSTILE, result(1)))
    source = openverse(site)
    assert len(items_of(source, client)) == 1
    (warning,) = source.warnings
    assert f"{len(HOSTILE) + 1} results, {len(HOSTILE)} of them without a usable url" in warning


@pytest.mark.parametrize("value", [None, 7, [], {}, True, "\x00", "<script>", "é" * 100_000])
def test_any_other_field_may_be_anything(
    site: LoopbackSite, client: PoliteClient, value: Any
) -> None:
    fields = dict.fromkeys(set(result(1)) - {"url"}, value)
    serve(site, body(result(1) | fields, page_count=value))
    (item,) = items_of(openverse(site), client)
    assert item.page_url.startswith("http")
    assert len(item.author) <= 120
    assert len(item.attribution) <= 1000
    assert all(
        address.startswith("http") for address in (item.author_url, *item.fallback_urls) if address
    )


def test_without_a_landing_page_the_page_is_openverse_s_own(
    site: LoopbackSite, client: PoliteClient
) -> None:
    serve(site, body(result(1, foreign_landing_url=None, creator=None)))
    (item,) = items_of(openverse(site, author="somebody"), client)
    assert item.page_url == f"https://openverse.org/image/{ID}"
    assert item.author == "somebody"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"<html>busy</html>"), "bad-json"),
        (Answer(b"[" * 100_000), "bad-json"),
        (Answer(b"[]"), "no-items"),
        (Answer(b'{"results": {"1": {}}}'), "no-items"),
        (Answer(b'{"detail": "License \'x\' does not exist."}', 400), "bad-question"),
        (Answer(b'{"detail": "page_size may not exceed 20"}', 401), "bad-key"),
    ],
)
def test_an_answer_of_another_shape_is_a_fault_with_a_reason(
    site: LoopbackSite, client: PoliteClient, answer: Answer, reason: str, tmp_path: Path
) -> None:
    serve(site, answer)
    source = openverse(site)
    source.folder = tmp_path
    with pytest.raises(SourceError) as failure:
        items_of(source, client)
    assert failure.value.reason == reason
    assert (tmp_path / "ov-answer.json").exists() == (reason == "no-items")


def test_robots_txt_holds_for_the_service_too(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /v1/images/\n")
    with pytest.raises(DisallowedError) as refusal:
        items_of(openverse(site), client)
    assert refusal.value.reason == "robots"
    assert site.paths("/v1/") == []


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({}, '{"detail": "Request was throttled. Expected available in 3600 seconds."}', 3600),
        ({}, '{"detail": "Expected available in 1 second."}', 1),
        ({}, "available in 999999999 seconds", 86_400),
        ({}, "available in NaN seconds", 0),
        ({}, "", 0),
        (
            {
                "x-ratelimit-limit-anon_burst": "20/min",
                "x-ratelimit-available-anon_burst": "0",
                "x-ratelimit-limit-anon_sustained": "200/day",
                "x-ratelimit-available-anon_sustained": "7",
            },
            "",
            60,
        ),
        (
            {
                "x-ratelimit-limit-anon_burst": "5/hour",
                "x-ratelimit-available-anon_burst": "0",
                "x-ratelimit-limit-anon_sustained": "100/day",
                "x-ratelimit-available-anon_sustained": "0",
            },
            "{}",
            86_400,
        ),
        ({"x-ratelimit-limit-a": "1/s", "x-ratelimit-available-a": "0"}, "", 1),
        ({"x-ratelimit-limit-a": "many", "x-ratelimit-available-a": "0"}, "", 0),
        ({"x-ratelimit-limit-a": "5/hour", "x-ratelimit-available-a": "none"}, "", 0),
        ({"x-ratelimit-limit-": "5/hour", "x-ratelimit-available-": "0"}, "", 0),
        ({"x-ratelimit-limit-a": "5/hour"}, "", 0),
    ],
)
def test_a_refusal_tells_its_wait_in_words_or_by_limits_that_are_used_up(
    headers: dict[str, str], text: str, seconds: float
) -> None:
    assert throttled_for_s(headers, text.encode()) == seconds


def test_the_host_sleeps_as_long_as_a_refusal_says(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    refusal = Answer(b'{"detail": "Request was throttled. Expected available in 40 seconds."}', 429)
    path = f"/v1/images/?{urlencode({'q': 'red panda', 'page_size': 20, 'page': 1})}"
    site.routes[path] = lambda earlier: body(result(1)) if earlier else refusal
    source = openverse(site)
    for host, limit in source.limits().items():
        client.limit(host, limit)
    before = clock.now()
    assert len(items_of(source, client)) == 1
    assert 40 <= clock.now() - before < 60


def test_a_day_that_is_used_up_ends_the_list_with_a_wait(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/v1/images/"] = Answer(b"Expected available in 7200 seconds.", 429)
    source = openverse(site)
    for host, limit in source.limits().items():
        client.limit(host, limit)
    with pytest.raises(FetchError) as failure:
        items_of(source, client)
    assert failure.value.wait_s == pytest.approx(7200, abs=5)


def test_without_a_token_the_pace_is_twenty_a_minute(
    site: LoopbackSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (limit,) = openverse(site).limits().values()
    assert (limit.gap_s, limit.connections) == (3.0, 1)
    monkeypatch.setenv("OPENVERSE_TOKEN", "t0ken")
    (limit,) = openverse(site).limits().values()
    assert limit.gap_s == pytest.approx(0.6)


def test_a_token_is_sent_and_larger_pages_need_one(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.routes["/v1/images/"] = body(result(1))
    source = openverse(site, page_size=50)
    with pytest.raises(ConfigError, match="OPENVERSE_TOKEN"):
        items_of(source, client)
    monkeypatch.setenv("OPENVERSE_TOKEN", " t0ken\n")
    assert len(items_of(source, client)) == 1
    assert site.requests[-1].headers["authorization"] == "Bearer t0ken"


def test_a_refused_token_is_a_fault_that_does_not_show_it(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENVERSE_TOKEN", "t0ken")
    refusal = Answer(b'{"detail": "Invalid token t0ken."}', 401)
    serve(site, body(result(1), page_count=9), refusal)
    with pytest.raises(SourceError) as failure:
        items_of(openverse(site), client)
    assert failure.value.reason == "bad-key"
    assert "t0ken" not in str(failure.value)


@pytest.mark.parametrize("token", ["two words", "a\r\nX-Evil: 1", "tökén", "x" * 5000])
def test_a_token_that_is_none_is_refused_before_it_is_sent(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("OPENVERSE_TOKEN", token)
    with pytest.raises(ConfigError, match="OPENVERSE_TOKEN holds no token"):
        items_of(openverse(site), client)
    assert site.paths() == []


class TokenSite:
    """Answers every POST with `answer` and keeps the forms."""

    def __init__(self) -> None:
        self.answer, self.status = b'{"access_token": "fr3sh", "expires_in": 43200}', 200
        self.forms: list[dict[str, list[str]]] = []
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                tokens.forms.append(parse_qs(self.rfile.read(length).decode()))
                self.reply(tokens.status, tokens.answer)

            def do_GET(self) -> None:
                self.reply(404, b"")

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/v1/auth_tokens/token/"


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenSite]:
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", "the-id")
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", "s3cret")
    running = TokenSite()
    thread = threading.Thread(target=running.server.serve_forever, args=(0.02,))
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


def test_client_id_and_secret_are_exchanged_for_a_token(
    site: LoopbackSite, client: PoliteClient, tokens: TokenSite
) -> None:
    assert has_access()
    site.routes["/v1/images/"] = body(result(1))
    source = openverse(site, token_address=tokens.address, page_size=100)
    assert len(items_of(source, client)) == 1
    assert tokens.forms == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["the-id"],
            "client_secret": ["s3cret"],
        }
    ]
    assert site.requests[-1].headers["authorization"] == "Bearer fr3sh"


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (401, b'{"error": "invalid_client s3cret"}', "bad-key"),
        (200, b"{}", "no-token"),
        (200, b'{"access_token": "a b"}', "no-token"),
        (200, b'{"access_token": ["x"], "s3cret": 1}', "no-token"),
        (200, b"nonsense", "bad-json"),
    ],
)
def test_an_exchange_that_fails_is_a_fault_that_shows_no_secret(
    site: LoopbackSite,
    client: PoliteClient,
    tokens: TokenSite,
    status: int,
    answer: bytes,
    reason: str,
) -> None:
    tokens.status, tokens.answer = status, answer
    source = openverse(site, token_address=tokens.address)
    with pytest.raises(SourceError) as failure:
        items_of(source, client)
    assert failure.value.reason == reason
    assert "s3cret" not in str(failure.value)


def test_half_a_pair_of_credentials_is_refused(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", "the-id")
    with pytest.raises(ConfigError, match="go together"):
        items_of(openverse(site), client)


def test_recorded_answers_are_read_without_a_network(tmp_path: Path) -> None:
    lines = [
        {
            "url": f"https://api.openverse.org/v1/images/?q=red+panda&page_size=20&page={number}",
            "method": "GET",
            "json": {"results": [result(number)], "page_count": 2},
        }
        for number in (1, 2)
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = Openverse(OpenverseSpec(kind="openverse", name="ov", queries=("red panda",)))
    with PoliteClient(SETTINGS, clock=StepClock(), transport=ReplayTransport(tmp_path)) as client:
        assert [item.captions[0].text for item in source.items(client)] == [
            "A drawing 1",
            "A drawing 2",
        ]
