"""Side-by-side timing: contestants take turns, medians are compared as ratios."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Result:
    """One contestant's median and how often faster than the first one it is."""

    name: str
    per_second: float
    ratio: float


def race(
    contestants: Mapping[str, Callable[[], object]], items: int, rounds: int = ROUNDS
) -> list[Result]:
    """Time every contestant `rounds` times in turn; the first one named is the yardstick (1.0).

    `items` is how many things one call works on. One call of each goes before, unmeasured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()
    for _ in range(rounds):
        for name, work in contestants.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: items / statistics.median(times) for name, times in seconds.items()}
    first = next(iter(rates.values()))
    return [Result(name, rate, rate / first) for name, rate in rates.items()]


def show(title: str, unit: str, results: list[Result]) -> None:
    print(f"\n{title}")
    for result in results:
        print(f"  {result.name:<44} {result.per_second:>14,.0f} {unit}/s {result.ratio:>9.2f}x")
