"""A page of search results taken apart: links, scripts, cards; and what a page without any is.

Everything here is a pure function of the page's text, so that it reads live and saved pages alike.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from dataset.errors import DisallowedError
from scrape.captions import LONGEST
from scrape.opt_out import page_opt_out

Wall = Literal["", "bot-wall", "consent", "nothing"]

# Failed readings of JSON may look at so many characters of one script in all.
_PATIENCE = 20_000_000
_STRIDE = 1 << 16
_MOST_TEXTS = 20
_ESCAPED_BYTE = re.compile(r"(?<!\\)((?:\\\\)*)\\x([0-9A-Fa-f]{2})")
_JSON_START = re.compile(
    r"(?:\A\s{0,99}(?:\)\]\}'\s{0,9})?|[=(,:]\s{0,9}|\breturn\s{0,9})"
    r"(?=\{\s{0,9}[\"}]|\[\s{0,9}[\[{\"\]\dtfn-])"
)
_ANSWER = re.compile(r"\s{0,99}(?:\)\]\}'|[\[{])")
_MARKUP = re.compile(r"<[A-Za-z!]")
_SAVED_FROM = re.compile(r"<!--\s*saved from url=\(\d+\)(https?://\S+)")
_META = re.compile(r"<meta\b[^>]{0,500}>", re.IGNORECASE)
_META_NAME = re.compile(r"\bname\s*=\s*[\"']?(robots|pedigree)\b", re.IGNORECASE)
_META_CONTENT = re.compile(r"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)

_BOT_WALL = re.compile(
    r"unusual traffic|automated (queries|requests)|anomaly-modal|g-recaptcha|recaptcha/api|"
    r"captcha-form|challenges\.cloudflare\.com|are you (a )?(human|robot)|not a robot|"
    r"bots use duckduckgo|solve the challenge",
    re.IGNORECASE,
)
_CONSENT = re.compile(
    r"<form[^>]{0,500}action=[\"'][^\"']{0,300}\bconsent\b|id=[\"']?(bnp_container|consent-bump)|"
    r"before you continue to",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"did(n't| not) match any (image results|documents)|no (image )?results (were )?found|"
    r"there are no results for|no results for",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A picture that a result page names; all addresses as written there, maybe hostile.

    `picture` is "" for a card that names none. `texts` are (text, origin), best first; `mark` is
    the engine's own mark of equal files, "" where it has none.
    """

    picture: str
    page: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    thumbnail: str = ""
    mark: str = ""


@dataclass
class Link:
    """A link with what it shows."""

    href: str
    texts: list[tuple[str, str]] = field(default_factory=list)
    thumbnail: str = ""


