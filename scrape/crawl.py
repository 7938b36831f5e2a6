"""From sources to the catalogue: note in the ledger, fetch what is due, write down what came of it.

Sources are read side by side, each in a thread; workers pull what is due from the schedule; all
that touches the catalogue runs in the calling thread, everything that is ready in one transaction.
What was named is on disk before it is asked for, so kill -9 loses only the requests in flight, and
memory does not grow with the number of pictures.
"""

import logging
import queue
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dataset.catalog import Catalog
from dataset.decoding import DecoderPool
from dataset.errors import PipelineError, WorldError
from dataset.image_store import ImageStore
from dataset.pixels import PixelLimits
from dataset.progress import Progress
from dataset.workspace import Workspace
from scrape.addresses import canonical_address
from scrape.client import PoliteClient
from scrape.config import CrawlSettings
from scrape.contact import require_contact
from scrape.download import Download, Downloader
from scrape.naming import Naming
from scrape.outcomes import Outcomes, time_after
from scrape.reading import EndOfSource, Named, Readers
from scrape.report import CrawlReport, SourceReport
from scrape.response import FetchError
from scrape.schedule import Blocked, Schedule, Task
from scrape.sources import Source
from scrape.supply import Supply

log = logging.getLogger(__name__)

# Events that one transaction takes in at most.
_AT_ONCE = 512
_GATHER_S = 0.02
_COUNT_EVERY_S = 0.5
_UNASKED = frozenset({"host-down", "host-asleep", "stopped", "not-recorded"})


@dataclass(frozen=True)
class Finished:
    """A worker's outcome of one task, or what ended the worker."""

    task: Task
    outcome: Download | BaseException


_Event = Named | EndOfSource | Finished | Blocked


