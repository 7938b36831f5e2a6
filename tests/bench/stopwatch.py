"""Side-by-side timing: contestants take turns, medians are compared as ratios."""

import os
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
    contestants: Mapping[str, Callable[[], object]],
    items: int | Mapping[str, int],
    rounds: int = ROUNDS,
) -> list[Result]:
    """Time every contestant `rounds` times in turn; the first one named is the yardstick (1.0).

    `items` is how many things one call works on, of all or of each by name. One call of each goes
    before, unmeasured.
    """
    count = dict.fromkeys(contestants, items) if isinstance(items, int) else items
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()
    for _ in range(rounds):
        for name, work in contestants.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: count[name] / statistics.median(times) for name, times in seconds.items()}
    first = next(iter(rates.values()))
    return [Result(name, rate, rate / first) for name, rate in rates.items()]


def show(title: str, unit: str, results: list[Result]) -> None:
    print(f"\n{title}")
    for result in results:
        print(f"  {result.name:<44} {result.per_second:>14,.0f} {unit}/s {result.ratio:>9.2f}x")


def at_least(title: str, value: float, bar: float, unit: str = "") -> None:
    """Print whether `value` reaches its bar."""
    _judge(title, value, bar, unit, value >= bar)


def at_most(title: str, value: float, bar: float, unit: str = "") -> None:
    """Print whether `value` stays under its bar."""
    _judge(title, value, bar, unit, value <= bar)


def load() -> str:
    """How busy the machine is: processes that want a core, over 1, 5 and 15 minutes."""
    return "load average " + " ".join(f"{part:.1f}" for part in os.getloadavg())


def _judge(title: str, value: float, bar: float, unit: str, is_met: bool) -> None:
    said = f"{value:>12,.0f}" if value >= 1000 else f"{value:>12.2f}"
    print(f"  {title:<56} {said} {unit:<4} bar {bar:>9,g}: {'met' if is_met else 'MISSED'}")
