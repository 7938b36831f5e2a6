"""The card grid reads pages of cards, says what it misses, and follows to the detail page."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dataset.catalog import Catalog
from dataset.errors import DisallowedError
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.config import crawl_config
from scrape.crawl import crawl
from scrape.recorded import ReplayTransport
from scrape.response import FetchError
from scrape.sources import SourceError, sources_of
from scrape.sources.card_grid import CardGrid, CardGridSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
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


@pytest.mark.parametrize("answer", [Answer(b"", 404), Answer(b"nothing")])
def test_a_missing_detail_page_costs_only_its_facts(
    site: LoopbackSite, client: PoliteClient, answer: Answer
) -> None:
    site.routes["/logos/"] = page(card(1, caption="A blue…"))
    site.routes["/logos/1/"] = answer
    source = grid(site)
    (item,) = items_of(source, client)
    assert source.complete(client, item).captions[0].text == "A blue…"


def test_a_detail_page_that_may_come_back_is_waited_for(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/logos/"] = page(card(1, caption="A blue…"))
    site.routes["/logos/1/"] = Answer(b"", 503)
    source = grid(site)
    (item,) = items_of(source, client)
    with pytest.raises(FetchError) as failure:
        source.complete(client, item)
    assert failure.value.reason == "http-503"


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


LEAGUES = """
[[source]]
kind = "card-grid"
name = "leagues"
queries = ["north-primary-logo", "south-primary-logo"]
start = ["{base}/{query}/"]
card = "div[class*=x-cell]"
captions = ["p"]
detail = "a@href"
detail_captions = ["div.entry-content p"]
"""
WHOLE = 'A blue bird above the word "NORTH" in red, and a ball.'


def league_cell(name: str, caption: str) -> str:
    return (
        f'<div class="x-cell e1-{name} mr-2"><a href="/{name}/"><img class="lazyload" '
        f'src="data:image/svg+xml,x" data-src="/up/2020/{name}-150x150.png"></a>'
        f"<p></p><p>{caption}</p></div>"
    )


def fill_leagues(site: LoopbackSite) -> None:
    site.routes["/north-primary-logo/"] = page(
        '<div class="x-grid">'
        + league_cell("birds_1920-pres", "A blue bird above the word \u201cNORTH\u201d in&hellip;")
        + league_cell("bears_1930-1940", "A <b>brown</b> bear, <a>sitting</a>, on a ball.")
        + "</div>"
    )
    site.routes["/south-primary-logo/"] = page(league_cell("crabs_1950-1960", "A red crab."))
    site.routes["/birds_1920-pres/"] = page(
        f'<div class="entry-content"><p>May 4</p><p>{WHOLE}</p><p>Share</p></div>'
    )
    for number, name in enumerate(("birds_1920-pres", "bears_1930-1940", "crabs_1950-1960")):
        site.routes[f"/up/2020/{name}-150x150.png"] = Answer(picture(number, side=24))
        site.routes[f"/up/2020/{name}.png"] = Answer(picture(number))
    del site.routes["/up/2020/bears_1930-1940.png"]


def league_grid(site: LoopbackSite) -> CardGrid:
    written = LEAGUES.replace("{base}", site.url)
    (source,) = sources_of(crawl_config(tomllib.loads(written)))
    assert isinstance(source, CardGrid)
    return source


def test_a_site_of_leagues_is_declared_in_fifteen_lines() -> None:
    assert len(LEAGUES.strip().splitlines()) <= 15


def test_league_pages_give_originals_whole_captions_and_labels(
    site: LoopbackSite, client: PoliteClient
) -> None:
    fill_leagues(site)
    source = league_grid(site)
    items = [source.complete(client, item) for item in source.items(client)]
    said = [(i.label, i.captions[0].text, i.captions[0].origin) for i in items]
    assert said == [
        ("north-primary-logo", WHOLE, "detail div.entry-content p"),
        ("north-primary-logo", "A brown bear, sitting, on a ball.", "card p"),
        ("south-primary-logo", "A red crab.", "card p"),
    ]
    assert [len(item.captions) for item in items] == [1, 1, 1]
    assert items[0].picture_url == f"{site.url}/up/2020/birds_1920-pres.png"
    assert items[0].fallback_urls == (f"{site.url}/up/2020/birds_1920-pres-150x150.png",)
    assert source.warnings == []
    assert site.paths("/bears_") == []  # a caption that is whole needs no detail page


def test_a_crawl_of_leagues_takes_the_thumbnail_where_the_original_is_gone(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path
) -> None:
    fill_leagues(site)
    workspace = Workspace(tmp_path / "data")
    report = crawl([league_grid(site)], SETTINGS, workspace, client=client)
    assert report.added == 3
    with Catalog(workspace.catalog) as catalog:
        widths = sorted(record.width for record in catalog.images.all())
    assert widths == [24, 48, 48]


def test_leagues_are_read_from_recorded_answers(tmp_path: Path) -> None:
    cell = league_cell("birds", "A bird.")
    lines = [
        {"url": f"https://example.org/{league}-primary-logo/", "text": cell}
        for league in ("north", "south")
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    written = LEAGUES.replace("{base}", "https://example.org")
    (source,) = sources_of(crawl_config(tomllib.loads(written)))
    with PoliteClient(SETTINGS, transport=ReplayTransport(tmp_path)) as client:
        addresses = [item.picture_url for item in source.items(client)]
    assert addresses == ["https://example.org/up/2020/birds.png"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 404),
        Answer(b"", 410),
        Answer(b"no", 403),
        Answer(b"no", 400),
        page("<p>Nothing here, look at our home page</p>"),
    ],
)
def test_a_guessed_original_that_is_not_served_counts_as_not_found(
    site: LoopbackSite, client: PoliteClient, answer: Answer
) -> None:
    site.routes["/logos/"] = page(card(1, image='<img src="/a-150x150.png">'))
    site.routes["/a.png"] = answer
    source = grid(site)
    (item,) = items_of(source, client)
    with pytest.raises(FetchError) as failure:
        source.fetch(client, item, {})
    assert failure.value.reason == "not-found"


def test_an_address_as_written_fails_for_its_own_reason(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/logos/"] = page(card(1, image='<img src="/a-150x150.png">'))
    site.routes["/a-150x150.png"] = Answer(b"no", 403)
    source = grid(site, originals=False)
    (item,) = items_of(source, client)
    assert (item.picture_url, item.fallback_urls) == (f"{site.url}/a-150x150.png", ())
    with pytest.raises(FetchError) as failure:
        source.fetch(client, item, {})
    assert failure.value.reason == "http-403"


def test_an_address_with_a_gap_for_its_size_is_no_fallback(
    site: LoopbackSite, client: PoliteClient
) -> None:
    image = '<img data-src="/cdn/shop/files/a_{width}x.png?v=1">'
    site.routes["/logos/"] = page(card(1, image=image))
    (item,) = items_of(grid(site), client)
    assert item.picture_url == f"{site.url}/cdn/shop/files/a.png?v=1"
    assert item.fallback_urls == ()


def test_background_pictures_of_cards_are_taken(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/logos/"] = page(
        '<div class="card" style="background-image:url(/1.png)"><h3>x</h3></div>'
        '<div class="card"><img src="/i.png"><i style="background:url(/2.png)"></i><h3>y</h3></div>'
    )
    source = grid(site, picture=("style", "src"))
    found = [item.picture_url for item in items_of(source, client)]
    assert found == [f"{site.url}/1.png", f"{site.url}/2.png"]


def test_a_page_with_a_vanished_field_is_saved_once(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path
) -> None:
    bare = '<div class="card"><p class="caption">text</p></div>'
    site.routes["/logos/"] = page(card(1) + bare + '<a rel="next" href="/2">more</a>')
    site.routes["/2"] = page(card(2) + bare)
    source = grid(site)
    source.folder = tmp_path / "kept"
    assert len(items_of(source, client)) == 2
    (kept,) = source.folder.iterdir()
    answer = site.routes["/logos/"]
    assert isinstance(answer, Answer)
    assert kept.read_bytes() == answer.body
    first, second = source.warnings
    assert str(kept) in first
    assert "kept" not in second


def test_a_page_without_cards_is_saved(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path
) -> None:
    site.routes["/logos/"] = page("<p>Welcome</p>")
    source = grid(site)
    source.folder = tmp_path
    with pytest.raises(SourceError) as failure:
        items_of(source, client)
    (kept,) = tmp_path.iterdir()
    assert b"Welcome" in kept.read_bytes()
    assert str(kept) in str(failure.value)


def test_a_list_that_is_gone_does_not_keep_the_others_from_being_read(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/b"] = page("<p>under construction</p>")
    site.routes["/c"] = page(card(3))
    source = grid(site, start=tuple(f"{site.url}/{name}" for name in "abc"))
    found = []
    with pytest.raises(FetchError) as failure:
        for item in source.items(client):
            found.append(item.picture_url)
    assert failure.value.reason == "not-found"
    assert found == [f"{site.url}/media/3.png"]
    (warning,) = source.warnings
    assert "/b: card 'div.card' finds nothing" in warning


def test_a_list_ends_when_a_page_adds_nothing_new(site: LoopbackSite, client: PoliteClient) -> None:
    def numbered(number: int) -> Answer:
        return page(card(min(number, 2)) + f'<a rel="next" href="/logos/{number + 1}">more</a>')

    for number in range(1, 9):
        site.routes[f"/logos/{number}"] = numbered(number)
    items = items_of(grid(site, start=(f"{site.url}/logos/1",)), client)
    assert len({item.picture_url for item in items}) == 2
    assert site.paths() == ["/logos/1", "/logos/2", "/logos/3"]


def test_what_a_camera_wrote_is_no_caption_of_a_card(
    site: LoopbackSite, client: PoliteClient
) -> None:
    image = '<img src="/1.png" alt="OLYMPUS DIGITAL CAMERA">'
    site.routes["/logos/"] = page(card(1, caption="IMG_1234", image=image))
    (item,) = items_of(grid(site), client)
    assert [caption.text for caption in item.captions] == ["Bird 1"]


def plain(number: int, *texts: str) -> str:
    return f'<div class="card"><img src="/{number}.png">{"".join(texts)}</div>'


def test_a_caption_rule_that_finds_nothing_any_more_is_named_once(
    site: LoopbackSite, client: PoliteClient
) -> None:
    for number in (1, 2, 3):
        said = f'<p class="caption">A bird, {number}.</p>' if number == 1 else ""
        cards = plain(number, f"<h3>{number}th</h3>", said) + plain(9, "<h3>nine</h3>", said)
        site.routes[f"/{number}"] = page(cards + f'<a rel="next" href="/{number + 1}">more</a>')
    source = grid(site, start=(f"{site.url}/1",), max_pages=3)
    assert len(items_of(source, client)) == 6
    (warning,) = source.warnings
    assert "/2: captions 'p.caption' matched before and finds nothing on 2 cards" in warning


def test_a_rule_that_matches_now_and_then_is_not_missed(
    site: LoopbackSite, client: PoliteClient
) -> None:
    some = plain(1, '<h3>a</h3><p class="caption">A bird.</p>')
    cards = "".join(plain(n, "<h3>b</h3>") for n in (2, 3))
    site.routes["/logos/"] = page(some + cards + '<a rel="next" href="/2">more</a>')
    site.routes["/2"] = page(plain(4, "<h3>c</h3>"))
    source = grid(site)
    assert len(items_of(source, client)) == 4
    assert source.warnings == []


def test_a_card_around_cards_is_no_card(site: LoopbackSite, client: PoliteClient) -> None:
    inner = "".join(
        f'<div class="x-cell"><img src="/{n}.png"><h3>Bird {n}</h3></div>' for n in (1, 2)
    )
    site.routes["/logos/"] = page(
        f'<div class="x-cell"><div><div class="x-cell">{inner}</div></div></div>'
    )
    source = grid(site, card="div[class*=x-cell]", detail_licence="", detail_author="")
    found = [item.captions[0].text for item in items_of(source, client)]
    assert (found, source.warnings) == (["Bird 1", "Bird 2"], [])


@pytest.mark.parametrize("name", ["full.png", "full.JPG", "a%20b.webp?w=1"])
def test_a_link_to_a_picture_is_the_original_and_no_page(
    site: LoopbackSite, client: PoliteClient, name: str
) -> None:
    site.routes["/logos/"] = page(
        f'<div class="card"><a href="/up/{name}"><img src="/small.png"></a><h3>Bird…</h3></div>'
    )
    source = grid(site)
    (item,) = items_of(source, client)
    assert (item.picture_url, item.detail_url) == (f"{site.url}/up/{name}", "")
    assert item.fallback_urls == (f"{site.url}/small.png",)
    assert item.page_url == f"{site.url}/logos/"
    (shown,) = items_of(grid(site, originals=False), client)
    assert (shown.picture_url, shown.fallback_urls) == (f"{site.url}/small.png", ())
    assert shown.detail_url == ""
    assert source.complete(client, item) == item
    assert site.paths("/up/") == []


@pytest.mark.parametrize("path", ["/wiki/File:Bird.jpg", "/wiki/File%3ABird.png", "/bird.png/"])
def test_a_page_that_is_named_as_a_picture_is_a_page(
    site: LoopbackSite, client: PoliteClient, path: str
) -> None:
    site.routes["/logos/"] = page(
        f'<div class="card"><a href="{path}"><img src="/small.png"></a><h3>Bird…</h3></div>'
    )
    (item,) = items_of(grid(site), client)
    assert item.picture_url == f"{site.url}/small.png"
    assert item.detail_url.endswith(("Bird.jpg", "Bird.png", "bird.png/"))


def test_a_linked_picture_that_is_a_page_gives_way_to_the_shown_one(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path
) -> None:
    site.routes["/logos/"] = page(
        '<div class="card"><a href="/up/full.png"><img src="/small.png"></a><h3>Bird</h3></div>'
    )
    site.routes["/up/full.png"] = page("<p>Look at it here</p>")
    site.routes["/small.png"] = Answer(picture(1))
    report = crawl([grid(site)], SETTINGS, Workspace(tmp_path / "data"), client=client)
    assert report.added == 1
