"""A small site of pictures on a card grid, and a crawl file for it."""

import tomllib
from pathlib import Path
from typing import Any

from scrape.config import crawl_config
from scrape.sources import Source, sources_of
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, Script, page


def card(path: str, caption: str) -> str:
    return f'<div class="card"><img src="{path}"><p>{caption}</p></div>'


def fill(site: LoopbackSite, count: int, *, per_page: int = 5) -> list[str]:
    """Give `site` a grid of `count` pictures; returns their paths in order."""
    paths = [f"/media/{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        site.routes[path] = Answer(picture(number))
    show(site, paths, per_page=per_page)
    return paths


def show(site: LoopbackSite, paths: list[str], *, per_page: int = 5) -> None:
    """Lay out the grid's pages, with links from one to the next."""
    pages = [paths[start : start + per_page] for start in range(0, len(paths), per_page)]
    for number, shown in enumerate(pages, start=1):
        cards = "".join(card(path, f"Picture {path}") for path in shown)
        more = f'<a rel="next" href="/?page={number + 1}">more</a>' if number < len(pages) else ""
        site.routes["/" if number == 1 else f"/?page={number}"] = page(cards + more)


def plant(site: LoopbackSite, answers: dict[str, Script]) -> None:
    """Give `site` a grid that shows these paths and answers them so."""
    site.routes.update(answers)
    show(site, list(answers))


def crawl_text(url: str, *, name: str = "grid", settings: str = "") -> str:
    """A crawl file for the grid at `url`."""
    return f"""
[crawl]
contact = "owner@example.org"
allow_hosts = ["127.0.0.1"]
gap_s = 0
{settings}

[[source]]
kind = "card-grid"
name = "{name}"
label = "block"
licence = "CC0"
start = ["{url}/"]
card = ".card"
captions = ["p"]
next = "a[rel=next]"
"""


def crawl_file(folder: Path, url: str, *, settings: str = "") -> Path:
    written = folder / "crawl.toml"
    written.write_text(crawl_text(url, settings=settings))
    return written


def grid_source(url: str, *, name: str = "grid") -> Source[Any]:
    return sources_of(crawl_config(tomllib.loads(crawl_text(url, name=name))))[0]
