"""What the ledger has open reaches the schedule once, in bounded portions, host by host."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from scrape.candidates import candidate_of
from scrape.clock import StepClock
from scrape.pace import Pace
from scrape.report import SourceReport
from scrape.schedule import Schedule, Task
from scrape.sources import ScrapedItem
from scrape.supply import Supply
from tests.scrape.picture_site import grid_source

NOW = "2030-01-01T00:00:00.000Z"
LATER = "2030-01-01T01:00:00.000Z"


class CountedSchedule(Schedule):
    """A schedule that remembers how much it ever held."""

    most_queued = most_hosts = 0

    def add(self, host: str, tasks: list[Task]) -> None:
        super().add(host, tasks)
        held = [len(queue.tasks) for queue in self._queues.values()]
        self.most_queued = max(self.most_queued, sum(held))
        self.most_hosts = max(self.most_hosts, len(held))


@dataclass
class Work:
    """A ledger, the schedule that it feeds, and one worker that does what it is given."""

    catalog: Catalog
    clock: StepClock
    limit: int | None = None
    tries: int = 3
    time: str = NOW
    sources: tuple[str, ...] = ("grid",)
    shares: dict[str, SourceReport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pace = Pace(self.clock, connections=2, longest_wait_s=100.0)
        self.schedule = CountedSchedule(self.pace, self.clock, connections=2)
        self.restart()

    def restart(self) -> None:
        self.shares = {name: SourceReport() for name in self.sources}
        sources = {name: grid_source("http://127.0.0.1", name=name) for name in self.sources}
        self.supply = Supply(
            self.catalog, self.schedule, sources, self.shares,
            limit=self.limit, tries=self.tries, time=lambda: self.time,
        )  # fmt: skip

    def name(self, host: str, count: int, *, source: str = "grid", start: int = 0) -> None:
        with self.catalog.transaction():
            for number in range(start, start + count):
                url = f"http://{host}/{number}"
                item = ScrapedItem(picture_url=url, page_url=f"http://{host}/", source=source)
                self.catalog.ledger.name(url, host, candidate_of(item))
                self.supply.opened(host)

    def one(self) -> Task:
        found = self.schedule.next()
        assert isinstance(found, Task)
        self.pace.release(found.record.host)
        self.schedule.done(found.record.host)
        return found

    def all(self) -> list[Task]:
        """Fill and work until nothing is left; nothing is written into the ledger."""
        done: list[Task] = []
        self.supply.fill()
        while not self.supply.is_exhausted:
            if self.supply._busy:
                done.append(self.one())
                self.supply.put_off(done[-1])
            self.supply.fill()
        return done


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as opened:
        yield opened


@pytest.fixture
def work(catalog: Catalog, clock: StepClock) -> Work:
    return Work(catalog, clock)


def urls(tasks: list[Task]) -> list[str]:
    return [task.record.url for task in tasks]


def test_every_open_address_comes_once(work: Work) -> None:
    for host in range(7):
        work.name(f"h{host}.example", 30 + host)
    found = urls(work.all())
    assert len(found) == len(set(found)) == 7 * 30 + 21


def test_twenty_thousand_addresses_of_many_hosts_stay_in_the_ledger(work: Work) -> None:
    for host in range(400):
        work.name(f"h{host}.example", 50)
    work.supply.fill()
    assert work.schedule.most_hosts <= 256
    done = urls(work.all())
    assert len(done) == len(set(done)) == 20_000
    assert work.schedule.most_queued <= 2 * 4096
    assert work.schedule.most_hosts <= 256


def test_one_host_of_many_addresses_holds_a_portion_of_them(work: Work) -> None:
    work.name("large.example", 5000)
    work.supply.fill()
    assert work.schedule.most_queued <= 128
    assert len(work.all()) == 5000
    assert work.schedule.most_queued <= 2 * 128


def test_a_new_address_of_a_host_at_work_is_found(work: Work) -> None:
    work.name("a.example", 2)
    work.supply.fill()
    first = work.one()
    work.name("a.example", 2, start=2)
    work.supply.fill()
    work.supply.put_off(first)
    assert len(work.all()) == 3


def test_a_new_address_is_found_though_another_try_opens_its_host_first(work: Work) -> None:
    work.name("a.example", 1)
    work.supply.fill()
    failed = work.one()
    work.supply.fill()  # the ledger has no more, the host is forgotten
    work.name("a.example", 1, start=1)
    assert work.supply.tries_again(failed, 0.0)
    work.supply.fill()
    assert len(work.all()) == 2


def test_a_new_address_of_a_host_whose_name_was_passed_is_found(work: Work) -> None:
    work.name("m.example", 1)
    work.supply.fill()
    work.name("a.example", 1)
    assert sorted(urls(work.all())) == ["http://a.example/0", "http://m.example/0"]


def test_what_is_not_due_waits_for_another_run(work: Work, catalog: Catalog) -> None:
    work.name("a.example", 2)
    record = catalog.ledger.get("http://a.example/0")
    assert record is not None
    catalog.ledger.put(type(record)(**{**vars(record), "state": "retry", "next_try_at": LATER}))
    assert urls(work.all()) == ["http://a.example/1"]
    work.time = LATER
    work.restart()
    assert len(work.all()) == 2


def test_a_host_at_rest_is_left_out_until_its_time(work: Work, catalog: Catalog) -> None:
    work.name("a.example", 3)
    work.name("b.example", 3)
    catalog.ledger.rest_host("a.example", LATER, "it said so")
    work.restart()
    assert {task.record.host for task in work.all()} == {"b.example"}
    work.time = "2030-01-01T02:00:00.000Z"
    work.restart()
    assert {task.record.host for task in work.all()} == {"a.example", "b.example"}


def test_only_what_the_sources_of_this_run_named_is_taken(work: Work) -> None:
    work.name("a.example", 2, source="other")
    work.name("a.example", 3, start=5)
    assert len(work.all()) == 3


def test_the_limit_holds_for_each_source(catalog: Catalog, clock: StepClock) -> None:
    work = Work(catalog, clock, limit=4, sources=("one", "two"))
    for source in ("one", "two"):
        for host in ("a.example", "b.example"):
            work.name(host, 5, source=source, start=100 * len(source + source[0] + host[0]))
            work.name(f"{source}.{host}", 5, source=source)
    found = work.all()
    assert len(found) == 8
    assert {name: share.asked for name, share in work.shares.items()} == {"one": 4, "two": 4}


def test_a_failed_task_is_tried_again_so_often_and_waits_longer_each_time(
    work: Work, clock: StepClock
) -> None:
    work.name("a.example", 1)
    work.supply.fill()
    task, at = work.one(), []
    while work.supply.tries_again(task, 0.0):
        before = clock.now()
        task = work.one()
        at.append(clock.now() - before)
    assert len(at) == 2  # three tries in all
    assert at[0] >= 1.0
    assert at[1] >= 2.0
    work.supply.put_off(task)
    assert work.all() == []


def test_a_parked_host_gives_its_tasks_back_and_is_taken_up_later(
    work: Work, clock: StepClock
) -> None:
    work.name("a.example", 3)
    work.supply.fill()
    assert len(work.supply.park("a.example", "down")) == 3
    work.supply.fill()
    assert work.supply.is_exhausted  # for now: a run that has nothing else to do ends
    clock._now += 61.0
    work.supply.fill()
    assert not work.supply.is_exhausted
    assert len(work.all()) == 3


def test_hosts_that_are_down_take_no_place_of_others(work: Work) -> None:
    for host in range(300):
        work.name(f"h{host:03}.example", 1)
    work.supply.fill()
    for name in sorted(work.schedule.hosts):
        work.supply.park(name, "down")
    work.supply.fill()
    assert len(work.schedule.hosts - set(work.schedule.parked)) == 300 - 256


def test_rest_is_remembered_by_the_ledger(work: Work, catalog: Catalog) -> None:
    work.name("a.example", 3)
    work.supply.fill()
    assert len(work.supply.rest("a.example", LATER, "busy")) == 3
    assert catalog.ledger.resting_hosts(NOW) == {"a.example": (LATER, "busy")}
    work.supply.fill()
    assert work.supply.is_exhausted
