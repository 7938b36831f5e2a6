"""Licences in one vocabulary: how sites write them, what they allow, how to credit a work.

An identifier is SPDX's where there is one (`CC-BY-SA-4.0`, without a version where none is stated),
else one of `no-known-copyright`, `us-government-work`, `copyrighted-free-use`, `attribution`,
`PDM-1.0` (any public domain), `all-rights-reserved` and `unknown`.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from dataset.errors import ConfigError
from scrape.captions import LONGEST_NAME, clean_text
from scrape.licence_texts import (
    ALL_RIGHTS_RESERVED,
    GOVERNMENT_WORK,
    NO_KNOWN_COPYRIGHT,
    TEXTS,
    UNKNOWN,
)

__all__ = [
    "ALL_RIGHTS_RESERVED",
    "UNKNOWN",
    "Licence",
    "allows",
    "attribution_line",
    "is_accepted",
    "is_free",
    "licence_ids",
    "licence_name",
    "licence_of",
    "needs_credit",
    "require_accepted",
]

_CC = "https://creativecommons.org"
# The parts of a Creative Commons licence in the order in which SPDX writes them.
_PARTS = {
    "by": "Attribution",
    "nc": "NonCommercial",
    "nd": "NoDerivatives",
    "sa": "ShareAlike",
}
_SUITES = {
    "": "",
    "1.0": "Generic",
    "2.0": "Generic",
    "2.1": "",
    "2.5": "Generic",
    "3.0": "Unported",
    "4.0": "International",
}
_CC_CODES = ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
_CC_ID = re.compile(r"CC-((?:BY|NC|ND|SA)(?:-(?:NC|ND|SA))*)(?:-(\d\.\d))?")
_CC_ADDRESS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
# Jurisdictions that licences up to 3.0 were written for; they have addresses of their own.
_PORTS = re.compile(
    "a[rtuz]|b[egr]|c[ahlnorz]|d[ek]|e[cegs]|f[ir]|g[ert]|h[kru]|i[elnt]|igo|jp|kr|lu|m[ktxy]|"
    "n[loz]|p[ehlrt]|r[os]|s[egi]|scotland|t[hw]|u[gks]|v[en]|za"
)
_SPELLINGS = (
    (r"creative ?commons", "cc"),
    (r"attribution", "by"),
    (r"non ?commercial", "nc"),
    (r"no ?deriv(?:ative)?s?(?: works?)?", "nd"),
    (r"share ?alike", "sa"),
    (r"licen[cs]ed?|version|the|international|unported|generic", " "),
)


@dataclass(frozen=True)
class Licence:
    """An identifier and the address of the text; the address may be empty."""

    id: str
    url: str = ""


_NONE = Licence(UNKNOWN)


def licence_of(name: str, url: str = "") -> Licence:
    """The licence that a site's words and link stand for; `unknown` when they stand for none.

    The name counts more than the link, which sites get wrong more often; the link adds the
    version where the name has none and both mean the same kind. A stated address is kept, unless
    it is that of another licence.
    """
    by_name, by_url = _of_name(name[:500]), _of_url(url[:500])
    is_link = url.lower().startswith(("https://", "http://")) and url.isprintable()
    url = url if is_link and len(url) <= 500 else ""
    # A bare "Attribution" is what some sites call CC BY.
    is_vague = by_name.id == "attribution" and by_url.id.startswith("CC-BY")
    if by_name == _NONE or is_vague or by_url.id[:-4] == by_name.id:
        return Licence(by_url.id, url or by_url.url)
    if by_url.id in (UNKNOWN, by_name.id):
        return Licence(by_name.id, url or by_name.url)
    return by_name


def licence_ids() -> tuple[str, ...]:
    """Every identifier of the vocabulary, those without a version included."""
    versions = [f"-{version}" if version else "" for version in _SUITES]
    codes = (f"CC-{code.upper()}{version}" for code in _CC_CODES for version in versions)
    return (*codes, *TEXTS)


def licence_name(id: str) -> str:
    """A licence's name for people; an identifier that is not known is its own name."""
    if id in TEXTS:
        return TEXTS[id].name
    found = _CC_ID.fullmatch(id)
    if found is None:
        return id
    parts = "-".join(_PARTS[part] for part in found[1].lower().split("-"))
    version = found[2] or ""
    return " ".join(f"Creative Commons {parts} {version} {_SUITES.get(version, '')}".split())


