"""From sources to the catalogue: ask the ledger, fetch, write down what came of it.

Downloads run in threads; everything that touches the catalogue runs in the calling thread, in
the order in which the sources named the pictures; those that are ready share a transaction. So
kill -9 loses at most the downloads in flight, and two crawls of a site number its pictures alike.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DisallowedError
from dataset.image_store import ImageStore
from dataset.progress import Progress
from dataset.records import AddressRecord, ImageRecord, NewImage, Origin
from dataset.workspace import Workspace
from scrape.addresses import canonical_address
from scrape.captions import is_cut
from scrape.client import PoliteClient
from scrape.config import CrawlSettings
from scrape.download import Download, Downloader
from scrape.guard import is_loopback
from scrape.report import CrawlReport, SourceReport
from scrape.response import FetchError
from scrape.sources import ScrapedItem, Source, SourceError

log = logging.getLogger(__name__)

# So many requests in all runs together, then an address that never answers well has failed.
_GIVE_UP_AFTER = 20


def crawl(
    sources: Sequence[Source[Any]],
    settings: CrawlSettings,
    workspace: Workspace,
    *,
    client: PoliteClient | None = None,
) -> CrawlReport:
    """Collect what `sources` name into the catalogue of `workspace`.

    Pictures that fail are counted, a source that fails is named in the report and the others go
    on. Raises ConfigError when a source lies outside and no contact is configured.
    """
    require_contact(sources, settings)
    with Catalog(workspace.catalog) as catalog, client or PoliteClient(settings) as open_client:
        return _Crawl(catalog, ImageStore(workspace.images), open_client).run(sources)


def require_contact(sources: Sequence[Source[Any]], settings: CrawlSettings) -> None:
    """Raise ConfigError when a source needs the contact address that `settings` lack."""
    if settings.contact:
        return
    for source in sources:
        for address, _ in source.spec.first_addresses():
            host = urlsplit(address).hostname or ""
            if not (host in settings.allow_hosts and is_loopback(host)):
                raise ConfigError(
                    f"source {source.spec.name} asks {host} without a contact address; "
                    'set crawl.contact = "you@example.org" in the config or by --set, '
                    "so that the site's owner can reach you"
                )


class _Crawl:
    """The state of one run."""

    def __init__(self, catalog: Catalog, store: ImageStore, client: PoliteClient) -> None:
        self._catalog, self._client, self._settings = catalog, client, client.settings
        self._store = store
        self._downloader = Downloader(client, store)
        self._report = CrawlReport()
        self._progress = Progress("collect", None, "pictures")
        self._executor = ThreadPoolExecutor(client.settings.workers, "download")
        self._in_flight: deque[tuple[str, Future[Download]]] = deque()
        # Items by the canonical address that is being fetched for them.
        self._wanted: dict[str, list[ScrapedItem]] = {}

    def run(self, sources: Sequence[Source[Any]]) -> CrawlReport:
        started = time.monotonic()
        try:
            with self._progress:
                for source in sources:
                    self._read(source)
                self._drain(0)
        except BaseException:
            self._client.stop()
            raise
        finally:
            self._executor.shutdown(wait=True, cancel_futures=True)
        self._report.seconds = time.monotonic() - started
        return self._report

    def _read(self, source: Source[Any]) -> None:
        """Offer every item of one source, until its end, its limit or its failure."""
        share = self._report.sources.setdefault(source.spec.name, SourceReport())
        limit = self._settings.limit
        try:
            for item in source.items(self._client):
                if limit is not None and share.asked >= limit:
                    break
                share.items += 1
                self._offer(source, item, share)
                self._drain(2 * self._settings.workers)
            else:
                share.is_read = True
        except (FetchError, SourceError, DisallowedError) as error:
            share.reason, share.message = error.reason, str(error)
            share.is_disallowed = isinstance(error, DisallowedError)
            log.warning("source %s stopped: %s", source.spec.name, error)
        self._report.warnings += source.warnings

    def _offer(self, source: Source[Any], item: ScrapedItem, share: SourceReport) -> None:
        """Ask the ledger, and only then perhaps the web."""
        address = canonical_address(item.picture_url)
        if address in self._wanted:
            self._wanted[address].append(item)
            return
        record = self._catalog.ledger.get(address)
        image = self._image_of(record)
        if image is not None:
            self._add_origin(image.id, address, item)
            self._report.seen += 1
        elif record is not None and record.state in ("rejected", "failed", "refused"):
            self._report.settled += 1
        elif record is not None and record.next_try_at > self._time_after(0):
            self._report.waiting += 1
            share.left += 1
        else:
            share.asked += 1
            self._wanted[address] = [item]
            future = self._executor.submit(self._downloader.download, source, item, address)
            self._in_flight.append((address, future))

    def _image_of(self, record: AddressRecord | None) -> ImageRecord | None:
        if record is None or record.state != "fetched":
            return None
        image = self._catalog.images.by_sha256(record.sha256)
        # A picture whose bytes were lost is fetched again.
        return image if image and self._store.path(image.sha256).exists() else None

    def _drain(self, allowed: int) -> None:
        """Take in finished downloads in order, until at most `allowed` are in flight."""
        while self._in_flight and (len(self._in_flight) > allowed or self._in_flight[0][1].done()):
            self._in_flight[0][1].result()  # wait for it before the catalogue is locked
            with self._catalog.transaction():
                while self._in_flight and self._in_flight[0][1].done():
                    address, future = self._in_flight.popleft()
                    self._take(address, future.result(), self._wanted.pop(address)[1:])

    def _take(self, address: str, outcome: Download, others: list[ScrapedItem]) -> None:
        """Write one outcome down: picture, origins and ledger."""
        before = self._catalog.ledger.get(address)
        record = self._record(address, outcome, before.attempts if before else 0)
        if outcome.image is not None:
            record = replace(record, sha256=self._add(address, outcome, outcome.image, others))
        self._catalog.ledger.put(record)
        if record.state != "fetched":
            self._report.outcomes[record.state][record.reason] += 1
            log.debug("%s (%s): %s", record.state, record.reason, outcome.message or address)
        if record.state == "retry":
            self._report.sources[outcome.item.source].left += 1
        self._progress.advance(note=f"{self._report.added} added")

    def _add(
        self, address: str, outcome: Download, image: NewImage, others: list[ScrapedItem]
    ) -> str:
        """Put the picture into the catalogue; returns the SHA-256 by which it is known there."""
        item = outcome.item
        image_id, is_new = self._catalog.images.add(image, _origin(address, item), item.captions)
        for other in others:
            self._add_origin(image_id, address, other)
        self._report.added += is_new
        self._report.known += not is_new
        self._report.seen += len(others)
        # Equal pixels in other bytes are the picture that was there first: name its bytes.
        record = self._catalog.images.get(image_id)
        return record.sha256 if record else image.sha256

    def _record(self, address: str, outcome: Download, tries_before: int) -> AddressRecord:
        tries = outcome.tries + tries_before
        gives_up = outcome.state == "retry" and tries >= _GIVE_UP_AFTER
        is_timed = outcome.state == "retry" and outcome.wait_s > 0 and not gives_up
        return AddressRecord(
            url=address,
            state="failed" if gives_up else outcome.state,
            reason=outcome.reason,
            attempts=tries,
            http_status=outcome.status,
            final_url=outcome.final_url,
            etag=outcome.etag,
            last_modified=outcome.last_modified,
            next_try_at=self._time_after(outcome.wait_s) if is_timed else "",
        )

    def _add_origin(self, image_id: int, address: str, item: ScrapedItem) -> None:
        """A known picture was named again; a cut text whose whole is elsewhere adds nothing."""
        with self._catalog.transaction():
            self._catalog.images.add_origin(image_id, _origin(address, item))
            for caption in item.captions:
                if not (item.detail_url and is_cut(caption.text)):
                    self._catalog.images.add_caption(image_id, caption)

    def _time_after(self, seconds: float) -> str:
        """The time `seconds` from now as the ledger writes it; far futures end in 30 days."""
        at = self._client.wall() + min(seconds, 30 * 86400.0)
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _origin(address: str, item: ScrapedItem) -> Origin:
    return Origin(
        url=address,
        page_url=item.page_url,
        source=item.source,
        query=item.query,
        author=item.author,
        licence=item.licence,
        licence_url=item.licence_url,
    )
