"""A million named addresses on 5,000 hosts: memory, rows/s, and look-ups/s of the ledger.

Every address is refused at the guard (loopback numbers that nobody allowed), so that the figures
are those of the ledger and the schedule, and nothing is sent.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dataset.catalog import Catalog
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.config import CrawlSettings
from scrape.crawl import crawl
from scrape.sources import ScrapedItem, Source, SourceSpec

ROWS = int(os.environ.get("PEDIGREE_BENCH_ROWS", "1000000"))
HOSTS = 5000


class _Listed(Source[SourceSpec]):
    """ROWS addresses, neighbours on different hosts."""

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        for number in range(ROWS):
            host = number % HOSTS
            address = f"http://127.9.{host // 250}.{host % 250 + 1}/{number}.jpg"
            yield ScrapedItem(picture_url=address, page_url=address, source="listed")


def run() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tests.bench.bench_scrape_scale", scratch]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def _measure(workspace: Workspace) -> None:
    settings = CrawlSettings(contact="bench@example.org", gap_s=0.0, workers=4)
    started = time.perf_counter()
    report = crawl([_Listed(SourceSpec(kind="listed", name="listed"))], settings, workspace)
    seconds = time.perf_counter() - started
    assert report.outcomes["refused"]["private-address"] == ROWS
    print(f"  {ROWS:,} addresses of {HOSTS:,} hosts: {ROWS / seconds:,.0f}/s, all the way")
    print(f"  peak memory {_peak_mb():.0f} MB, ledger {workspace.catalog.stat().st_size >> 20} MB")
    with Catalog(workspace.catalog) as catalog:
        started = time.perf_counter()
        for number in range(0, ROWS, max(1, ROWS // 100_000)):
            host = number % HOSTS
            catalog.ledger.get(f"http://127.9.{host // 250}.{host % 250 + 1}/{number}.jpg")
        seconds = time.perf_counter() - started
    print(f"  {min(ROWS, 100_000) / seconds:,.0f} look-ups/s in the ledger")


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000
    return float("nan")


if __name__ == "__main__":
    _measure(Workspace(Path(sys.argv[1])))
