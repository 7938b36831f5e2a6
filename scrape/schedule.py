"""Which address is asked next: a queue per host, many hosts side by side, each at its own pace.

Workers pull their next task here and never wait for one host while another is ready. The queues
are short: whoever owns the ledger fills them up as they run low, so memory stays flat.
"""

import heapq
import math
import threading
from collections import deque
from dataclasses import dataclass, field

from dataset.records import AddressRecord
from scrape.candidates import HERE
from scrape.clock import Clock
from scrape.pace import Pace
from scrape.response import FetchError
from scrape.sources import ScrapedItem

# Waits are cut into pieces of this length, for what may change without a word, in seconds.
_LONGEST_NAP_S = 0.5
# How soon a host is looked at again whose connections are all used by lists or pages of sources.
_BUSY_NAP_S = 0.02


@dataclass(frozen=True)
class Task:
    """One address to ask for, and the items that named it, first naming first."""

    record: AddressRecord
    items: tuple[ScrapedItem, ...]
    holds_turn: bool = False

    @property
    def needs_own_turns(self) -> bool:
        return bool(self.items[0].detail_url)


@dataclass(frozen=True)
class Blocked:
    """A host that cannot be asked now, and why."""

    host: str
    error: FetchError


@dataclass
class _Queue:
    """One host's tasks in memory; `after` is the newest id that was taken from the ledger."""

    tasks: deque[Task] = field(default_factory=deque)
    in_flight: int = 0
    after: int = 0
    is_offered: bool = False  # stands in the heap
    is_drained: bool = False  # the ledger had nothing more


