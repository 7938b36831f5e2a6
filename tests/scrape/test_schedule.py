"""Workers get what is due, never too much of one host, never nothing while something is due."""

import math
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.records import AddressRecord
from scrape.candidates import HERE
from scrape.clock import StepClock, SystemClock
from scrape.pace import HostLimit, Pace
from scrape.schedule import Blocked, Schedule, Task
from scrape.sources import ScrapedItem

A, B, C = "a.example", "b.example", "c.example"


def task(number: int, host: str = A, *, detail: str = "") -> Task:
    url = f"http://{host}/{number}"
    record = AddressRecord(url=url, host=host, state="new", reason="", attempts=0)
    record = AddressRecord(**{**vars(record), "id": number})
    item = ScrapedItem(picture_url=url, page_url=url, source="grid", detail_url=detail)
    return Task(record, (item,))


def tasks(host: str, count: int, start: int = 1) -> list[Task]:
    return [task(start + number, host) for number in range(count)]


@pytest.fixture
def pace(clock: StepClock) -> Pace:
    return Pace(clock, connections=2, longest_wait_s=100.0)


@pytest.fixture
def schedule(pace: Pace, clock: StepClock) -> Schedule:
    return Schedule(pace, clock, connections=2)


def take(schedule: Schedule) -> Task:
    found = schedule.next()
    assert isinstance(found, Task)
    return found


def over(schedule: Schedule, pace: Pace, found: Task) -> None:
    if found.holds_turn:
        pace.release(found.record.host)
    schedule.done(found.record.host)


def test_tasks_of_one_host_come_in_the_order_of_the_ledger(schedule: Schedule, pace: Pace) -> None:
    schedule.add(A, tasks(A, 5))
    order = []
    for _ in range(5):
        found = take(schedule)
        order.append(found.record.id)
        over(schedule, pace, found)
    assert order == [1, 2, 3, 4, 5]


def test_hosts_take_turns_whatever_the_length_of_their_queues(
    schedule: Schedule, pace: Pace
) -> None:
    schedule.add(A, tasks(A, 50))
    schedule.add(B, tasks(B, 3, 100))
    schedule.add(C, tasks(C, 3, 200))
    first: Counter[str] = Counter()
    for _ in range(9):
        found = take(schedule)
        first[found.record.host] += 1
        over(schedule, pace, found)
    assert first == {A: 3, B: 3, C: 3}


def test_a_host_has_no_more_tasks_in_flight_than_connections(
    schedule: Schedule, pace: Pace
) -> None:
    schedule.add(A, tasks(A, 10))
    schedule.add(B, tasks(B, 1, 100))
    found = [take(schedule) for _ in range(3)]
    assert Counter(t.record.host for t in found) == {A: 2, B: 1}
    over(schedule, pace, found[0])
    assert take(schedule).record.id == 3


def test_the_turn_is_taken_with_the_task_but_not_for_a_detail_page(
    schedule: Schedule, pace: Pace
) -> None:
    schedule.add(A, [task(1)])
    schedule.add(B, [task(2, B, detail="http://b.example/page")])
    schedule.add(HERE, [task(3, HERE)])
    found = [take(schedule) for _ in range(3)]
    assert {t.record.host: t.holds_turn for t in found} == {A: True, B: False, HERE: False}
    assert pace.take(B) == 0.0
    assert pace.take(A) == 0.0  # the second connection of two
    assert math.isinf(pace.take(A))


def test_a_source_with_turns_of_its_own_is_given_none(pace: Pace, clock: StepClock) -> None:
    schedule = Schedule(pace, clock, connections=2, own_turns=frozenset({"grid"}))
    schedule.add(A, [task(1)])
    assert not take(schedule).holds_turn


def test_a_resting_host_does_not_hold_up_the_others(
    schedule: Schedule, pace: Pace, clock: StepClock
) -> None:
    pace.rest(A, 30.0)
    schedule.add(A, tasks(A, 1))
    schedule.add(B, tasks(B, 2, 100))
    for _ in range(2):
        found = take(schedule)
        assert found.record.host == B
        over(schedule, pace, found)
    assert take(schedule).record.host == A
    assert clock.now() >= 30.0


def test_a_host_that_asks_for_too_much_patience_is_blocked(schedule: Schedule, pace: Pace) -> None:
    pace.rest(A, 5000.0)
    schedule.add(A, tasks(A, 3))
    found = schedule.next()
    assert isinstance(found, Blocked)
    assert (found.host, found.error.reason) == (A, "host-asleep")
    assert [t.record.id for t in schedule.park(A, 60.0, "asleep")] == [1, 2, 3]
    assert schedule.parked == {A: "asleep"}


def test_a_parked_host_comes_back_when_its_time_is_over(
    schedule: Schedule, clock: StepClock
) -> None:
    schedule.add(A, tasks(A, 3))
    schedule.park(A, 60.0, "down")
    assert schedule.unpark() == []
    clock.sleep(61.0, threading.Event())
    assert schedule.unpark() == [A]
    assert schedule.hosts == set()


def test_parking_drops_what_waits_for_another_try_too(schedule: Schedule) -> None:
    schedule.add(A, tasks(A, 1))
    schedule.again(A, task(7), 5.0)
    schedule.again(B, task(8, B), 5.0)
    assert sorted(t.record.id for t in schedule.park(A, 60.0, "down")) == [1, 7]
    assert take(schedule).record.id == 8


