"""When a host may be asked: few connections, a gap between requests, sleep when it says so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scrape.clock import Clock
from scrape.response import FetchError

# A host that failed this often in a row is not asked again in this run.
_DOWN_AFTER = 12


@dataclass
class _Lane:
    """What is known of one host."""

    slots: threading.Semaphore
    lock: threading.Lock = field(default_factory=threading.Lock)
    free_at: float = 0.0
    awake_at: float = 0.0
    failures: int = 0


class Pace:
    """The queue of every host; used by many threads."""

    def __init__(self, clock: Clock, *, connections: int, longest_wait_s: float) -> None:
        self.stopped = threading.Event()
        self._clock = clock
        self._connections = connections
        self._longest_wait_s = longest_wait_s
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str, gap_s: float) -> Iterator[None]:
        """Wait for a connection's place and for `gap_s` since the last request's start.

        Raises FetchError: host-asleep when the host asked for more patience than
        `longest_wait_s`, host-down after a row of failures, stopped after `stop`.
        """
        lane = self._lane(host)
        with lane.slots:
            self._wait(host, lane, gap_s)
            yield

    def _wait(self, host: str, lane: _Lane, gap_s: float) -> None:
        while not self.stopped.is_set():
            with lane.lock:
                now = self._clock.now()
                if lane.failures >= _DOWN_AFTER:
                    raise FetchError("host-down", f"{host} failed {lane.failures} times in a row")
                if lane.awake_at - now > self._longest_wait_s:
                    wait_s = lane.awake_at - now
                    raise FetchError(
                        "host-asleep", f"{host} asked for {wait_s:.0f} s of rest", wait_s=wait_s
                    )
                delay = max(lane.free_at, lane.awake_at) - now
                if delay <= 0:
                    lane.free_at = now + gap_s
                    return
            self._clock.sleep(delay, self.stopped)
        raise FetchError("stopped", "the crawl was stopped")

    def rest(self, host: str, seconds: float) -> None:
        """Let the whole host sleep: no request starts before `seconds` are over."""
        lane = self._lane(host)
        with lane.lock:
            lane.awake_at = max(lane.awake_at, self._clock.now() + seconds)

    def pause(self, seconds: float) -> None:
        """Let this thread alone wait."""
        self._clock.sleep(seconds, self.stopped)

    def answered(self, host: str) -> None:
        lane = self._lane(host)
        with lane.lock:
            lane.failures = 0

    def failed(self, host: str) -> None:
        lane = self._lane(host)
        with lane.lock:
            lane.failures += 1

    def stop(self) -> None:
        """Wake every sleeper; nobody gets a turn any more."""
        self.stopped.set()

    def _lane(self, host: str) -> _Lane:
        with self._lock:
            if host not in self._lanes:
                self._lanes[host] = _Lane(threading.Semaphore(self._connections))
            return self._lanes[host]
