"""Which licences of a pack are missing, reserve all rights, or are names that nobody knows."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dataset.keep_rule import KeepRule, licence_class
from dataset.pack_filters import frequent

# Beyond those that the keep rule ranks: beginnings of names, blanks as good as hyphens.
_KNOWN_TOO = (
    "MIT | Expat | Apache | BSD | ISC | MPL | GPL | LGPL | AGPL | GFDL | OFL | Unlicense | WTFPL | "
    "Zlib | FAL | LAL | OGL | DL-DE | etalab | ODbL | ODC | public-domain | PD | no-copyright | "
    "Creative-Commons | http://creativecommons.org | https://creativecommons.org"
)
_RULE = KeepRule(licences=(_KNOWN_TOO, *KeepRule().licences))
_MISSING, _RESERVED, _NOBODYS = 0, 1, 2  # classes of the rule
_RESERVED_WORDS = ("all rights reserved", "copyright", "proprietary", "©")
_UNRESERVED = ("no known copyright", "no-known-copyright", "no copyright")
_LIMITED = re.compile(r"\b(nc|nd|non-?commercial|no-?deriv\w*)\b")


@dataclass
class LicenceFindings:
    """Lines about pictures of which nobody can say that they may be used, and about those that may
    be with limits."""

    unclear: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)


def check_licences(counts: Mapping[str, int]) -> LicenceFindings:
    """What there is to say about licences, by how many pictures have each."""
    unclear: dict[int, Counter[str]] = {_MISSING: Counter(), _RESERVED: Counter()}
    unclear[_NOBODYS], limited = Counter(), Counter[str]()
    for licence, count in counts.items():
        found = _class(licence)
        if found in unclear:
            unclear[found][licence] += count
        elif _LIMITED.search(licence.lower()):
            limited[licence] += count
    said = {
        _MISSING: "{} pictures have no known licence",
        _RESERVED: "{} pictures reserve all rights ({})",
        _NOBODYS: "{} pictures are under licences that nobody knows ({})",
    }
    told = LicenceFindings()
    for kind, line in said.items():
        if unclear[kind]:
            told.unclear.append(line.format(unclear[kind].total(), frequent(unclear[kind], "")))
    if limited:
        told.limited.append(
            f"{limited.total()} pictures are not for commerce, or not to be changed "
            f"({frequent(limited, '')})"
        )
    return told


def _class(licence: str) -> int:
    found = licence_class(_RULE, licence)
    words = licence.lower()
    if found != _NOBODYS or any(word in words for word in _UNRESERVED):
        return found if found != _NOBODYS else len(_RULE.licences)
    return _RESERVED if any(word in words for word in _RESERVED_WORDS) else _NOBODYS
