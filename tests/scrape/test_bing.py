"""Bing over plain HTTP: pages by number until nothing is new; and the same cards in a browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dataset.errors import ConfigError, DisallowedError
from scrape.browser import Browser
from scrape.client import PoliteClient
from scrape.recorded import ReplayTransport
from scrape.response import FetchError
from scrape.sources import SourceError
from scrape.sources.bing import Bing, BingSpec
from scrape.sources.bing_browser import BingBrowser, BingBrowserSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.loopback import Answer, LoopbackSite
from tests.scrape.search_site import (
    bing_card,
    bing_cards,
    bing_mark,
    original,
    place,
    shared_browser,
    shown,
    title,
    whole,
)

# Cards are loaded at the end of the page; beyond the second helping by a button only.
_LAZY = """
<ul id="all">{cards}</ul>
<div style="height:3000px"></div>
<div id="bnp_container"><a id="bnp_btn_reject" href="#" onclick="refuse()">No</a></div>
<a class="btn_seemore" style="display:none" href="#">See more images</a>
<script>
const all = document.getElementById('all'), more = document.querySelector('.btn_seemore');
let first = 6, refused = false, asking = false;
const refuse = () => {{ refused = true; document.getElementById('bnp_container').remove(); }};
const load = async () => {{
  if (!refused || asking) return;
  asking = true;
  const text = await (await fetch('/images/async?first=' + first)).text();
  first += 5; asking = false;
  all.insertAdjacentHTML('beforeend', text);
  more.style.display = first == 16 ? 'block' : 'none';
}};
addEventListener('scroll', () => first < 16 && load());
more.addEventListener('click', load);
</script>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with shared_browser() as shared:
        yield shared


def source(site: LoopbackSite, **keys: Any) -> Bing:
    declared = {"kind": "bing", "name": "bing", "queries": ("red panda",), "count": 3}
    return Bing(BingSpec(**{**declared, "api": f"{site.url}/images/async", **keys}))


def serve(site: LoopbackSite, pages: dict[int, str], query: str = "red+panda") -> None:
    """Answer the page that begins with the result number `first`; other pages are empty."""
    site.routes["/images/async"] = shown("")
    for first, body in pages.items():
        asked = f"q={query}&first={first}&count=3&mmasync=1&adlt=moderate"
        site.routes[f"/images/async?{asked}"] = shown(body)


def numbers_of(items: list[ScrapedItem]) -> list[int]:
    return [int(item.picture_url.rpartition("/")[2].partition(".")[0]) for item in items]


def firsts(site: LoopbackSite) -> list[str]:
    return [parse_qs(urlsplit(path).query)["first"][0] for path in site.paths("/images/async")]


def test_a_card_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, {1: bing_cards(range(1, 2))})
    (item,) = source(site).items(client)
    assert (item.picture_url, item.page_url) == (original(1), place(1))
    assert [(c.text, c.origin) for c in item.captions] == [
        (title(1), "bing t"),
        ("A picture of panda 1", "bing desc"),
    ]
    assert item.fallback_urls == ("https://ts1.mm.bing.net/th?id=OIP.1&pid=15.1",)
    assert (item.label, item.query, item.licence) == ("red panda", "red panda", "unknown")
    (bare,) = source(site, thumbnails=False, label="panda").items(client)
    assert (bare.fallback_urls, bare.label) == ((), "panda")


def test_pages_begin_after_each_other_until_one_brings_nothing_new(
    site: LoopbackSite, client: PoliteClient
) -> None:
    serve(
        site,
        {
            1: bing_cards(range(1, 4)),
            4: bing_cards(range(3, 6)),
            7: bing_cards(range(4, 6)),  # the last ones again, as the real one does at its end
            10: bing_cards(range(6, 9)),
        },
    )
    assert numbers_of(list(source(site).items(client))) == [1, 2, 3, 4, 5]
    assert firsts(site) == ["1", "4", "7"]


def test_an_empty_page_and_max_pages_end_a_query(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, {1: bing_cards(range(1, 4)), 4: bing_cards(range(4, 7))})
    assert numbers_of(list(source(site).items(client))) == [1, 2, 3, 4, 5, 6]
    assert firsts(site) == ["1", "4", "7"]
    assert numbers_of(list(source(site, max_pages=1).items(client))) == [1, 2, 3]


def test_the_usual_pages_are_of_35() -> None:
    spec = BingSpec(kind="bing", name="bing", queries=("x",))
    assert spec.address_of("a b", 36) == (
        "https://www.bing.com/images/async?q=a+b&first=36&count=35&mmasync=1&adlt=moderate"
    )
    narrow = BingSpec(
        kind="bing", name="b", queries=("x",), filters=("imagesize-large", "photo-photo"),
        adult="strict",
    )  # fmt: skip
    asked = parse_qs(urlsplit(narrow.address_of("x", 1)).query)
    assert asked["qft"] == ["+filterui:imagesize-large+filterui:photo-photo"]
    assert asked["adlt"] == ["strict"]
    assert spec.hosts() == ("www.bing.com",)


def test_the_same_file_at_two_addresses_is_one(site: LoopbackSite, client: PoliteClient) -> None:
    copy = bing_mark(9, md5=bing_mark(1)["md5"])
    serve(site, {1: bing_cards(range(1, 2)) + bing_card(copy) + bing_card(bing_mark(2, md5=""))})
    assert numbers_of(list(source(site).items(client))) == [1, 2]


