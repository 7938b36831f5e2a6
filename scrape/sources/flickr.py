"""Kind flickr: photographs by their words, tags or owner, through the API of Flickr.

https://www.flickr.com/services/api/flickr.photos.search.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.captions import LONGEST_NAME, clean_text
from scrape.client import PoliteClient
from scrape.json_answer import look_up, parse_json, text_at
from scrape.licences import UNKNOWN, Licence, is_accepted, licence_of, require_accepted
from scrape.pace import HostLimit
from scrape.response import FetchError, Response, hide
from scrape.sources.flickr_photo import LICENCES, SIZES, addresses_of, captions_of_photo
from scrape.sources.source import (
    Kind,
    ScrapedItem,
    Source,
    SourceError,
    SourceSpec,
    key_from_environment,
)

EXAMPLE = """
[[source]]
kind = "flickr"
name = "flickr"
queries = ["border collie"]
licences = ["free"]                     # or ids such as "CC-BY-4.0", "shareable", "any"
longest_side = 1024                     # pixels; 0 fetches the largest there is
"""

_SITE = "https://www.flickr.com"
_KEY = "FLICKR_API_KEY"
_EXTRAS = "license,owner_name,description,tags,o_dims,date_upload,date_taken,media," + ",".join(
    f"url_{size}" for size in SIZES
)
# A query lists its first 4,000 results; what follows are repetitions.
_MOST_RESULTS = 4000
_PER_PAGE = 500
_FIRST_UPLOAD = 1_072_915_200  # 2004-01-01, before the first photograph
_BUSY = frozenset({"10", "105", "106"})
_BUSY_S = 10.0
_MOST_WAITS = 4
# What is answered in place of a photograph that is gone.
_GONE = re.compile(r"/photo_(?:un|not_)available[^/]*$", re.IGNORECASE)

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class FlickrSpec(SourceSpec):
    """What to ask for: words in title, description and tags (`queries`), `tags` that must all be
    there, or everything of `user` (an NSID such as 12345678@N00).

    `licences` is a gate as in scrape.licences.is_accepted. `longest_side` picks the smallest size
    with at least that many pixels on its longer side, 0 the largest. `max_pages` counts pages of
    500 per query.
    """

    api: str = "https://api.flickr.com/services/rest/"
    licences: tuple[str, ...] = ("free",)
    tags: tuple[str, ...] = ()
    user: str = ""
    longest_side: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            canonical_address(self.api)
        except DisallowedError as error:
            raise ConfigError(f"source {self.name}: api {error}") from None
        require_accepted(self.licences, f"source {self.name}: licences")
        if not self.licences:
            raise ConfigError(f'source {self.name}: licences is empty; write ["any"] for all')
        if self.longest_side < 0:
            raise ConfigError(f"source {self.name}: longest_side is {self.longest_side}, under 0")
        if not self.tags and not self.user:
            self.require_queries()

    def hosts(self) -> tuple[str, ...]:
        return (host_of(canonical_address(self.api)),)


class Flickr(Source[FlickrSpec]):
    """Reads each query to its end, newest first, in spans of upload time that Flickr can list."""

    def __init__(self, spec: FlickrSpec) -> None:
        super().__init__(spec)
        self._api = canonical_address(spec.api)

    def apis(self) -> tuple[str, ...]:
        return (self._api,)

    def limits(self) -> Mapping[str, HostLimit]:
        """3,600 requests an hour for each key."""
        return {host_of(self._api): HostLimit(gap_s=1.0, connections=1)}

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        key = key_from_environment(_KEY, self.spec.name, f"{_SITE}/services/apps/create/")
        licences = self._licences(client, key)
        accepted = self.spec.licences
        numbers = [
            number for number, licence in licences.items() if is_accepted(licence.id, accepted)
        ]
        if not numbers:
            raise SourceError(
                "no-licence", f"Flickr has none of the licences {', '.join(accepted)}"
            )
        asked = {"tags": ",".join(self.spec.tags), "tag_mode": "all", "user_id": self.spec.user}
        if "any" not in accepted:
            asked["license"] = ",".join(sorted(numbers, key=lambda number: (len(number), number)))
        asked = {name: value for name, value in asked.items() if value}
        for query in self.spec.queries or ("",):
            words = {"text": query} if query else {}
            yield from self._found(client, key, {**words, **asked}, licences, query)

    def fetch(
        self,
        client: PoliteClient,
        item: ScrapedItem,
        headers: Mapping[str, str],
        *,
        holds_turn: bool = False,
    ) -> Response:
        answer = super().fetch(client, item, headers, holds_turn=holds_turn)
        if _GONE.search(urlsplit(answer.final_url).path):
            raise FetchError(
                "not-found", f"{item.picture_url} is gone: Flickr shows a stand-in", is_final=True
            )
        return answer

    def _licences(self, client: PoliteClient, key: str) -> dict[str, Licence]:
        """Flickr's licences by number, as it states them now, else as they were known."""
        try:
            answer = self._answer(client, key, {"method": "flickr.photos.licenses.getInfo"})
        except (FetchError, SourceError) as error:
            if isinstance(error, SourceError) and error.reason == "bad-key":
                raise
            self.warn(f"the list of licences cannot be read ({error}); the built-in one is used")
            return LICENCES
        stated = look_up(answer, "licenses.license")
        found = dict(LICENCES)
        for entry in stated if isinstance(stated, list) else ():
            number = text_at(entry, "id")
            if re.fullmatch(r"\d{1,4}", number):
                licence = licence_of(text_at(entry, "name"), text_at(entry, "url"))
                found[number] = licence if licence.id != UNKNOWN else Licence(UNKNOWN)
        if not isinstance(stated, list):
            self.warn("the list of licences has no licenses.license; the built-in one is used")
        return found

    def _found(
        self,
        client: PoliteClient,
        key: str,
        asked: Mapping[str, str],
        licences: Mapping[str, Licence],
        query: str,
    ) -> Iterator[ScrapedItem]:
        """The photographs of one query, each once."""
        seen: set[str] = set()
        for photos in self._pages(client, key, asked):
            ids = [text_at(photo, "id") or text_at(photo, "url_m") for photo in photos]
            new = [p for p, id in zip(photos, ids, strict=True) if id not in seen]
            seen.update(ids)
            found = [self._item(p, licences, query) for p in new if text_at(p, "media") != "video"]
            without = sum(not item.picture_url for item in found)
            if without:
                self.warn(
                    f"{query!r}: {without} of {len(found)} photographs without a picture; "
                    f"look at url_{', url_'.join(SIZES)}"
                )
            for item in found:
                allowed = is_accepted(item.licence, self.spec.licences)
                if item.picture_url and allowed and item.picture_url not in seen:
                    seen.add(item.picture_url)
                    yield item

    def _pages(
        self, client: PoliteClient, key: str, asked: Mapping[str, str]
    ) -> Iterator[list[dict[str, Any]]]:
        """Every page of a query. What Flickr cannot list to its end is halved by upload time."""
        spans: list[Span | None] = [None]
        pages_left = self.spec.max_pages
        while spans and pages_left > 0:
            span = spans.pop()
            number, last = 1, 1
            given: set[str] = set()
            while number <= last and pages_left > 0:
                pages_left -= 1
                answer = self._search(client, key, asked, span, number)
                photos = _photos(answer)
                ids = {text_at(photo, "id") for photo in photos}
                if not ids - given:
                    break
                given |= ids
                yield photos
                halves = self._halves(answer, span, client.wall()) if number == 1 else []
                if halves:
                    spans += halves
                    break
                pages = _count(answer, "pages") or -(-_count(answer, "total") // _PER_PAGE)
                last = min(pages, _MOST_RESULTS // _PER_PAGE)
                number += 1

    def _halves(self, answer: Any, span: Span | None, wall: float) -> list[Span]:
        """The older and the newer half of a span with too many results; nothing to divide: none."""
        if _count(answer, "total") <= _MOST_RESULTS:
            return []
        if span is None:
            # The newest result bounds the span, so that a recording is asked the same again.
            uploads = (text_at(photo, "dateupload") for photo in _photos(answer))
            times = [int(at) for at in uploads if re.fullmatch(r"\d{1,11}", at)]
            span = (_FIRST_UPLOAD, max(times, default=int(wall)))
        low, high = span
        if low >= high:
            self.warn(
                f"{_count(answer, 'total')} photographs of one second; "
                f"Flickr lists {_MOST_RESULTS} of them"
            )
            return []
        middle = (low + high) // 2
        return [(low, middle), (middle + 1, high)]

    def _search(
        self,
        client: PoliteClient,
        key: str,
        asked: Mapping[str, str],
        span: Span | None,
        number: int,
    ) -> dict[str, Any]:
        within = {"min_upload_date": str(span[0]), "max_upload_date": str(span[1])} if span else {}
        return self._answer(
            client,
            key,
            {
                "method": "flickr.photos.search",
                **asked,
                **within,
                "media": "photos",
                "safe_search": "1",
                "sort": "date-posted-desc",
                "extras": _EXTRAS,
                "per_page": str(_PER_PAGE),
                "page": str(number),
            },
        )

    def _answer(self, client: PoliteClient, key: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """One answer with stat ok; waits while Flickr says that it is busy."""
        secrets = (key, quote_plus(key), quote(key))
        fixed = {"api_key": key, "format": "json", "nojsoncallback": "1"}
        address = canonical_address(f"{self._api}?{urlencode({**asked, **fixed})}")
        code = ""
        for _ in range(_MOST_WAITS):
            response = client.get(address, "json", secrets=secrets)
            answer = parse_json(response)
            if text_at(answer, "stat") == "ok" and isinstance(answer, dict):
                return self._checked(answer, asked["method"], response, secrets)
            code = text_at(answer, "code")
            if code not in _BUSY:
                break
            client.pace.rest(host_of(self._api), _BUSY_S)
        told = hide(clean_text(text_at(answer, "message"), 200), secrets) or "no stat"
        if code == "100":
            raise SourceError("bad-key", f"Flickr refuses the key in {_KEY}: {told}")
        self._keep(response, secrets)
        raise SourceError("api-error", f"{asked['method']} failed with code {code[:20]!r}: {told}")

    def _checked(
        self, answer: dict[str, Any], method: str, response: Response, secrets: tuple[str, ...]
    ) -> dict[str, Any]:
        photos = look_up(answer, "photos.photo")
        if method == "flickr.photos.search" and not isinstance(photos, list):
            kept = self._keep(response, secrets)
            raise SourceError("no-items", f"Flickr's answer has no list at photos.photo{kept}")
        return answer

    def _keep(self, response: Response, secrets: tuple[str, ...]) -> str:
        text = hide(response.body.decode(errors="replace"), secrets)
        saved = self.save_page("answer.json", text.encode())
        return f"; kept in {saved}" if saved else ""

    def _item(
        self, photo: Mapping[str, Any], licences: Mapping[str, Licence], query: str
    ) -> ScrapedItem:
        spec = self.spec
        owner, id = text_at(photo, "owner"), text_at(photo, "id")
        is_known = re.fullmatch(r"[\w@.-]{1,64}", owner) and re.fullmatch(r"\d{1,20}", id)
        addresses = addresses_of(photo, spec.longest_side)
        licence = licences.get(text_at(photo, "license"), Licence(UNKNOWN))
        return ScrapedItem(
            picture_url=addresses[0] if addresses else "",
            page_url=f"{_SITE}/photos/{owner}/{id}" if is_known else _SITE,
            source=spec.name,
            captions=captions_of_photo(photo),
            label=spec.label or query,
            query=query,
            author=clean_text(text_at(photo, "ownername"), LONGEST_NAME) or spec.author,
            author_url=f"{_SITE}/people/{owner}/" if is_known else "",
            licence=licence.id,
            licence_url=licence.url,
            fallback_urls=addresses[1:4],
        )


def _photos(answer: Any) -> list[dict[str, Any]]:
    found = look_up(answer, "photos.photo")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _count(answer: Any, name: str) -> int:
    written = text_at(answer, f"photos.{name}")
    return int(written) if re.fullmatch(r"[0-9]{1,12}", written) else 0


KIND = Kind(
    "flickr",
    FlickrSpec,
    Flickr,
    "Flickr: photographs by words, tags or owner, by licence",
    EXAMPLE,
    needs=f"a key in {_KEY} ({_SITE}/services/apps/create/)",
    ask='python -m scrape run flickr --query "border collie" --set source.flickr.longest_side=1024',
)
