"""A picture's text as people read it: markup and control characters gone, cuts recognised."""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

from dataset.records import Caption

LONGEST = 2000
LONGEST_NAME = 120  # of an author or a label
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>")
_CUT = re.compile(r" ?[\[(]? ?(…|\.{3,}) ?[\])]?( ?(read|show|see) more)?\W*$", re.IGNORECASE)
_NOT_TEXT = re.compile(r"^[\W_]*$")


def clean_text(text: str, longest: int = LONGEST) -> str:
    """Plain text of at most `longest` characters in NFC: no markup, no entities, single spaces."""
    text = text[: 20 * LONGEST]
    if _MARKUP.search(text):
        try:
            text = BeautifulSoup(text, "html.parser").get_text(" ")
        except ParserRejectedMarkup:
            text = _MARKUP.sub(" ", text)
    text = unicodedata.normalize("NFC", html.unescape(text))
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in text)
    text = re.sub(r"[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", "", text)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def is_cut(text: str) -> bool:
    """Whether a caption ends as a site's shortening does: `…`, `...`, `[...]`, `… read more`."""
    return _CUT.search(text) is not None


def captions_of(found: Iterable[tuple[str, str]]) -> tuple[Caption, ...]:
    """Captions from (text, origin) pairs in order of preference; empty and repeated ones fall."""
    kept: dict[str, Caption] = {}
    for text, origin in found:
        cleaned = clean_text(text)
        if not _NOT_TEXT.match(cleaned):
            kept.setdefault(cleaned, Caption(text=cleaned, origin=origin))
    return tuple(kept.values())


def completed(captions: Sequence[Caption], whole: Sequence[Caption]) -> tuple[Caption, ...]:
    """`captions` of a card with those of its detail page before them.

    A cut caption is dropped when an uncut one of the detail page begins as it does.
    """
    full = [caption for caption in whole if not is_cut(caption.text)]
    texts = {caption.text for caption in full}
    kept = [
        caption
        for caption in captions
        if caption.text not in texts and not _is_start_of_any(caption.text, full)
    ]
    return (*full, *kept)


def _is_start_of_any(text: str, captions: Iterable[Caption]) -> bool:
    if not is_cut(text):
        return False
    stem = _CUT.sub("", text).casefold()
    return bool(stem) and any(other.text.casefold().startswith(stem) for other in captions)
