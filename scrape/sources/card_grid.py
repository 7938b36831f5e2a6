"""Kind card-grid: pages of cards, each with a picture, its text and perhaps a detail page."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from bs4 import Tag

from dataset.errors import ConfigError, DisallowedError
from dataset.imports.folder import is_picture
from dataset.records import Caption
from scrape.captions import (
    LONGEST_NAME,
    captions_of,
    clean_text,
    completed,
    continues,
    is_cut,
)
from scrape.client import PoliteClient
from scrape.lazy_images import PICTURE_ATTRIBUTES, original_address, picture_of_card
from scrape.licences import UNKNOWN, licence_of
from scrape.page import Page, pick, require_rule, split_rule
from scrape.response import FetchError, Response
from scrape.sources.source import Kind, ScrapedItem, Source, SourceError, StartSpec

log = logging.getLogger(__name__)

CAPTION_RULES = ("figcaption", "p", "h1, h2, h3, h4, h5, h6", "img@alt", "img@title", "a@title")

EXAMPLE = """
[[source]]
kind = "card-grid"
name = "logos"
label = "logo"
start = ["https://example.org/logos/"]
card = "div.card"                          # one per picture
captions = ["p.caption", "h3", "img@alt"]  # best first; "selector@attribute" or a selector
detail = "a@href"                          # the card's own page: whole text, licence
detail_captions = ["p.description"]
detail_licence = "dd.licence"
next = "a[rel=next]@href"
"""


@dataclass(frozen=True, kw_only=True)
class CardGridSpec(StartSpec):
    """Where things stand on a page of cards; rules are `selector` or `selector@attribute`.

    `image` finds the <img> in a card, `picture` names its attributes in order of preference;
    `noscript` and `style` (a background picture) are found beside it, too. With `originals` the
    original of a thumbnail is asked for first, where its address tells how it was made.
    A detail page is asked for when a caption is cut or a `detail_` rule can tell what the card
    does not. A first page without cards is a fault of the source unless `may_be_empty`.
    """

    card: str
    image: str = "img"
    picture: tuple[str, ...] = PICTURE_ATTRIBUTES
    originals: bool = True
    captions: tuple[str, ...] = CAPTION_RULES
    author_rule: str = ""
    licence_rule: str = ""
    detail: str = ""
    detail_captions: tuple[str, ...] = ()
    detail_author: str = ""
    detail_licence: str = ""
    next: str = ""
    may_be_empty: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("captions", "detail_captions"):
            for rule in getattr(self, key):
                require_rule(rule, f"source {self.name}: {key}")
        require_rule(self.card, f"source {self.name}: card")
        require_rule(self.image, f"source {self.name}: image")
        for key in _SINGLE_RULES:
            if getattr(self, key):
                require_rule(getattr(self, key), f"source {self.name}: {key}")
        if self._wants_detail() and not self.detail:
            raise ConfigError(
                f'source {self.name}: detail_ rules need detail, such as detail = "a@href"'
            )

    def _wants_detail(self) -> bool:
        return bool(self.detail_captions or self.detail_author or self.detail_licence)


_SINGLE_RULES = (
    "author_rule",
    "licence_rule",
    "detail",
    "detail_author",
    "detail_licence",
    "next",
)


_MOST_MATCHES = 50  # of one caption rule that are looked at
_TEMPLATE = "%7B"  # a size to be filled in by a script: no address yet


class CardGrid(Source[CardGridSpec]):
    """Walks the pages and yields one item per card that has a picture."""

    def __init__(self, spec: CardGridSpec) -> None:
        super().__init__(spec)
        self._has_saved = False
        self._cards = 0  # of the pages so far
        self._matches: Counter[str] = Counter()  # on how many of them a caption rule matched
        self._told_gone: set[str] = set()

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """A list that is gone or not understood does not keep the others from being read; it
        fails the source when they are done."""
        failure: FetchError | SourceError | None = None
        for first, query in self.spec.first_addresses():
            try:
                yield from self._list(client, first, query)
            except (FetchError, SourceError) as error:
                if isinstance(error, FetchError) and not (error.is_final and error.status):
                    raise
                if failure is not None:
                    self.warn(str(error))
                failure = failure or error
        if failure is not None:
            raise failure

    def _list(self, client: PoliteClient, first: str, query: str) -> Iterator[ScrapedItem]:
        """The items of one list, until a page has no successor or nothing new."""
        visited: set[str] = set()
        seen: set[str] = set()
        address = first
        while address and address not in visited and len(visited) < self.spec.max_pages:
            visited.add(address)
            response = client.get(address, "page")
            page = Page(response)
            cards = _innermost(page.soup.select(self.spec.card))
            if not cards and address == first and not self.spec.may_be_empty:
                raise SourceError(
                    "no-cards",
                    f"{address}: card {self.spec.card!r} finds nothing; has the page changed?"
                    f"{self._kept(response)}",
                )
            matches: Counter[str] = Counter()
            found = [self._item(page, card, query, matches) for card in cards]
            self._check_counts(response, address, found)
            self._check_rules(response, address, len(cards), matches)
            shown = {item.picture_url or str(item.captions) for item in found}
            yield from (item for item in found if item.picture_url)
            address = "" if shown <= seen else self._next(page)
            seen |= shown

    def complete(self, client: PoliteClient, item: ScrapedItem) -> ScrapedItem:
        if not item.detail_url:
            return item
        try:
            page = Page(client.get(item.detail_url, "page"))
        except (FetchError, DisallowedError) as error:
            may_pass = isinstance(error, FetchError) and not error.is_final
            # The picture's own page says no, or may tell more another time.
            if error.reason in ("opt-out", "robots-unreachable") or may_pass:
                raise
            log.info("%s: no detail page: %s", item.source, error)
            return item
        cut = [caption.text for caption in item.captions if is_cut(caption.text)]
        whole = _captions(page.soup, self.spec.detail_captions, "detail", cut)
        item = replace(item, captions=completed(item.captions, whole))
        if self.spec.detail_author:
            author = clean_text(pick(page.soup, self.spec.detail_author), LONGEST_NAME)
            item = replace(item, author=author or item.author)
        if self.spec.detail_licence:
            item = self._licensed(item, page, page.soup, self.spec.detail_licence)
        return item

    def fetch(
        self,
        client: PoliteClient,
        item: ScrapedItem,
        headers: Mapping[str, str],
        *,
        holds_turn: bool = False,
    ) -> Response:
        """A guessed original is as good as not there when the site answers anything but it."""
        is_guess = bool(item.fallback_urls) and item.picture_url not in item.fallback_urls
        try:
            answer = super().fetch(client, item, headers, holds_turn=holds_turn)
        except FetchError as error:
            if is_guess and error.is_final and error.reason.startswith("http-"):
                error.reason = "not-found"
            raise
        if is_guess and answer.headers.get("content-type", "").lower().startswith("text/html"):
            raise FetchError(
                "not-found",
                f"{item.picture_url} is a web page",
                is_final=True,
                status=answer.status,
            )
        return answer

    def _item(self, page: Page, card: Tag, query: str, matches: Counter[str]) -> ScrapedItem:
        spec = self.spec
        written = page.link(picture_of_card(card, spec.image, spec.picture))
        original = original_address(written) if spec.originals and written else written
        detail = page.link(pick(card, spec.detail)) if spec.detail else ""
        if _is_picture_file(detail):
            original, detail = detail if spec.originals else original, ""
        said = [(_said(card, rule, ()), rule) for rule in spec.captions]
        matches.update({rule for text, rule in said if text})
        has_fallback = written not in ("", original) and _TEMPLATE not in written
        item = ScrapedItem(
            picture_url=original,
            fallback_urls=(written,) if has_fallback else (),
            page_url=detail or page.address,
            source=spec.name,
            captions=captions_of((text, f"card {rule}") for text, rule in said),
            label=spec.label or query,
            query=query,
            author=self._author(card) or spec.author,
            licence=licence_of(spec.licence, spec.licence_url).id,
            licence_url=spec.licence_url,
        )
        if spec.licence_rule:
            item = self._licensed(item, page, card, spec.licence_rule)
        return replace(item, detail_url=detail if self._needs_detail(item) else "")

    def _author(self, card: Tag) -> str:
        rule = self.spec.author_rule
        return clean_text(pick(card, rule), LONGEST_NAME) if rule else ""

    def _needs_detail(self, item: ScrapedItem) -> bool:
        spec = self.spec
        is_short = not item.captions or any(is_cut(caption.text) for caption in item.captions)
        return bool(
            (spec.detail_captions and is_short)
            or (spec.detail_licence and item.licence == UNKNOWN)
            or (spec.detail_author and not item.author)
        )

    def _licensed(self, item: ScrapedItem, page: Page, element: Tag, rule: str) -> ScrapedItem:
        link = page.link(_link_near(element, rule))
        licence = licence_of(clean_text(pick(element, rule)), link)
        if licence.id == UNKNOWN:
            return item
        return replace(item, licence=licence.id, licence_url=licence.url)

    def _next(self, page: Page) -> str:
        if not self.spec.next:
            return ""
        rule = self.spec.next if "@" in self.spec.next else f"{self.spec.next}@href"
        return page.link(pick(page.soup, rule))

    def _check_counts(self, response: Response, address: str, found: Sequence[ScrapedItem]) -> None:
        """Cards = pictures = captions, or the site has changed: name the field that is gone."""
        pictures = sum(bool(item.picture_url) for item in found)
        captions = sum(bool(item.captions) for item in found)
        gone = []
        if pictures < len(found):
            gone.append(f"image {self.spec.image!r} with {', '.join(self.spec.picture)}")
        if captions < len(found) and self.spec.captions:
            gone.append(f"captions {', '.join(map(repr, self.spec.captions))}")
        if gone:
            self.warn(
                f"{address} has {len(found)} cards, {pictures} pictures, {captions} captions; "
                f"look at {' and '.join(gone)}{self._kept(response)}"
            )

    def _check_rules(
        self, response: Response, address: str, cards: int, matches: Counter[str]
    ) -> None:
        """Name a caption rule, once, that matched on most cards before and on none of these."""
        for rule in dict.fromkeys(self.spec.captions):
            was_usual = self._cards and 2 * self._matches[rule] >= self._cards
            if cards and was_usual and not matches[rule] and rule not in self._told_gone:
                self._told_gone.add(rule)
                self.warn(
                    f"{address}: captions {rule!r} matched before and finds nothing on {cards} "
                    f"cards; has the page changed?{self._kept(response)}"
                )
        self._cards += cards
        self._matches += matches

    def _kept(self, response: Response) -> str:
        """Save the page for a person to look at, the first time; where, for a message."""
        if self._has_saved:
            return ""
        self._has_saved = True
        saved = self.save_page("page.html", response.body)
        return f"; the page is kept in {saved}" if saved else ""


def _innermost(cards: Sequence[Tag]) -> list[Tag]:
    """The cards that contain no other card; the rest are the grid around them."""
    known = {id(card) for card in cards}
    outer = {id(above) for card in cards for above in card.parents if id(above) in known}
    return [card for card in cards if id(card) not in outer]


def _is_picture_file(address: str) -> bool:
    """Whether a link leads to a picture itself; a wiki's page File:Name.jpg is none."""
    name = unquote(urlsplit(address).path.rpartition("/")[2])
    return is_picture(PurePosixPath(name)) and ":" not in name


