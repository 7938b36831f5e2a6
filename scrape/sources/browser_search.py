"""Image search in a real browser, whatever the engine; the same on pages that a person saved.

What differs between engines is an Engine: how its pages are read and which of its buttons count.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.browser import Browser, BrowserOptions
from scrape.client import PoliteClient
from scrape.json_answer import link_of
from scrape.response import FetchError
from scrape.search_page import Found, query_of, require_welcome, saved_from, wall_of
from scrape.sources.search_items import Seen, bare_cards, item_of, page_shape, with_way_out
from scrape.sources.source import QUERY, ScrapedItem, Source, SourceError, SourceSpec

_SAVED = (".html", ".htm", ".json", ".js")
_LONGEST_QUERY = 500
_WALLS = {"bot-wall": "takes us for a robot", "consent": "asks for consent"}
_REJECT = (
    "Reject all", "Reject", "Decline", "Decline all", "Only necessary", "Necessary only",
    "Alle ablehnen", "Ablehnen", "Tout refuser", "Refuser", "Rechazar todo", "Rechazar",
    "Rifiuta tutto", "Rifiuta", "Rejeitar tudo", "Rejeitar", "Alles afwijzen", "Weigeren",
    "Odrzuć wszystko", "Avvisa alla", "Afvis alle", "Avvis alle", "Hylkää kaikki",
    "Odmítnout vše", "Összes elutasítása", "Отклонить все", "すべて拒否", "全部拒绝", "모두 거부",
)  # fmt: skip
_ACCEPT = (
    "Accept all", "Accept", "I agree", "Agree", "Alle akzeptieren", "Akzeptieren", "Zustimmen",
    "Tout accepter", "Accepter", "Aceptar todo", "Aceptar", "Accetta tutto", "Accetta",
    "Aceitar tudo", "Aceitar", "Alles accepteren", "Zaakceptuj wszystko", "Acceptera alla",
    "Accepter alle", "Godta alle", "Hyväksy kaikki", "Přijmout vše", "Принять все",
    "すべて同意", "全部接受", "모두 수락",
)  # fmt: skip
_MORE = (
    "Show more", "Show more results", "More results", "See more images", "See more", "Load more",
    "Mehr anzeigen", "Weitere Ergebnisse", "Afficher plus", "Plus de résultats", "Mostrar más",
    "Más resultados", "Mostra altro", "Altri risultati", "Meer weergeven", "Mostrar mais",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What is peculiar to a search engine.

    `parse` reads a page or one of its own answers; `layouts` names what it knows. `answers` finds
    the addresses whose answers hold results that the page does not show. `more` and `refuse` are
    selectors of the buttons that show more results and that refuse consent; elements of `touched`
    write the original's address into their links when a pointer comes.
    """

    parse: Callable[[str, str], list[Found]]
    layouts: tuple[str, ...]
    answers: re.Pattern[str] | None = None
    more: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    touched: str = ""


@dataclass(frozen=True, kw_only=True)
class BrowserSearchSpec(SourceSpec):
    """How long to look, and through what. `path` is a result page that was saved, or a folder of
    them: then no browser is needed.

    `seconds` ends a query; after `quiet_rounds` rounds of scrolling that bring nothing new it
    ends, too; `pause_s` lies between two rounds; `max_pages` counts rounds. `consent` says which
    button of a cookie question is pressed. `thumbnails` are taken where an original is gone.
    `browser` and `driver` are paths of the programs, "" for those on the PATH.
    """

    search: str = ""
    path: str = ""
    headed: bool = False
    seconds: float = 300.0
    quiet_rounds: int = 3
    pause_s: float = 2.0
    consent: Literal["reject", "accept", "stop"] = "reject"
    thumbnails: bool = True
    browser: str = ""
    driver: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if QUERY not in self.search:
            raise ConfigError(f"source {self.name}: search {self.search!r} lacks {QUERY}")
        try:
            canonical_address(self.search.replace(QUERY, "query"))
        except DisallowedError as error:
            raise ConfigError(f"source {self.name}: search {error}") from None
        for key, least in (("seconds", 1), ("quiet_rounds", 1), ("pause_s", 0)):
            if not getattr(self, key) >= least:
                raise ConfigError(
                    f"source {self.name}: {key} is {getattr(self, key)}; "
                    f"it must be at least {least}"
                )
        if not self.path:
            self.require_queries()

    def hosts(self) -> tuple[str, ...]:
        return () if self.path else (host_of(self.address_of("query")),)

    def address_of(self, query: str) -> str:
        """The result page of a query."""
        asked = quote(query[:_LONGEST_QUERY], safe="", errors="replace")
        return canonical_address(self.search.replace(QUERY, asked))