def test_cards_without_a_usable_picture_are_counted(
    site: LoopbackSite, client: PoliteClient
) -> None:
    hostile = [
        bing_mark(1, murl=address)
        for address in ("ftp://x/1.jpg", "javascript:x", "", None, 7, ["x"], "http://[", "x" * 9000)
    ]
    serve(site, {1: "".join(map(bing_card, hostile)) + bing_card("{") + bing_cards(range(2, 3))})
    found = source(site)
    assert numbers_of(list(found.items(client))) == [2]
    assert found.warnings == ["bing: red panda: page 1 has 9 cards, 8 without murl in m"]


def test_queries_are_asked_one_after_the_other(site: LoopbackSite, client: PoliteClient) -> None:
    serve(site, {})
    for query, number in (("akita", 1), ("pug+%26+co", 2)):
        asked = f"q={query}&first=1&count=3&mmasync=1&adlt=moderate"
        site.routes[f"/images/async?{asked}"] = shown(bing_cards(range(number, number + 1)))
    queries = ("akita", " ", "pug & co", "none")
    found = source(site, queries=queries)
    assert [(i.query, i.picture_url[-5:]) for i in found.items(client)] == [
        ("akita", "1.jpg"),
        ("pug & co", "2.jpg"),
    ]
    assert found.warnings == ["bing: none: Bing finds nothing"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<h1>One last step</h1>Please solve the challenge below", "bot-wall"),
        ('<div id="bnp_container">cookies</div>', "consent"),
        ("<p>A new design</p>", "page-shape"),
        (bing_card({"imageUrl": original(1), "turl": "x"}), "page-shape"),
    ],
)
def test_a_first_page_without_cards_is_named(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path, body: str, reason: str
) -> None:
    serve(site, {1: whole(body)})
    broken = source(site)
    broken.folder = tmp_path
    with pytest.raises(SourceError) as failure:
        list(broken.items(client))
    assert failure.value.reason == reason
    assert (tmp_path / "bing-page.html").exists() == (reason == "page-shape")


def test_a_later_page_that_fails_ends_the_source_after_what_came_before(
    site: LoopbackSite, client: PoliteClient
) -> None:
    serve(site, {1: bing_cards(range(1, 4))})
    site.routes["/images/async"] = Answer(b"", 404)
    found = []
    with pytest.raises(FetchError):
        for item in source(site).items(client):
            found.append(item)
    assert numbers_of(found) == [1, 2, 3]


def test_robots_txt_is_kept_and_the_way_out_is_named(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /images/async\n")
    with pytest.raises(DisallowedError, match="run bing-browser --from") as refusal:
        list(source(site).items(client))
    assert (refusal.value.reason, site.paths()) == ("robots", [])


def test_a_page_that_opts_out_is_left(site: LoopbackSite, client: PoliteClient) -> None:
    head = '<meta name="robots" content="noimageai">'
    serve(site, {1: whole(bing_cards(range(1, 2)), head)})
    with pytest.raises(DisallowedError) as refusal:
        list(source(site).items(client))
    assert refusal.value.reason == "opt-out"


def test_it_runs_from_recorded_answers(tmp_path: Path) -> None:
    spec = BingSpec(kind="bing", name="bing", queries=("red panda",))
    pages = {1: bing_cards(range(1, 36)), 36: bing_cards(range(36, 50)), 71: ""}
    lines = [
        json.dumps({"url": spec.address_of("red panda", first), "status": 200, "text": body})
        for first, body in pages.items()
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    with PoliteClient(SETTINGS, transport=ReplayTransport(tmp_path)) as client:
        assert numbers_of(list(Bing(spec).items(client))) == list(range(1, 50))


@pytest.mark.parametrize(
    "keys",
    [{"queries": ()}, {"queries": ("",)}, {"api": "ftp://x/"}, {"count": 0}, {"count": 151}],
)
def test_keys_out_of_range_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="source bing"):
        BingSpec(**{"kind": "bing", "name": "bing", "queries": ("x",), **keys})


@pytest.mark.browser
def test_the_browser_refuses_cookies_scrolls_and_presses_to_the_end(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    site.routes["/images/search"] = shown(whole(_LAZY.format(cards=bing_cards(range(1, 6)))))
    for first in (6, 11, 16):
        site.routes[f"/images/async?first={first}"] = shown(bing_cards(range(first, first + 5)))
    spec = BingBrowserSpec(
        kind="bing-browser", name="b", queries=("red panda",), quiet_rounds=2,
        search=f"{site.url}/images/search?q={{query}}",
    )  # fmt: skip
    items = list(BingBrowser(spec, browser).items(client))
    assert numbers_of(items) == list(range(1, 21))
    assert (items[0].page_url, items[0].captions[0].origin) == (place(1), "bing t")


def test_a_saved_page_gives_the_same_cards(tmp_path: Path, client: PoliteClient) -> None:
    (tmp_path / "panda.html").write_text(whole(bing_cards(range(1, 6))))
    spec = BingBrowserSpec(kind="bing-browser", name="b", path=str(tmp_path / "panda.html"))
    items = list(BingBrowser(spec).items(client))
    assert (numbers_of(items), items[0].label) == ([1, 2, 3, 4, 5], "panda")
    assert items[0].fallback_urls
