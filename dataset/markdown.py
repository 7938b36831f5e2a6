"""Markdown of texts that anybody may have written: nothing in them is a link, a picture or HTML."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from dataset.wording import seen

_LONGEST = 160
# What would end a code span or a cell; whoever needs the exact letters has the table beside.
_LOOKALIKES = str.maketrans({"`": "ˋ", "|": "¦"})
_BAR = 24


def code(text: str, longest: int = _LONGEST) -> str:
    """A text as a code span, the one place where neither Markdown nor HTML means anything; on one
    line, cut after `longest` letters, strange letters named. "" stays ""."""
    line = " ".join(text.split())
    line = line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
    line = seen(line).translate(_LOOKALIKES)
    return f"`{line}`" if line else ""


def link(url: str) -> str:
    """An address as a link if it leads into the web and holds nothing odd, else as code."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in url
    except ValueError:
        is_web = False
    safe = quote(url, safe="%/:?#=&+,;~-._!$")
    plain = is_web and safe.isascii() and "%5C" not in safe and url.partition("?")[0].isprintable()
    return f"<{safe}>" if plain and quote(parts.netloc, safe=".:-") == parts.netloc else code(url)


def bar(value: int, largest: int) -> str:
    """A bar as long as its share of the largest; something is never nothing."""
    length = round(_BAR * value / max(largest, 1))
    return "█" * max(length, int(value > 0))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are Markdown already. Columns that begin with ">" are numbers."""
    names = [name.removeprefix(">") for name in header]
    rules = ["---:" if name.startswith(">") else "---" for name in header]
    lines = [_row(names), _row(rules), *map(_row, rows)]
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