class BrowserSearch(Source[BrowserSearchSpec]):
    """Opens the result page of each query, scrolls to its end, and yields what it names.

    `lent` is a browser that is open already and stays so; without it, one is started when the
    first query is asked and ended after the last.
    """

    engine: ClassVar[Engine]

    def __init__(self, spec: BrowserSearchSpec, lent: Browser | None = None) -> None:
        super().__init__(spec)
        self._lent = lent

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """Raises ConfigError when there is no browser or no saved page, DisallowedError, FetchError
        and SourceError: consent, bot-wall, page-shape."""
        if self.spec.path:
            yield from self._saved(client.settings.max_page_bytes)
            return
        for query in self.spec.queries:
            self._check(client, query)
        with self._browser(client) as browser:
            for query in self.spec.queries:
                if query.strip():
                    yield from self._asked(client, browser, query)

    def _check(self, client: PoliteClient, query: str) -> None:
        try:
            client.check(self.spec.address_of(query))
        except DisallowedError as error:
            raise with_way_out(error, self.spec.kind) from None

    @contextlib.contextmanager
    def _browser(self, client: PoliteClient) -> Iterator[Browser]:
        if self._lent is not None:
            yield self._lent
            return
        options = BrowserOptions(
            agent=client.settings.user_agent,
            is_headed=self.spec.headed,
            program=self.spec.browser,
            driver=self.spec.driver,
            load_s=client.settings.timeout_s,
            max_bytes=client.settings.max_page_bytes,
        )
        with Browser(options) as browser:
            yield browser

    def _asked(self, client: PoliteClient, browser: Browser, query: str) -> Iterator[ScrapedItem]:
        """The pictures of one query, round by round."""
        address = self.spec.address_of(query)
        with client.pace.turn(host_of(address)):
            browser.open(address)
        reading = _Reading(self, browser, address)
        self._pass_consent(browser)
        ends_at = client.clock.now() + self.spec.seconds
        seen = Seen()
        quiet, is_waiting = 0, False
        for _ in range(self.spec.max_pages):
            _require_public(client, canonical_address(browser.address()), address)
            new = seen.new_of(reading.read())
            yield from (self._item(found, address, query) for found in new)
            # The page that follows an answer may not be there yet: it gets a round of its own.
            was_waiting, is_waiting = is_waiting, seen.is_empty and self._awaits_a_person(browser)
            quiet = 0 if new or is_waiting or was_waiting else quiet + 1
            if quiet >= self.spec.quiet_rounds or client.clock.now() >= ends_at:
                break
            self._next_round(client, browser, scrolls=not is_waiting)
        if seen.is_empty:
            self._explain(browser.html(), browser.address(), query, browser.status)
        self._warn_of_bare_cards(reading.bare, query)

    def _next_round(self, client: PoliteClient, browser: Browser, *, scrolls: bool) -> None:
        if scrolls:
            browser.scroll()
        client.pace.pause(self.spec.pause_s)
        if client.pace.stopped.is_set():
            raise FetchError("stopped", "the crawl was stopped")
        browser.settle()
        if scrolls and browser.press(self.engine.more, _MORE):
            browser.settle()

    def _awaits_a_person(self, browser: Browser) -> bool:
        """Whether there is a window, and in it a question that only a person may answer."""
        return self.spec.headed and wall_of(browser.html(), browser.address()) in _WALLS

    def _pass_consent(self, browser: Browser) -> None:
        """Press the button that `consent` names, where there is one."""
        if self.spec.consent == "reject":
            pressed = browser.press(self.engine.refuse, _REJECT)
        else:
            pressed = self.spec.consent == "accept" and browser.press((), _ACCEPT)
        if pressed:
            browser.settle()

    def _explain(self, html: str, where: str, query: str, status: int = 200) -> None:
        """Say why there is no picture at all: a wall, an error, nothing to be found, or a page of
        unknown shape."""
        kind, name = self.spec.kind, self.spec.name
        wall = wall_of(html, where)
        if status in (403, 429) or wall in _WALLS:
            wall = wall if wall == "consent" else "bot-wall"
            self.save_page(f"{wall}.html", html.encode("utf-8", "replace"))
            raise SourceError(
                wall,
                f"{where[:300]} {_WALLS[wall]}; answer it yourself with "
                f"--set source.{name}.headed=true, or save the result page in your own browser and "
                f"run {kind} --from PAGE.html",
            )
        if status >= 400:
            raise FetchError(f"http-{status}", f"{where[:300]}: HTTP {status}", status=status)
        if wall != "nothing":
            raise page_shape(self, html, where, self.engine.layouts)
        self.warn(f"{query or where}: the engine finds nothing")

    def _warn_of_bare_cards(self, bare: int, query: str) -> None:
        if bare:
            self.warn(f"{query}: {bare} cards without the address of their original")

    def _saved(self, max_bytes: int) -> Iterator[ScrapedItem]:
        """All that the saved pages name; a page of no use is complained of after the others."""
        failure: SourceError | None = None
        for path in saved_pages(Path(self.spec.path), self.spec.name):
            html = self._text_of(path, max_bytes)
            stated = link_of(saved_from(html))
            only = self.spec.queries[0] if len(self.spec.queries) == 1 else ""
            query = only or query_of(html, stated) or path.stem
            address = stated or self.spec.address_of(query)
            require_welcome(html, str(path))
            found = self.engine.parse(html, address)
            new = Seen().new_of(found)
            self._warn_of_bare_cards(bare_cards(found), query)
            yield from (self._item(one, address, query) for one in new)
            try:
                if not new:
                    self._explain(html, str(path), query)
            except SourceError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _text_of(self, path: Path, max_bytes: int) -> str:
        with path.open("rb") as file:
            body = file.read(max_bytes + 1)
        if len(body) > max_bytes:
            self.warn(f"{path} is read up to {max_bytes} bytes; raise crawl.max_page_bytes")
        return body[:max_bytes].decode("utf-8-sig", "replace")

    def _item(self, found: Found, address: str, query: str) -> ScrapedItem:
        return item_of(found, address, query, self.spec, thumbnails=self.spec.thumbnails)


