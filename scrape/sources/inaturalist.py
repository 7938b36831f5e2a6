"""Kind inaturalist: photographs of observed species, through the API of iNaturalist.

https://api.inaturalist.org/v1/docs/, https://www.inaturalist.org/pages/api+recommended+practices
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.captions import LONGEST_NAME, captions_of, clean_text
from scrape.client import PoliteClient
from scrape.json_answer import link_of, look_up, parse_json, text_at
from scrape.licences import (
    ALL_RIGHTS_RESERVED,
    UNKNOWN,
    Licence,
    is_accepted,
    licence_of,
    require_accepted,
)
from scrape.pace import HostLimit
from scrape.response import FetchError
from scrape.sources.source import Kind, ScrapedItem, Source, SourceError, SourceSpec

EXAMPLE = """
[[source]]
kind = "inaturalist"
name = "inaturalist"
queries = ["Ailurus fulgens"]           # names of taxa, scientific or common
licences = ["free"]                     # or "shareable", "any", ids such as "CC-BY-4.0"
size = "large"                          # 1024 px; medium has 500, original up to 2048
"""

_SITE = "https://www.inaturalist.org"
# Creative Commons licences of iNaturalist are 4.0; its answers name no version.
_CODES = {
    "cc0": "CC0-1.0",
    "cc-by": "CC-BY-4.0",
    "cc-by-sa": "CC-BY-SA-4.0",
    "cc-by-nd": "CC-BY-ND-4.0",
    "cc-by-nc": "CC-BY-NC-4.0",
    "cc-by-nc-sa": "CC-BY-NC-SA-4.0",
    "cc-by-nc-nd": "CC-BY-NC-ND-4.0",
    "pd": "PDM-1.0",
    "gfdl": "GFDL-1.2-or-later",
}
_PER_PAGE = 200
_LONGEST_LINE = 1000
_MEDIA_HOSTS = ("inaturalist-open-data.s3.amazonaws.com", "static.inaturalist.org")
# Seconds between pictures at which an average one of each size stays under 24 GB a day.
_MEDIA_GAP_S = {"original": 5.0, "large": 1.0, "medium": 0.35}
# Which size to ask for in place of one that is missing: the next larger, then the others.
_INSTEAD = {
    "original": ("large", "medium"),
    "large": ("original", "medium"),
    "medium": ("large", "original"),
}
_FILE = re.compile(r"(?:original|large|medium|small|thumb|square)(\.[A-Za-z0-9]{1,8})")
_STAND_IN = re.compile(r"copyright[-_]infringement|/assets/", re.IGNORECASE)
_CREDIT = re.compile(r"\s*(?:\(c\)|\u00a9)?\s*(.+), [^,]*(?:\([^()]*\)|reserved|restrictions)\s*")
_UPLOADER = re.compile(r", uploaded by .*$", re.IGNORECASE)
_BUSY = re.compile(rb"too many requests|normal_throttling", re.IGNORECASE)
_REST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class INaturalistSpec(SourceSpec):
    """Observations of taxa by name (`queries`), by number (`taxon_ids`), or of both.

    `licences` is a gate for each photograph as in scrape.licences.is_accepted; `label_from` says
    what the label is where `label` is empty: the query, the name of the taxon, or its large group
    such as Mammalia. `locale` is the language of common names. `max_pages` counts pages of 200
    observations per taxon.
    """

    api: str = "https://api.inaturalist.org/v1/observations"
    taxon_ids: tuple[int, ...] = ()
    quality_grade: Literal["research", "needs_id", "casual", "any"] = "research"
    licences: tuple[str, ...] = ("shareable",)
    size: Literal["original", "large", "medium"] = "large"
    label_from: Literal["query", "taxon", "iconic"] = "query"
    locale: str = "en"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            canonical_address(self.api)
        except DisallowedError as error:
            raise ConfigError(f"source {self.name}: api {error}") from None
        require_accepted(self.licences, f"source {self.name}: licences")
        if "any" not in self.licences and not codes_of(self.licences):
            raise ConfigError(
                f"source {self.name}: iNaturalist has none of the licences "
                f"{', '.join(self.licences) or '(none given)'}; it has {', '.join(_CODES.values())}"
            )
        if any(id < 1 for id in self.taxon_ids):
            raise ConfigError(f"source {self.name}: taxon_ids {list(self.taxon_ids)}: under 1")
        if not self.taxon_ids:
            self.require_queries()

    def hosts(self) -> tuple[str, ...]:
        return (host_of(canonical_address(self.api)),)


class INaturalist(Source[INaturalistSpec]):
    """Reads all observations of each taxon, oldest number first, and yields every photograph."""

    def __init__(self, spec: INaturalistSpec) -> None:
        super().__init__(spec)
        self._api = canonical_address(spec.api)

    def apis(self) -> tuple[str, ...]:
        return (self._api,)

    def limits(self) -> Mapping[str, HostLimit]:
        """60 requests a minute to the API; 24 GB of pictures a day."""
        media = HostLimit(gap_s=_MEDIA_GAP_S[self.spec.size])
        api = HostLimit(gap_s=1.0, connections=1, read_wait=_rest_s)
        return {**dict.fromkeys(_MEDIA_HOSTS, media), host_of(self._api): api}

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        for query in self.spec.queries:
            yield from self._found(client, {"taxon_name": query}, query)
        for id in self.spec.taxon_ids:
            yield from self._found(client, {"taxon_id": str(id)}, "")

    def _found(
        self, client: PoliteClient, taxon: Mapping[str, str], query: str
    ) -> Iterator[ScrapedItem]:
        """The photographs of one taxon; every page begins after the last number of the one
        before, as pages by number end at 10,000 observations."""
        seen = {""}
        last = 0
        for _ in range(self.spec.max_pages):
            answer, address = self._page(client, taxon, last)
            found = self._items(answer["results"], address, query)
            for item in found:
                if item.picture_url not in seen:
                    seen.add(item.picture_url)
                    yield item
            ids = [_whole(look_up(entry, "id")) for entry in answer["results"]]
            left = answer.get("total_results")
            is_end = isinstance(left, int) and left <= len(ids)
            if not ids and not last:
                self.warn(f"iNaturalist has no observations of {' '.join(taxon.values())!r}")
            if is_end or max(ids, default=0) <= last:
                return
            last = max(ids)

    def _page(
        self, client: PoliteClient, taxon: Mapping[str, str], after: int
    ) -> tuple[dict[str, Any], str]:
        """(the observations with a number over `after`, the address that gave them)."""
        asked = urlencode(self._asked(taxon, after), errors="replace")
        address = canonical_address(f"{self._api}?{asked}")
        try:
            response = client.get(address, "json")
        except FetchError as error:
            if error.status in (400, 401, 403, 422):
                told = clean_text(error.body[:2000].decode("utf-8", "replace"), 300)
                raise SourceError(
                    "bad-question", f"iNaturalist refuses {address}: {told}"
                ) from error
            raise
        answer = parse_json(response)
        if not isinstance(look_up(answer, "results"), list):
            saved = self.save_page("answer.json", response.body)
            kept = f"; kept in {saved}" if saved else ""
            raise SourceError("no-items", f"{address} has no list of results{kept}")
        return answer, address

    def _asked(self, taxon: Mapping[str, str], after: int) -> dict[str, str]:
        spec = self.spec
        asked = {
            **taxon,
            "photos": "true",
            "quality_grade": "" if spec.quality_grade == "any" else spec.quality_grade,
            "photo_license": "" if "any" in spec.licences else ",".join(codes_of(spec.licences)),
            "locale": spec.locale,
            "per_page": str(_PER_PAGE),
            "order_by": "id",
            "order": "asc",
            "id_above": str(after) if after else "",
        }
        return {name: value for name, value in asked.items() if value}

    def _items(self, entries: list[Any], address: str, query: str) -> list[ScrapedItem]:
        """The photographs of a page's observations that pass the gate; the others are counted
        where they should have been usable."""
        found: list[ScrapedItem] = []
        faults: dict[str, int] = {}
        for entry in entries:
            photos = look_up(entry, "photos")
            if not isinstance(photos, list) or not _whole(look_up(entry, "id")):
                fault = "photos" if not isinstance(photos, list) else "id"
                faults[fault] = faults.get(fault, 0) + 1
                continue
            for photo in photos:
                item = self._item(entry, photo, query)
                if not item.picture_url:
                    faults["photos.url"] = faults.get("photos.url", 0) + 1
                elif not _is_hidden(photo) and is_accepted(item.licence, self.spec.licences):
                    found.append(item)
        for fault, count in faults.items():
            self.warn(f"{address} has {len(entries)} observations, {count} times no {fault}")
        return found

    def _item(self, entry: Any, photo: Any, query: str) -> ScrapedItem:
        spec = self.spec
        picture, *others = addresses_of(text_at(photo, "url"), spec.size) or ("",)
        licence = self._licence(photo)
        line = clean_text(text_at(photo, "attribution"), _LONGEST_LINE)
        login, user = text_at(entry, "user.login"), text_at(entry, "user.name")
        observer = clean_text(user, LONGEST_NAME) or clean_text(login, LONGEST_NAME)
        author = author_of(line) or observer
        is_observer = login and author in (observer, clean_text(login, LONGEST_NAME))
        taxon = clean_text(text_at(entry, "taxon.name"), LONGEST_NAME)
        return ScrapedItem(
            picture_url=picture,
            page_url=f"{_SITE}/observations/{_whole(look_up(entry, 'id'))}",
            source=spec.name,
            captions=captions_of(
                (
                    (_title(entry), "inaturalist taxon"),
                    (text_at(entry, "description"), "inaturalist description"),
                )
            ),
            label=spec.label or self._label(entry, query) or taxon,
            query=query,
            author=author or spec.author,
            author_url=link_of(f"{_SITE}/people/{quote(login, safe='')}") if is_observer else "",
            licence=licence.id,
            licence_url=licence.url,
            attribution=line,
            fallback_urls=tuple(others),
        )

    def _label(self, entry: Any, query: str) -> str:
        paths = {"taxon": "taxon.name", "iconic": "taxon.iconic_taxon_name"}
        path = paths.get(self.spec.label_from)
        return clean_text(text_at(entry, path), LONGEST_NAME) if path else query

    def _licence(self, photo: Any) -> Licence:
        """No code means that the photographer keeps all rights; an unknown one is just unknown."""
        if isinstance(photo, dict) and photo.get("license_code", UNKNOWN) is None:
            return Licence(ALL_RIGHTS_RESERVED)
        code = text_at(photo, "license_code").strip().lower()
        stated = licence_of(_CODES.get(code, code))
        if stated.id != UNKNOWN:
            return stated
        return licence_of(self.spec.licence, self.spec.licence_url)


def codes_of(accepted: tuple[str, ...]) -> tuple[str, ...]:
    """iNaturalist's codes of the licences that a gate lets pass."""
    return tuple(code for code, id in _CODES.items() if is_accepted(id, accepted))


