"""Kind bing: Bing's image search over plain HTTP, page by page, without a browser."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.bing_page import LAYOUTS, parse
from scrape.client import PoliteClient
from scrape.search_page import Found, require_welcome, wall_of
from scrape.sources.search_items import Seen, bare_cards, item_of, page_shape, with_way_out
from scrape.sources.source import Kind, ScrapedItem, Source, SourceError, SourceSpec

EXAMPLE = """
[[source]]
kind = "bing"
name = "bing"
queries = ["red panda"]
filters = ["imagesize-large", "photo-photo"]   # Bing's own names, without filterui:
"""


@dataclass(frozen=True, kw_only=True)
class BingSpec(SourceSpec):
    """What to ask for: `filters` are Bing's, `adult` its setting, `count` results a page.
    `thumbnails` are taken where an original is gone."""

    api: str = "https://www.bing.com/images/async"
    filters: tuple[str, ...] = ()
    adult: Literal["strict", "moderate", "off"] = "moderate"
    count: int = 35
    thumbnails: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            canonical_address(self.api)
        except DisallowedError as error:
            raise ConfigError(f"source {self.name}: api {error}") from None
        if not 1 <= self.count <= 150:
            raise ConfigError(f"source {self.name}: count is {self.count}, not 1 to 150")
        self.require_queries()

    def hosts(self) -> tuple[str, ...]:
        return (host_of(canonical_address(self.api)),)

    def address_of(self, query: str, first: int) -> str:
        """The page of results that begins with the result number `first`, from 1."""
        asked = {
            "q": query,
            "first": str(first),
            "count": str(self.count),
            "mmasync": "1",
            "adlt": self.adult,
        }
        if self.filters:
            asked["qft"] = "".join(f"+filterui:{name}" for name in self.filters)
        return canonical_address(f"{self.api}?{urlencode(asked, errors='replace')}")


class Bing(Source[BingSpec]):
    """Asks on until a page brings nothing new."""

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """Raises FetchError, DisallowedError, and SourceError: bot-wall, consent, page-shape."""
        for query in self.spec.queries:
            if query.strip():
                yield from self._asked(client, query)

    def _asked(self, client: PoliteClient, query: str) -> Iterator[ScrapedItem]:
        seen = Seen()
        for page in range(self.spec.max_pages):
            address = self.spec.address_of(query, 1 + page * self.spec.count)
            html = self._page(client, address)
            found = parse(html, address)
            self._warn_of_bare_cards(found, query, page + 1)
            new = seen.new_of(found)
            if not new and page == 0:
                self._explain(html, address, query)
            if not new:
                return
            for one in new:
                yield item_of(one, address, query, self.spec, thumbnails=self.spec.thumbnails)

    def _page(self, client: PoliteClient, address: str) -> str:
        try:
            body = client.get(address, "page").body
        except DisallowedError as error:
            raise with_way_out(error, "bing-browser") from None
        html = body.decode("utf-8", "replace")
        require_welcome(html, address)
        return html

    def _explain(self, html: str, address: str, query: str) -> None:
        wall = wall_of(html, address)
        if wall == "nothing" or not html.strip():
            self.warn(f"{query}: Bing finds nothing")
        elif wall:
            raise SourceError(
                wall, f"{address[:300]} wants a person; use bing-browser with headed = true"
            )
        else:
            raise page_shape(self, html, address, LAYOUTS)

    def _warn_of_bare_cards(self, found: list[Found], query: str, page: int) -> None:
        bare = bare_cards(found)
        if bare:
            self.warn(f"{query}: page {page} has {len(found)} cards, {bare} without murl in m")


KIND = Kind(
    "bing",
    BingSpec,
    Bing,
    "Bing image search over plain HTTP: fragile; licences unknown",
    EXAMPLE,
    needs="leave by www.bing.com's robots.txt for /images/async; where it says no, the run ends "
    "there with reason robots: save result pages and use bing-browser --from FOLDER",
    ask="python -m scrape run bing --queries breeds.txt --label-from-query --limit 200",
    is_fragile=True,
)
