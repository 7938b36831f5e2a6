"""One picture's way from its address to the store, as a value: the picture, or the reason why not.

Everything slow happens here, in any thread: the detail page, the picture, its decoding, the disk.
Only the catalogue is left to the caller.
"""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataset.decoding import DecoderPool
from dataset.errors import DisallowedError, PictureError
from dataset.image_store import ImageStore
from dataset.records import AddressRecord, AddressState, NewImage
from scrape.client import PoliteClient
from scrape.data_address import data_bytes
from scrape.response import FetchError, Response
from scrape.schedule import Task
from scrape.sources import ScrapedItem, Source, SourceError

log = logging.getLogger(__name__)

# A no that may become a yes without the site changing its mind: asked again in the next run.
_PASSING_REFUSALS = frozenset({"robots-unreachable", "no-contact"})


@dataclass(frozen=True, kw_only=True)
class Download:
    """What came of asking for `item`. `image` is there, decoded and its bytes stored, when `state`
    is fetched (and `reason` is not unchanged); else `reason` and `message` say why not. `wait_s` is
    a rest the site asked for; `tries` is 0 when nothing was sent."""

    item: ScrapedItem
    state: AddressState
    reason: str
    message: str = ""
    image: NewImage | None = None
    tries: int = 1
    status: int = 0
    final_url: str = ""
    etag: str = ""
    last_modified: str = ""
    wait_s: float = 0.0

    @property
    def may_answer(self) -> bool:
        """Whether to ask again in the same run is worth it."""
        return self.state == "retry" and self.reason not in _PASSING_REFUSALS


class Downloader:
    """Fetches pictures into `store`; used by many threads."""

    def __init__(
        self,
        client: PoliteClient,
        store: ImageStore,
        decoders: DecoderPool,
        sources: Mapping[str, Source[Any]],
    ) -> None:
        self._client = client
        self._store = store
        self._decoders = decoders
        self._sources = sources

    def download(self, task: Task) -> Download:
        """Complete the task's first item from its detail page, fetch its picture, store it."""
        item = task.items[0]
        try:
            if item.inline:
                return self._stored(item, _inline_answer(item))
            source = self._sources[item.source]
            if item.detail_url:
                item = self._completed(source, item, task)
            response = self._response(source, item, task)
        except DisallowedError as error:
            state: AddressState = "retry" if error.reason in _PASSING_REFUSALS else "refused"
            asked = int(error.reason == "opt-out")  # all else was settled without asking
            return Download(
                item=item, state=state, reason=error.reason, message=str(error), tries=asked
            )
        except PictureError as error:
            return Download(item=item, state="rejected", reason=error.reason, message=str(error))
        except SourceError as error:
            return Download(item=item, state="failed", reason=error.reason, message=str(error))
        except FetchError as error:
            return _failed(item, error)
        return self._stored(item, response)

    def _completed(self, source: Source[Any], item: ScrapedItem, task: Task) -> ScrapedItem:
        """The item with what its detail page tells; after a run's worth of failures, without."""
        try:
            return source.complete(self._client, item)
        except FetchError as error:
            # Each try of the task is as many of the page; all of a run's belong to an earlier run.
            if error.is_final or task.record.attempts < self._client.settings.tries**2:
                raise
            log.info("%s: no detail page: %s", item.source, error)
            return item

    def _response(self, source: Source[Any], item: ScrapedItem, task: Task) -> Response:
        """The picture, or the first of its stand-ins that is there."""
        try:
            return source.fetch(
                self._client, item, _conditions(task.record), holds_turn=task.holds_turn
            )
        except FetchError as error:
            if error.reason != "not-found" or source.takes_own_turns or not item.fallback_urls:
                raise
        for number, address in enumerate(item.fallback_urls, start=1):
            stand_in = dataclasses.replace(item, picture_url=address)
            try:
                answer = source.fetch(self._client, stand_in, {})
                return dataclasses.replace(answer, tries=answer.tries + number)
            except FetchError as error:
                if error.reason != "not-found" or number == len(item.fallback_urls):
                    raise
        raise AssertionError("the last stand-in returns or raises")

    def _stored(self, item: ScrapedItem, response: Response) -> Download:
        state: AddressState = "fetched"
        image, reason, message = None, "ok", ""
        if response.status == 304:
            reason = "unchanged"
        else:
            try:
                image = self._decoders.measure(response.body, label=item.label)
                self._store.put(response.body, image.sha256)
            except PictureError as error:
                state, reason, message = "rejected", error.reason, str(error)
        return Download(
            item=item,
            state=state,
            reason=reason,
            message=message,
            image=image,
            tries=response.tries,
            status=response.status,
            final_url=response.final_url,
            etag=response.headers.get("etag", "")[:200],
            last_modified=response.headers.get("last-modified", "")[:200],
        )


def _conditions(record: AddressRecord) -> dict[str, str]:
    """The headers that ask whether known bytes have changed (RFC 9110, 13.1)."""
    found = {}
    if record.sha256 and record.etag:
        found["If-None-Match"] = record.etag
    if record.sha256 and record.last_modified:
        found["If-Modified-Since"] = record.last_modified
    return found


def _inline_answer(item: ScrapedItem) -> Response:
    body = data_bytes(item.inline)
    return Response(status=200, headers={}, body=body, final_url=item.page_url, tries=0)


def _failed(item: ScrapedItem, error: FetchError) -> Download:
    state: AddressState = "failed" if error.is_final else "retry"
    return Download(
        item=item,
        state="rejected" if error.reason == "too-many-bytes" else state,
        reason=error.reason,
        message=str(error),
        tries=error.tries,
        status=error.status,
        wait_s=error.wait_s,
    )
