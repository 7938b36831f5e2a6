"""Which letters, and how many, a label or a caption may hold, whoever wrote it."""

import re
import unicodedata

LONGEST_LABEL = 200
# Of a found text; longer ones are no captions.
LONGEST_CAPTION = 20_000
# What no command line takes and no catalogue should hold: zero bytes and halves of letters.
NO_TEXT = re.compile("[\0\ud800-\udfff]")

# What some scripts and signs are joined with stands for nothing by itself, and is right in a text;
# so are the marks that set the direction of their neighbours, signs of number, and parts of flags.
_JOINERS = {"\u200c", "\u200d"}
_MARKS = {"\u200e", "\u200f", "\u061c"}
_SIGNS = {*map(chr, range(0x600, 0x606)), "\u06dd", "\u070f", "\u08e2"}
_RIGHT = {*_JOINERS, *_MARKS, *_SIGNS, *map(chr, range(0xE0020, 0xE0080))}
_WITHOUT_MARKS = dict.fromkeys(map(ord, _MARKS))


def strange_letter(text: str) -> str:
    """The first letter that no line of text holds, as "U+202E", or "": controls, what turns the
    direction of all that follows, what is never seen and what every font shows otherwise."""
    if text.isprintable():
        return ""
    return next((_name(letter) for letter in text if _is_strange(letter)), "")


def clean_label(text: str) -> str:
    """A label from a folder, a table or another catalogue as one short line: spaces folded, strange
    letters left out, cut after 200."""
    known = " ".join(text.encode("utf-8", "replace").decode().split())
    return bare("".join(letter for letter in known if not _is_strange(letter)))[
        :LONGEST_LABEL
    ].rstrip()


def bare(label: str) -> str:
    """A label without marks of direction, so that labels which look the same are the same."""
    return " ".join(label.translate(_WITHOUT_MARKS).split())


def seen(text: str) -> str:
    """A text with its strange letters named, so that it turns nothing around and hides nothing."""
    if text.isprintable():
        return text
    return "".join(f"⟨{_name(letter)}⟩" if _is_strange(letter) else letter for letter in text)


def _is_strange(letter: str) -> bool:
    if letter.isprintable() or letter in _RIGHT:
        return False
    return unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


def _name(letter: str) -> str:
    return f"U+{ord(letter):04X}"
