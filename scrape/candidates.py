"""A picture that a source named, on its way into the ledger and out of it again."""

import dataclasses
import hashlib
import json
from typing import Any

from dataset.errors import DisallowedError
from dataset.records import Candidate, Caption, Origin
from scrape.addresses import canonical_address, host_of
from scrape.data_address import LONGEST
from scrape.sources import ScrapedItem

# The host of what lies on this machine: a page's inline picture, a file of a folder.
HERE = "-"

_PLACE = ("source", "page_url", "query", "picture_url")
_FACTS = [field.name for field in dataclasses.fields(ScrapedItem) if field.name not in _PLACE]


def address_of(item: ScrapedItem, *, is_local: bool = False) -> tuple[str, str]:
    """(the address under which the ledger knows the item, its host or "-" for this machine).

    Raises DisallowedError for what is no web address.
    """
    if item.inline:
        if len(item.inline) > LONGEST:
            raise DisallowedError("bad-address", "a picture inside a page is too large")
        digest = hashlib.sha256(item.inline.encode("utf-8", "replace")).hexdigest()
        return f"data:sha256,{digest}", HERE
    if is_local:
        return item.picture_url, HERE
    address = canonical_address(item.picture_url)
    return address, host_of(address)


def candidate_of(item: ScrapedItem) -> Candidate:
    """`item` as the ledger keeps it, its address apart."""
    defaults = {field.name: field.default for field in dataclasses.fields(ScrapedItem)}
    facts: dict[str, Any] = {
        name: getattr(item, name) for name in _FACTS if getattr(item, name) != defaults[name]
    }
    if "captions" in facts:
        facts["captions"] = [[caption.text, caption.origin] for caption in item.captions]
    return Candidate(
        source=item.source,
        page_url=item.page_url,
        query=item.query,
        facts=json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        .encode("utf-8", "replace")
        .decode(),
    )


def item_of(address: str, candidate: Candidate) -> ScrapedItem:
    """The item that `candidate_of` kept, at its address."""
    facts: dict[str, Any] = json.loads(candidate.facts)
    captions = (Caption(text=text, origin=origin) for text, origin in facts.pop("captions", []))
    fallbacks = tuple(facts.pop("fallback_urls", []))
    return ScrapedItem(
        picture_url=address,
        page_url=candidate.page_url,
        source=candidate.source,
        query=candidate.query,
        captions=tuple(captions),
        fallback_urls=fallbacks,
        **facts,
    )


def origin_of_item(address: str, item: ScrapedItem) -> Origin:
    """Where the picture at `address` was found, as the catalogue keeps it."""
    return Origin(
        url=address,
        page_url=item.page_url,
        source=item.source,
        query=item.query,
        author=item.author,
        author_url=item.author_url,
        licence=item.licence,
        licence_url=item.licence_url,
        attribution=item.attribution,
    )