class _Reading:
    """Reads one open page again and again; `bare` are the cards without an address."""

    def __init__(self, source: BrowserSearch, browser: Browser, address: str) -> None:
        self._engine, self._browser, self._address = source.engine, browser, address
        self._last = ""
        self.bare = 0

    def read(self) -> list[Found]:
        """All that the page names now, and what it was answered since the last time."""
        engine = self._engine
        if engine.touched:
            self._browser.touch(engine.touched)
        html = self._browser.html()
        found: list[Found] = []
        if html != self._last:
            require_welcome(html, self._address)
            found = engine.parse(html, self._address)
            self.bare = bare_cards(found)
        self._last = html
        if engine.answers is not None:
            for text in self._browser.heard(engine.answers):
                found += engine.parse(text, self._address)
        return found


def _require_public(client: PoliteClient, where: str, asked: str) -> None:
    """Raise what the guard says of a page to which the one that was asked led us."""
    client.admit(where)
    parts = urlsplit(where)
    if host_of(where) != host_of(asked):
        client.guard.connectable(parts.hostname or "", parts.port or 443)


def saved_pages(path: Path, name: str) -> list[Path]:
    """A saved page, or those of a folder by their names; raises ConfigError for none."""
    if path.is_dir():
        pages = sorted(page for page in path.iterdir() if page.suffix.lower() in _SAVED)
    else:
        pages = [path] if path.is_file() else []
    if not pages:
        raise ConfigError(
            f"source {name}: {path} is no saved page and no folder of them; in the browser, save "
            'the result page as "web page, complete"'
        )
    return pages
