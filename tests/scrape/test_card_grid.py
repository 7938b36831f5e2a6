"""The card grid reads pages of cards, says what it misses, and follows to the detail page."""

from typing import Any

import pytest

from dataset.errors import DisallowedError
from scrape.client import PoliteClient
from scrape.response import FetchError
from scrape.sources import SourceError
from scrape.sources.card_grid import CardGrid, CardGridSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.loopback import Answer, LoopbackSite, page

ZERO = "https://creativecommons.org/publicdomain/zero/1.0/"


def grid(site: LoopbackSite, **keys: Any) -> CardGrid:
    declared = {
        "kind": "card-grid",
        "name": "logos",
        "label": "logo",
        "start": (f"{site.url}/logos/",),
        "card": "div.card",
        "captions": ("p.caption", "h3", "img@alt"),
        "detail": "a@href",
        "detail_captions": (".description",),
        "detail_licence": ".licence",
        "detail_author": ".author",
        "next": "a[rel=next]",
    }
    return CardGrid(CardGridSpec(**{**declared, **keys}))


def card(number: int, *, caption: str = "A blue bird.", image: str = "") -> str:
    image = image or f'<img data-src="/media/{number}.png" src="/placeholder.svg" alt="bird">'
    return (
        f'<div class="card"><a href="/logos/{number}/">{image}</a><h3>Bird {number}</h3>'
        f'<p class="caption">{caption}</p></div>'
    )


def items_of(source: CardGrid, client: PoliteClient) -> list[ScrapedItem]:
    return list(source.items(client))


def test_a_card_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/logos/"] = page(card(1))
    (item,) = items_of(grid(site), client)
    assert item.picture_url == f"{site.url}/media/1.png"
    assert item.page_url == item.detail_url == f"{site.url}/logos/1/"
    assert [(c.text, c.origin) for c in item.captions] == [
        ("A blue bird.", "card p.caption"),
        ("Bird 1", "card h3"),
        ("bird", "card img@alt"),
    ]
    assert (item.label, item.source, item.licence) == ("logo", "logos", "unknown")


def test_pages_are_followed_to_the_end_and_never_in_a_circle(
    site: LoopbackSite, client: PoliteClient
) -> None:
    for number in (1, 2, 3):
        following = number % 3 + 1
        link = f'<a rel="next" href="/logos/?page={following}">more</a>'
        site.routes[f"/logos/?page={number}"] = page(card(number) + link)
    start = (f"{site.url}/logos/?page=1",)
    assert len(items_of(grid(site, start=start), client)) == 3
    assert len(items_of(grid(site, start=start, max_pages=2), client)) == 2
    assert len(items_of(grid(site, start=start, next=""), client)) == 1


