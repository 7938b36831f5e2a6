"""Time behind one small seam: the system's clock, and one for tests that only moves by sleeping."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds: `now` only ever grows, `wall` is since 1970 in UTC."""

    def now(self) -> float: ...

    def wall(self) -> float: ...

    def sleep(self, seconds: float, stopped: threading.Event) -> None:
        """Wait `seconds`, or less when `stopped` is set meanwhile."""

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Wait `seconds`, or less when `changed`, which the caller holds, is notified."""


class SystemClock:
    """The real time."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float, stopped: threading.Event) -> None:
        stopped.wait(seconds)

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        changed.wait(seconds)


class StepClock:
    """A clock for tests: sleeping moves it at once and is written down in `slept`."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._now, self._wall = 0.0, wall
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall + self._now

    def sleep(self, seconds: float, stopped: threading.Event) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._now += max(seconds, 0.0)

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        changed.wait(0.001)  # whoever works now goes first
        self._now += max(seconds, 0.0)
