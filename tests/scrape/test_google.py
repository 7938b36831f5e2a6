"""Google in a real browser, on a site that behaves like it; and on saved pages without one."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataset.errors import ConfigError, DisallowedError
from scrape.browser import Browser
from scrape.client import PoliteClient
from scrape.response import FetchError
from scrape.sources import KINDS, SourceError
from scrape.sources.google import Google, GoogleSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS, ClientOf
from tests.scrape.loopback import Answer, LoopbackSite
from tests.scrape.search_site import (
    SPOT,
    google_block,
    google_link,
    imgres,
    original,
    place,
    shared_browser,
    shown,
    small,
    title,
    whole,
)

SAVED = "<!-- saved from url=(0041)https://www.google.com/search?udm=2&q=red+panda -->"

# Cards whose link says where it leads once a pointer touches it, and whose thumbnails come later.
_LAZY = """
<div id="all"></div><button id="more" style="display:none">Show more results</button>
<script>
const all = document.getElementById('all'), more = document.getElementById('more');
let count = 0, asking = false;
const load = async () => {
  if (asking || (count >= 8 && more.dataset.pressed !== '1')) return;
  asking = true;
  for (const card of await (await fetch('/cards?start=' + count)).json()) {
    const holder = document.createElement('div');
    holder.dataset.docid = 'd' + count++;
    holder.style.height = '700px';
    holder.innerHTML = '<h3><a jsaction="x"><img alt=""></a></h3>';
    all.append(holder);
    holder.querySelector('img').alt = card.title;
    setTimeout(() => holder.querySelector('img').src = card.thumbnail, 20);
    holder.querySelector('a').addEventListener('mousedown', e => e.currentTarget.href = card.href);
  }
  if (count >= 8 && more.dataset.pressed !== '1') more.style.display = 'block';
  asking = false;
};
more.addEventListener('click', () => {
  more.dataset.pressed = '1'; more.style.display = 'none'; load(); });
addEventListener('scroll', load);
load();
</script>"""
_CONSENT = """
<div style="position:fixed;inset:0;background:white">
<h1>Before you continue to Pictures</h1>
<form action="/consent"><button name="say" value="no">Alle ablehnen</button>
<button name="say" value="yes">Alle akzeptieren</button></form></div>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with shared_browser() as shared:
        yield shared


def spec_of(**keys: Any) -> GoogleSpec:
    declared = {"kind": "google", "name": "google", "queries": ("red panda",), "quiet_rounds": 2}
    return GoogleSpec(**{**declared, **keys})


def live(site: LoopbackSite, lent: Browser | None, /, **keys: Any) -> Google:
    return Google(spec_of(search=f"{site.url}/search?q={{query}}", **keys), lent)


def saved(path: Path, **keys: Any) -> Google:
    return Google(spec_of(path=str(path), **{"queries": (), **keys}))


def numbers_of(items: list[ScrapedItem]) -> list[str]:
    return [item.picture_url.rpartition("/")[2] for item in items]


def names(numbers: range) -> list[str]:
    return [f"{number}.jpg" for number in numbers]


def cards(numbers: range) -> Answer:
    told = [
        {"href": imgres(number), "title": title(number), "thumbnail": SPOT} for number in numbers
    ]
    return Answer(json.dumps(told).encode(), headers={"Content-Type": "application/json"})


