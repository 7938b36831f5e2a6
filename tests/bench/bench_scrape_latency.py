"""Many slow hosts at once: how near to what latency allows, what bad hosts cost, and manners.

64 hosts on 127.0.0.x answer after 200 ms; then 5 % of them hang or drip. The server's own log
tells whether the limits were kept.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.config import CrawlSettings
from scrape.crawl import crawl
from scrape.sources import ScrapedItem, Source, SourceSpec

PORT = 8974
HOSTS, PER_HOST, DELAY_S, BAD = 64, 60, 0.2, 3
ROUNDS = 1


class _Listed(Source[SourceSpec]):
    """Every picture of every host, host after host: the order that is worst for many hosts."""

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        for number in range(PER_HOST):
            for host in range(1, HOSTS + 1):
                page = f"http://127.0.0.{host}:{PORT}/"
                yield ScrapedItem(picture_url=f"{page}{number}.png", page_url=page, source="listed")


def run() -> None:
    for connections in (1, 2):
        # robots.txt comes first on every host, and takes its time, too.
        floor_s = (PER_HOST / connections + 1) * DELAY_S
        walls, logs = [], []
        for _ in range(ROUNDS):
            wall_s, log = _round(connections, bad=0)
            walls.append(wall_s)
            logs.append(log)
        good = statistics.median(walls)
        rate = HOSTS * PER_HOST / good
        print(
            f"  {HOSTS} hosts, {connections} connections each, {DELAY_S * 1000:.0f} ms: "
            f"{rate:.0f} pictures/s, {floor_s / good:.1%} of what latency allows"
        )
        _show_manners(logs[-1], connections)
        if connections == 1:
            bad_s = statistics.median(_round(connections, bad=BAD)[0] for _ in range(ROUNDS))
            print(f"  with {BAD} hosts that hang or drip: {bad_s / good - 1:+.1%} time")


def _round(connections: int, bad: int) -> tuple[float, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as scratch, _site(Path(scratch), bad) as log:
        settings = CrawlSettings(
            contact="bench@example.org",
            allow_hosts=tuple(f"127.0.0.{n}" for n in range(1, HOSTS + 1)),
            gap_s=0.0,
            workers=HOSTS * connections + 8,
            connections_per_host=connections,
            timeout_s=2.0,
            deadline_s=4.0,
            tries=2,
        )
        started = time.perf_counter()
        source = _Listed(SourceSpec(kind="listed", name="listed"))
        report = crawl([source], settings, Workspace(Path(scratch) / "data"))
        wall_s = time.perf_counter() - started
        assert report.added + report.known == (HOSTS - bad) * PER_HOST, report.to_text()
        return wall_s, [json.loads(line) for line in log.read_text().splitlines()]


@contextmanager
def _site(folder: Path, bad: int) -> Iterator[Path]:
    log = folder / "log.jsonl"
    arguments = [str(part) for part in (PORT, HOSTS, DELAY_S, bad, log)]
    command = [sys.executable, "-m", "tests.bench.delayed_site", *arguments]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        server.stdout.readline()
        yield log
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def _show_manners(log: list[dict[str, Any]], connections: int) -> None:
    """From the server's log: requests at once per host, robots.txt fetches, robots.txt first."""
    by_host: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in log:
        by_host[line["host"]].append(line)
    most, early = 0, 0
    for lines in by_host.values():
        moments = sorted([(x["from"], 1) for x in lines] + [(x["to"], -1) for x in lines])
        at_once = 0
        for _, step in moments:
            at_once += step
            most = max(most, at_once)
        ordered = sorted(lines, key=lambda line: line["from"])
        early += ordered[0]["path"] != "/robots.txt"
        assert all(a["from"] <= b["from"] for a, b in pairwise(ordered))
    robots = sum(line["path"] == "/robots.txt" for line in log)
    print(
        f"    by the server's log: at most {most} at once (allowed {connections}), "
        f"{robots} robots.txt for {len(by_host)} hosts, {early} hosts asked before it"
    )
