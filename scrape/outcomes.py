"""What came of a download goes into the catalogue: picture, origins, captions, the ledger's row."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from dataset.catalog import Catalog
from dataset.records import AddressRecord, NewImage
from scrape.candidates import item_of, origin_of_item
from scrape.captions import is_cut
from scrape.download import Download
from scrape.report import CrawlReport
from scrape.schedule import Task
from scrape.sources import ScrapedItem

log = logging.getLogger(__name__)

# So many requests in all runs together, then an address that never answers well has failed.
_GIVE_UP_AFTER = 20
_LONGEST_REST_S = 30 * 86400.0
_LONGEST_MESSAGE = 300


class Outcomes:
    """Writes outcomes down and counts them in `report`; used inside a transaction."""

    def __init__(self, catalog: Catalog, report: CrawlReport) -> None:
        self._catalog, self._report = catalog, report

    def take(self, task: Task, outcome: Download, wall: float) -> AddressRecord:
        """Write one outcome down; returns the ledger's new row. `wall` is the present time."""
        record = self._record(task.record, outcome, wall)
        if outcome.image is not None:
            record = replace(record, sha256=self._add(task, outcome, outcome.image))
        self._catalog.ledger.put(record)
        if outcome.reason == "unchanged":
            self._report.unchanged += 1
            for item in task.items:
                self.add_origin(record.sha256, record.url, item)
        elif record.state not in ("fetched", "retry"):
            self.count(record)
        return record

    def count(self, record: AddressRecord) -> None:
        """Count an address that gave no picture in this run."""
        self._report.outcomes[record.state][record.reason] += 1
        log.debug("%s (%s): %s", record.state, record.reason, record.message or record.url)

    def add_origin(self, sha256: str, address: str, item: ScrapedItem) -> None:
        """A known picture was named again; a cut text whose whole is elsewhere adds nothing."""
        image = self._catalog.images.by_sha256(sha256)
        if image is None:
            return
        self._catalog.images.add_origin(image.id, origin_of_item(address, item))
        for caption in item.captions:
            if not (item.detail_url and is_cut(caption.text)):
                self._catalog.images.add_caption(image.id, caption)

    def _add(self, task: Task, outcome: Download, image: NewImage) -> str:
        """Put the picture into the catalogue; returns the SHA-256 by which it is known there."""
        item, address = outcome.item, task.record.url
        image_id, is_new = self._catalog.images.add(
            image, origin_of_item(address, item), item.captions
        )
        # Equal pixels in other bytes are the picture that was there first: name its bytes.
        record = self._catalog.images.get(image_id)
        sha256 = record.sha256 if record else image.sha256
        # Others may have named it while it was under way.
        named = self._catalog.ledger.candidates([task.record.id]).get(task.record.id, [])
        for other in named:
            if (other.source, other.page_url, other.query) != _place(item):
                self.add_origin(sha256, address, item_of(address, other))
                self._report.seen += 1
        self._report.added += is_new
        self._report.known += not is_new
        return sha256

    def _record(self, before: AddressRecord, outcome: Download, wall: float) -> AddressRecord:
        attempts = before.attempts + outcome.tries
        gives_up = outcome.state == "retry" and attempts >= _GIVE_UP_AFTER
        # A body that is cut every time is how the site has it, not bad luck.
        gives_up |= outcome.reason == before.reason == "cut-short"
        is_timed = outcome.state == "retry" and outcome.wait_s > 0 and not gives_up
        keeps = outcome.state != "fetched" or outcome.reason == "unchanged"
        return replace(
            before,
            state="failed" if gives_up else outcome.state,
            reason=outcome.reason,
            message=outcome.message[:_LONGEST_MESSAGE],
            attempts=attempts,
            http_status=outcome.status,
            final_url=outcome.final_url,
            etag=outcome.etag or (before.etag if keeps else ""),
            last_modified=outcome.last_modified or (before.last_modified if keeps else ""),
            next_try_at=time_after(wall, outcome.wait_s) if is_timed else "",
            updated_at="",
        )


def _place(item: ScrapedItem) -> tuple[str, str, str]:
    return item.source, item.page_url, item.query


def time_after(wall: float, seconds: float) -> str:
    """The time `seconds` after `wall` (seconds since 1970) as the ledger writes it; far futures
    end in 30 days."""
    at = datetime.fromtimestamp(wall + min(seconds, _LONGEST_REST_S), UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
