"""How fast the app's pages come from a real server, at 100,000 and at 1,000,000 pictures.

`PEDIGREE_BENCH_SIZES=100000` measures one size; PEDIGREE_BENCH_FOLDER keeps the catalogues.
"""

import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from tests.bench.large_catalogue import COMMON_WORD, LABELS, RARE_WORD, large_catalogue
from tests.curate_app.visitor import Visitor

SIZES = "100000,1000000"
ROUNDS, PER_ROUND = 5, 20
MOST_S = 3.0  # a round on one page is cut short after this
PAGE_BAR_MS = {100_000: 25.0, 1_000_000: 150.0}
FACETS_BAR_MS = {100_000: 50.0}
MEMORY_BAR_MB = 300.0


@dataclass
class Page:
    """An address that is asked for; `bar` is of p95, in milliseconds; `before` is not timed."""

    name: str
    path: str
    bar: float | None
    before: Callable[[Visitor], object] | None = None
    rounds: list[list[float]] = field(default_factory=list)
    size: int = 0
    resident: float = 0.0  # MB of the server after its first visits
    cpu: list[float] = field(default_factory=list)  # ms of the server's own time, by round

    def percentile(self, part: float) -> float:
        """The median over the rounds of the round's percentile, in milliseconds."""
        return statistics.median(quantile(times, part) for times in self.rounds)


def run() -> None:
    for size in map(int, os.environ.get("PEDIGREE_BENCH_SIZES", SIZES).split(",")):
        measure(large_catalogue(size), size)


def measure(data: Path, size: int) -> None:
    print(f"\n{size:,} pictures; load average {load()} before")
    with served(data) as (address, process), Visitor(address) as visitor:
        first = timed(lambda: visitor.get("/"))
        print(f"  first page after the start {first:,.0f} ms; resident {memory(process)}")
        pages = pages_of(visitor, size)
        for page in pages:
            visit(visitor, page, 2)
            page.resident = resident_mb(process.pid)[0]
        print(f"  resident after every page {memory(process)}")
        for _round in range(ROUNDS):
            for page in pages:
                before = cpu_ms(process.pid)
                page.rounds.append(visit(visitor, page, PER_ROUND))
                page.cpu.append((cpu_ms(process.pid) - before) / len(page.rounds[-1]))
        show(pages)
        judge_and_take_back(visitor, PAGE_BAR_MS.get(size))
        check_thumbnails(visitor)
        resident, most = resident_mb(process.pid)
        verdict = "" if size < 1_000_000 else passed(resident, MEMORY_BAR_MB)
        print(f"  resident {resident:,.0f} MB, at most {most:,.0f} MB {verdict}")
    print(f"  load average {load()} after")


def pages_of(visitor: Visitor, size: int) -> list[Page]:
    """The grid in its many states, and every screen that the navigation names."""
    bar, facets = PAGE_BAR_MS.get(size), FACETS_BAR_MS.get(size)
    deep = size * 9 // 10
    pages = [
        Page("grid, first page", "/", bar),
        Page("grid, first page, JSON", "/?format=json", bar),
        Page("grid, deep", f"/?after={deep}", bar),
        Page("grid, at 50 percent", "/?at=50", bar),
        Page("grid, sorted by quality", "/?sort=-sharpness", bar),
        Page("grid, sorted, at 50 percent", "/?sort=-sharpness&at=50", bar),
        Page("grid, quality from ... to", "/?between=sharpness:0.2..0.3", bar),
        Page("grid, by label", f"/?label={LABELS[0].replace(' ', '+')}", facets),
        Page("grid, by caption word, common", f"/?text={COMMON_WORD}", facets),
        Page("grid, by caption word, rare", f"/?text={RARE_WORD}", facets),
        Page("grid, by source and licence", "/?source=search&licence=CC-BY-4.0", facets),
        Page("  the same, JSON", "/?source=search&licence=CC-BY-4.0&format=json", facets),
        Page("grid, undecided", "/?status=undecided", bar),
        Page("grid after a judgement", "/", bar, judge_one),
        Page("one picture", "/picture/17", bar),
        Page("one picture, deep", f"/picture/{deep}", bar),
    ]
    return pages + [Page(*screen, bar) for screen in screens(visitor)]


