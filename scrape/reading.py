"""Sources are read side by side: each in its own thread, none further ahead than it is wanted."""

import contextlib
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scrape.client import PoliteClient
from scrape.sources import ScrapedItem, Source

# Sources read at once, and items that one may be ahead of the ledger.
_AT_ONCE = 8
_AHEAD = 256
_LAST_WAIT_S = 30.0


@dataclass(frozen=True)
class Named:
    """A source named a picture."""

    source: Source[Any]
    item: ScrapedItem


@dataclass(frozen=True)
class EndOfSource:
    """A source was read to its end (`is_read`), was stopped, or failed with `error`."""

    source: Source[Any]
    is_read: bool
    error: BaseException | None = None


@dataclass
class _Reader:
    thread: threading.Thread
    credit: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AHEAD))
    stopped: threading.Event = field(default_factory=threading.Event)


class Readers:
    """The threads that read sources; what they find goes into `inbox` as Named, then EndOfSource.

    The owner of the inbox calls `took` for every Named, so that no reader runs far ahead.
    """

    def __init__(self, client: PoliteClient, inbox: "queue.SimpleQueue[Any]") -> None:
        self._client = client
        self._inbox = inbox
        self._places = threading.Semaphore(_AT_ONCE)
        self._readers: dict[str, _Reader] = {}
        self._open = 0

    def start(self, sources: Sequence[Source[Any]]) -> None:
        for source in sources:
            name = source.spec.name
            thread = threading.Thread(
                target=self._read, args=(source,), name=f"read-{name}", daemon=True
            )
            self._readers[name] = _Reader(thread)
        self._open = len(sources)
        for reader in self._readers.values():
            reader.thread.start()

    @property
    def are_reading(self) -> bool:
        """Whether an EndOfSource is still to be taken."""
        return self._open > 0

    def took(self, source: Source[Any]) -> None:
        self._readers[source.spec.name].credit.release()

    def took_end(self) -> None:
        self._open -= 1

    def stop(self, source: Source[Any]) -> None:
        """Read no further than the next item; what was named meanwhile still arrives."""
        self._readers[source.spec.name].stopped.set()

    def end(self) -> None:
        """Stop all readers and wait for them, so that what they opened is closed."""
        for reader in self._readers.values():
            reader.stopped.set()
            reader.credit.release(_AHEAD)
        for reader in self._readers.values():
            if reader.thread.is_alive():
                reader.thread.join(_LAST_WAIT_S)

    def _read(self, source: Source[Any]) -> None:
        reader = self._readers[source.spec.name]
        is_read = False
        failure: BaseException | None = None
        with self._places:
            try:
                items = source.items(self._client)
                with contextlib.closing(items):  # type: ignore[type-var]  # they are generators
                    is_read = self._pass_on(source, reader, items)
            except BaseException as error:  # the owner of the inbox raises what is a bug
                failure = error
        self._inbox.put(EndOfSource(source, is_read, failure))

    def _pass_on(self, source: Source[Any], reader: _Reader, items: Any) -> bool:
        for item in items:
            reader.credit.acquire()
            if reader.stopped.is_set():
                return False
            self._inbox.put(Named(source, item))
        return not reader.stopped.is_set()
