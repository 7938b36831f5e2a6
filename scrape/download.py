"""One picture's way from its address to the store, as a value: the picture, or the reason why not.

Everything slow happens here, in any thread: the detail page, the picture, its decoding, the disk.
Only the catalogue is left to the caller.
"""

from dataclasses import dataclass
from typing import Any

from dataset.errors import DisallowedError, PictureError
from dataset.image_store import ImageStore
from dataset.ingest import measure
from dataset.pixels import PixelLimits
from dataset.records import AddressState, NewImage
from scrape.client import PoliteClient
from scrape.response import FetchError, Response
from scrape.sources import ScrapedItem, Source

# A no that may become a yes without the site changing its mind: asked again in the next run.
_PASSING_REFUSALS = frozenset({"robots-unreachable", "no-contact"})


@dataclass(frozen=True, kw_only=True)
class Download:
    """What came of asking for `item`. `image` is there, decoded and its bytes stored, when `state`
    is fetched; else `reason` and `message` say why not. `wait_s` is a rest the site asked for."""

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


class Downloader:
    """Fetches pictures into `store`; used by many threads."""

    def __init__(self, client: PoliteClient, store: ImageStore) -> None:
        self._client = client
        self._store = store
        self._limits = PixelLimits(max_bytes=client.settings.max_bytes)

    def download(self, source: Source[Any], item: ScrapedItem, address: str) -> Download:
        """Complete `item` from its detail page, fetch its picture at `address`, store the bytes."""
        try:
            item = source.complete(self._client, item)
            response = self._client.get(address, "picture")
        except DisallowedError as error:
            state: AddressState = "retry" if error.reason in _PASSING_REFUSALS else "refused"
            return Download(item=item, state=state, reason=error.reason, message=str(error))
        except FetchError as error:
            return _failed(item, error)
        return self._stored(item, response)

    def _stored(self, item: ScrapedItem, response: Response) -> Download:
        state: AddressState = "fetched"
        image, reason, message = None, "ok", ""
        try:
            image = measure(response.body, label=item.label, limits=self._limits)
            self._store.put(response.body)
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