def addresses_of(written: str, size: str) -> tuple[str, ...]:
    """A photograph's address in `size` and then in the sizes to try instead.

    iNaturalist tells that of a 75 px square, whose file name is its size. An address of another
    form stays the only one; that of a stand-in, or of nothing usable, is none.
    """
    address = link_of(written)
    if not address or _STAND_IN.search(address):
        return ()
    parts = urlsplit(address)
    folder, _, file = parts.path.rpartition("/")
    found = _FILE.fullmatch(file)
    if found is None:
        return (address,)
    names = (size, *_INSTEAD[size])
    return tuple(
        urlunsplit((parts.scheme, parts.netloc, f"{folder}/{name}{found[1]}", "", ""))
        for name in names
    )


def author_of(line: str) -> str:
    """The name in a line such as "(c) Anna Berg, some rights reserved (CC BY)", in any language
    of the site; "" when there is none."""
    found = _CREDIT.fullmatch(_UPLOADER.sub("", line))
    return clean_text(found[1], LONGEST_NAME) if found else ""


def _title(entry: Any) -> str:
    common = text_at(entry, "taxon.preferred_common_name").strip()
    name = text_at(entry, "taxon.name").strip()
    both = f"{common} ({name})" if common and name and common != name else common or name
    return both or text_at(entry, "species_guess")


def _is_hidden(photo: Any) -> bool:
    return look_up(photo, "hidden") is True


def _whole(value: Any) -> int:
    """A positive whole number, else 0."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63
    return int(value) if is_whole else 0


def _rest_s(headers: Mapping[str, str], body: bytes) -> float:
    return _REST_S if _BUSY.search(body[:10_000]) else 0.0


KIND = Kind(
    "inaturalist",
    INaturalistSpec,
    INaturalist,
    "iNaturalist: photographs of observed plants and animals",
    EXAMPLE,
    needs="nothing; for a million pictures take its monthly open data instead",
    ask='python -m scrape run inaturalist --query "Ailurus fulgens" --limit 200',
)
