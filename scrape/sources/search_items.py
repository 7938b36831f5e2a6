"""From what a result page names to items, and the words for pages that name nothing."""

from collections.abc import Iterable
from typing import Any

from dataset.errors import DisallowedError
from scrape.captions import captions_of
from scrape.json_answer import link_of
from scrape.licences import licence_of
from scrape.search_page import Found
from scrape.sources.source import ScrapedItem, Source, SourceError, SourceSpec


class Seen:
    """The pictures of one query so far, by address and by the engine's mark of equal files."""

    def __init__(self) -> None:
        self._marks: set[str] = set()

    @property
    def is_empty(self) -> bool:
        return not self._marks

    def new_of(self, found: Iterable[Found]) -> list[Found]:
        """Those with a usable address that were not seen yet."""
        new = []
        for one in found:
            picture = link_of(one.picture)
            if not picture:
                continue
            marks = {picture, one.mark} - {""}
            if not marks & self._marks:
                new.append(one)
            self._marks |= marks
        return new


def bare_cards(found: Iterable[Found]) -> int:
    """How many cards have no usable address of a picture."""
    return sum(not link_of(one.picture) for one in found)


def item_of(
    found: Found, address: str, query: str, spec: SourceSpec, *, thumbnails: bool
) -> ScrapedItem:
    """The item of a picture on the result page at `address`; with `thumbnails`, the engine's
    small copy is asked for where the original is gone."""
    picture = link_of(found.picture)
    thumbnail = link_of(found.thumbnail, address) if thumbnails else ""
    licence = licence_of(spec.licence, spec.licence_url)
    return ScrapedItem(
        picture_url=picture,
        page_url=link_of(found.page) or address,
        source=spec.name,
        captions=captions_of(found.texts),
        label=spec.label or query,
        query=query,
        author=spec.author,
        licence=licence.id,
        licence_url=licence.url,
        fallback_urls=(thumbnail,) if thumbnail not in ("", picture) else (),
    )


def page_shape(source: Source[Any], html: str, where: str, layouts: tuple[str, ...]) -> SourceError:
    """The error for a page that no layout fits; keeps the page for a person to look at."""
    saved = source.save_page("page.html", html.encode("utf-8", "replace"))
    kept = f"; the page is kept in {saved}" if saved else ""
    return SourceError(
        "page-shape",
        f"{where[:300]}: no pictures in any known layout ({', '.join(layouts)}){kept}",
    )


def with_way_out(error: DisallowedError, kind: str) -> DisallowedError:
    """The refusal, with what a person can do where robots are not let in."""
    if error.reason not in ("robots", "robots-unreachable"):
        return error
    return DisallowedError(
        error.reason,
        f"{error}; open and save the result page in your own browser, then run {kind} "
        "--from PAGE.html",
    )