def _captions(
    element: Tag, rules: Sequence[str], where: str, cut: Sequence[str] = ()
) -> tuple[Caption, ...]:
    return captions_of((_said(element, rule, cut), f"{where} {rule}") for rule in rules)


def _said(element: Tag, rule: str, cut: Sequence[str]) -> str:
    """The first text at `rule`, or one further on that completes a text in `cut`."""
    selector, attribute = split_rule(rule)
    found = element.select(selector, limit=_MOST_MATCHES) if selector else [element]
    texts = (pick(each, f"@{attribute}") if attribute else clean_text(str(each)) for each in found)
    said = [text for text in texts if captions_of([(text, "")])]
    whole = (text for text in said if any(continues(text, start) for start in cut))
    return next(whole, said[0] if said else "")


def _link_near(element: Tag, rule: str) -> str:
    """The link of the element at `rule`, of one inside it, or none."""
    found = element.select_one(rule.partition("@")[0])
    if found is None:
        return ""
    link = found if found.name == "a" else found.select_one("a[href]")
    return str(link.get("href") or "") if link is not None else ""


KIND = Kind(
    "card-grid",
    CardGridSpec,
    CardGrid,
    "HTML pages of cards with pictures and captions, by CSS selectors",
    EXAMPLE,
    needs="a declaration in a crawl file",
)