def crawl(
    sources: Sequence[Source[Any]],
    settings: CrawlSettings,
    workspace: Workspace,
    *,
    client: PoliteClient | None = None,
    reads: Collection[str] | None = None,
) -> CrawlReport:
    """Collect what `sources` name into the catalogue of `workspace`.

    Pictures that fail are counted, a source that fails is named in the report and the others go
    on. `reads` names the sources whose lists are read (None: all); of the others only what the
    ledger has open is fetched. Raises ConfigError when a source lies outside and no contact is
    configured.
    """
    if client is None:
        require_contact(sources, settings)
    for source in sources:
        source.folder = workspace.root / "not-understood"
    with (
        workspace.locked("collecting"),
        Catalog(workspace.catalog) as catalog,
        client or PoliteClient(settings) as open_client,
        DecoderPool(settings.decoders, PixelLimits(max_bytes=settings.max_bytes)) as decoders,
    ):
        run = _Crawl(catalog, ImageStore(workspace.images), open_client, decoders, sources)
        with _quick_turns():
            return run.run(list(run.sources) if reads is None else list(reads))


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Let threads change places more often: each has little to do before it waits again, and the
    usual 5 ms cost a fifth of the pictures a second."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class _Crawl:
    """The state of one run."""

    def __init__(
        self,
        catalog: Catalog,
        store: ImageStore,
        client: PoliteClient,
        decoders: DecoderPool,
        sources: Sequence[Source[Any]],
    ) -> None:
        self._catalog, self._client = catalog, client
        self._settings, self._decoders = client.settings, decoders
        self.sources = {source.spec.name: source for source in sources}
        self._report = CrawlReport(sources={name: SourceReport() for name in self.sources})
        self._downloader = Downloader(client, store, decoders, self.sources)
        self._outcomes = Outcomes(catalog, self._report)
        self._schedule = Schedule(
            client.pace,
            client.clock,
            connections=self._settings.connections_per_host,
            own_turns=frozenset(n for n, s in self.sources.items() if s.takes_own_turns),
        )
        self._supply = Supply(
            catalog,
            self._schedule,
            self.sources,
            self._report.sources,
            limit=self._settings.limit,
            tries=self._settings.tries,
            time=lambda: self._time_after(0),
        )
        self._inbox: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._readers = Readers(client, self._inbox)
        self._naming = Naming(
            catalog,
            store,
            self._supply,
            self._report,
            self._settings,
            self._time_after,
        )
        self._pending: list[_Event] = []
        self._failure: BaseException | None = None  # what must end the run
        self._progress = Progress("collect", None, "pictures")
        self._counted_at = 0.0

    def run(self, reads: Sequence[str]) -> CrawlReport:
        started = time.monotonic()
        workers = [
            threading.Thread(target=self._work, name=f"download-{n}", daemon=True)
            for n in range(self._settings.workers)
        ]
        for source in self.sources.values():
            for host, limit in source.limits().items():
                self._client.limit(host, limit)
            for api in source.apis():
                self._client.use_api(canonical_address(api))
        # The first picture need not wait until the decoders are loaded.
        workers.append(threading.Thread(target=self._decoders.prepare, daemon=True))
        for host, (awake_at, _) in self._supply.resting.items():
            left = datetime.fromisoformat(awake_at).timestamp() - self._client.wall()
            self._client.pace.rest(host, left)
        try:
            with self._progress:
                for worker in workers:
                    worker.start()
                self._readers.start([self.sources[name] for name in reads])
                self._loop()
        except BaseException:
            self._client.stop()
            self._decoders.stop()
            raise
        finally:
            self._schedule.end()
            self._readers.end()
            for worker in workers:
                worker.join()
            self._keep_finished()
            self._keep_rests()
        self._close_report(time.monotonic() - started, reads)
        return self._report

    def _work(self) -> None:
        """One worker: pulls tasks until the end."""
        while (found := self._schedule.next()) is not None:
            if isinstance(found, Blocked):
                self._inbox.put(found)
                continue
            try:
                self._inbox.put(Finished(found, self._downloader.download(found)))
            except BaseException as error:  # the disk is full, or a bug: the run ends with it
                self._inbox.put(Finished(found, error))
            finally:
                self._schedule.done(found.record.host)

    def _loop(self) -> None:
        """Take in what comes, keep the queues filled, until nothing is left to do."""
        while True:
            self._supply.fill()
            self._receive(0.0)
            if not self._pending:
                if self._supply.is_exhausted and not self._readers.are_reading:
                    self._counted_at = 0.0
                    self._show()
                    return
                self._receive(0.2)
            if 0 < len(self._pending) < _AT_ONCE // 4:
                # A transaction costs as much as ten pictures: let some more come in.
                time.sleep(_GATHER_S)
                self._receive(0.0)
            self._take_in()
            self._show()

    def _receive(self, wait_s: float) -> None:
        """Move what waits in the inbox to the pending events; wait for the first one."""
        try:
            first = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            self._pending.append(first)
            while len(self._pending) < _AT_ONCE:
                self._pending.append(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _take_in(self) -> None:
        """All pending events in one transaction; they stay pending until it is committed."""
        if self._pending:
            with self._catalog.transaction():
                for event in self._pending:
                    self._take(event)
            self._pending.clear()
        if self._failure is not None:
            raise self._failure

    def _take(self, event: "_Event") -> None:
        if isinstance(event, Named):
            self._readers.took(event.source)
            if not self._naming.note(event.source, event.item):
                self._readers.stop(event.source)
        elif isinstance(event, Finished):
            self._finish(event)
        elif isinstance(event, EndOfSource):
            self._readers.took_end()
            self._note_end(event)
        else:
            self._block(event.host, event.error)

    # What sources name

    def _note_end(self, end: EndOfSource) -> None:
        if end.error is not None and not isinstance(end.error, PipelineError):
            self._failure = end.error
            return
        share = self._report.sources[end.source.spec.name]
        share.is_read = end.is_read
        if end.error is not None and getattr(end.error, "reason", "") != "stopped":
            share.reason = getattr(end.error, "reason", "config")
            share.message = str(end.error)
            passes = share.reason == "robots-unreachable"  # no site's no: it could not be asked
            share.exit_code = WorldError.exit_code if passes else end.error.exit_code
            log.info("source %s stopped: %s", end.source.spec.name, end.error)

    # What came of the asking

    def _finish(self, event: Finished) -> None:
        task, outcome = event.task, event.outcome
        if isinstance(outcome, BaseException):
            self._failure = outcome
            return
        if outcome.reason in _UNASKED:  # on the way of a redirect, or at the end of the run
            self._supply.put_off(task)
            if outcome.reason == "not-recorded":  # says nothing about the web
                self._report.outcomes["retry"][outcome.reason] += 1
            return
        record = self._outcomes.take(task, outcome, self._client.wall())
        if record.state == "retry":
            again = replace(task, record=record)
            if outcome.may_answer and self._supply.tries_again(again, outcome.wait_s):
                return
            self._supply.put_off(task)
            self._outcomes.count(record)
        self._supply.finished(task)
        self._progress.advance()

    def _block(self, host: str, error: FetchError) -> None:
        if error.reason == "host-asleep":
            awake_at = self._time_after(error.wait_s)
            dropped = self._supply.rest(host, awake_at, str(error))
        elif error.reason == "host-down":
            dropped = self._supply.park(host, str(error))
        else:  # stopped
            return
        self._report.hosts[host] = str(error)
        for task in dropped:
            if task.record.state == "retry":
                self._outcomes.count(task.record)
            elif error.reason == "host-asleep":
                self._report.waiting += 1

    def _keep_finished(self) -> None:
        """After an interruption: what was downloaded already is not downloaded again."""
        self._receive(0.0)
        while self._pending:
            finished = [event for event in self._pending if isinstance(event, Finished)]
            self._pending.clear()
            with self._catalog.transaction():
                for event in finished:
                    if not isinstance(event.outcome, BaseException):
                        self._finish(event)
            self._receive(0.0)

    def _keep_rests(self) -> None:
        """Hosts that asked for more rest than a run waits are left alone by the next ones, too."""
        with self._catalog.transaction():
            for host, left in self._client.pace.resting().items():
                if left > self._settings.longest_wait_s:
                    told = f"{host} asked to be left alone"
                    self._catalog.ledger.rest_host(host, self._time_after(left), told)

    # What a person sees

    def _show(self) -> None:
        """The live line: how many are left, outcomes so far, hosts that sleep."""
        if time.monotonic() - self._counted_at < _COUNT_EVERY_S:
            return
        self._counted_at = time.monotonic()
        if not self._readers.are_reading:
            self._progress.total = self._progress.done + self._catalog.ledger.open_total()
        asleep = len({*self._client.pace.resting(), *self._schedule.parked})
        parts = [f"{self._report.added} added"]
        for state, reasons in self._report.outcomes.items():
            parts += [f"{reasons.total()} {state}"] if reasons else []
        parts += [f"{asleep} hosts asleep"] if asleep else []
        self._progress.advance(0, ", ".join(parts))

    def _close_report(self, seconds: float, reads: Sequence[str]) -> None:
        left = self._catalog.ledger.open_count(list(self.sources))
        for name, share in self._report.sources.items():
            share.left = left.get(name, 0)
            share.is_read |= name not in reads
            self._report.warnings += self.sources[name].warnings
        for host in self._settings.robots_off_for:
            self._report.warnings.append(f"robots.txt of {host} has no say (crawl.robots_off_for)")
        self._report.seconds = seconds

    def _time_after(self, seconds: float) -> str:
        return time_after(self._client.wall(), seconds)