def test_the_detail_page_gives_whole_text_licence_and_author(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/logos/"] = page(card(1, caption="A blue bird over…"))
    site.routes["/logos/1/"] = page(
        '<p class="description">A blue bird over a hill.</p><dl><dd class="licence">'
        f'<a rel="license" href="{ZERO}">CC0-1.0</a></dd><dd class="author">Anna</dd></dl>'
    )
    source = grid(site)
    (item,) = items_of(source, client)
    whole = source.complete(client, item)
    assert [(c.text, c.origin) for c in whole.captions] == [
        ("A blue bird over a hill.", "detail .description"),
        ("Bird 1", "card h3"),
        ("bird", "card img@alt"),
    ]
    assert (whole.licence, whole.licence_url, whole.author) == ("CC0-1.0", ZERO, "Anna")


def test_a_card_that_tells_everything_needs_no_detail_page(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/logos/"] = page(
        card(1) + '<div class="card"><a href="/logos/2/"><img src="/2.png"></a></div>'
    )
    source = grid(site, licence="MIT", author="ACME")
    told, untold = items_of(source, client)
    assert (told.detail_url, untold.detail_url) == ("", f"{site.url}/logos/2/")
    assert source.complete(client, told) == told
    assert (told.licence, told.author) == ("MIT", "ACME")


@pytest.mark.parametrize("answer", [Answer(b"", 404), Answer(b"nothing"), Answer(b"", 503)])
def test_a_missing_detail_page_costs_only_its_facts(
    site: LoopbackSite, client: PoliteClient, answer: Answer
) -> None:
    site.routes["/logos/"] = page(card(1, caption="A blue…"))
    site.routes["/logos/1/"] = answer
    source = grid(site)
    (item,) = items_of(source, client)
    assert source.complete(client, item).captions[0].text == "A blue…"


def test_a_detail_page_that_opts_out_takes_its_picture_along(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/logos/"] = page(card(1))
    site.routes["/logos/1/"] = page("", head='<meta name="robots" content="noai">')
    source = grid(site)
    (item,) = items_of(source, client)
    with pytest.raises(DisallowedError) as refusal:
        source.complete(client, item)
    assert refusal.value.reason == "opt-out"


def test_licence_and_author_may_stand_on_the_card(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/logos/"] = page(
        '<div class="card"><img src="/1.png" alt="bird"><i>Anna</i>'
        '<a class="l" href="https://creativecommons.org/licenses/by/4.0/">terms</a></div>'
    )
    source = grid(site, author_rule="i", licence_rule="a.l", detail="", detail_captions=(),
                  detail_licence="", detail_author="")  # fmt: skip
    (item,) = items_of(source, client)
    assert (item.author, item.licence) == ("Anna", "CC-BY-4.0")
    assert item.page_url == f"{site.url}/logos/"


def test_the_card_may_be_the_image_itself(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/logos/"] = page('<img class="c" src="/1.png" alt="A bird">')
    (item,) = items_of(grid(site, card="img.c", captions=("@alt",)), client)
    assert (item.picture_url, item.captions[0].text) == (f"{site.url}/1.png", "A bird")


def test_queries_fill_the_address_and_the_label(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/s?q=cat"] = page(card(1))
    site.routes["/s?q=sea%20dog"] = page(card(2))
    source = grid(site, start=(f"{site.url}/s?q={{query}}",), queries=("cat", "sea dog"), label="")
    found = [(item.label, item.query) for item in items_of(source, client)]
    assert found == [("cat", "cat"), ("sea dog", "sea dog")]


@pytest.mark.parametrize(
    ("broken", "gone", "left"),
    [
        ('<div class="card"><p class="caption">text</p></div>', "image 'img'", 1),
        ('<div class="card"><img src="/placeholder.png"><h3>x</h3></div>', "image 'img'", 1),
        ('<div class="card"><img src="/2.png"></div>', "captions 'p.caption'", 2),
    ],
)
def test_a_field_that_vanished_is_named(
    site: LoopbackSite, client: PoliteClient, broken: str, gone: str, left: int
) -> None:
    site.routes["/logos/"] = page(card(1) + broken)
    source = grid(site)
    assert len(items_of(source, client)) == left
    (warning,) = source.warnings
    assert "2 cards" in warning
    assert gone in warning


def test_no_cards_at_all_is_a_changed_page(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/logos/"] = page("<p>Welcome to our new site</p>")
    with pytest.raises(SourceError, match=r"div\.card.* finds nothing") as failure:
        items_of(grid(site), client)
    assert failure.value.reason == "no-cards"


def test_a_page_that_cannot_be_had_ends_the_source_after_what_came_before(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/logos/"] = page(card(1) + '<a rel="next" href="/gone">more</a>')
    found = []
    with pytest.raises(FetchError) as failure:
        for item in grid(site).items(client):
            found.append(item)
    assert (len(found), failure.value.reason) == (1, "not-found")


def test_hostile_cards_yield_nothing_to_ask(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/logos/"] = page(
        "".join(
            f'<div class="card"><a href="javascript:x"><img src="{address}"></a><h3>x</h3></div>'
            for address in ("javascript:alert(1)", "file:///etc/passwd", "http://[", "data:x,y")
        )
    )
    source = grid(site)
    assert items_of(source, client) == []
    assert "0 pictures" in source.warnings[0]
