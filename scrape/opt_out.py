"""A site's machine-readable no to being collected: headers of a picture, meta tags of a page."""

import re
from collections.abc import Iterable

from scrape.config import AGENT

_NO_PICTURE = frozenset({"noai", "noimageai", "noindex", "noimageindex", "noml", "none"})
# A page may well stay out of search engines (noindex) and still show its pictures to everybody.
_NO_PAGE = frozenset({"noai", "noimageai", "noml"})
_SCOPED = re.compile(r"\s*([A-Za-z0-9_*-]+)\s*:(.*)", re.DOTALL)
_DIRECTIVES_WITH_VALUES = frozenset(
    {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"}
)


def picture_opt_out(robots_tags: Iterable[str], tdm_reservation: str = "") -> str:
    """The directive that forbids a picture, or "" when none does.

    `robots_tags` are the values of every X-Robots-Tag header, each perhaps scoped to an agent;
    `tdm_reservation` is the header of the TDM Reservation Protocol (W3C TDMRep).
    """
    for value in robots_tags:
        for directive in _directives_for_us(value):
            if directive in _NO_PICTURE:
                return directive
    return "tdm-reservation" if tdm_reservation.strip() == "1" else ""


def page_opt_out(robots_metas: Iterable[str]) -> str:
    """The directive of a page's <meta name="robots"> that forbids its pictures, or ""."""
    for value in robots_metas:
        for directive in value.lower().split(","):
            if directive.strip() in _NO_PAGE:
                return directive.strip()
    return ""


def _directives_for_us(value: str) -> list[str]:
    scoped = _SCOPED.fullmatch(value)
    if scoped and scoped[1].lower() not in _DIRECTIVES_WITH_VALUES:
        if scoped[1].lower() not in ("*", AGENT.lower()):
            return []
        value = scoped[2]
    return [directive.strip().lower() for directive in value.split(",")]