class ResultPage(HTMLParser):
    """The parts of a page in which results stand, read in one pass.

    `marks` are the `m` attributes of all elements, `metas` the texts of elements of the class
    rg_meta, `query` is what stands in the search box.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[Link] = []
        self.scripts: list[str] = []
        self.marks: list[str] = []
        self.metas: list[str] = []
        self.images: list[str] = []
        self.query = ""
        self._link: Link | None = None
        self._text: list[str] | None = None
        if _ANSWER.match(html) or not _MARKUP.search(html):
            self.scripts.append(html)
            return
        # Conditional sections of old browsers are text for us; the parser stumbles over them.
        self.feed(html.replace("<![", "<["))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "m" in given:
            self.marks.append(given["m"])
        if tag == "a":
            self._link = Link(given.get("href", ""))
            self._add(given, "aria-label", "title")
            self.links.append(self._link)
        elif tag == "img":
            self._image(given)
        elif tag == "script":
            self.scripts.append("")
            self._text = self.scripts
        elif tag == "input" and given.get("name") == "q":
            self.query = self.query or given.get("value", "")
        elif "rg_meta" in given.get("class", "").split():
            self.metas.append("")
            self._text = self.metas

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None
        elif tag in ("script", "div"):
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text[-1] += data
        elif self._link is not None and data.strip():
            self._say(data, "link text")

    def _image(self, given: dict[str, str]) -> None:
        shown = [given.get(name, "") for name in ("data-src", "src")]
        address = next((text for text in shown if text and not text.startswith("data:")), "")
        if address:
            self.images.append(address)
        if self._link is not None:
            self._link.thumbnail = self._link.thumbnail or address
            self._add(given, "alt", "title")

    def _add(self, given: dict[str, str], *names: str) -> None:
        for name in names:
            self._say(given.get(name, ""), name)

    def _say(self, text: str, origin: str) -> None:
        if self._link is not None and text.strip() and len(self._link.texts) < _MOST_TEXTS:
            self._link.texts.append((text.strip()[:LONGEST], origin))


def merged(*lists: Iterable[Found]) -> list[Found]:
    """All pictures of several lists, each once; the first that names it counts, the others add
    what it lacks. Cards without a picture stay as they are."""
    kept: dict[str, Found] = {}
    without: list[Found] = []
    for found in (one for several in lists for one in several):
        if not found.picture:
            without.append(found)
        elif (known := kept.get(found.picture)) is None:
            kept[found.picture] = found
        else:
            kept[found.picture] = replace(
                known,
                page=known.page or found.page,
                texts=known.texts or found.texts,
                thumbnail=known.thumbnail or found.thumbnail,
            )
    return [*kept.values(), *without]


def json_values(script: str) -> Iterator[Any]:
    """Every JSON array and object that stands in a script where a value may begin."""
    if "\\x" in script:
        script = _ESCAPED_BYTE.sub(r"\1\\u00\2", script)
    decoder = json.JSONDecoder()
    position, patience = 0, _PATIENCE
    while patience > 0 and (start := _JSON_START.search(script, position)):
        if start.end() > _STRIDE:  # a failure counts the lines before it
            script, position = script[start.start() :], 0
            continue
        try:
            value, position = decoder.raw_decode(script, start.end())
            yield value
        except json.JSONDecodeError as error:
            patience -= 100 + error.pos - start.end()
            position = start.end() + 1
        except (ValueError, RecursionError):  # a number or a depth beyond reason
            patience -= 100_000
            position = start.end() + 1


def walk(value: Any) -> Iterator[list[Any] | dict[str, Any]]:
    """Every array and object inside a JSON value, itself included, in the order of the text."""
    ahead = [value]
    while ahead:
        entry = ahead.pop()
        if isinstance(entry, list | dict):
            yield entry
            inner = entry.values() if isinstance(entry, dict) else entry
            ahead.extend(part for part in reversed(list(inner)) if isinstance(part, list | dict))


def is_web(written: Any) -> bool:
    """Whether a JSON value is the text of a web address."""
    return isinstance(written, str) and written[:8].lower().startswith(("http://", "https://"))


def wall_of(html: str, address: str) -> Wall:
    """What a page without results is: a check for robots, a question for consent, an honest
    statement that there are none, or "" when it is none of these."""
    parts = urlsplit(address)
    if parts.path.startswith("/sorry") or _BOT_WALL.search(html):
        return "bot-wall"
    if (parts.hostname or "").startswith("consent.") or _CONSENT.search(html):
        return "consent"
    return "nothing" if _NOTHING.search(html) else ""


def require_welcome(html: str, address: str) -> None:
    """Raise DisallowedError (opt-out) when the page's meta tags forbid collecting."""
    contents = []
    for meta in _META.findall(html):
        content = _META_CONTENT.search(meta)
        if content and _META_NAME.search(meta):
            contents.append(content[1] or content[2] or content[3] or "")
    directive = page_opt_out(contents)
    if directive:
        raise DisallowedError("opt-out", f"{address} says {directive}")


def saved_from(html: str) -> str:
    """The address that a browser wrote into a page that it saved, or ""."""
    found = _SAVED_FROM.search(html[:4000])
    return found[1] if found else ""


def query_of(html: str, address: str) -> str:
    """What a result page was asked: by its address, else by its search box; "" if neither tells."""
    try:
        asked = parse_qs(urlsplit(address).query).get("q", [""])[0]
    except ValueError:
        asked = ""
    return " ".join((asked or ResultPage(html).query).split())[:500]
