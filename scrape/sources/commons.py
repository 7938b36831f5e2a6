"""Kind commons: Wikimedia Commons through the API of MediaWiki.

https://www.mediawiki.org/wiki/API:Etiquette, https://wikitech.wikimedia.org/wiki/Robot_policy
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.captions import LONGEST_NAME, captions_of
from scrape.client import PoliteClient
from scrape.json_answer import link_of, look_up, text_at
from scrape.licences import UNKNOWN, Licence, attribution_line, licence_of
from scrape.pace import HostLimit
from scrape.sources.commons_text import credit_of, texts_of
from scrape.sources.mediawiki import MediaWiki, Page, entries, key_of
from scrape.sources.source import Kind, ScrapedItem, Source, SourceSpec

EXAMPLE = """
[[source]]
kind = "commons"
name = "commons"
queries = ["red panda"]                 # search words
categories = ["Ailurus fulgens"]        # and whole categories,
depth = 1                               # with their sub-categories
width = 1280                            # pixels; 0 fetches the originals
"""

# The widths that Commons keeps ready (https://www.mediawiki.org/wiki/Common_thumbnail_sizes).
WIDTHS = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
_DRAWN_WIDTH = 960
_MEDIA_HOST = "upload.wikimedia.org"
_FIELDS = (
    "Artist|Attribution|AttributionRequired|Credit|ImageDescription|License|LicenseShortName|"
    "LicenseUrl|ObjectName|UsageTerms"
)
# Pictures that few programs can decode; Commons draws them as PNG or JPEG.
_DRAWN = frozenset({"image/svg+xml", "image/vnd.djvu", "image/x-xcf", "image/tiff"})
_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg", ".tif", ".tiff", ".xcf", ".bmp")


@dataclass(frozen=True, kw_only=True)
class CommonsSpec(SourceSpec):
    """What to ask for: searches, categories, or all uploads between `since` and `until`.

    `since` and `until` (ISO 8601, in UTC) also narrow searches and categories. `depth` is how far
    sub-categories are followed. `width` in pixels is raised to the next width that Commons keeps;
    0 fetches originals. `batch` files are asked for at a time; `max_lag` is the database lag in
    seconds above which we wait. `max_pages` counts batches per search or category.
    """

    api: str = "https://commons.wikimedia.org/w/api.php"
    categories: tuple[str, ...] = ()
    depth: int = 0
    since: str = ""
    until: str = ""
    width: int = 0
    language: str = "en"
    file_types: tuple[str, ...] = ("bitmap", "drawing")
    batch: int = 50
    max_lag: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            canonical_address(self.api)
        except DisallowedError as error:
            raise ConfigError(f"source {self.name}: api {error}") from None
        for key, least, most in (("depth", 0, 20), ("width", 0, 3840), ("batch", 1, 500)):
            if not least <= getattr(self, key) <= most:
                raise ConfigError(
                    f"source {self.name}: {key} is {getattr(self, key)}, not {least} to {most}"
                )
        for key in ("since", "until"):
            object.__setattr__(self, key, _stamp(getattr(self, key), f"source {self.name}: {key}"))
        if not (self.categories or self.since or self.until):
            self.require_queries()

    def hosts(self) -> tuple[str, ...]:
        return (host_of(canonical_address(self.api)),)


class Commons(Source[CommonsSpec]):
    """Reads searches, categories and spans of time to their ends."""

    def __init__(self, spec: CommonsSpec) -> None:
        super().__init__(spec)
        self._api = canonical_address(spec.api)
        self._wiki = MediaWiki(self, self._api, spec.max_lag)
        wanted = next((width for width in WIDTHS if width >= spec.width), WIDTHS[-1])
        self._width = wanted if spec.width else 0
        self._properties = {
            "prop": "imageinfo",
            "iiprop": "url|size|mime|mediatype|sha1|user|timestamp|extmetadata",
            "iiextmetadatafilter": _FIELDS,
            "iiextmetadatalanguage": spec.language,
            "iiurlwidth": str(self._width or _DRAWN_WIDTH),
        }

    def apis(self) -> tuple[str, ...]:
        return (self._api,)

    def limits(self) -> Mapping[str, HostLimit]:
        """One request at a time to the API, under five a second; two to the media host."""
        return {
            host_of(self._api): HostLimit(gap_s=0.25, connections=1),
            _MEDIA_HOST: HostLimit(connections=2),
        }

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        spec = self.spec
        for query in spec.queries:
            words = f"filetype:{'|'.join(spec.file_types)} {query}".strip()
            search = {"generator": "search", "gsrnamespace": "6", "gsrsearch": words}
            yield from self._found(client, [{**search, "gsrlimit": str(spec.batch)}], query)
        for category in spec.categories:
            lists = self._categories(client, category)
            yield from self._found(client, lists, _category(category).partition(":")[2])
        if not spec.queries and not spec.categories:
            span = {"generator": "allimages", "gaisort": "timestamp", "gailimit": str(spec.batch)}
            span |= {"gaistart": spec.since} if spec.since else {}
            span |= {"gaiend": spec.until} if spec.until else {}
            yield from self._found(client, [span], "")

    def _categories(self, client: PoliteClient, root: str) -> Iterator[dict[str, str]]:
        """The lists of files of a category and of those below it, each asked for once."""
        ahead = deque([(_category(root), 0)])
        visited = {_category(root)}
        while ahead:
            title, depth = ahead.popleft()
            files = {"generator": "categorymembers", "gcmtitle": title, "gcmtype": "file"}
            yield {**files, "gcmlimit": str(self.spec.batch)}
            if depth >= self.spec.depth:
                continue
            below = {"list": "categorymembers", "cmtitle": title, "cmtype": "subcat"}
            for answer in self._wiki.answers(client, {**below, "cmlimit": "500"}):
                for member in entries(look_up(answer, "query.categorymembers")):
                    name = _category(text_at(member, "title"))
                    if name not in visited and len(visited) < self.spec.max_pages:
                        visited.add(name)
                        ahead.append((name, depth + 1))

    def _found(
        self,
        client: PoliteClient,
        lists: Iterable[dict[str, str]],
        of: str,
    ) -> Iterator[ScrapedItem]:
        """The pictures of `lists`, which together answer one question; each picture once."""
        pages_left = iter(range(self.spec.max_pages))
        seen: set[str] = set()
        for generator in lists:
            asked = {**generator, **self._properties}
            for batch in self._wiki.batches(client, asked, pages_left):
                new = [page for page in batch if key_of(page) not in seen]
                if batch and not new:
                    break
                seen.update(key_of(page) for page in new)
                for item in self._items(new, of):
                    if item.picture_url not in seen:
                        seen.add(item.picture_url)
                        yield item

    def _items(self, pages: list[Page], query: str) -> Iterator[ScrapedItem]:
        """The pictures among the files; files that are gone and other media are left out."""
        faults: dict[str, int] = {}
        for page in pages:
            info = look_up(page, "imageinfo.0")
            is_file = isinstance(info, dict)
            if {"missing", "invalid"} & page.keys() or (is_file and "filemissing" in info):
                continue
            if not is_file:
                faults["imageinfo"] = faults.get("imageinfo", 0) + 1
            elif is_picture(info) and self._is_in_span(text_at(info, "timestamp")):
                item = self._item(page, info, query)
                if item.picture_url:
                    yield item
                else:
                    faults["imageinfo.0.url"] = faults.get("imageinfo.0.url", 0) + 1
        for field, count in faults.items():
            self.warn(f"{query or 'the list'}: {count} of {len(pages)} files without {field}")

    def _is_in_span(self, uploaded: str) -> bool:
        """Times of one form (2024-01-31T00:00:00Z) sort as text."""
        since, until = self.spec.since, self.spec.until
        return not uploaded or (uploaded >= since and (not until or uploaded <= until))

    def _item(self, page: Page, info: Mapping[str, Any], query: str) -> ScrapedItem:
        spec = self.spec
        title = re.sub(r"^[^:]*:|\.\w{2,5}$", "", text_at(page, "title")[:500]).replace("_", " ")
        original = link_of(text_at(info, "url"), self._api)
        drawn = link_of(text_at(info, "thumburl"), self._api)
        is_small = not self._width or _number(info.get("width")) <= self._width
        wants_drawn = drawn and (not is_small or text_at(info, "mime") in _DRAWN)
        place = f"/wiki/{text_at(page, 'title').replace(' ', '_')}"
        page_url = link_of(text_at(info, "descriptionurl") or place, self._api)
        credit = credit_of(info, self._api)
        licence = self._licence(info)
        captions = [
            *((text, "commons ImageDescription") for text in self._texts(info, "ImageDescription")),
            *((text, "commons ObjectName") for text in self._texts(info, "ObjectName")),
            (title, "commons title"),
        ]
        line = credit.line
        if not line and credit.is_required:
            line = attribution_line(
                title, credit.author or credit.source, *_both(licence), page_url, credit.author_url
            )
        return ScrapedItem(
            picture_url=drawn if wants_drawn else original,
            page_url=page_url or self._api,
            source=spec.name,
            captions=captions_of(captions),
            label=spec.label or query,
            query=query,
            author=credit.author[:LONGEST_NAME] or spec.author,
            author_url=credit.author_url,
            licence=licence.id,
            licence_url=licence.url,
            attribution=line,
            fallback_urls=(original,) if wants_drawn and original else (),
        )

    def _texts(self, info: Mapping[str, Any], field: str) -> list[str]:
        return texts_of(look_up(info, f"extmetadata.{field}.value"), self.spec.language)

    def _licence(self, info: Mapping[str, Any]) -> Licence:
        """By the short name and the address, else by the other fields that name a licence."""
        url = text_at(info, "extmetadata.LicenseUrl.value")
        url = f"https:{url}" if url.startswith("//") else url
        names = ("LicenseShortName", "License", "UsageTerms")
        stated = [licence_of(text_at(info, f"extmetadata.{name}.value"), url) for name in names]
        fallback = Licence(UNKNOWN, stated[0].url)
        known = (licence for licence in stated if licence.id != UNKNOWN)
        default = licence_of(self.spec.licence, self.spec.licence_url)
        return next(known, fallback if default.id == UNKNOWN else default)


def is_picture(info: Mapping[str, Any]) -> bool:
    """Whether a file is a picture, by what the API says of it: sounds, films and texts are not."""
    kind, mime = text_at(info, "mediatype"), text_at(info, "mime")
    if kind or mime:
        return kind in ("", "BITMAP", "DRAWING") and (not mime or mime.startswith("image/"))
    has_size = "width" not in info or _number(info.get("width")) > 0
    return has_size and text_at(info, "url").lower().endswith(_SUFFIXES)


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e12 else 0.0


def _both(licence: Licence) -> tuple[str, str]:
    return licence.id, licence.url


def _category(title: str) -> str:
    """A category's full title, in the one form in which the API writes it."""
    name = " ".join(title.replace("_", " ").split())
    name = name[9:].strip() if name.lower().startswith("category:") else name
    return f"Category:{name[:1].upper()}{name[1:]}"


def _stamp(written: str, where: str) -> str:
    if not written:
        return ""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise ConfigError(f"{where} is {written!r}; write it like 2024-01-31") from None
    at = at.astimezone(UTC) if at.tzinfo else at
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


KIND = Kind(
    "commons",
    CommonsSpec,
    Commons,
    "Wikimedia Commons: searches, categories, spans of time",
    EXAMPLE,
    needs="nothing; please keep originals for small sets and give a width for large ones",
    ask='python -m scrape run commons --query "red panda" --set source.commons.width=1280',
)
