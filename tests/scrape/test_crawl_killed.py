"""kill -9 in the middle of a crawl: nothing is lost, nothing is doubled, a rerun finishes."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.workspace import Workspace
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite
from tests.scrape.picture_site import crawl_file, fill

COUNT = 30
WORKERS = 2
# Killed as soon as the server has seen so many picture requests in all.
KILLED_AT = (1, 9, 17)


@contextmanager
def running_crawl(config: Path, data: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "scrape", "run", "--config", str(config), "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for_requests(site: LoopbackSite, count: int, child: subprocess.Popen[bytes]) -> None:
    while len(site.paths("/media/")) < count:
        assert child.poll() is None, "the crawl ended early"
        time.sleep(0.005)


def test_a_killed_crawl_goes_on_where_it_was(site: LoopbackSite, tmp_path: Path) -> None:
    for number, path in enumerate(fill(site, COUNT)):
        site.routes[path] = Answer(picture(number), delay_s=0.02)
    config = crawl_file(tmp_path, site.url, settings=f"workers = {WORKERS}")
    workspace = Workspace(tmp_path / "data")
    for moment in KILLED_AT:
        with running_crawl(config, workspace.root) as child:
            wait_for_requests(site, moment, child)
    with running_crawl(config, workspace.root) as child:
        assert child.wait(timeout=60) == 0
    with Catalog(workspace.catalog, create=False) as catalog:
        records = list(catalog.images.all())
        store = ImageStore(workspace.images)
        stored = {store.get(record.sha256) for record in records}
        assert stored == {picture(number) for number in range(COUNT)}
        assert len(records) == COUNT
        assert all(len(catalog.images.origins(record.id)) == 1 for record in records)
        assert catalog.ledger.counts() == {("fetched", "ok"): COUNT}
    asked = Counter(site.paths("/media/"))
    in_flight = 2 * WORKERS + 1
    assert sum(asked.values()) - COUNT <= in_flight * len(KILLED_AT)


def test_a_terminated_crawl_ends_quickly_and_says_how_to_go_on(
    site: LoopbackSite, tmp_path: Path
) -> None:
    for path in fill(site, COUNT):
        site.routes[path] = Answer(b"", delay_s=60.0)
    config = crawl_file(tmp_path, site.url)
    command = [sys.executable, "-m", "scrape", "run", "--config", str(config)]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path / "data")], stderr=subprocess.PIPE, text=True
    ) as child:
        while not site.paths("/media/"):
            assert child.poll() is None, "the crawl ended early"
            time.sleep(0.005)
        child.terminate()
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "run the same command again to go on" in errors
    assert "Traceback" not in errors
