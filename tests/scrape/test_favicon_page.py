"""What a home page declares of its icons, in all the ways that pages are written."""

import json

import pytest

from scrape.favicon_page import (
    DeclaredIcon,
    browserconfig_address,
    browserconfig_icons,
    declared_icons,
    manifest_address,
    manifest_icons,
    page_names,
)
from scrape.page import Page
from scrape.response import Response

HOME = "https://example.org/en/"


def home(head: str, *, headers: dict[str, str] | None = None) -> Page:
    body = f"<html><head>{head}</head><body></body></html>".encode()
    return Page(Response(status=200, headers=headers or {}, body=body, final_url=HOME))


def answer(body: bytes, address: str = "https://example.org/pwa/manifest.json") -> Response:
    return Response(status=200, headers={}, body=body, final_url=address)


@pytest.mark.parametrize(
    ("tag", "address", "side"),
    [
        ('<link rel="icon" href="/a.png">', "https://example.org/a.png", 32),
        ('<link rel="Shortcut ICON" href="a.ico">', "https://example.org/en/a.ico", 32),
        ("<LINK REL=icon HREF=../../a.ico>", "https://example.org/a.ico", 32),
        ('<link rel="icon" sizes="16x16 48X48" href="/a.png">', "https://example.org/a.png", 48),
        ('<link rel="icon" sizes="any" href="/a.ico">', "https://example.org/a.ico", 32),
        ('<link rel="icon" sizes="huge" href="/a.ico">', "https://example.org/a.ico", 32),
        ('<link rel="apple-touch-icon" href="/t.png">', "https://example.org/t.png", 180),
        (
            '<link rel="apple-touch-icon-precomposed" sizes="57x57" href="/t.png">',
            "https://example.org/t.png",
            57,
        ),
        ('<link rel="fluid-icon" href="/f.png">', "https://example.org/f.png", 512),
        ('<link rel="icon" href="//cdn.example/i.png">', "https://cdn.example/i.png", 32),
        ('<link rel="icon" href=" /a b.png ">', "https://example.org/a%20b.png", 32),
        ('<link rel="icon" href="/a.png?x=1&amp;y=2">', "https://example.org/a.png?x=1&y=2", 32),
        ('<link rel="icon" href="//bücher.example/i">', "https://xn--bcher-kva.example/i", 32),
        (
            '<meta name="msapplication-TileImage" content="/tile.png">',
            "https://example.org/tile.png",
            144,
        ),
        (
            '<base href="https://static.example/x/"><link rel="icon" href="i.png">',
            "https://static.example/x/i.png",
            32,
        ),
        ('<base href="/"><link rel="icon" href="i.png">', "https://example.org/i.png", 32),
    ],
)
def test_an_icon_is_found_however_it_is_declared(tag: str, address: str, side: int) -> None:
    assert declared_icons(home(tag)) == [DeclaredIcon(address=address, side=side)]


@pytest.mark.parametrize(
    "tag",
    [
        '<link rel="mask-icon" href="/m.svg" color="red">',
        '<link rel="icon" mask href="/m.svg">',
        '<link rel="stylesheet" href="/icon.css">',
        '<link rel="icon" href="">',
        '<link rel="icon">',
        '<link href="/a.ico">',
        '<link rel="icon" href="javascript:alert(1)">',
        '<link rel="icon" href="file:///etc/passwd">',
        '<link rel="icon" href="http://[::1/">',
        '<meta name="msapplication-TileColor" content="#fff">',
        '<meta property="og:image" content="/social.jpg">',
        f'<link rel="icon" href="data:image/png;base64,{"A" * 400_001}">',
    ],
)
def test_what_is_no_icon_of_the_site_is_left_out(tag: str) -> None:
    assert declared_icons(home(tag)) == []


def test_an_address_declared_often_is_one_icon_of_the_largest_side() -> None:
    sizes = ("57x57", "144x144", "72x72")
    tags = "".join(f'<link rel="icon" sizes="{size}" href="/a.png">' for size in sizes)
    assert [icon.side for icon in declared_icons(home(tags))] == [144]