class Schedule:
    """The queues of all hosts; `own_turns` names sources that take their turns themselves."""

    def __init__(
        self,
        pace: Pace,
        clock: Clock,
        *,
        connections: int,
        own_turns: frozenset[str] = frozenset(),
    ) -> None:
        self._pace, self._clock = pace, clock
        self._connections = connections
        self._own_turns = own_turns
        self._queues: dict[str, _Queue] = {}
        self._ready: list[tuple[float, int, str]] = []
        self._delayed: list[tuple[float, int, str, Task]] = []
        self._parked: dict[str, tuple[float, str]] = {}
        self._counter = 0
        self._is_over = False
        self._changed = threading.Condition()

    def add(self, host: str, tasks: list[Task]) -> None:
        """Queue tasks taken from the ledger in order of id; an empty list says it has no more."""
        with self._changed:
            queue = self._queues.setdefault(host, _Queue())
            queue.is_drained = not tasks
            if tasks:
                queue.tasks.extend(tasks)
                queue.after = tasks[-1].record.id
            self._offer(host, queue)
            is_over = queue.is_drained and not (queue.in_flight or queue.tasks)
            if is_over and not any(entry[2] == host for entry in self._delayed):
                del self._queues[host]

    def again(self, host: str, task: Task, seconds: float) -> None:
        """Queue `task` once more, after `seconds`."""
        with self._changed:
            self._counter += 1
            at = self._clock.now() + seconds
            heapq.heappush(self._delayed, (at, self._counter, host, task))
            self._queues.setdefault(host, _Queue(is_drained=True))
            self._changed.notify()

    def low(self, at_least: int) -> list[tuple[str, int]]:
        """(host, newest id taken) of the queues that hold fewer than `at_least` tasks."""
        with self._changed:
            return [
                (host, queue.after)
                for host, queue in self._queues.items()
                if not queue.is_drained and len(queue.tasks) < at_least
            ]

    def refresh(self, host: str) -> bool:
        """The ledger has a new address of `host`: look there again; False if it has no queue."""
        with self._changed:
            if host in self._queues:
                self._queues[host].is_drained = False
            return host in self._queues

    @property
    def hosts(self) -> set[str]:
        """The hosts at work, and those that are parked."""
        with self._changed:
            return {*self._queues, *self._parked}

    @property
    def parked(self) -> dict[str, str]:
        """The hosts that are not asked for now, and why."""
        with self._changed:
            return {host: reason for host, (_, reason) in self._parked.items()}

    def unpark(self) -> list[str]:
        """The parked hosts whose time has come; they are parked no more."""
        with self._changed:
            present = self._clock.now()
            found = [host for host, (until, _) in self._parked.items() if until <= present]
            for host in found:
                del self._parked[host]
            return found

    def park(self, host: str, seconds: float, reason: str) -> list[Task]:
        """Do not ask `host` for a while; returns what was queued of it, which the ledger knows."""
        with self._changed:
            dropped = [task for _, _, other, task in self._delayed if other == host]
            self._parked[host] = (self._clock.now() + seconds, reason)
            queue = self._queues.get(host)
            if queue is not None:
                dropped += queue.tasks
                queue.tasks.clear()
                queue.is_drained = True
                if not queue.in_flight:
                    del self._queues[host]
            self._delayed = [entry for entry in self._delayed if entry[2] != host]
            heapq.heapify(self._delayed)
            return dropped

    def next(self) -> Task | Blocked | None:
        """Wait for the next task; its host's turn is taken where the task says so. None at the
        end; Blocked when a host cannot be asked any more (park it)."""
        with self._changed:
            while not self._is_over:
                self._revive()
                found = self._ready_task()
                if found is not None:
                    return found
                self._nap()
            return None

    def done(self, host: str) -> None:
        """A task of `host` is over."""
        with self._changed:
            queue = self._queues.get(host)
            if queue is None:
                return
            queue.in_flight -= 1
            self._offer(host, queue)
            is_over = queue.is_drained and not (queue.in_flight or queue.tasks)
            if is_over and not any(entry[2] == host for entry in self._delayed):
                del self._queues[host]

    def end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _ready_task(self) -> Task | Blocked | None:
        present = self._clock.now()
        while self._ready and self._ready[0][0] <= present:
            _, _, host = heapq.heappop(self._ready)
            queue = self._queues.get(host)
            if queue is None or not queue.tasks:
                if queue is not None:
                    queue.is_offered = False
                continue
            queue.is_offered = False
            task = queue.tasks[0]
            takes_turn = host != HERE and not (
                task.needs_own_turns or task.items[0].source in self._own_turns
            )
            if takes_turn:
                try:
                    delay = self._pace.take(host)
                except FetchError as error:
                    return Blocked(host, error)
                if delay > 0:
                    nap_s = _BUSY_NAP_S if math.isinf(delay) else min(delay, _LONGEST_NAP_S)
                    self._offer(host, queue, nap_s)
                    continue
            queue.tasks.popleft()
            queue.in_flight += 1
            self._offer(host, queue)
            return Task(task.record, task.items, holds_turn=takes_turn)
        return None

    def _offer(self, host: str, queue: _Queue, delay_s: float = 0.0) -> None:
        """Put a host into the heap when it has work and may have one more in flight."""
        most = 1 << 30 if host == HERE else self._connections
        if queue.tasks and not queue.is_offered and queue.in_flight < most:
            self._counter += 1
            queue.is_offered = True
            entry = (self._clock.now() + delay_s, self._counter, host)
            heapq.heappush(self._ready, entry)
            self._changed.notify()

    def _revive(self) -> None:
        """Move delayed tasks whose time has come back into their queues."""
        present = self._clock.now()
        while self._delayed and self._delayed[0][0] <= present:
            _, _, host, task = heapq.heappop(self._delayed)
            queue = self._queues.setdefault(host, _Queue(is_drained=True))
            queue.tasks.appendleft(task)
            self._offer(host, queue)

    def _nap(self) -> None:
        """Wait for a change, or until the time of the first task that has one."""
        times = [entries[0][0] for entries in (self._ready, self._delayed) if entries]
        if times:
            left = max(min(times) - self._clock.now(), 0.001)
            self._clock.wait(self._changed, min(left, _LONGEST_NAP_S))
        else:
            self._changed.wait(_LONGEST_NAP_S)
