"""The result pages of Bing's image search: JSON in the attribute `m` of every card."""

import html
import json
from typing import Any

from scrape.search_page import Found, ResultPage

LAYOUTS = ("m attributes",)


def parse(page: str, address: str) -> list[Found]:
    """The pictures of a page or of a part of it; one broken card costs one card, and is given as
    one without a picture."""
    cards = (_told(mark) for mark in ResultPage(page).marks if "murl" in mark or "turl" in mark)
    return [_from_card(card) for card in cards]


def _told(mark: str) -> dict[str, Any]:
    for text in (mark, html.unescape(mark)):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            continue
        return told if isinstance(told, dict) else {}
    return {}


def _from_card(card: dict[str, Any]) -> Found:
    def text(key: str) -> str:
        value = card.get(key)
        return value if isinstance(value, str) else ""

    return Found(
        picture=text("murl"),
        page=text("purl"),
        texts=((text("t"), "bing t"), (text("desc"), "bing desc")),
        thumbnail=text("turl"),
        mark=text("md5"),
    )
