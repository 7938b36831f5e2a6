"""Who of several processes is lost, and which one of them says so.

A thread of each rank beats in torchrun's store, so that a rank that is busy for long is not taken
for one that is lost.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

_BEAT_S = 0.25
_LEAVING_S = 30.0
_SILENT_BEATS = 8  # a rank that has missed this many is taken for lost


class Store(Protocol):
    """What of torch's store is used: texts by name, seen by all ranks."""

    def set(self, key: str, value: str) -> None: ...
    def get(self, key: str) -> bytes: ...
    def check(self, keys: list[str]) -> bool: ...
    def add(self, key: str, amount: int) -> int: ...


class RollCall:
    """What this rank tells of itself, and what it hears of the others."""

    def __init__(self, store: Store, rank: int, world: int) -> None:
        self.rank, self.world = rank, world
        self.steps = 0  # that this rank has done
        self.waits = False  # whether it waits for others just now
        self._store, self._beats = store, 0
        self._ended = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._go_on, name="roll call", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, and say that this rank leaves."""
        self._ended.set()
        self._thread.join()
        with suppress(RuntimeError):  # the store ended with torchrun
            self._store.set(f"left/{self.rank}", "")

    def wait_for_first(self) -> None:
        """Wait for rank 0 to leave, for as long as torchrun lets a rank end by itself."""
        deadline = time.monotonic() + _LEAVING_S
        with suppress(RuntimeError):
            while time.monotonic() < deadline and not self._store.check(["left/0"]):
                time.sleep(_BEAT_S)

    def may_speak(self, line: str) -> bool:
        """Leave the line that this rank ends with; true for the first rank that does so."""
        try:
            self._store.set(f"last line/{self.rank}", line)
            return int(self._store.add("speakers", 1)) == 1
        except RuntimeError:  # the store ended with torchrun itself
            return self.rank == 0

    def verdict(self, timeout_s: float) -> str:
        """Who is lost, and what is known of it, in one line."""
        try:
            with _undisturbed():
                return self._verdict(timeout_s)
        except RuntimeError:
            return "torchrun ended; run the same command again to go on from the last checkpoint"

    def _verdict(self, timeout_s: float) -> str:
        before = [self._heard_of(rank) for rank in range(self.world)]
        deadline = time.monotonic() + _BEAT_S * _SILENT_BEATS
        while time.monotonic() < deadline:
            for rank in range(self.world):
                if self._store.check([f"last line/{rank}"]):
                    line = self._store.get(f"last line/{rank}").decode()
                    return f"rank {rank} of {self.world} ended: {line}"
            time.sleep(_BEAT_S / 4)
        now = [self._heard_of(rank) for rank in range(self.world)]
        for rank, (beats, steps, _) in enumerate(now):
            if beats == before[rank][0] and rank != self.rank:
                return (
                    f"rank {rank} of {self.world} died or was stopped after {steps} steps; see its"
                    " output, and run the same command again to go on from the last checkpoint"
                )
        busy = [rank for rank, (_, _, waits) in enumerate(now) if not waits]
        name = f"rank {busy[0]}" if busy else "a rank"
        return (
            f"{name} of {self.world} did not answer for {timeout_s:g} s; see what it is at, or"
            " allow more with --set rank_timeout_s=N, and run the same command again"
        )

    def _heard_of(self, rank: int) -> tuple[int, int, bool]:
        """The beats and steps that a rank has counted, and whether it waits for others."""
        if not self._store.check([f"beat/{rank}"]):
            return 0, 0, False
        beats, steps, waits = self._store.get(f"beat/{rank}").decode().split()
        return int(beats), int(steps), waits == "True"

    def _beat(self) -> None:
        self._beats += 1
        self._store.set(f"beat/{self.rank}", f"{self._beats} {self.steps} {self.waits}")

    def _go_on(self) -> None:
        while not self._ended.wait(_BEAT_S):
            try:
                self._beat()
            except RuntimeError:  # the store ended with torchrun; the next collective says so
                return


@contextmanager
def _undisturbed() -> Iterator[None]:
    """torchrun ends all ranks as soon as one is dead; to find out which takes a moment."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
