"""Names of files that every system takes, whatever the label was that they are made from."""

import re
import unicodedata
from collections.abc import Sequence

from dataset.wording import clean_label

LONGEST_BYTES = 100
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
# Windows keeps these for devices, with any suffix behind them, in any case.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.I)
_HIDDEN_OR_OPTION = "-~. "


def safe_names(labels: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """A folder's name for each label, in order; no two alike in any case or Unicode form, none
    like one of `taken`. Names of labels that are names already stay as they are."""
    used = {_folded(name) for name in taken}
    names = []
    for label in labels:
        name = stem = safe_name(label)
        number = 2
        while _folded(name) in used:
            name, number = f"{stem}-{number}", number + 1
        used.add(_folded(name))
        names.append(name)
    return names


def safe_name(label: str) -> str:
    """One name: no separators, controls, devices of Windows, leading or trailing dots, dashes and
    spaces; at most 100 bytes of UTF-8; "class" for a label of which nothing stays."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", clean_label(label)))
    name = _cut(name.lstrip(_HIDDEN_OR_OPTION)).rstrip(". ")
    if _DEVICES.fullmatch(name):
        name = f"_{name}"
    return name or "class"


def _cut(name: str) -> str:
    return name.encode()[:LONGEST_BYTES].decode("utf-8", "ignore")


def _folded(name: str) -> str:
    """What file systems that ignore case and forms of letters hold for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