def screens(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """The name and the address of every screen of the navigation but the grid."""
    nav = re.search(r'<nav aria-label="Screens">(.*?)</nav>', visitor.text("/"), re.DOTALL)
    assert nav is not None
    for address, name in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', nav[1]):
        if address != "/":
            path = unescape(address)
            if visitor.get(path)[0] == 302:
                path = visitor.headers["location"]
            yield f"screen: {name.strip().lower()}", path


_turn = iter(range(10**9))


def judge_one(visitor: Visitor) -> None:
    turn = next(_turn)
    verb = "keep" if turn // 200 % 2 else "reject"
    visitor.act("/judge", {"verb": verb, "ids": [1 + turn % 200]})


def judge_and_take_back(visitor: Visitor, bar: float | None) -> None:
    """Judgements alone, and their undos, which leave the catalogue as it was."""
    keys = Page("judgement (POST, durable)", "", bar)
    undos = Page("undo (POST, durable)", "", bar)
    for _round in range(ROUNDS):
        keys.rounds.append([timed(lambda: judge_one(visitor)) for _ in range(PER_ROUND)])
    for _round in range(ROUNDS):
        undos.rounds.append([timed(lambda: visitor.act("/undo", {})) for _ in range(PER_ROUND)])
    show([keys, undos])


def check_thumbnails(visitor: Visitor) -> None:
    [address] = re.findall(r'<img class="[^"]*" src="([^"]+)"', visitor.text("/"))[:1]
    made = timed(lambda: visitor.get(address))
    again = [timed(lambda: visitor.get(address)) for _ in range(30)]
    kept = visitor.headers.get("cache-control", "")
    assert "immutable" in kept, kept
    print(f"  thumbnail {made:.1f} ms, again {quantile(again, 0.95):.1f} ms (p95); {kept}")


def visit(visitor: Visitor, page: Page, times: int) -> list[float]:
    found: list[float] = []
    while len(found) < times and sum(found) < 1000 * MOST_S:
        if page.before:
            page.before(visitor)
        start = time.perf_counter()
        status, body = visitor.get(page.path)
        found.append((time.perf_counter() - start) * 1000)
        assert status == 200, f"{page.path}: {status} {body[:300]!r}"
        page.size = len(body)
    return found


def show(pages: list[Page]) -> None:
    print(f"  {'':<34} {'p50':>8} {'p95':>8} {'p99':>8} ms {'kB':>7} {'MB':>6} {'cpu ms':>7}")
    for page in pages:
        p50, p95, p99 = (page.percentile(part) for part in (0.5, 0.95, 0.99))
        verdict = passed(p95, page.bar) if page.bar else ""
        print(
            f"  {page.name:<34} {p50:>8.1f} {p95:>8.1f} {p99:>8.1f}    {page.size / 1000:>7.0f} "
            f"{page.resident:>6.0f} {statistics.median(page.cpu or [0]):>7.1f} {verdict}",
            flush=True,
        )


def passed(value: float, bar: float) -> str:
    return f"bar {bar:g}: {'met' if value <= bar else 'MISSED'}"


@contextmanager
def served(data: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The app served by its own command on a free port of the loopback."""
    command = [sys.executable, "-m", "curate_app", "serve", "--data", str(data), "--port", "0"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, "the app did not start"
        yield address, process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def quantile(times: list[float], part: float) -> float:
    """The nearest-rank percentile."""
    return sorted(times)[max(0, math.ceil(part * len(times)) - 1)]


def memory(process: subprocess.Popen[str]) -> str:
    resident, most = resident_mb(process.pid)
    return f"{resident:,.0f} MB (at most {most:,.0f})"


def resident_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process now, and the most that it ever was; 0 where nobody tells."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8")
    except FileNotFoundError:
        return 0.0, 0.0
    found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", text))
    return int(found["VmRSS"]) / 1000, int(found["VmHWM"]) / 1000


def cpu_ms(pid: int) -> float:
    """Time that a process has run, whoever else was on the machine; 0 where nobody tells."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text("ascii").split()[0]) for thread in threads) / 1e6


def load() -> str:
    return " ".join(f"{part:.1f}" for part in os.getloadavg())
