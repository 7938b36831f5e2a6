"""The result pages of Google's image search, in the layouts that were seen over the years.

links: /imgres? links that carry the original's address; blocks: cards in the JSON of scripts;
rg_meta: one JSON per card (before 2020); addresses: any [address, number, number] in any script.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scrape.search_page import Found, ResultPage, is_web, json_values, merged, walk

LAYOUTS = ("links", "blocks", "rg_meta", "addresses")

_OWN_HOST = re.compile(r"(^|\.)(gstatic\.com|google\.[a-z.]{2,6}|googleapis\.com)$")
_TEXT = r"(?:[^\"\\]|\\.)"
_ADDRESS = re.compile(
    rf"(\[\s?)?(?<!\\)\"(https?:{_TEXT}{{4,4000}}?)\""
    r"(?:\s?,\s?(\d{1,5})\s?,\s?(\d{1,5})\s?(\]))?"
    rf"(?=(?:\s?,\s?\"(?!https?:)({_TEXT}{{0,500}}?)\")?)"
)
_SMALLEST = 64  # pixels; what is smaller is an icon
_MOST_LEVELS = 3
_QUOTE = re.compile(r"\\([\"\\/])")


def parse(html: str, address: str) -> list[Found]:
    """The pictures of a page, of one of its parts, or of an answer that its scripts asked for."""
    page = ResultPage(html)
    found = merged(_links(page), _blocks(page), _metas(page))
    return found or _addresses(page)


def _links(page: ResultPage) -> Iterator[Found]:
    """2024 and later, and the page for old phones: the link of a card says it all."""
    for link in page.links:
        if "imgurl=" not in link.href:
            continue
        try:
            parts = urlsplit(link.href)
            asked = parse_qs(parts.query or parts.fragment)
        except ValueError:
            continue
        alts = [text for text in link.texts if text[1] == "alt"]
        others = [text for text in link.texts if text[1] != "alt"]
        yield Found(
            picture=asked.get("imgurl", [""])[0],
            page=asked.get("imgrefurl", [""])[0],
            texts=tuple((text, f"google {origin}") for text, origin in [*alts, *others]),
            thumbnail=link.thumbnail,
        )


def _blocks(page: ResultPage) -> Iterator[Found]:
    """2020 and later: [_, id, [thumbnail, h, w], [original, h, w], ..., {"2003": [_, _, page,
    title]}], wherever it stands."""
    for script in page.scripts:
        if "http" not in script:
            continue
        for value in json_values(script):
            for part in walk(value):
                if isinstance(part, list) and len(part) > 3 and _is_card(part):
                    yield _from_card(part)


def _is_card(part: list[Any]) -> bool:
    return _is_sized(part[2]) and _is_sized(part[3]) and not _is_own(part[3][0])


def _is_sized(value: Any) -> bool:
    """Whether a value is [address, height, width]."""
    return (
        isinstance(value, list)
        and len(value) >= 3
        and is_web(value[0])
        and all(type(side) is int for side in value[1:3])
    )


def _from_card(card: list[Any]) -> Found:
    facts = next((part for part in card[4:] if isinstance(part, dict)), {})
    page = title = ""
    for fact in (facts.get("2003"), *facts.values()):
        if isinstance(fact, list) and len(fact) > 2 and is_web(fact[2]):
            page = fact[2]
            title = fact[3] if len(fact) > 3 and isinstance(fact[3], str) else ""
            break
    return Found(
        picture=card[3][0],
        page=page,
        texts=((title, "google title"),),
        thumbnail=card[2][0],
    )


def _metas(page: ResultPage) -> Iterator[Found]:
    for meta in page.metas:
        try:
            told = json.loads(meta)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and ("ou" in told or "ru" in told):
            picture, place, small = (
                told[key] if is_web(told.get(key)) else "" for key in ("ou", "ru", "tu")
            )
            texts = ((told.get("pt"), "google pt"), (told.get("s"), "google s"))
            said = tuple((text, origin) for text, origin in texts if isinstance(text, str))
            yield Found(picture=picture, page=place, texts=said, thumbnail=small)


@dataclass(frozen=True)
class _Named:
    """An address in a script: with a size it is a picture's, else perhaps a page's."""

    address: str
    is_sized: bool
    title: str


def _addresses(page: ResultPage) -> list[Found]:
    """Whatever the layout: every [address, number, number], paired with the nearest page."""
    found: list[Found] = []
    for script in page.scripts:
        text = script.replace("\\x22", '"').replace("\\x5b", "[").replace("\\x5d", "]")
        for _ in range(_MOST_LEVELS + 1):
            found = merged(found, _paired([*_named(text)]))
            if '\\"http' not in text:
                break
            text = _QUOTE.sub(r"\1", text)  # JSON inside a string of JSON
    return found


def _named(text: str) -> Iterator[_Named]:
    for found in _ADDRESS.finditer(text):
        is_sized = bool(found[1] and found[5])
        if not is_sized or min(int(found[3]), int(found[4])) >= _SMALLEST:
            yield _Named(_plain(found[2]), is_sized, _plain(found[6] or ""))


def _paired(named: list[_Named]) -> list[Found]:
    originals = [at for at, one in enumerate(named) if one.is_sized and not _is_own(one.address)]
    bounds = [-1, *originals, len(named)]
    found: list[Found] = []
    used: set[int | None] = set()
    for before, at, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
        following = [i for i in range(at + 1, after) if _is_page(named[i])]
        earlier = [i for i in range(at - 1, before, -1) if _is_page(named[i]) and i not in used]
        nearest = next(iter([*following, *earlier]), None)
        small = named[at - 1] if at and named[at - 1].is_sized else None
        place = named[nearest] if nearest is not None else _Named("", False, "")
        used.add(nearest)
        found.append(
            Found(
                picture=named[at].address,
                page=place.address,
                texts=((place.title, "google title"),),
                thumbnail=small.address if small and _is_own(small.address) else "",
            )
        )
    return found


def _is_page(one: _Named) -> bool:
    return not one.is_sized and not _is_own(one.address)


def _is_own(address: str) -> bool:
    """Whether an address is Google's: a thumbnail, an icon, a script."""
    try:
        return bool(_OWN_HOST.search(urlsplit(address).hostname or ""))
    except ValueError:
        return True


def _plain(literal: str) -> str:
    try:
        return str(json.loads(f'"{literal}"'))
    except ValueError:
        return literal