def allows(id: str, *, commercial: bool = False, derivatives: bool = False) -> bool:
    """Whether a licence lets everybody share the work, and where asked for, also commercially
    and changed. What is unknown or reserved allows nothing."""
    if found := _CC_ID.fullmatch(id):
        parts = found[1].split("-")
        return not (commercial and "NC" in parts) and not (derivatives and "ND" in parts)
    return id in TEXTS and id not in (UNKNOWN, ALL_RIGHTS_RESERVED)


def is_free(id: str) -> bool:
    """Whether everybody may use, share and change the work for any purpose, at most with credit
    and under the same licence (freedomdefined.org)."""
    return allows(id, commercial=True, derivatives=True)


def needs_credit(id: str) -> bool:
    """Whether the author must be named, or it is not known that this is not so."""
    no_credit = ("CC0-1.0", "PDM-1.0", "PDDL-1.0", "DL-DE-ZERO-2.0", "Unlicense", "WTFPL")
    others = (NO_KNOWN_COPYRIGHT, GOVERNMENT_WORK, "copyrighted-free-use")
    return id not in no_credit and id not in others


def is_accepted(id: str, accepted: Collection[str]) -> bool:
    """Whether a gate lets a licence pass: it names identifiers (without a version: all versions),
    or `any`, `free` or `shareable` (all that allow sharing, if unchanged or not for money)."""
    return (
        "any" in accepted
        or id in accepted
        or ("free" in accepted and is_free(id))
        or ("shareable" in accepted and allows(id))
        or (_CC_ID.fullmatch(id) is not None and re.sub(r"-\d\.\d$", "", id) in accepted)
    )


def require_accepted(accepted: Iterable[str], where: str) -> None:
    """Raise ConfigError when a gate names what is neither an identifier nor a word of a gate."""
    for entry in accepted:
        if entry not in ("any", "free", "shareable") and entry not in licence_ids():
            meant = licence_of(entry).id
            hint = f"write {meant!r}" if meant != UNKNOWN else "write ids such as CC-BY-4.0"
            raise ConfigError(f"{where}: {entry!r} is no licence; {hint}, or free, shareable, any")


def attribution_line(
    title: str,
    author: str,
    licence_id: str,
    licence_url: str,
    page_url: str,
    author_url: str = "",
) -> str:
    """One line of plain text that credits a work: title, author, source and licence (TASL).

    What is empty is left out; addresses that are none of the web, too.
    """
    title = clean_text(title, 300).replace('"', "'")
    author = clean_text(author, LONGEST_NAME)
    line = f'"{title}"' if title else "Untitled"
    if author:
        line += f" by {author}{_bracketed(author_url)}"
    if licence_id == UNKNOWN:
        line += ", licence unknown"
    elif licence_id == ALL_RIGHTS_RESERVED:
        line += ", all rights reserved"
    else:
        line += f", {licence_name(licence_id)}{_bracketed(licence_url)}"
    source = _shown(page_url)
    return f"{line}, from {source}" if source else line


def _bracketed(address: str) -> str:
    return f" ({_shown(address)})" if _shown(address) else ""


def _shown(address: str) -> str:
    """An address that may stand in a line of text, or ""."""
    found = re.fullmatch(r"https?://[^\s\"<>]{1,1000}", address.strip(), re.IGNORECASE)
    return found[0] if found and found[0].isprintable() else ""


def _of_url(url: str) -> Licence:
    address = url.lower()
    links = [link for link in _BY_LINK if link in address]
    if links:
        id = _BY_LINK[max(links, key=len)]
        return Licence(id, TEXTS[id].url)
    if found := _CC_ADDRESS.search(address):
        return _creative_commons(found[1].split("-"), found[2])
    return _NONE


