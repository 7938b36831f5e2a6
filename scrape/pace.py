"""When a host may be asked: few connections, a gap between requests, sleep when it says so.

The gap is the largest of what the config, robots.txt and the source ask for and of what was
learnt: a host that says 429 or 503 is asked half as often, one that answers ever slower is asked
one request at a time; both are forgotten as it answers well again.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from scrape.clock import Clock
from scrape.response import FetchError

# A host that failed this often in a row is not asked for a while: the circuit is open. Silence
# counts more than a refused connection, as each costs a whole timeout.
_DOWN_AFTER = 8
_SILENCE_COUNTS = 3
_PROBE_AFTER_S = 60.0
# The first gap learnt from a push-back, in seconds, and how fast it is forgotten with each answer.
_FIRST_LEARNT_S = 0.5
_FORGET = 0.9
# Idle hosts are forgotten when so many are known.
_LANES = 2000
# A host is slow when its answers take this much longer than its best, and at least this long.
_SLOW_TIMES = 3.0
_SLOW_S = 1.0


@dataclass(frozen=True, kw_only=True)
class HostLimit:
    """What a source knows of a host's own rules: least `gap_s` between requests, `connections`
    at once (None: as configured), and where a push-back states its wait outside Retry-After:
    `read_wait(headers, body)` returns seconds, 0 when it finds none."""

    gap_s: float = 0.0
    connections: int | None = None
    read_wait: Callable[[Mapping[str, str], bytes], float] | None = None


@dataclass
class Lane:
    """What is known of one host. Times are the clock's seconds."""

    connections: int
    gap_s: float
    busy: int = 0
    started_at: float = -math.inf
    free_at: float = 0.0
    awake_at: float = 0.0
    failures: int = 0
    down_since: float = math.inf
    learnt_s: float = 0.0
    best_s: float = math.inf
    usual_s: float = 0.0
    limit: HostLimit = field(default_factory=HostLimit)

    @property
    def present_gap_s(self) -> float:
        is_slow = self.usual_s > max(_SLOW_S, _SLOW_TIMES * self.best_s)
        return max(self.gap_s, self.learnt_s, self.usual_s if is_slow else 0.0)


