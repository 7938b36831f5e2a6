"""What every source is: a declaration (SourceSpec) and a reader (Source) that yields items."""

import dataclasses
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import quote

from dataset.errors import ConfigError, DisallowedError
from dataset.records import Caption
from scrape.addresses import canonical_address, host_of
from scrape.client import PoliteClient
from scrape.pace import HostLimit
from scrape.response import Response, SourceError

__all__ = ["Kind", "ScrapedItem", "Source", "SourceError", "SourceSpec", "StartSpec"]

log = logging.getLogger(__name__)

QUERY = "{query}"
S = TypeVar("S", bound="SourceSpec")


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """The keys that all kinds of sources share.

    A source is asked once per query, and the query is the label where `label` is empty. `licence`
    and `author` hold for pictures whose own are not stated. `max_pages` ends a list (per query).
    """

    kind: str
    name: str
    label: str = ""
    queries: tuple[str, ...] = ()
    author: str = ""
    licence: str = ""
    licence_url: str = ""
    max_pages: int = 1000

    def __post_init__(self) -> None:
        if self.max_pages < 1:
            raise ConfigError(f"source {self.name}: max_pages is {self.max_pages}, under 1")

    def hosts(self) -> tuple[str, ...]:
        """The hosts that are asked first, to see whether a contact address is needed."""
        return ()

    def require_queries(self) -> None:
        """For kinds that cannot do without: raise ConfigError when there is no query."""
        if not any(query.strip() for query in self.queries):
            raise ConfigError(
                f"source {self.name} needs something to ask for; give queries = [...], "
                "--query TEXT or --queries FILE"
            )


@dataclass(frozen=True, kw_only=True)
class StartSpec(SourceSpec):
    """A source that starts at addresses; with `queries`, each is asked for every query in place
    of `{query}`."""

    start: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.start:
            raise ConfigError(f"source {self.name} has no start address; give start = [...]")
        for address in self.start:
            try:
                canonical_address(address.replace(QUERY, "query"))
            except DisallowedError as error:
                raise ConfigError(f"source {self.name}: start {error}") from None
            if bool(self.queries) != (QUERY in address):
                raise ConfigError(
                    f"source {self.name}: queries and {QUERY} in start go together; "
                    f"start is {address!r}, queries are {list(self.queries)}"
                )

    def hosts(self) -> tuple[str, ...]:
        return tuple(host_of(address) for address, _ in self.first_addresses())

    def first_addresses(self) -> Iterator[tuple[str, str]]:
        """(canonical address, query) of every list to read; the query is "" without `queries`."""
        for query in self.queries or ("",):
            for address in self.start:
                yield canonical_address(address.replace(QUERY, quote(query, safe=""))), query


@dataclass(frozen=True, kw_only=True)
class ScrapedItem:
    """A picture that a source names, not yet fetched.

    `captions` are in order of preference; `detail_url` is where more about it stands, "" when
    nothing more is wanted; `source` is the name of its source. `fallback_urls` are asked in turn
    when `picture_url` is not there (a guessed original, say). `attribution` is the line that the
    site wants to be credited with, "" when it states none. `inline` holds the picture itself as a
    data: address (RFC 2397), for pictures that stand in a page; `picture_url` is then the page.
    """

    picture_url: str
    page_url: str
    source: str
    captions: tuple[Caption, ...] = ()
    label: str = ""
    query: str = ""
    author: str = ""
    author_url: str = ""
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    detail_url: str = ""
    fallback_urls: tuple[str, ...] = ()
    inline: str = ""


class Source(ABC, Generic[S]):
    """Reads lists of pictures. `warnings` collects what looked wrong without being fatal.

    `folder` is where a page that could not be understood is saved, None to save none.
    `is_local` kinds read this machine: their items' `picture_url` is a file: address that only
    `fetch` understands. `takes_own_turns` kinds ask several addresses in `fetch`.
    """

    is_local: ClassVar[bool] = False
    takes_own_turns: ClassVar[bool] = False

    def __init__(self, spec: S) -> None:
        self.spec = spec
        self.warnings: list[str] = []
        self.folder: Path | None = None

    @abstractmethod
    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """Yield every picture that the source names, page by page.

        Raises FetchError, DisallowedError or SourceError when a list cannot be read on.
        """

    def limits(self) -> Mapping[str, HostLimit]:
        """The rules of the hosts that this source asks, by host (with port where it has one)."""
        return {}

    def apis(self) -> tuple[str, ...]:
        """The documented APIs that this source asks, as addresses without a query; what lies
        under them is asked by their terms and `limits`, not by robots.txt."""
        return ()

    def complete(self, client: PoliteClient, item: ScrapedItem) -> ScrapedItem:
        """`item` with what only its detail page tells; called for new pictures, by any thread.

        Raises DisallowedError when that page says no, FetchError when the picture cannot be found
        without it.
        """
        return item

    def fetch(
        self,
        client: PoliteClient,
        item: ScrapedItem,
        headers: Mapping[str, str],
        *,
        holds_turn: bool = False,
    ) -> Response:
        """The picture of a completed `item`, asked for once; called by any thread.

        `headers` make the request conditional (a 304 is an answer); `holds_turn` says that the
        caller took the turn of the host of `item.picture_url`. Raises FetchError (not-found makes
        the caller ask for `fallback_urls`) and DisallowedError.
        """
        # Whoever took a turn took it for the very address that the ledger knows.
        return client.get(
            item.picture_url if holds_turn else canonical_address(item.picture_url),
            "picture",
            headers=headers,
            holds_turn=holds_turn,
            tries=1,
        )

    def warn(self, text: str) -> None:
        self.warnings.append(f"{self.spec.name}: {text}")
        log.warning("%s: %s", self.spec.name, text)

    def save_page(self, name: str, content: bytes) -> str:
        """Keep a page that was not understood, for a person to look at; returns where, or ""."""
        if self.folder is None:
            return ""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.spec.name}-{name}"
        path.write_bytes(content)
        return str(path)


@dataclass(frozen=True)
class Kind:
    """One kind of source: its declaration, its reader, and what a person needs to know.

    `needs` says what it needs beyond this project ("a key in FLICKR_API_KEY"), `ask` is a command
    that asks it, `example` a table for a crawl file; `is_fragile` marks a kind that reads pages
    without any contract, which may break any day.
    """

    name: str
    spec: type[SourceSpec]
    reader: type[Source[Any]]
    summary: str
    example: str
    needs: str = "nothing"
    ask: str = ""
    is_fragile: bool = False

    def keys(self) -> tuple[str, str]:
        """The keys that a declaration needs and those that it may have, as lists for a person."""
        fields = dataclasses.fields(self.spec)
        needed = [field.name for field in fields if _is_needed(field)]
        optional = [field.name for field in fields if not _is_needed(field)]
        return ", ".join(needed), ", ".join(optional)


def _is_needed(field: "dataclasses.Field[Any]") -> bool:
    has_default = field.default is not dataclasses.MISSING
    return not (has_default or field.default_factory is not dataclasses.MISSING)


def key_from_environment(name: str, source: str, how: str) -> str:
    """The API key in the environment variable `name`; raises ConfigError saying `how` to get it."""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"source {source} needs a key: set {name} in the environment ({how})")
    return key