def test_a_task_to_be_tried_again_waits_and_comes_first(
    schedule: Schedule, pace: Pace, clock: StepClock
) -> None:
    schedule.again(A, task(9), 20.0)
    assert take(schedule).record.id == 9
    assert clock.now() >= 20.0


def test_a_queue_that_runs_low_says_so_until_the_ledger_has_no_more(schedule: Schedule) -> None:
    schedule.add(A, tasks(A, 3))
    assert schedule.low(3) == []
    assert schedule.low(4) == [(A, 3)]
    schedule.add(A, [])
    assert schedule.low(4) == []
    schedule.refresh(A)
    assert schedule.low(4) == [(A, 3)]


def test_a_host_that_is_done_is_forgotten(schedule: Schedule, pace: Pace) -> None:
    schedule.add(A, tasks(A, 1))
    found = take(schedule)
    schedule.add(A, [])
    assert schedule.hosts == {A}
    over(schedule, pace, found)
    assert schedule.hosts == set()


def test_the_end_wakes_every_worker() -> None:
    clock = SystemClock()
    schedule = Schedule(Pace(clock, connections=1, longest_wait_s=9.0), clock, connections=1)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(schedule.next) for _ in range(4)]
        schedule.end()
        assert [worker.result(timeout=10) for worker in waiting] == [None] * 4


def test_a_connection_that_a_list_gave_back_is_used_soon() -> None:
    clock = SystemClock()
    pace = Pace(clock, connections=1, longest_wait_s=9.0)
    schedule = Schedule(pace, clock, connections=1)
    assert pace.take(A) == 0.0  # as the reader of a list does
    schedule.add(A, tasks(A, 1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(schedule.next)
        assert not waiting.done()
        pace.release(A)
        found = waiting.result(timeout=5)
    assert isinstance(found, Task)


class Ledger:
    """Feeds a schedule bit by bit as the owner of the ledger does, while workers pull."""

    def __init__(self, counts: dict[str, int], *, connections: int, fails_at: int) -> None:
        clock = SystemClock()
        self.pace = Pace(clock, connections=connections, longest_wait_s=9.0)
        self.schedule = Schedule(self.pace, clock, connections=connections)
        self.connections, self.fails_at = connections, fails_at
        self.left = {host: tasks(host, n, 1000 * i) for i, (host, n) in enumerate(counts.items())}
        self.expected = {t.record.id for found in self.left.values() for t in found}
        self.seen: Counter[int] = Counter()
        self.busy: dict[str, int] = defaultdict(int)
        self.most: dict[str, int] = defaultdict(int)
        self.lock = threading.Lock()
        self.all_seen = threading.Event()

    def work(self) -> None:
        while (found := self.schedule.next()) is not None:
            assert isinstance(found, Task)
            host = found.record.host
            with self.lock:
                self.seen[found.record.id] += 1
                number = self.seen[found.record.id]
                self.busy[host] += 1
                self.most[host] = max(self.most[host], self.busy[host])
            # Some fail the first time and are tried again at once or a moment later.
            if number == 1 and self.fails_at and found.record.id % self.fails_at == 0:
                self.schedule.again(host, found, 0.001 * (found.record.id % 3))
            with self.lock:
                self.busy[host] -= 1
                wanted = len(self.expected) + self._failing()
                if self.seen.total() == wanted:
                    self.all_seen.set()
            over(self.schedule, self.pace, found)

    def _failing(self) -> int:
        return sum(1 for n in self.expected if self.fails_at and n % self.fails_at == 0)

    def feed(self, batch: int) -> None:
        for host, found in self.left.items():
            self.schedule.add(host, found[:batch])
            del found[:batch]
        while any(self.left.values()):
            for host, _ in self.schedule.low(max(batch // 2, 1)):
                self.schedule.add(host, self.left[host][:batch])
                del self.left[host][:batch]
            self.all_seen.wait(0.001)

    def run(self, workers: int, batch: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(self.work) for _ in range(workers)]
            try:
                self.feed(batch)
                assert self.all_seen.wait(30), f"{self.seen.total()} of {len(self.expected)}"
            finally:
                self.schedule.end()
            for worker in running:
                worker.result(timeout=10)


@settings(max_examples=25, deadline=None)
@given(
    counts=st.dictionaries(
        st.sampled_from([f"h{n}.example" for n in range(12)]), st.integers(1, 40), min_size=1
    ),
    connections=st.integers(1, 3),
    workers=st.integers(1, 12),
    batch=st.integers(1, 20),
    fails_at=st.sampled_from([0, 2, 5]),
)
def test_every_task_is_given_out_once_however_many_workers_pull(
    counts: dict[str, int], connections: int, workers: int, batch: int, fails_at: int
) -> None:
    ledger = Ledger(counts, connections=connections, fails_at=fails_at)
    ledger.run(workers, batch)
    assert set(ledger.seen) == ledger.expected
    fails = {n for n in ledger.expected if fails_at and n % fails_at == 0}
    assert all(ledger.seen[n] == 1 + (n in fails) for n in ledger.expected)
    assert max(ledger.most.values()) <= connections


def test_the_own_limits_of_a_host_hold(schedule: Schedule, pace: Pace) -> None:
    pace.limit(A, HostLimit(gap_s=3.0, connections=1))
    schedule.add(A, tasks(A, 3))
    schedule.add(B, tasks(B, 2, 100))
    hosts = [take(schedule).record.host for _ in range(3)]
    assert hosts.count(A) == 1