@pytest.mark.browser
def test_the_page_is_scrolled_pressed_and_touched_until_there_is_nothing_new(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    site.routes["/search"] = shown(whole(_LAZY))
    for start in range(0, 16, 4):
        site.routes[f"/cards?start={start}"] = cards(range(start, min(start + 4, 14)))
    site.routes["/cards"] = cards(range(0))
    items = list(live(site, browser).items(client))
    assert numbers_of(items) == names(range(14))
    first = items[0]
    assert (first.picture_url, first.page_url) == (original(0), place(0))
    assert [(c.text, c.origin) for c in first.captions] == [(title(0), "google alt")]
    assert (first.label, first.query, first.licence) == ("red panda", "red panda", "unknown")
    assert first.fallback_urls == ()
    assert site.paths("/search") == ["/search?q=red%20panda"]


@pytest.mark.browser
def test_scripts_and_answers_that_the_page_never_shows_are_read(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    inner = json.dumps([[[[small(n), 90, 90], [original(n), 600, 800], [place(n)]]] for n in (7,)])
    answer = ")]}'\n\n" + json.dumps([["wrb.fr", "x", inner]])
    site.routes["/_/data/batchexecute"] = Answer(answer.encode())
    asks = "<script>fetch('/_/data/batchexecute')</script>"
    site.routes["/search"] = shown(whole(google_block(range(1, 4), year=2022) + asks))
    items = list(live(site, browser, quiet_rounds=1).items(client))
    assert numbers_of(items) == ["1.jpg", "2.jpg", "3.jpg", "7.jpg"]
    assert items[0].fallback_urls == (small(1),)
    assert (items[3].page_url, items[3].fallback_urls) == (place(7), (small(7),))
    alone = live(site, browser, quiet_rounds=1, thumbnails=False).items(client)
    assert next(alone).fallback_urls == ()


@pytest.mark.browser
def test_each_query_is_asked_and_is_its_own_label(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    site.routes["/search?q=akita"] = shown(whole(google_link(1)))
    site.routes["/search?q=pug%20%26%20co"] = shown(whole(google_link(1) + google_link(2)))
    source = live(site, browser, queries=("akita", " ", "pug & co"), quiet_rounds=1)
    found = [(item.label, item.picture_url[-5:]) for item in source.items(client)]
    assert found == [("akita", "1.jpg"), ("pug & co", "1.jpg"), ("pug & co", "2.jpg")]


@pytest.mark.browser
@pytest.mark.parametrize(("consent", "said"), [("reject", "no"), ("accept", "yes")])
def test_a_question_for_consent_is_answered_as_told(
    site: LoopbackSite, browser: Browser, client: PoliteClient, consent: str, said: str
) -> None:
    site.routes["/search"] = shown(whole(_CONSENT))
    site.routes[f"/consent?say={said}"] = shown(whole(google_link(1)))
    items = list(live(site, browser, consent=consent, quiet_rounds=1).items(client))
    assert numbers_of(items) == ["1.jpg"]


@pytest.mark.browser
def test_with_a_window_a_person_has_time_to_answer(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    answered = f"<script>setTimeout(() => location = '/consent?say=no', 2000)</script>{_CONSENT}"
    site.routes["/search"] = shown(whole(answered))
    site.routes["/consent"] = shown(whole(google_link(1)))
    source = live(site, browser, headed=True, consent="stop", quiet_rounds=1)
    assert numbers_of(list(source.items(client))) == ["1.jpg"]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (_CONSENT, 200, "consent"),
        ("<p>Our systems have detected unusual traffic</p>", 200, "bot-wall"),
        ("<p>wait</p>", 429, "bot-wall"),
        ("<p>wait</p>", 403, "bot-wall"),
    ],
)
def test_a_wall_ends_the_source_and_says_what_to_do(
    site: LoopbackSite,
    browser: Browser,
    client: PoliteClient,
    tmp_path: Path,
    body: str,
    status: int,
    reason: str,
) -> None:
    site.routes["/search"] = shown(whole(body), status)
    source = live(site, browser, consent="stop", quiet_rounds=1)
    source.folder = tmp_path
    with pytest.raises(SourceError, match=r"source\.google\.headed=true.*--from") as failure:
        list(source.items(client))
    assert failure.value.reason == reason
    assert (tmp_path / f"google-{reason}.html").is_file()


@pytest.mark.browser
def test_a_page_of_unknown_shape_is_kept_and_the_layouts_are_named(
    site: LoopbackSite, browser: Browser, client: PoliteClient, tmp_path: Path
) -> None:
    site.routes["/search"] = shown(whole("<p>A new design</p>"))
    source = live(site, browser, quiet_rounds=1)
    source.folder = tmp_path
    with pytest.raises(SourceError, match="links, blocks, rg_meta, addresses") as failure:
        list(source.items(client))
    assert failure.value.reason == "page-shape"
    assert "A new design" in (tmp_path / "google-page.html").read_text()


@pytest.mark.browser
def test_other_failures_are_what_they_are(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    site.routes["/search"] = shown(whole("sorry"), 500)
    with pytest.raises(FetchError) as failure:
        list(live(site, browser, quiet_rounds=1).items(client))
    assert failure.value.reason == "http-500"
    site.routes["/search"] = shown(whole("Your search did not match any image results."))
    source = live(site, browser, quiet_rounds=1)
    assert list(source.items(client)) == []
    assert source.warnings == ["google: red panda: the engine finds nothing"]
    site.routes["/search"] = shown(whole(google_link(1), '<meta name="robots" content="noai">'))
    with pytest.raises(DisallowedError, match="noai"):
        list(live(site, browser).items(client))


@pytest.mark.browser
def test_a_page_that_leads_to_a_private_address_is_left(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    with LoopbackSite({"/": shown(whole(google_link(1)))}) as private:
        to = f"http://localhost:{private.port}/"
        site.routes["/search"] = shown(whole(f"<script>location = '{to}'</script>"))
        with pytest.raises(DisallowedError) as refusal:
            list(live(site, browser, quiet_rounds=1).items(client))
    assert refusal.value.reason == "private-address"


@pytest.mark.browser
def test_the_browser_ends_with_the_reading_also_in_the_middle(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Browser] = []
    whole_open = Browser.open

    def watched(self: Browser, address: str) -> None:
        opened.append(self)
        whole_open(self, address)

    monkeypatch.setattr(Browser, "open", watched)
    site.routes["/search"] = shown(whole(google_link(1) + google_link(2)))
    items = live(site, None).items(client)
    next(items)
    assert Path(opened[0].profile).is_dir()
    items.close()  # type: ignore[attr-defined]
    assert not Path(opened[0].profile).exists()


@pytest.mark.browser
def test_a_stopped_crawl_ends_the_reading(site: LoopbackSite, browser: Browser) -> None:
    site.routes["/search"] = shown(whole(google_link(1)))
    with PoliteClient(SETTINGS) as client:
        source = live(site, browser, pause_s=3600.0)
        items = source.items(client)
        next(items)
        threading.Timer(0.3, client.stop).start()
        with pytest.raises(FetchError) as failure:
            next(items)
    assert failure.value.reason == "stopped"


def test_no_browser_is_started_where_robots_are_not_let_in(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /search\n")
    source = live(site, None, browser="/nowhere")
    with pytest.raises(DisallowedError, match=r"save the result page .* run google --from") as no:
        list(source.items(client))
    assert no.value.reason == "robots"
    assert site.paths() == []


def test_a_missing_browser_is_a_config_error(site: LoopbackSite, client: PoliteClient) -> None:
    with pytest.raises(ConfigError, match="make browser"):
        list(live(site, None, browser="/nowhere/chromium").items(client))


def test_saved_pages_need_neither_browser_nor_network(tmp_path: Path, client: PoliteClient) -> None:
    (tmp_path / "one.html").write_text(f"{SAVED}\n" + whole(google_link(1)))
    box = '<input name="q" value="akita">'
    (tmp_path / "two.htm").write_text(whole(box + google_block(range(2, 4), year=2020)))
    (tmp_path / "pug.html").write_text(whole(google_link(4)))
    (tmp_path / "notes.txt").write_text(whole(google_link(5)))
    items = list(saved(tmp_path).items(client))
    assert [(item.label, item.picture_url[-5:]) for item in items] == [
        ("red panda", "1.jpg"),
        ("pug", "4.jpg"),
        ("akita", "2.jpg"),
        ("akita", "3.jpg"),
    ]
    assert spec_of(path="x", queries=()).hosts() == ()
    labels = {item.label for item in saved(tmp_path, queries=("dog",)).items(client)}
    assert labels == {"dog"}


def test_a_saved_page_of_no_use_is_said_after_the_others(
    tmp_path: Path, client: PoliteClient
) -> None:
    (tmp_path / "a.html").write_text(whole("A new design"))
    (tmp_path / "b.html").write_bytes(b"\xff\x00<p>" + google_link(1).encode())
    (tmp_path / "c.html").write_bytes(b"")
    found = []
    with pytest.raises(SourceError) as failure:
        for item in saved(tmp_path).items(client):
            found.append(item.picture_url)
    assert (found, failure.value.reason) == ([original(1)], "page-shape")


def test_a_page_that_is_too_long_is_read_as_far_as_allowed(
    tmp_path: Path, client_of: ClientOf
) -> None:
    (tmp_path / "a.html").write_text(google_link(1) + " " * 5000 + google_link(2))
    source = saved(tmp_path)
    small_steps = client_of(replace(SETTINGS, max_page_bytes=4000))
    assert numbers_of(list(source.items(small_steps))) == ["1.jpg"]
    assert "raise crawl.max_page_bytes" in source.warnings[0]


def test_hostile_addresses_are_counted_not_asked(tmp_path: Path, client: PoliteClient) -> None:
    hostile = ("javascript:alert(1)", "file:///etc/passwd", "data:image/png;base64,x", "http://[")
    links = "".join(f'<a href="/imgres?imgurl={address}&imgrefurl=x">x</a>' for address in hostile)
    (tmp_path / "a.html").write_text(whole(links + google_link(1)))
    source = saved(tmp_path)
    assert numbers_of(list(source.items(client))) == ["1.jpg"]
    assert source.warnings == ["google: a: 4 cards without the address of their original"]


def test_no_saved_page_is_a_config_error(tmp_path: Path, client: PoliteClient) -> None:
    for path in (tmp_path, tmp_path / "gone.html"):
        with pytest.raises(ConfigError, match='save the result page as "web page, complete"'):
            list(saved(path).items(client))


@pytest.mark.parametrize(
    "keys",
    [
        {"queries": ()},
        {"queries": (" ",)},
        {"search": "https://www.google.com/search"},
        {"search": "file:///{query}"},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"quiet_rounds": 0},
        {"pause_s": -1.0},
        {"max_pages": 0},
    ],
)
def test_keys_out_of_range_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="source google"):
        spec_of(**keys)


@pytest.mark.parametrize("kind", ["google", "bing-browser", "duckduckgo", "bing"])
def test_searches_are_marked_as_fragile_and_say_what_they_need(kind: str) -> None:
    told = KINDS[kind]
    assert told.is_fragile
    assert "robots.txt" in told.needs
    assert told.ask.startswith(f"python -m scrape run {kind} --queries ")


def test_a_query_is_quoted_and_cut(site: LoopbackSite) -> None:
    address = spec_of().address_of('a b&c/"é\ud800' + "x" * 9000)
    assert address.startswith("https://www.google.com/search?udm=2&q=a%20b%26c%2F%22%C3%A9%3Fxx")
    assert len(address) < 600
