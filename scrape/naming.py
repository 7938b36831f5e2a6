"""What sources name goes into the ledger: new addresses wait there, known ones are left alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dataset.catalog import Catalog
from dataset.errors import DisallowedError
from dataset.image_store import ImageStore
from dataset.records import AddressRecord, Candidate
from scrape.candidates import address_of, candidate_of
from scrape.config import CrawlSettings
from scrape.outcomes import Outcomes
from scrape.report import CrawlReport
from scrape.sources import ScrapedItem, Source
from scrape.supply import Supply


class Naming:
    """Notes items and counts them in `report`; used inside a transaction.

    `time_after` tells the time so many seconds from now as the ledger writes it.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: ImageStore,
        supply: Supply,
        report: CrawlReport,
        settings: CrawlSettings,
        time_after: Callable[[float], str],
    ) -> None:
        self._ledger, self._store, self._supply = catalog.ledger, store, supply
        self._report, self._settings, self._time_after = report, settings, time_after
        self._outcomes = Outcomes(catalog, report)
        # Ids of what was named for the first time, to count up to the limit.
        self._fresh: dict[str, set[int]] = {name: set() for name in report.sources}

    def note(self, source: Source[Any], item: ScrapedItem) -> bool:
        """Ask the ledger about an item, and leave it there if it is new; False at the limit."""
        name, limit = source.spec.name, self._settings.limit
        share = self._report.sources[name]
        if limit is not None and len(self._fresh[name]) >= limit:
            share.is_limited = True
            return False
        share.items += 1
        try:
            address, host = address_of(item, is_local=source.is_local)
        except DisallowedError as error:
            self._report.outcomes["refused"][error.reason] += 1
            return True
        candidate = candidate_of(item)
        record = self._ledger.name(address, host, candidate)
        if self._is_there(record) and not self._is_stale(record):
            self._outcomes.add_origin(record.sha256, address, item)
            self._report.seen += 1
        elif record.state in ("rejected", "failed", "refused"):
            self._report.settled += 1
        elif record.next_try_at > self._time_after(0) or host in self._supply.resting:
            self._report.waiting += 1
        else:
            if record.state == "fetched":
                self._reopen(record, candidate)
            if limit is not None:
                self._fresh[name].add(record.id)
            self._supply.opened(host)
        return True

    def _is_there(self, record: AddressRecord) -> bool:
        """Whether the picture of a fetched address is still in the store."""
        return record.state == "fetched" and self._store.path(record.sha256).exists()

    def _is_stale(self, record: AddressRecord) -> bool:
        days = self._settings.recheck_days
        if days is None or not (record.etag or record.last_modified):
            return False
        return record.updated_at <= self._time_after(-86400 * days)

    def _reopen(self, record: AddressRecord, candidate: Candidate) -> None:
        """Ask again for a fetched picture: whether it changed, or all of it when it was lost."""
        if self._is_there(record):
            record = replace(record, state="retry", reason="recheck", attempts=0)
        else:
            record = replace(record, state="new", reason="lost", sha256="", attempts=0)
        self._ledger.put(record)
        self._ledger.add_candidate(record.id, candidate)
