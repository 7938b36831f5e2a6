"""What every source is: a declaration (SourceSpec) and a reader (Source) that yields items."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from dataset.errors import ConfigError, DisallowedError, WorldError
from dataset.records import Caption
from scrape.addresses import canonical_address
from scrape.client import PoliteClient

log = logging.getLogger(__name__)

QUERY = "{query}"
S = TypeVar("S", bound="SourceSpec")


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """The keys that all kinds of sources share.

    `start` holds the first addresses; with `queries`, each is asked once per query in place of
    `{query}`, and the query is the label where `label` is empty. `licence` and `author` hold for
    pictures whose own are not stated.
    """

    kind: str
    name: str
    start: tuple[str, ...]
    label: str = ""
    queries: tuple[str, ...] = ()
    author: str = ""
    licence: str = ""
    licence_url: str = ""
    max_pages: int = 1000

    def __post_init__(self) -> None:
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
        if self.max_pages < 1:
            raise ConfigError(f"source {self.name}: max_pages is {self.max_pages}, under 1")

    def first_addresses(self) -> Iterator[tuple[str, str]]:
        """(canonical address, query) of every list to read; the query is "" without `queries`."""
        for query in self.queries or ("",):
            for address in self.start:
                yield canonical_address(address.replace(QUERY, quote(query, safe=""))), query


@dataclass(frozen=True, kw_only=True)
class ScrapedItem:
    """A picture that a source names, not yet fetched.

    `captions` are in order of preference; `detail_url` is where more about it stands, "" when
    nothing more is wanted; `source` is the name of its source.
    """

    picture_url: str
    page_url: str
    source: str
    captions: tuple[Caption, ...] = ()
    label: str = ""
    query: str = ""
    author: str = ""
    licence: str = "unknown"
    licence_url: str = ""
    detail_url: str = ""


class SourceError(WorldError):
    """A source's answer is not what its declaration expects; `reason` is a short code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Source(ABC, Generic[S]):
    """Reads lists of pictures. `warnings` collects what looked wrong without being fatal."""

    def __init__(self, spec: S) -> None:
        self.spec = spec
        self.warnings: list[str] = []

    @abstractmethod
    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """Yield every picture that the source names, page by page.

        Raises FetchError, DisallowedError or SourceError when a list cannot be read on.
        """

    def warn(self, text: str) -> None:
        self.warnings.append(f"{self.spec.name}: {text}")
        log.warning("%s: %s", self.spec.name, text)

    def complete(self, client: PoliteClient, item: ScrapedItem) -> ScrapedItem:
        """`item` with what only its detail page tells; called for new pictures, by any thread."""
        return item