class Pace:
    """The lanes of all hosts; used by many threads."""

    def __init__(
        self, clock: Clock, *, connections: int, longest_wait_s: float, gap_s: float = 0.0
    ) -> None:
        self.stopped = threading.Event()
        self._clock = clock
        self._connections = connections
        self._longest_wait_s = longest_wait_s
        self._gap_s = gap_s
        self._lanes: dict[str, Lane] = {}
        self._sweep_at = _LANES
        self._changed = threading.Condition()

    def limit(self, host: str, limit: HostLimit) -> None:
        """Hold `host` to its own rules, too."""
        with self._changed:
            lane = self._lane(host)
            lane.limit = limit
            lane.gap_s = max(lane.gap_s, limit.gap_s)
            lane.connections = min(lane.connections, limit.connections or lane.connections)

    def limit_of(self, host: str) -> HostLimit:
        with self._changed:
            return self._lane(host).limit

    def slow_to(self, host: str, gap_s: float) -> None:
        """Leave at least `gap_s` between two requests of `host` from now on."""
        with self._changed:
            lane = self._lane(host)
            if gap_s > lane.gap_s:
                lane.gap_s = gap_s
                lane.free_at = max(lane.free_at, lane.started_at + gap_s)

    def take(self, host: str) -> float:
        """Take a turn if there is one now (returns 0); else the seconds until there may be one,
        infinity while all connections are in use. Raises FetchError as `turn` does."""
        with self._changed:
            lane = self._lane(host)
            delay = self._delay(host, lane)
            if delay <= 0:
                lane.busy += 1
                lane.started_at = self._clock.now()
                lane.free_at = lane.started_at + lane.present_gap_s
                return 0.0
            return delay

    def release(self, host: str) -> None:
        """Give a turn's connection back."""
        with self._changed:
            self._lane(host).busy -= 1
            self._changed.notify_all()

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for a turn and hold its connection inside the block.

        Raises FetchError: host-asleep when the host asked for more patience than
        `longest_wait_s`, host-down after a row of failures, stopped after `stop`.
        """
        while (delay := self.take(host)) > 0:
            if math.isinf(delay):
                with self._changed:
                    self._changed.wait(0.2)
            else:
                self._clock.sleep(delay, self.stopped)
        try:
            yield
        finally:
            self.release(host)

    def _delay(self, host: str, lane: Lane) -> float:
        """Seconds until a turn of `lane`; infinity while its connections are busy."""
        if self.stopped.is_set():
            raise FetchError("stopped", "the crawl was stopped")
        now = self._clock.now()
        if lane.failures >= _DOWN_AFTER and now - lane.down_since < _PROBE_AFTER_S:
            raise FetchError("host-down", f"{host} failed again and again")
        rest_s = lane.awake_at - now
        if rest_s > self._longest_wait_s:
            raise FetchError(
                "host-asleep", f"{host} asked for {rest_s:.0f} s of rest", wait_s=rest_s
            )
        # An open circuit lets one probe through at a time.
        if lane.busy >= (1 if lane.failures >= _DOWN_AFTER else lane.connections):
            return math.inf
        return max(lane.free_at, lane.awake_at) - now

    def rest(self, host: str, seconds: float) -> None:
        """Let the whole host sleep: no request starts before `seconds` are over."""
        with self._changed:
            lane = self._lane(host)
            lane.awake_at = max(lane.awake_at, self._clock.now() + seconds)

    def resting(self) -> dict[str, float]:
        """The hosts that sleep now, with the seconds that are left."""
        now = self._clock.now()
        with self._changed:
            return {
                h: lane.awake_at - now for h, lane in self._lanes.items() if lane.awake_at > now
            }

    def down(self) -> dict[str, int]:
        """The hosts whose circuit is open, with their failures in a row."""
        with self._changed:
            lanes = self._lanes.items()
            return {host: lane.failures for host, lane in lanes if lane.failures >= _DOWN_AFTER}

    def pause(self, seconds: float) -> None:
        """Let this thread alone wait."""
        self._clock.sleep(seconds, self.stopped)

    def answered(self, host: str, latency_s: float = 0.0) -> None:
        """The host answered; its circuit closes, and what was learnt fades."""
        with self._changed:
            lane = self._lane(host)
            lane.failures, lane.down_since = 0, math.inf
            lane.learnt_s = lane.learnt_s * _FORGET if lane.learnt_s > 0.05 else 0.0
            if latency_s > 0:
                lane.best_s = min(lane.best_s, latency_s)
                lane.usual_s += 0.25 * (latency_s - lane.usual_s)

    def pushed_back(self, host: str) -> None:
        """The host said that it is asked too much: ask half as often."""
        with self._changed:
            lane = self._lane(host)
            learnt = max(2 * lane.present_gap_s, _FIRST_LEARNT_S)
            lane.learnt_s = min(learnt, self._longest_wait_s)

    def failed(self, host: str, *, was_silent: bool = False) -> None:
        """The host did not answer; `was_silent` when that took all the time it was given."""
        with self._changed:
            lane = self._lane(host)
            lane.failures += _SILENCE_COUNTS if was_silent else 1
            if lane.failures >= _DOWN_AFTER:
                lane.down_since = self._clock.now()

    def stop(self) -> None:
        """Wake every sleeper; nobody gets a turn any more."""
        self.stopped.set()
        with self._changed:
            self._changed.notify_all()

    def _forget_idle(self) -> None:
        """Drop what is known of hosts that are neither in use nor asleep nor down."""
        present = self._clock.now()
        self._lanes = {
            host: lane
            for host, lane in self._lanes.items()
            if lane.busy
            or lane.failures
            or lane.learnt_s
            or lane.limit != HostLimit()
            or max(lane.awake_at, lane.free_at) > present
        }

    def _lane(self, host: str) -> Lane:
        if host not in self._lanes:
            if len(self._lanes) >= self._sweep_at:
                self._forget_idle()
                self._sweep_at = max(_LANES, 2 * len(self._lanes))
            self._lanes[host] = Lane(self._connections, self._gap_s)
        return self._lanes[host]
