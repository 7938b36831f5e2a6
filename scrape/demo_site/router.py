"""Which answer stands at which path of the demo site; no network here."""

import threading
from importlib import resources
from urllib.parse import parse_qs, unquote, urlsplit

from scrape.demo_site import api, pages
from scrape.demo_site.byte_cache import ByteCache
from scrape.demo_site.collection import Answer, Collection

_CACHE_BYTES = 64_000_000
_STATIC_TYPES = {
    "cards.js": "text/javascript; charset=utf-8",
    "placeholder.svg": "image/svg+xml",
    "robots.txt": "text/plain; charset=utf-8",
    "search.js": "text/javascript; charset=utf-8",
    "site.css": "text/css; charset=utf-8",
}


class Router:
    """Answers for the paths of a site that shows `collection`; thread-safe."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._cache = ByteCache(_CACHE_BYTES)
        everything = [*collection.cards, *collection.labelled]
        self._details = {picture.page: picture for picture in everything}
        self._throttled = set(collection.planted.get("too-many-requests", ()))
        self._lock = threading.Lock()
        folder = resources.files("scrape.demo_site") / "static"
        self._static = {name: (folder / name).read_bytes() for name in _STATIC_TYPES}

    def answer(self, target: str) -> Answer:
        """What a GET of `target`, the path and query of a request, gives."""
        try:
            parts = urlsplit(target)
            path = unquote(parts.path, errors="strict")
            query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=20)
        except ValueError:  # also UnicodeDecodeError
            return pages.error_page(self.collection, 400, "The address cannot be read.")
        page = self._page(path, query)
        if page is not None:
            return page
        if path in self._details:
            return pages.detail_page(self.collection, self._details[path])
        if path.startswith("/static/") or path == "/robots.txt":
            return self._static_file(path.rsplit("/", 1)[1])
        return self._picture(path)

    def _page(self, path: str, query: dict[str, list[str]]) -> Answer | None:
        """The answer of one of the site's few fixed pages, or None."""
        if path == "/":
            return pages.index_page(self.collection)
        if path == "/logos":
            return Answer(b"", "text/plain", 301, {"Location": "/logos/"})
        if path == "/logos/":
            return self._grid(query)
        if path == "/search":
            return self._search(query)
        if path == api.PATH:
            return api.pictures_answer(self.collection, query)
        return None

    def _grid(self, query: dict[str, list[str]]) -> Answer:
        try:
            number = api.whole_number(api.single_values(query, ("page",)), "page", 1)
        except api.BadRequestError as error:
            return pages.error_page(self.collection, 400, str(error))
        if number > pages.card_pages(self.collection):
            return pages.error_page(self.collection, 404, f"There is no page {number}.")
        return pages.grid_page(self.collection, number)

    def _search(self, query: dict[str, list[str]]) -> Answer:
        try:
            words = api.single_values(query, ("q",)).get("q", "")
        except api.BadRequestError as error:
            return pages.error_page(self.collection, 400, str(error))
        return pages.search_page(self.collection, words)

    def _static_file(self, name: str) -> Answer:
        if name not in self._static:
            return self._nothing()
        return Answer(self._static[name], _STATIC_TYPES[name])

    def _picture(self, path: str) -> Answer:
        with self._lock:
            first_time = path in self._throttled
            self._throttled.discard(path)
        if first_time:
            return Answer(b"Too many requests.\n", "text/plain", 429, {"Retry-After": "1"})
        return self._cache.get(path, self.collection.answer) or self._nothing()

    def _nothing(self) -> Answer:
        return pages.error_page(self.collection, 404, "There is nothing at this address.")
