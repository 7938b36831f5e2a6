"""Pages as found in the wild are read; rules are `selector@attribute`."""

import pytest

from dataset.errors import ConfigError, DisallowedError
from scrape.page import Page, pick, require_rule, split_rule
from scrape.response import Response


def page_of(body: str | bytes, content_type: str = "text/html") -> Page:
    raw = body.encode() if isinstance(body, str) else body
    address = "http://example.org/list/"
    return Page(
        Response(status=200, headers={"content-type": content_type}, body=raw, final_url=address)
    )


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        ("p.caption", ("p.caption", "")),
        ("a@href", ("a", "href")),
        ("@title", ("", "title")),
        ("a[rel=next]@href", ("a[rel=next]", "href")),
        ('a[title="x@y"]', ('a[title="x@y"]', "")),
        ("img@data-src", ("img", "data-src")),
    ],
)
def test_a_rule_is_a_selector_with_an_optional_attribute(rule: str, parts: tuple[str, str]) -> None:
    assert split_rule(rule) == parts


def test_picking_text_and_attributes() -> None:
    soup = page_of('<div title="t"><p class="a b">one <b>two</b></p><a href="/x">l</a></div>').soup
    element = soup.select_one("div")
    assert element is not None
    assert pick(element, "p") == "one two"
    assert pick(element, "a@href") == "/x"
    assert pick(element, "p@class") == "a b"
    assert pick(element, "@title") == "t"
    assert pick(element, "h1") == pick(element, "a@rel") == pick(element, "@none") == ""


@pytest.mark.parametrize("rule", ["p[", "", "..", "p >"])
def test_a_rule_that_is_no_selector_is_the_configs_fault(rule: str) -> None:
    with pytest.raises(ConfigError, match=r"source logos: card"):
        require_rule(rule, "source logos: card")


def test_links_are_canonical_and_follow_the_base() -> None:
    assert page_of("<p>").link("../a.png#x") == "http://example.org/a.png"
    based = page_of('<base href="http://cdn.example.org/media/">')
    assert based.link("a.png") == "http://cdn.example.org/media/a.png"
    assert page_of('<base href="javascript:x">').link("a") == "http://example.org/list/a"


@pytest.mark.parametrize("written", ["", "  ", "javascript:void(0)", "mailto:me@example.org"])
def test_links_that_lead_nowhere_on_the_web_are_empty(written: str) -> None:
    assert page_of("<p>").link(written) == ""


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<p>Bücher</p>".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ('<meta charset="latin-1"><p>Bücher</p>'.encode("latin-1"), "text/html"),
        ("<p>Bücher</p>".encode(), "text/html; charset=nonsense"),
        ("<p>Bücher</p>".encode(), "text/html; charset=utf-8"),
        ("<p>Bücher</p>".encode("utf-16"), "text/html"),
        ('<?xml version="1.0"?><p>Bücher</p>'.encode(), "text/html"),
        ('<?xml version="1.0"?><rss><p>Bücher</p></rss>'.encode(), "text/html"),
    ],
)
def test_text_is_decoded_by_header_by_meta_or_by_guess(body: bytes, content_type: str) -> None:
    assert pick(page_of(body, content_type).soup, "p") == "Bücher"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no markup at all",
        b"http://example.org/",
        b"\x00\x01\x02<p",
        b"<" * 10_000,
        b"<div>" * 20_000,
        b"<p><![CDATA[ x",
        b"<!-- <p>",
        b"\xff\xfe<\x00",
    ],
)
def test_no_page_is_too_broken_to_be_looked_at(body: bytes) -> None:
    assert page_of(body).soup.select("div.card") == []


def test_a_page_that_opts_out_is_refused() -> None:
    with pytest.raises(DisallowedError) as refusal:
        page_of('<meta name="ROBOTS" content="noai, noimageai">')
    assert refusal.value.reason == "opt-out"
    assert page_of('<meta name="robots" content="noindex">').soup
    assert page_of('<meta name="otherbot" content="noai">').soup
