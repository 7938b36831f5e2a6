"""DuckDuckGo in a real browser: what its page is answered counts, not what it shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrape.browser import Browser
from scrape.client import PoliteClient
from scrape.sources import SourceError
from scrape.sources.duckduckgo import DuckDuckGo, DuckDuckGoSpec
from tests.scrape.loopback import Answer, LoopbackSite
from tests.scrape.search_site import (
    duck_answer,
    original,
    place,
    shared_browser,
    shown,
    title,
    whole,
)

# The page asks with the token that was written into it, and shows thumbnails only.
_PAGE = """
<div id="all" style="min-height:3000px"></div>
<script>
const vqd = '4-123', all = document.getElementById('all');
let next = '/i.js?o=json&q=panda&vqd=' + vqd + '&s=0', asking = false;
const load = async () => {
  if (!next || asking) return;
  asking = true;
  const told = await (await fetch(next)).json();
  for (const one of told.results) {
    const image = document.createElement('img');
    image.alt = one.title; image.style.height = '500px'; image.style.display = 'block';
    all.append(image);
  }
  next = told.next ? '/' + told.next + '&vqd=' + vqd : '';
  asking = false;
};
addEventListener('scroll', load);
load();
</script>"""
_ROBOTS_ASIDE = '<div class="anomaly-modal__title">Unfortunately, bots use DuckDuckGo too.</div>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with shared_browser() as shared:
        yield shared


def spec_of(**keys: Any) -> DuckDuckGoSpec:
    declared = {"kind": "duckduckgo", "name": "duck", "queries": ("panda",), "quiet_rounds": 2}
    return DuckDuckGoSpec(**{**declared, **keys})


def live(site: LoopbackSite, lent: Browser) -> DuckDuckGo:
    return DuckDuckGo(spec_of(search=f"{site.url}/?q={{query}}&ia=images"), lent)


@pytest.mark.browser
def test_the_answers_to_the_page_are_read_to_the_last(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    site.routes["/?q=panda&ia=images"] = shown(whole(_PAGE))
    for start in (0, 5, 10):
        following = f"i.js?o=json&q=panda&s={start + 5}" if start < 10 else ""
        answer = json.dumps(duck_answer(range(start, start + 5), following)).encode()
        path = "/i.js?o=json&q=panda&vqd=4-123&s=0" if start == 0 else (
            f"/i.js?o=json&q=panda&s={start}&vqd=4-123"
        )  # fmt: skip
        kind = {"Content-Type": "application/x-javascript"}
        site.routes[path] = Answer(answer, headers=kind)
    items = list(live(site, browser).items(client))
    assert [item.picture_url for item in items] == [original(number) for number in range(15)]
    first = items[0]
    assert (first.page_url, first.label, first.licence) == (place(0), "panda", "unknown")
    assert first.captions[0].text == f"{title(0)} {{sic}}"
    assert first.fallback_urls == ("https://tse1.mm.bing.net/th?id=OIP.0",)


@pytest.mark.browser
def test_a_wall_for_robots_is_named(
    site: LoopbackSite, browser: Browser, client: PoliteClient
) -> None:
    site.routes["/"] = shown(whole(_ROBOTS_ASIDE))
    with pytest.raises(SourceError) as failure:
        list(live(site, browser).items(client))
    assert failure.value.reason == "bot-wall"


def test_saved_answers_and_saved_pages_are_read(tmp_path: Path, client: PoliteClient) -> None:
    (tmp_path / "1.json").write_text(json.dumps(duck_answer(range(0, 3))))
    results = json.dumps(duck_answer(range(3, 5)))
    (tmp_path / "2.html").write_text(whole(f"<script>DDG.load('images', {results})</script>"))
    source = DuckDuckGo(spec_of(path=str(tmp_path)))
    items = list(source.items(client))
    assert [item.picture_url for item in items] == [original(number) for number in range(5)]
    assert {item.query for item in items} == {"panda"}


def test_a_result_without_an_image_is_counted(tmp_path: Path, client: PoliteClient) -> None:
    answer = duck_answer(range(0, 2))
    answer["results"][0]["image"] = None
    (tmp_path / "1.json").write_text(json.dumps(answer))
    source = DuckDuckGo(spec_of(path=str(tmp_path)))
    assert [item.picture_url for item in source.items(client)] == [original(1)]
    assert source.warnings == ["duck: panda: 1 cards without the address of their original"]
