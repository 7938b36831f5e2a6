"""The HTML in which Wikimedia Commons states captions and authors, as plain text."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

from scrape.captions import LONGEST, LONGEST_NAME, clean_text
from scrape.json_answer import link_of, look_up, text_at

_NOBODY = frozenset({"unknown", "unknown author", "unknown artist", "unknown photographer"})
_LONGEST_LINE = 500
_INLINE = "a, abbr, b, bdi, bdo, big, cite, em, i, small, span, strong, sub, sup, tt, u"


@dataclass(frozen=True)
class Credit:
    """Who is to be credited: `line` is the wording that the author asks for, "" for none;
    `source` is where the file came from, where that is not the author."""

    author: str
    author_url: str
    source: str
    line: str
    is_required: bool


def texts_of(value: Any, language: str) -> list[str]:
    """The texts of a field, those in `language` first.

    The field is plain text, HTML that may hold one block per language, or an object of languages.
    """
    if isinstance(value, dict):
        order = (language, "en", *sorted(str(key) for key in value))
        codes = dict.fromkeys(code for code in order if not code.startswith("_"))
        return [text for code in codes for text in texts_of(_text(value.get(code)), language)]
    soup = _soup(_text(value))
    if soup is None:
        return [clean_text(_text(value))]
    blocks = [block for block in soup.select("div.description[lang]") if not _is_nested(block)]
    if not blocks:
        return [_plain(soup)]
    for mark in soup.select("span.language, .language-marker"):
        mark.decompose()
    blocks.sort(key=lambda block: str(block.get("lang")) != language)
    return [_plain(block) for block in blocks]


def credit_of(info: Mapping[str, Any], api: str) -> Credit:
    """The credit that a file's metadata ask for; a work of one's own is the uploader's."""
    artist = _field(info, "Artist")
    author, author_url = _person(artist, api)
    source = clean_text(_shown(_field(info, "Credit")), LONGEST_NAME)
    is_own = source.casefold() == "own work" or "int-own-work" in _field(info, "Credit")
    uploader = clean_text(text_at(info, "user"), LONGEST_NAME)
    if not author and is_own and uploader:
        author = uploader
        author_url = link_of(f"/wiki/User:{uploader.replace(' ', '_')}", api)
    return Credit(
        author=author,
        author_url=author_url,
        source="" if is_own else source,
        line=clean_text(_shown(_field(info, "Attribution")), _LONGEST_LINE),
        is_required=_field(info, "AttributionRequired").strip().lower() == "true",
    )


def _person(written: str, api: str) -> tuple[str, str]:
    """Name and address of an author: a link, a block, a sentence with links in it, or a name."""
    soup = _soup(written)
    name = clean_text(_shown(written), LONGEST_NAME)
    if name.casefold() in _NOBODY:
        return "", ""
    for link in soup.select("a[href]") if soup is not None else ():
        address = link_of(str(link.get("href")), api)
        if address and "redlink=1" not in address:
            return name, address
    return name, ""


def _field(info: Mapping[str, Any], name: str) -> str:
    return _text(look_up(info, f"extmetadata.{name}.value"))


def _text(value: Any) -> str:
    return value[: 10 * LONGEST] if isinstance(value, str) else ""


def _shown(written: str) -> str:
    soup = _soup(written)
    return _plain(soup) if soup is not None else written


def _soup(written: str) -> BeautifulSoup | None:
    """The markup without what a browser does not show; None when there is none."""
    if "<" not in written:
        return None
    try:
        soup = BeautifulSoup(written, "html.parser")
    except ParserRejectedMarkup:
        return None
    for element in soup.select("script, style, [style]"):
        style = str(element.get("style") or "").replace(" ", "").lower()
        is_shown = element.name not in ("script", "style") and "display:none" not in style
        if not element.decomposed and not is_shown:
            element.decompose()
    return soup


def _plain(element: Tag) -> str:
    """The text of an element; words stand apart at blocks and line breaks only."""
    element = copy.copy(element)
    for inline in element.select(_INLINE):
        inline.unwrap()
    return clean_text(str(element))


def _is_nested(block: Tag) -> bool:
    return block.find_parent("div", class_="description") is not None