def _of_name(name: str) -> Licence:
    lower = name.lower().strip()
    text = _plain(lower)
    if re.search(r"^(cc|creative commons) (0|zero)\b|\bcc 0\b|public domain dedication$", text):
        return Licence("CC0-1.0", TEXTS["CC0-1.0"].url)
    if id := _BY_SPELLING.get(text) or _BY_SPELLING.get(" ".join(_cc_words(text))):
        return Licence(id, TEXTS[id].url)
    if id := next((id for pattern, id in _PATTERNS if re.match(pattern, lower)), None):
        return Licence(id, TEXTS[id].url)
    return _creative_commons_of(_cc_words(text))


_PATTERNS = (
    (r"(?:template:)?pd[-_ ]?us[-_ ]?gov", GOVERNMENT_WORK),
    (r"(?:template:)?pd([-_ ].*)?$|pdm(\W.*)?$|cc[- ]pdm|public[- ]?domain", "PDM-1.0"),
    (r"no known copyright|no known restrictions", NO_KNOWN_COPYRIGHT),
    (r"united states government work|u\.?s\.? (?:federal )?government work", GOVERNMENT_WORK),
    (r"(?s).*\ball rights reserved\b", ALL_RIGHTS_RESERVED),
)


def _plain(text: str) -> str:
    """Words and numbers in lower case; `2.0+` is `2.0 or later`."""
    text = re.sub(r"(\d)\+", r"\1 or later", text.lower())
    return " ".join(re.findall(r"[a-z]+|\d+(?:\.\d+)?", text))


def _cc_words(text: str) -> list[str]:
    """The words of a plain name as licence codes write them: `cc by sa 4.0`."""
    for spelling, short in _SPELLINGS:
        text = re.sub(rf"\b(?:{spelling})\b", short, text)
    return text.split()


def _spellings() -> Iterable[tuple[str, str]]:
    for id, text in TEXTS.items():
        for written in (id, text.name, *text.spellings):
            yield _plain(written), id
            yield " ".join(_cc_words(_plain(written))), id
    for family, id in (
        ("gfdl", "GFDL-1.2-or-later"),  # as Wikimedia Commons means it
        ("gnu free documentation license", "GFDL-1.2-or-later"),
        ("gpl", "GPL-2.0-or-later"),
        ("lgpl", "LGPL-2.1-or-later"),
    ):
        yield family, id
        yield " ".join(_cc_words(family)), id


# A lone "by" is what a gallery writes before a name, not the licence.
_BY_SPELLING = {written: id for written, id in _spellings() if written not in ("by", "", "by only")}
_BY_LINK = {
    link: id
    for id, text in reversed(TEXTS.items())
    for link in (re.sub(r"^https?://(www\.)?|/$", "", text.url.lower()), *text.links)
    if link
}


def _creative_commons_of(words: list[str]) -> Licence:
    """Reads words such as `cc by sa 4.0 de`; plain "by" or "by somebody" is no licence."""
    is_named = words[:1] == ["cc"]
    rest = words[1:] if is_named else words
    count = next((i for i, word in enumerate(rest) if word not in _PARTS), len(rest))
    parts, tail = rest[:count], rest[count:]
    version = tail[0] if tail and re.fullmatch(r"\d(\.\d)?", tail[0]) else ""
    if not is_named and not (version or (len(parts) > 1 and not tail)):
        return _NONE
    port = tail[1] if version and tail[1:] and _PORTS.fullmatch(tail[1]) else ""
    return _creative_commons(parts, f"{version}.0" if len(version) == 1 else version, port)


def _creative_commons(parts: list[str], version: str, port: str = "") -> Licence:
    if not set(parts) <= set(_PARTS):
        return _NONE
    code = "-".join(part for part in _PARTS if part in parts)
    if code not in _CC_CODES:
        return _NONE
    if not version or version not in _SUITES:
        return Licence(f"CC-{code.upper()}")
    id = f"CC-{code.upper()}-{version}"
    # Only this one was written in another order.
    code = "by-nd-nc" if (code, version) == ("by-nc-nd", "1.0") else code
    place = f"{port}/" if port and version not in ("1.0", "4.0") else ""
    return Licence(id, f"{_CC}/licenses/{code}/{version}/{place}")
