"""Sources are read side by side, none far ahead, and each one says how it ended."""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrape.client import PoliteClient
from scrape.reading import EndOfSource, Named, Readers
from scrape.response import FetchError
from scrape.sources import ScrapedItem, Source
from scrape.sources.source import StartSpec

Inbox = queue.SimpleQueue[Any]


class Scripted(Source[StartSpec]):
    """Names `count` pictures; calls `then` at the end of them."""

    count = 0
    named = 0
    closed = False
    then: Callable[[], None] = staticmethod(lambda: None)

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        try:
            for number in range(self.count):
                self.named += 1
                url = f"http://example.org/{number}"
                yield ScrapedItem(picture_url=url, page_url=url, source=self.spec.name)
            self.then()
        finally:
            self.closed = True


def source(name: str, count: int, then: Callable[[], None] = lambda: None) -> Scripted:
    made = Scripted(StartSpec(kind="scripted", name=name, start=("http://example.org/",)))
    made.count, made.then = count, then
    return made


@pytest.fixture
def inbox() -> Inbox:
    return queue.SimpleQueue()


@pytest.fixture
def readers(client: PoliteClient, inbox: Inbox) -> Iterator[Readers]:
    running = Readers(client, inbox)
    yield running
    running.end()


def take(readers: Readers, inbox: Inbox) -> list[EndOfSource]:
    """Take all in until every source has ended; how each one did."""
    ends = []
    while readers.are_reading:
        event = inbox.get(timeout=10)
        if isinstance(event, Named):
            readers.took(event.source)
        else:
            readers.took_end()
            ends.append(event)
    return ends


def test_every_item_arrives_in_the_order_of_its_source(readers: Readers, inbox: Inbox) -> None:
    sources = [source(name, 700) for name in ("a", "b", "c")]
    readers.start(sources)
    found: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    ends = 0
    while readers.are_reading:
        event = inbox.get(timeout=10)
        if isinstance(event, Named):
            found[event.item.source].append(event.item.picture_url)
            readers.took(event.source)
        else:
            assert event.is_read
            assert len(found[event.source.spec.name]) == 700  # the end comes last
            readers.took_end()
            ends += 1
    assert ends == 3
    assert all(urls == [f"http://example.org/{n}" for n in range(700)] for urls in found.values())


def test_a_source_is_never_far_ahead_of_the_ledger(readers: Readers, inbox: Inbox) -> None:
    endless = source("endless", 100_000)
    readers.start([endless])
    for _ in range(256):
        inbox.get(timeout=10)  # taken out, but not taken in
    with pytest.raises(queue.Empty):
        inbox.get(timeout=0.05)
    assert endless.named == 257
    readers.took(endless)
    assert isinstance(inbox.get(timeout=10), Named)


def test_a_stopped_source_ends_unread_and_is_closed(readers: Readers, inbox: Inbox) -> None:
    endless = source("endless", 100_000)
    readers.start([endless])
    first = inbox.get(timeout=10)
    readers.stop(endless)
    readers.took(first.source)
    (end,) = take(readers, inbox)
    assert (end.is_read, end.error) == (False, None)
    assert endless.closed


@pytest.mark.parametrize(
    "error", [FetchError("timeout", "too slow"), ZeroDivisionError(), KeyboardInterrupt()]
)
def test_a_source_that_fails_hands_its_error_over(
    readers: Readers, inbox: Inbox, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    readers.start([source("failing", 3, fail), source("good", 3)])
    ends = {end.source.spec.name: end for end in take(readers, inbox)}
    assert ends["failing"].error is error
    assert not ends["failing"].is_read
    assert ends["good"].is_read


def test_a_source_that_hangs_does_not_hold_up_the_others(readers: Readers, inbox: Inbox) -> None:
    released = threading.Event()

    def hang() -> None:
        released.wait(30)

    hanging = [source(f"hanging-{n}", 1, hang) for n in range(5)]
    quick = [source(f"quick-{n}", 20) for n in range(20)]
    readers.start([*hanging, *quick])
    names: list[str] = []
    while len(names) < 20:
        event = inbox.get(timeout=10)
        if isinstance(event, Named):
            readers.took(event.source)
        else:
            readers.took_end()
            names.append(event.source.spec.name)
    assert all(name.startswith("quick") for name in names)
    released.set()
    assert len(take(readers, inbox)) == 5


def test_eight_sources_are_read_at_once_and_the_rest_afterwards(
    readers: Readers, inbox: Inbox
) -> None:
    lock, released = threading.Lock(), threading.Event()
    counted: Counter[str] = Counter()

    def hold() -> None:
        with lock:
            counted["now"] += 1
            counted["most"] = max(counted["most"], counted["now"])
            if counted["now"] == 8:
                released.set()
        released.wait(10)
        with lock:
            counted["now"] -= 1

    readers.start([source(f"s{n}", 1, hold) for n in range(20)])
    assert len(take(readers, inbox)) == 20
    assert counted["most"] == 8


def test_the_end_closes_what_is_open(client: PoliteClient, inbox: Inbox) -> None:
    readers = Readers(client, inbox)
    endless = source("endless", 1_000_000)
    readers.start([endless])
    inbox.get(timeout=10)
    readers.end()
    assert endless.closed
