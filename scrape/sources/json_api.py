"""Kind json-api: a list of pictures as JSON, in pages that follow a link or a number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dataset.errors import ConfigError
from scrape.addresses import canonical_address
from scrape.captions import LONGEST_NAME, captions_of, clean_text
from scrape.client import PoliteClient
from scrape.json_answer import link_of, look_up, parse_json, text_at
from scrape.licences import licence_of
from scrape.sources.source import Kind, ScrapedItem, Source, SourceError, StartSpec

EXAMPLE = """
[[source]]
kind = "json-api"
name = "animals"
start = ["https://example.org/api/pictures?label={query}"]
queries = ["bird", "cat"]
items = "results"                # where the list stands in the answer; dots go deeper
next = "next"                    # link to the next page; or: page_parameter = "page"
[source.fields]
picture = "url"
page = "page_url"
captions = ["title"]
label = "label"
author = "author"
licence = "licence"
licence_url = "licence_url"
"""


@dataclass(frozen=True, kw_only=True)
class FieldMap:
    """Where each fact stands inside one item; dotted paths, `tags.*.name` for all of a list."""

    picture: str = "url"
    page: str = ""
    captions: tuple[str, ...] = ("title",)
    label: str = ""
    author: str = ""
    licence: str = ""
    licence_url: str = ""


@dataclass(frozen=True, kw_only=True)
class JsonApiSpec(StartSpec):
    """How an API's answer is laid out. Without `next` and `page_parameter` there is one page.

    `page_parameter` counts up from `first_page` until a page holds no items.
    """

    items: str = ""
    next: str = ""
    page_parameter: str = ""
    first_page: int = 1
    fields: FieldMap = field(default_factory=FieldMap)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.next and self.page_parameter:
            raise ConfigError(f"source {self.name}: give next or page_parameter, not both")
        if not self.fields.picture:
            raise ConfigError(f"source {self.name}: fields.picture is empty; name the field")


class JsonApi(Source[JsonApiSpec]):
    """Walks the pages of the answer and yields one item per entry that has a picture."""

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        for first, query in self.spec.first_addresses():
            visited: set[str] = set()
            number = self.spec.first_page
            address = self._numbered(first, number)
            while address and address not in visited and len(visited) < self.spec.max_pages:
                visited.add(address)
                answer = parse_json(client.get(address, "json"))
                entries = self._entries(answer, address)
                found = [self._item(entry, address, query) for entry in entries]
                self._check_counts(address, found)
                yield from (item for item in found if item.picture_url)
                number += 1
                address = self._next(answer, address, first, number) if entries else ""

    def _entries(self, answer: Any, address: str) -> list[Any]:
        entries = look_up(answer, self.spec.items)
        if isinstance(entries, dict):
            return list(entries.values())
        if not isinstance(entries, list):
            raise SourceError(
                "no-items", f"{address}: there is no list at items = {self.spec.items!r}"
            )
        return entries

    def _item(self, entry: Any, address: str, query: str) -> ScrapedItem:
        spec, fields = self.spec, self.spec.fields
        licence = licence_of(
            text_at(entry, fields.licence) or spec.licence,
            text_at(entry, fields.licence_url) or spec.licence_url,
        )
        return ScrapedItem(
            picture_url=link_of(text_at(entry, fields.picture), address),
            page_url=link_of(text_at(entry, fields.page), address) or address,
            source=spec.name,
            captions=captions_of((text_at(entry, path), f"api {path}") for path in fields.captions),
            label=spec.label or clean_text(text_at(entry, fields.label), LONGEST_NAME) or query,
            query=query,
            author=clean_text(text_at(entry, fields.author), LONGEST_NAME) or spec.author,
            licence=licence.id,
            licence_url=licence.url,
        )

    def _next(self, answer: Any, address: str, first: str, number: int) -> str:
        if self.spec.next:
            return link_of(text_at(answer, self.spec.next), address)
        return self._numbered(first, number) if self.spec.page_parameter else ""

    def _numbered(self, first: str, number: int) -> str:
        """`first` with the page's number in its query."""
        if not self.spec.page_parameter:
            return first
        parts = urlsplit(first)
        name = self.spec.page_parameter
        pairs = [pair for pair in parse_qsl(parts.query, True) if pair[0] != name]
        query = urlencode([*pairs, (name, str(number))])
        return canonical_address(urlunsplit(parts._replace(query=query)))

    def _check_counts(self, address: str, found: list[ScrapedItem]) -> None:
        missing = sum(not item.picture_url for item in found)
        if missing:
            self.warn(
                f"{address} has {len(found)} items, {missing} of them without a picture; "
                f"look at fields.picture {self.spec.fields.picture!r}"
            )


KIND = Kind(
    "json-api",
    JsonApiSpec,
    JsonApi,
    "a JSON list of pictures with paging, by field names",
    EXAMPLE,
    needs="a declaration in a crawl file",
)
