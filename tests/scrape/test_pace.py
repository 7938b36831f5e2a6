"""A host is asked by few connections, with a gap, and left alone when it asks for it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from scrape.clock import StepClock, SystemClock
from scrape.pace import Pace
from scrape.response import FetchError


@pytest.fixture
def pace(clock: StepClock) -> Pace:
    return Pace(clock, connections=2, longest_wait_s=100.0)


def start(pace: Pace, clock: StepClock, host: str = "a.example", gap_s: float = 0.0) -> float:
    pace.slow_to(host, gap_s)
    with pace.turn(host):
        return clock.now()


def test_requests_to_one_host_keep_the_gap(pace: Pace, clock: StepClock) -> None:
    assert [start(pace, clock, gap_s=1.5) for _ in range(4)] == [0.0, 1.5, 3.0, 4.5]


def test_another_host_does_not_wait(pace: Pace, clock: StepClock) -> None:
    start(pace, clock, "a.example", 60.0)
    assert start(pace, clock, "b.example", 60.0) == 0.0


def test_the_gap_holds_between_threads(pace: Pace, clock: StepClock) -> None:
    with ThreadPoolExecutor(8) as pool:
        starts = sorted(pool.map(lambda _: start(pace, clock, gap_s=1.0), range(16)))
    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) >= 1.0


def test_a_host_at_rest_is_asked_only_afterwards(pace: Pace, clock: StepClock) -> None:
    pace.rest("a.example", 30.0)
    pace.rest("a.example", 10.0)
    assert start(pace, clock, "b.example") == 0.0
    assert start(pace, clock, "a.example") == 30.0


def test_more_rest_than_we_are_ready_to_wait_is_a_refusal_for_now(
    pace: Pace, clock: StepClock
) -> None:
    pace.rest("a.example", 3600.0)
    with pytest.raises(FetchError) as failure:
        start(pace, clock)
    assert (failure.value.reason, failure.value.wait_s) == ("host-asleep", 3600.0)
    assert clock.slept == []


def test_a_host_that_keeps_failing_is_given_up(pace: Pace, clock: StepClock) -> None:
    for _ in range(7):
        pace.failed("a.example")
    pace.answered("a.example")
    for _ in range(7):
        pace.failed("a.example")
    start(pace, clock)
    pace.failed("a.example")
    with pytest.raises(FetchError) as failure:
        start(pace, clock)
    assert failure.value.reason == "host-down"


def test_at_most_so_many_connections_are_open_at_once(pace: Pace) -> None:
    lock, open_now, most = threading.Lock(), [0], [0]

    def hold(_: int) -> None:
        with pace.turn("a.example"):
            with lock:
                open_now[0] += 1
                most[0] = max(most[0], open_now[0])
            threading.Event().wait(0.01)
            with lock:
                open_now[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, range(16)))
    assert most == [2]


def test_stopping_wakes_whoever_waits_and_lets_nobody_in() -> None:
    pace = Pace(SystemClock(), connections=1, longest_wait_s=1000.0)
    pace.rest("a.example", 900.0)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(lambda: pace.turn("a.example").__enter__())
        pace.stop()
        with pytest.raises(FetchError) as failure:
            waiter.result(timeout=10)
    assert failure.value.reason == "stopped"
