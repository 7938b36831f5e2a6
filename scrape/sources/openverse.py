"""Kind openverse: openly licensed pictures of many collections, through the API of Openverse.

https://api.openverse.org/v1/, https://docs.openverse.org/terms_of_service.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.captions import LONGEST_NAME, captions_of, clean_text
from scrape.client import PoliteClient
from scrape.json_answer import link_of, look_up, parse_json, text_at
from scrape.licences import UNKNOWN, Licence, is_accepted, licence_of, require_accepted
from scrape.pace import HostLimit
from scrape.response import FetchError, hide
from scrape.sources.openverse_access import Access, access_of, has_access, throttled_for_s
from scrape.sources.source import Kind, ScrapedItem, Source, SourceError, SourceSpec

EXAMPLE = """
[[source]]
kind = "openverse"
name = "openverse"
queries = ["red panda"]
licences = ["free"]                     # or ids such as "CC-BY", "shareable", "any"
sources = ["flickr", "wikimedia"]       # collections; without it all of them
category = "photograph"
"""

_SITE = "https://openverse.org"
# What Openverse calls the licences it knows.
_CODES = {
    "by": "CC-BY",
    "by-sa": "CC-BY-SA",
    "by-nd": "CC-BY-ND",
    "by-nc": "CC-BY-NC",
    "by-nc-sa": "CC-BY-NC-SA",
    "by-nc-nd": "CC-BY-NC-ND",
    "cc0": "CC0-1.0",
    "pdm": "PDM-1.0",
}
_LONGEST_QUERY = 200
_MOST_ANONYMOUS = 20  # results a page
_MOST_PER_PAGE = 500
_LONGEST_LINE = 1000
# How a page is refused that lies too deep; the first page is never too deep.
_TOO_DEEP = frozenset({400, 401, 403, 404, 422})
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class OpenverseSpec(SourceSpec):
    """What to ask for, and which licences (a gate as in scrape.licences.is_accepted).

    `sources` and `extension` are any of a list, `license_type` all of it, `aspect_ratio`, `size`
    and `category` as Openverse names them, "" for any. `page_size` over 20 needs a token. A query
    ends at `max_pages` or where Openverse ends it, after some hundred results.
    """

    api: str = "https://api.openverse.org/v1/images/"
    token_address: str = "https://api.openverse.org/v1/auth_tokens/token/"
    licences: tuple[str, ...] = ("any",)
    license_type: tuple[Literal["commercial", "modification"], ...] = ()
    sources: tuple[str, ...] = ()
    extension: tuple[str, ...] = ()
    aspect_ratio: Literal["", "tall", "wide", "square"] = ""
    size: Literal["", "small", "medium", "large"] = ""
    category: Literal["", "photograph", "illustration", "digitized_artwork"] = ""
    page_size: int = _MOST_ANONYMOUS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_queries()
        for key in ("api", "token_address"):
            try:
                canonical_address(getattr(self, key))
            except DisallowedError as error:
                raise ConfigError(f"source {self.name}: {key} {error}") from None
        require_accepted(self.licences, f"source {self.name}: licences")
        if "any" not in self.licences and not codes_of(self.licences):
            raise ConfigError(
                f"source {self.name}: Openverse has none of the licences "
                f"{', '.join(self.licences) or '(none given)'}; it has {', '.join(_CODES.values())}"
            )
        if not 1 <= self.page_size <= _MOST_PER_PAGE:
            raise ConfigError(
                f"source {self.name}: page_size is {self.page_size}, not 1 to {_MOST_PER_PAGE}"
            )

    def hosts(self) -> tuple[str, ...]:
        return (host_of(canonical_address(self.api)),)


class Openverse(Source[OpenverseSpec]):
    """Reads the pages of each search as deep as Openverse lets them be read."""

    def __init__(self, spec: OpenverseSpec) -> None:
        super().__init__(spec)
        self._api = canonical_address(spec.api)
        self._token_address = canonical_address(spec.token_address)

    def apis(self) -> tuple[str, ...]:
        return (self._api, canonical_address(self.spec.token_address))

    def limits(self) -> Mapping[str, HostLimit]:
        """20 requests a minute, with a token 100; a spent day or hour is told by its refusal."""
        gap_s = 0.6 if has_access() else 3.0
        limit = HostLimit(gap_s=gap_s, connections=1, read_wait=throttled_for_s)
        return {host_of(self._api): limit}

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        access = access_of(client, self._token_address, self.spec.name)
        if self.spec.page_size > _MOST_ANONYMOUS and not access.token:
            raise ConfigError(
                f"source {self.spec.name}: page_size {self.spec.page_size} needs a token in "
                f"OPENVERSE_TOKEN; without one it is at most {_MOST_ANONYMOUS}"
            )
        for query in self.spec.queries:
            if len(query) > _LONGEST_QUERY:
                self.warn(f"{query[:50]!r}… is cut to its first {_LONGEST_QUERY} characters")
            yield from self._found(client, access, query)

    def _found(self, client: PoliteClient, access: Access, query: str) -> Iterator[ScrapedItem]:
        """The pictures of one query; a page that adds none ends it."""
        seen: set[str] = set()
        for number in range(1, self.spec.max_pages + 1):
            answer, address = self._page(client, access, query, number)
            if answer is None:
                return
            results = answer["results"]
            found = [self._item(result, query) for result in results]
            self._check_counts(address, found)
            new = {item.picture_url: item for item in found if item.picture_url not in seen}
            new.pop("", None)
            seen.update(new)
            accepted = self.spec.licences
            yield from (item for item in new.values() if is_accepted(item.licence, accepted))
            if not new or number >= _page_count(answer):
                if number == 1 and not results:
                    self.warn(f"Openverse finds nothing for {query!r}")
                return

    def _page(
        self, client: PoliteClient, access: Access, query: str, number: int
    ) -> tuple[dict[str, Any] | None, str]:
        """(a page's answer, its address); the answer is None beyond the last page."""
        asked = {"q": query[:_LONGEST_QUERY], **self._filters(), "page": str(number)}
        address = canonical_address(f"{self._api}?{urlencode(asked, errors='replace')}")
        try:
            response = client.get(address, "json", headers=access.headers, secrets=access.secrets)
        except FetchError as error:
            told = hide(_told(error.body), access.secrets)
            is_about_key = error.status in (401, 403) and access.token and "page" not in told
            if number > 1 and error.status in _TOO_DEEP and not is_about_key:
                return None, address
            if error.status in (400, 401, 403, 422):
                raise SourceError(
                    "bad-key" if error.status in (401, 403) else "bad-question",
                    f"Openverse refuses {address}: {told or f'HTTP {error.status}'}",
                ) from error
            raise
        answer = parse_json(response)
        if not isinstance(look_up(answer, "results"), list):
            saved = self.save_page("answer.json", response.body)
            kept = f"; kept in {saved}" if saved else ""
            raise SourceError("no-items", f"{address} has no list of results{kept}")
        return answer, address

    def _filters(self) -> dict[str, str]:
        spec = self.spec
        codes = () if "any" in spec.licences else codes_of(spec.licences)
        asked = {
            "page_size": str(spec.page_size),
            "license": "" if len(codes) == len(_CODES) else ",".join(codes),
            "license_type": ",".join(spec.license_type),
            "source": ",".join(spec.sources),
            "extension": ",".join(spec.extension),
            "aspect_ratio": spec.aspect_ratio,
            "size": spec.size,
            "category": spec.category,
        }
        return {name: value for name, value in asked.items() if value}

    def _item(self, result: Any, query: str) -> ScrapedItem:
        spec = self.spec
        picture = link_of(text_at(result, "url"))
        thumbnail = link_of(text_at(result, "thumbnail"), self._api)
        id = text_at(result, "id")
        place = f"{_SITE}/image/{id}" if _ID.fullmatch(id) else ""
        licence = self._licence(result)
        captions = (
            (text_at(result, "title"), "openverse title"),
            (text_at(result, "tags.*.name"), "openverse tags"),
        )
        return ScrapedItem(
            picture_url=picture,
            page_url=link_of(text_at(result, "foreign_landing_url")) or place or self._api,
            source=spec.name,
            captions=captions_of(captions),
            label=spec.label or query,
            query=query,
            author=clean_text(text_at(result, "creator"), LONGEST_NAME) or spec.author,
            author_url=link_of(text_at(result, "creator_url")),
            licence=licence.id,
            licence_url=licence.url,
            attribution=clean_text(text_at(result, "attribution"), _LONGEST_LINE),
            fallback_urls=(thumbnail,) if thumbnail and thumbnail != picture else (),
        )

    def _licence(self, result: Any) -> Licence:
        """By code and version; the address is asked only for what those leave open, as it is
        sometimes that of another licence or of another country's version."""
        code = text_at(result, "license").strip().lower()
        version = text_at(result, "license_version").strip()
        name = f"CC {code} {version}" if code.startswith("by") else f"{code} {version}".strip()
        stated = licence_of(name)
        if not stated.url:
            stated = licence_of(name, text_at(result, "license_url"))
        if stated.id != UNKNOWN:
            return stated
        return licence_of(self.spec.licence, self.spec.licence_url)

    def _check_counts(self, address: str, found: list[ScrapedItem]) -> None:
        missing = sum(not item.picture_url for item in found)
        if missing:
            self.warn(f"{address} has {len(found)} results, {missing} of them without a usable url")


def codes_of(accepted: tuple[str, ...]) -> tuple[str, ...]:
    """Openverse's codes of the licences that a gate can let pass, in some version."""
    return tuple(
        code
        for code, id in _CODES.items()
        if is_accepted(id, accepted) or any(_is_version(entry, id) for entry in accepted)
    )


def _is_version(entry: str, id: str) -> bool:
    return re.fullmatch(rf"{re.escape(id)}-\d\.\d", entry) is not None


def _page_count(answer: Mapping[str, Any]) -> float:
    """The number of the last page; infinity where the answer does not say."""
    count = answer.get("page_count")
    return count if isinstance(count, int) and not isinstance(count, bool) else float("inf")


def _told(body: bytes) -> str:
    """What an error's body says, as one line."""
    return clean_text(body[:2000].decode("utf-8", "replace"), 300)


KIND = Kind(
    "openverse",
    OpenverseSpec,
    Openverse,
    "Openverse: openly licensed pictures of many collections",
    EXAMPLE,
    needs="nothing; a token in OPENVERSE_TOKEN allows more requests",
    ask='python -m scrape run openverse --query "red panda"',
)
