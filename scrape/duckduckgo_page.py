"""The result pages of DuckDuckGo's image search, and the answers of its i.js.

answers: objects with image, thumbnail, url and title, in an answer or a script; links: the
original's address as `iai` of a link; proxied: pictures that come through its own proxy.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrape.search_page import Found, ResultPage, is_web, json_values, merged, walk

LAYOUTS = ("answers", "links", "proxied")

_THUMBNAIL_HOSTS = (".mm.bing.net", ".explicit.bing.net")


def parse(html: str, address: str) -> list[Found]:
    """The pictures of a page, or of an answer that its scripts asked for."""
    page = ResultPage(html)
    return merged(_answers(page), _links(page)) or list(_proxied(page))


def _answers(page: ResultPage) -> Iterator[Found]:
    for script in page.scripts:
        if '"image"' not in script:
            continue
        for value in json_values(script):
            for part in walk(value):
                if isinstance(part, dict) and "image" in part and ("thumbnail" in part):
                    yield _from_answer(part)


def _from_answer(told: dict[str, Any]) -> Found:
    def link(key: str) -> str:
        return told[key] if is_web(told.get(key)) else ""

    title = told.get("title")
    return Found(
        picture=link("image"),
        page=link("url"),
        texts=((title, "duckduckgo title"),) if isinstance(title, str) else (),
        thumbnail=link("thumbnail"),
    )


def _links(page: ResultPage) -> Iterator[Found]:
    for link in page.links:
        picture = _asked(link.href, "iai") if "iai=" in link.href else ""
        if picture:
            texts = tuple((text, f"duckduckgo {origin}") for text, origin in link.texts)
            yield Found(picture=picture, texts=texts)


def _proxied(page: ResultPage) -> Iterator[Found]:
    """Originals that the proxy shows; Bing's thumbnails are none."""
    for image in page.images:
        original = _asked(image, "u") if "/iu/?" in image else ""
        try:
            host = urlsplit(original).hostname or ""
        except ValueError:
            continue
        if host and not host.endswith(_THUMBNAIL_HOSTS):
            yield Found(picture=original)


def _asked(address: str, name: str) -> str:
    try:
        return parse_qs(urlsplit(address).query).get(name, [""])[0]
    except ValueError:
        return ""