def test_drawings_and_data_addresses_are_told_apart() -> None:
    tags = (
        '<link rel="icon" href="/a.SVG"><link rel="icon" type="image/svg+xml" href="/b">'
        '<link rel="icon" href="data:image/svg+xml,%3Csvg/%3E">'
        '<link rel="icon" href="data:image/png;base64,AAAA">'
    )
    assert [icon.is_vector for icon in declared_icons(home(tags))] == [True, True, True, False]


def test_a_page_of_endless_links_is_read_to_a_limit() -> None:
    tags = "".join(f'<link rel="icon" href="/{number}.png">' for number in range(3000))
    assert len(declared_icons(home(tags))) == 200


def test_a_page_in_another_charset_is_understood() -> None:
    body = '<title>Bücher</title><link rel="icon" href="/ü.png">'.encode("latin-1")
    headers = {"content-type": "text/html; charset=iso-8859-1"}
    page = Page(Response(status=200, headers=headers, body=body, final_url=HOME))
    assert declared_icons(page)[0].address == "https://example.org/%C3%BC.png"
    assert {origin: text for text, origin in page_names(page)}["title"] == "Bücher"


def test_the_manifest_and_browserconfig_are_found() -> None:
    page = home(
        '<link rel="manifest" href="/pwa/site.webmanifest" crossorigin>'
        '<meta name="msapplication-config" content="/tiles.xml">'
    )
    assert manifest_address(page) == "https://example.org/pwa/site.webmanifest"
    assert browserconfig_address(page) == "https://example.org/tiles.xml"
    nothing = home('<meta name="msapplication-config" content="none">')
    assert manifest_address(nothing) == browserconfig_address(nothing) == ""


def test_icons_of_a_manifest_are_relative_to_it_and_plain_ones_come_first() -> None:
    icons = [
        {"src": "mask.png", "sizes": "512x512", "purpose": "maskable"},
        {"src": "both.png", "sizes": "192x192", "purpose": "maskable any"},
        {"src": "/plain.png", "sizes": "96x96 128x128", "type": "image/png"},
        {"src": "one-colour.png", "purpose": "monochrome"},
        {"src": "drawn", "type": "image/svg+xml", "sizes": "any"},
    ]
    found = manifest_icons(answer(json.dumps({"icons": icons}).encode()))
    assert [(icon.address, icon.side, icon.is_plain) for icon in found] == [
        ("https://example.org/pwa/both.png", 192, True),
        ("https://example.org/plain.png", 128, True),
        ("https://example.org/pwa/drawn", 192, True),
        ("https://example.org/pwa/mask.png", 512, False),
    ]
    assert [icon.is_vector for icon in found] == [False, False, True, False]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><html></html>",
        b"[]",
        b"null",
        b'{"icons": 7}',
        b'{"icons": {"src": "/a.png"}}',
        b'{"icons": [null, 3, "/a.png", {"src": null}, {"src": 5}, {"src": ""}]}',
        b'{"icons": [{"src": "file:///etc/passwd"}, {"src": "http://[", "sizes": [1]}]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_a_manifest_of_another_shape_has_no_icons(body: bytes) -> None:
    assert manifest_icons(answer(body)) == []


def test_tiles_of_a_browserconfig_are_square_ones() -> None:
    body = (
        b'<?xml version="1.0" encoding="utf-8"?><browserconfig><msapplication><tile>'
        b'<square70x70logo src="/70.png"/><wide310x150logo src="/wide.png"/>'
        b'<square310x310logo src="310.png"/><TileColor>#fff</TileColor></tile>'
        b"</msapplication></browserconfig>"
    )
    found = browserconfig_icons(answer(body, "https://example.org/tiles.xml"))
    assert [(icon.address, icon.side) for icon in found] == [
        ("https://example.org/70.png", 70),
        ("https://example.org/310.png", 310),
    ]
    assert browserconfig_icons(answer(b"<![x")) == browserconfig_icons(answer(b"")) == []


def test_a_page_tells_what_its_site_is_called_best_first() -> None:
    page = home(
        "<title>Home | Example</title>"
        '<meta name="Application-Name" content="Ex"><meta property="og:site_name" content="">'
        '<meta property="og:site_name" content="The Example">'
    )
    assert [pair for pair in page_names(page) if pair[0]] == [
        ("The Example", "meta og:site_name"),
        ("Ex", "meta application-name"),
        ("Home | Example", "title"),
    ]
