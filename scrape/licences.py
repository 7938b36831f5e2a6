"""Licences in one vocabulary: SPDX identifiers, and PDM-1.0, all-rights-reserved, unknown."""

import re
from dataclasses import dataclass

UNKNOWN = "unknown"
ALL_RIGHTS_RESERVED = "all-rights-reserved"

_CC = "https://creativecommons.org"
# The parts of a Creative Commons licence in the order in which SPDX writes them.
_PARTS = ("by", "nc", "nd", "sa")
_CC_ADDRESS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
_SPELLINGS = (
    (r"creative ?commons", "cc"),
    (r"attribution", "by"),
    (r"non ?commercial", "nc"),
    (r"no ?deriv(?:ative)?s?(?: works?)?", "nd"),
    (r"share ?alike", "sa"),
    (r"licen[cs]ed?|version|the|international|unported|generic", " "),
)
_SOFTWARE = {
    "mit": ("MIT", "https://opensource.org/license/mit"),
    "apache 2.0": ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    "bsd 2 clause": ("BSD-2-Clause", "https://opensource.org/license/bsd-2-clause"),
    "bsd 3 clause": ("BSD-3-Clause", "https://opensource.org/license/bsd-3-clause"),
    "ofl 1.1": ("OFL-1.1", "https://openfontlicense.org"),
    "isc": ("ISC", "https://opensource.org/license/isc-license-txt"),
    "unlicense": ("Unlicense", "https://unlicense.org"),
}
_SOFTWARE_ADDRESSES = {
    "opensource.org/licenses/mit": "mit",
    "opensource.org/license/mit": "mit",
    "apache.org/licenses/license-2.0": "apache 2.0",
    "openfontlicense.org": "ofl 1.1",
    "scripts.sil.org/ofl": "ofl 1.1",
    "unlicense.org": "unlicense",
}


@dataclass(frozen=True)
class Licence:
    """An identifier and the address of the text; the address may be empty."""

    id: str
    url: str = ""


_NONE = Licence(UNKNOWN)
_ZERO = Licence("CC0-1.0", f"{_CC}/publicdomain/zero/1.0/")
_MARK = Licence("PDM-1.0", f"{_CC}/publicdomain/mark/1.0/")


def licence_of(name: str, url: str = "") -> Licence:
    """The licence that a site's words and link stand for; `unknown` when they stand for none.

    The name counts more than the link, which sites get wrong more often; the link adds the
    version where the name has none and both mean the same kind.
    """
    by_name, by_url = _of_name(name), _of_url(url)
    is_link = url.lower().startswith(("https://", "http://")) and url.isprintable()
    url = url if is_link and len(url) <= 500 else ""
    if by_name == _NONE or by_url.id[:-4] == by_name.id:
        return Licence(by_url.id, url or by_url.url)
    return Licence(by_name.id, url or by_name.url)


def _of_url(url: str) -> Licence:
    address = url.lower()
    if "creativecommons.org/publicdomain/zero" in address:
        return _ZERO
    if "creativecommons.org/publicdomain/mark" in address:
        return _MARK
    if found := _CC_ADDRESS.search(address):
        return _creative_commons(found[1].split("-"), found[2])
    for start, key in _SOFTWARE_ADDRESSES.items():
        if start in address:
            return Licence(*_SOFTWARE[key])
    return _NONE


def _of_name(name: str) -> Licence:
    text = " ".join(re.findall(r"[a-z]+|\d+(?:\.\d+)?", name.lower()))
    if text.startswith(("cc 0", "cc zero", "creative commons zero")) or text.endswith(
        "public domain dedication"
    ):
        return _ZERO
    if re.match(r"(pdm?( \d.*)?|cc pdm.*|public domain.*|no known copyright.*)$", text):
        return _MARK
    if "all rights reserved" in text:
        return Licence(ALL_RIGHTS_RESERVED)
    for spelling, short in _SPELLINGS:
        text = re.sub(rf"\b(?:{spelling})\b", short, text)
    words = text.split()
    if " ".join(words) in _SOFTWARE:
        return Licence(*_SOFTWARE[" ".join(words)])
    return _creative_commons_of(words)


def _creative_commons_of(words: list[str]) -> Licence:
    """Reads words such as `cc by sa 4.0 de`; plain "by" or "by somebody" is no licence."""
    is_named = words[:1] == ["cc"]
    rest = words[1:] if is_named else words
    count = next((i for i, word in enumerate(rest) if word not in _PARTS), len(rest))
    parts, tail = rest[:count], rest[count:]
    version = tail[0] if tail and re.fullmatch(r"\d(\.\d)?", tail[0]) else ""
    if not is_named and not (version or (len(parts) > 1 and not tail)):
        return _NONE
    return _creative_commons(parts, f"{version}.0" if len(version) == 1 else version)


def _creative_commons(parts: list[str], version: str) -> Licence:
    if "by" not in parts or not set(parts) <= set(_PARTS):
        return _NONE
    code = "-".join(part for part in _PARTS if part in parts)
    if not version:
        return Licence(f"CC-{code.upper()}")
    return Licence(f"CC-{code.upper()}-{version}", f"{_CC}/licenses/{code}/{version}/")
