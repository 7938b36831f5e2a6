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
# Elements that only change how letters look: no blank stands where one begins or ends.
_LETTER_STYLE = re.compile(
    r"</?(abbr|b|bdi|bdo|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|small|strong|sub|sup|tt|u)"
    r"(?![\w:-])",
    re.IGNORECASE,
)
_SEAM = "\ue000"  # a private character, for where two other elements meet
_SEAMS = re.compile(rf"[{_SEAM}\s]+")
_NO_BLANK = re.compile(
    rf"{_SEAM}(?=[,.;:!?%)\]}}…’”»]|'\w{{1,2}}\b)|(?<=[(\[{{“«]){_SEAM}",
)

# What cameras and their programs write where a description could stand, and their file names.
_BY_CAMERA = re.compile(
    r"""(?: (?-i: [A-Z]+(?:[ ][A-Z]+)?[ ]DIGITAL[ ](?:STILL[ ])?CAMERA | SONY[ ]DSC )
        | exif[ _]jpeg(?:[ _]picture)? | lead[ ]technologies[ ]inc\b.*
        | (?:processed|edited)[ ]with[ ](?:vsco|snapseed|picsart)\b.*
        | created[ ]with[ ](?:the[ ])?gimp | file[ ]written[ ]by[ ]adobe[ ]photoshop.*
        | (?: (?:img|dsc|dscn|dscf|sdc|mvi|vid|dji|gopr|pxl|cimg|hpim|imag|pict)[_-]?[a-z]?\d{3,}
            | sam_\d{4} | _(?:dsc|mg|img|dsf)_?\d{3,} | p\d{7} | 1\d\d[_-]\d{4} | wp_\d{8}
            | image\d{3,} | screen[ _-]?shot[ _-]\d{2,} | \d{8}_\d{6} | whatsapp[ ]image[ ]\d{4} )
          (?: [ ._(~-]+ (?:\d+|at|am|pm|wa\d+|pano|edit|edited|copy|mp|hdr)\)? )*
        ) (?: \.(?:jpe?g|png|gif|tiff?|webp|heic|bmp|nef|cr2|arw|orf|dng) )?""",
    re.IGNORECASE | re.VERBOSE,
)


def clean_text(text: str, longest: int = LONGEST) -> str:
    """Plain text of at most `longest` characters in NFC: no markup, no entities, single spaces.

    A blank stands between two elements, save where one only changes the look of letters
    (`H<sub>2</sub>O`) and around punctuation (`<a>Ghent</a>, Belgium`).
    """
    text = text[: 20 * LONGEST]
    if _MARKUP.search(text):
        seamed = _MARKUP.sub(_with_seams, text.replace(_SEAM, " "))
        try:
            text = BeautifulSoup(seamed, "html.parser").get_text()
        except ParserRejectedMarkup:
            text = _MARKUP.sub("", seamed)
        text = _SEAMS.sub(lambda gap: _SEAM if _SEAM in gap[0] else " ", text)
        text = _NO_BLANK.sub("", text)
    text = unicodedata.normalize("NFC", html.unescape(text))
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in text)
    text = re.sub(r"[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", "", text)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _with_seams(tag: re.Match[str]) -> str:
    return tag[0] if _LETTER_STYLE.match(tag[0]) else f"{_SEAM}{tag[0]}{_SEAM}"


def is_cut(text: str) -> bool:
    """Whether a caption ends as a site's shortening does: `…`, `...`, `[...]`, `… read more`."""
    return _CUT.search(text) is not None


def is_by_camera(text: str) -> bool:
    """Whether a text is no person's: a camera's default description, or the name of its file."""
    return len(text) < 200 and _BY_CAMERA.fullmatch(text) is not None


def captions_of(found: Iterable[tuple[str, str]]) -> tuple[Caption, ...]:
    """Captions from (text, origin) pairs in order of preference.

    Those that repeat another, say nothing, or come from a camera (`IMG_1234`) are left out.
    """
    kept: dict[str, Caption] = {}
    for text, origin in found:
        cleaned = clean_text(text)
        if not _NOT_TEXT.match(cleaned) and not is_by_camera(cleaned):
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


def continues(text: str, cut: str) -> bool:
    """Whether `text` begins as the cut text does, and goes on; only words and digits count."""
    stem = _words(_CUT.sub("", cut))
    return is_cut(cut) and bool(stem) and _words(text).startswith(stem)


def _is_start_of_any(text: str, captions: Iterable[Caption]) -> bool:
    return any(continues(caption.text, text) for caption in captions)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
