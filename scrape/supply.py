"""Between the ledger and the schedule: what is open goes in, host by host, and only once.

The ledger may hold millions of open addresses; the schedule a few thousand, of a few hundred hosts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dataset.catalog import Catalog
from dataset.records import AddressRecord
from scrape.candidates import item_of
from scrape.report import SourceReport
from scrape.schedule import Schedule, Task
from scrape.sources import Source

# Hosts with queues in memory, and tasks in all queues together.
_HOSTS = 256
_QUEUED = 4096
# Tasks that may wait for another try at once; beyond it they are left to the next run.
_DELAYED = 10_000
# Hosts to remember between two fillings, and to look for in the ledger at one.
_OPENED = 10_000
_PROBES = 2000
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
# A host whose circuit is open is tried again after this time if the run still goes on.
_PARKED_S = 60.0


class Supply:
    """Fills `schedule` with what `sources` have open, at most `limit` addresses of each;
    `time` tells the present as the ledger writes it."""

    def __init__(
        self,
        catalog: Catalog,
        schedule: Schedule,
        sources: Mapping[str, Source[Any]],
        shares: Mapping[str, SourceReport],
        *,
        limit: int | None,
        tries: int,
        time: Callable[[], str],
    ) -> None:
        self._ledger, self._schedule = catalog.ledger, schedule
        self._sources, self._names, self._shares = sources, list(sources), shares
        self._limit, self._most_tries = limit, tries
        self._time = time
        self.resting = self._ledger.resting_hosts(time())
        self._busy: set[int] = set()  # queued, in flight, or waiting for another try
        self._tries: dict[int, int] = {}  # of those that failed in this run
        self._spent: set[int] = set()  # had all their tries in this run
        self._opened: dict[str, None] = {}  # hosts of which something was named, in that order
        self._cursor = ""
        self._found_any = False
        self._may_have_more = True

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is open that this run could ask for, nor on its way."""
        return not (self._busy or self._opened or self._may_have_more)

    def opened(self, host: str) -> None:
        """An address of `host` was noted as open."""
        if not self._schedule.refresh(host):
            self._opened[host] = None
        if len(self._opened) > _OPENED:  # too many to remember: look for them in the ledger
            self._opened.clear()
            self._may_have_more = True

    def fill(self) -> None:
        """Top up the queues, and bring in further hosts while there is room."""
        if self._schedule.unpark():
            self._may_have_more = True
        # Another try may have opened a queue since: it does not know of what was named.
        for host in self._opened.keys() & self._schedule.hosts:
            if self._schedule.refresh(host):
                del self._opened[host]
        hosts = self._schedule.hosts
        batch = max(8, min(128, _QUEUED // max(len(hosts), 1)))
        for host, after in self._schedule.low(batch // 2):
            self._schedule.add(host, self._tasks(host, after, batch))
        most = _HOSTS + len(self._schedule.parked)  # these hold nothing
        while self._opened and len(hosts) < most:
            found = next(iter(self._opened))
            del self._opened[found]
            if found not in hosts and found not in self.resting:
                self._begin(found, hosts)
        for _ in range(_PROBES):  # of hosts that other sources named there may be very many
            if not self._may_have_more or len(hosts) >= most:
                break
            following = self._ledger.next_host(self._cursor, {*hosts, *self.resting})
            if following is None:  # once round; again, if this round found anything
                self._may_have_more = self._found_any
                self._cursor, self._found_any = "", False
                continue
            self._cursor = following
            self._found_any |= self._begin(following, hosts)

    def _begin(self, host: str, hosts: set[str]) -> bool:
        """Bring a host in, if it has anything for this run."""
        tasks = self._tasks(host, 0, _QUEUED // _HOSTS)
        if tasks:
            hosts.add(host)
            self._schedule.add(host, tasks)
        return bool(tasks)

    def finished(self, task: Task) -> None:
        """The last word on a task in this run was spoken."""
        self._busy.discard(task.record.id)
        self._tries.pop(task.record.id, None)

    def put_off(self, task: Task) -> None:
        """Nothing was asked: leave the task to another run."""
        self.finished(task)
        self._spent.add(task.record.id)

    def tries_again(self, task: Task, wait_s: float) -> bool:
        """Queue a failed task once more if it has tries left in this run."""
        number = self._tries.get(task.record.id, 0) + 1
        if number >= self._most_tries or len(self._tries) >= _DELAYED:
            return False
        self._tries[task.record.id] = number
        # A host that named a time rests as a whole; without one, each address waits longer.
        pause_s = 0.0 if wait_s else min(_FIRST_PAUSE_S * 2 ** (number - 1), _LONGEST_PAUSE_S)
        self._schedule.again(task.record.host, task, pause_s)
        return True

    def park(self, host: str, reason: str) -> list[Task]:
        """Leave a host that does not answer alone for a while; returns what was queued of it."""
        dropped = self._schedule.park(host, _PARKED_S, reason)
        for task in dropped:
            self.finished(task)
            self._shares[task.items[0].source].asked -= 1
        return dropped

    def rest(self, host: str, awake_at: str, reason: str) -> list[Task]:
        """Leave a host that asked for it alone, for this run and all until `awake_at`."""
        self._ledger.rest_host(host, awake_at, reason)
        self.resting[host] = (awake_at, reason)
        return self.park(host, reason)

    def _tasks(self, host: str, after: int, count: int) -> list[Task]:
        """The next open addresses of `host` that are not under way."""
        while not self._is_at_limit():
            records = self._ledger.open_addresses(
                host, self._names, self._time(), after=after, limit=count
            )
            if not records:
                return []
            after = records[-1].id
            fresh = [r for r in records if r.id not in self._busy and r.id not in self._spent]
            tasks = [task for task in self._with_items(fresh) if self._is_within_limit(task)]
            if tasks:
                self._busy.update(task.record.id for task in tasks)
                return tasks
        return []

    def _with_items(self, records: list[AddressRecord]) -> list[Task]:
        named = self._ledger.candidates([record.id for record in records])
        tasks = []
        for record in records:
            items = [item_of(record.url, candidate) for candidate in named[record.id]]
            tasks.append(Task(record, tuple(i for i in items if i.source in self._sources)))
        return tasks

    def _is_at_limit(self) -> bool:
        """Whether no source may ask for anything more."""
        limit = self._limit
        return limit is not None and all(s.asked >= limit for s in self._shares.values())

    def _is_within_limit(self, task: Task) -> bool:
        share = self._shares[task.items[0].source]
        if self._limit is not None and share.asked >= self._limit:
            return False
        share.asked += 1
        return True
