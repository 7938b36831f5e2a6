"""kill -9 in the middle of a crawl: nothing is lost, nothing is doubled, a rerun finishes."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.workspace import Workspace
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, page
from tests.scrape.picture_site import card, crawl_text, fill

COUNT = 30
PER_PAGE = 25
HOSTS = tuple(f"127.0.0.{number}" for number in range(1, 6))
# Requests that were asked but not written down when the run was killed: one for each worker, and
# what it has handed over since the last transaction.
WORKERS, HANDED_OVER = 4, 8


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "scrape", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.fixture
def sites() -> Iterator[list[LoopbackSite]]:
    """Five hosts of one kind of site; the first one has the pages."""
    with ExitStack() as stack:
        yield [stack.enter_context(LoopbackSite(host=host)) for host in HOSTS]


def asked_for(sites: list[LoopbackSite]) -> Counter[str]:
    """How often each picture was asked for."""
    return Counter(site.url + path for site in sites for path in site.paths("/media/"))


def spread(sites: list[LoopbackSite], count: int, delay_s: float = 0.02) -> dict[str, bytes]:
    """Lay `count` pictures out over all hosts, shown on pages of the first; bytes by address."""
    found: dict[str, bytes] = {}
    for number in range(count):
        site, path = sites[number % len(sites)], f"/media/{number}.png"
        found[site.url + path] = picture(number)
        site.routes[path] = Answer(picture(number), delay_s=delay_s)
    shown = list(found)
    pages = [shown[start : start + PER_PAGE] for start in range(0, count, PER_PAGE)]
    for number, part in enumerate(pages, start=1):
        more = f'<a rel="next" href="/?page={number + 1}">more</a>' if number < len(pages) else ""
        answer = page("".join(card(address, f"Picture {address}") for address in part) + more)
        sites[0].routes["/" if number == 1 else f"/?page={number}"] = answer
    return found


def crawl_file(folder: Path, url: str, settings: str = "") -> Path:
    """A crawl file that may ask all five hosts."""
    text = crawl_text(url, settings=f"workers = {WORKERS}\n{settings}")
    written = folder / "crawl.toml"
    written.write_text(text.replace('["127.0.0.1"]', str(list(HOSTS))))
    return written


def kill_at(sites: list[LoopbackSite], moment: int, *arguments: str | Path) -> bool:
    """Run until so many pictures were asked for, then kill -9; False when it ended before."""
    with running(*arguments) as child:
        while sum(asked_for(sites).values()) < moment:
            if child.poll() is not None:
                return False
            time.sleep(0.003)
        child.kill()
        child.wait(timeout=30)
        return True


def require_whole(workspace: Workspace, expected: dict[str, bytes]) -> None:
    """Every picture is there with all its bytes, once, with one origin and a settled row."""
    with Catalog(workspace.catalog, create=False) as catalog:
        records = list(catalog.images.all())
        store = ImageStore(workspace.images)
        origins = {record.id: catalog.images.origins(record.id) for record in records}
        assert {found[0].url for found in origins.values()} == set(expected)
        assert all(len(found) == 1 for found in origins.values())
        for record in records:
            assert store.get(record.sha256) == expected[origins[record.id][0].url]
        assert len(records) == len(expected)
        assert catalog.ledger.counts() == {("fetched", "ok"): len(expected)}
        assert all(len(catalog.images.captions(record.id)) == 1 for record in records)


def crawl_through_kills(
    sites: list[LoopbackSite], folder: Path, *, count: int, kills: int, seed: int
) -> None:
    """Kill a crawl of `count` pictures at random moments, go on each time, and look at it all."""
    expected = spread(sites, count)
    config, workspace = crawl_file(folder, sites[0].url), Workspace(folder / "data")
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(1, count - 5), kills))
    arguments: tuple[str | Path, ...] = ("run", "--config", config)
    happened = 0
    for moment in moments:
        happened += kill_at(sites, moment, *arguments, "--data", workspace.root)
        if workspace.catalog.exists():
            arguments = ("resume",)
    assert happened > kills // 2
    with running("resume", "--data", workspace.root) as child:
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
    require_whole(workspace, expected)
    again = sum(asked_for(sites).values()) - count
    assert again <= (WORKERS + HANDED_OVER) * happened
    assert max(asked_for(sites).values()) <= 1 + happened


def test_a_crawl_that_is_killed_again_and_again_loses_and_doubles_nothing(
    sites: list[LoopbackSite], tmp_path: Path
) -> None:
    crawl_through_kills(sites, tmp_path, count=60, kills=4, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_twenty_kills_lose_and_double_nothing(
    sites: list[LoopbackSite], tmp_path: Path, seed: int
) -> None:
    crawl_through_kills(sites, tmp_path, count=400, kills=20, seed=seed)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_crawl_ends_quickly_and_says_how_to_go_on(
    site: LoopbackSite, tmp_path: Path, sent: signal.Signals
) -> None:
    for path in fill(site, COUNT):
        site.routes[path] = Answer(b"", delay_s=60.0)
    config = crawl_file(tmp_path, site.url)
    with running("run", "--config", config, "--data", tmp_path / "data") as child:
        while not site.paths("/media/"):
            assert child.poll() is None, "the crawl ended early"
            time.sleep(0.005)
        child.send_signal(sent)
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "run the same command again to go on" in errors
    assert "Traceback" not in errors


def test_ctrl_c_keeps_every_picture_that_had_come(site: LoopbackSite, tmp_path: Path) -> None:
    paths = fill(site, COUNT, per_page=COUNT)
    for path in paths[20:]:
        site.routes[path] = Answer(b"", delay_s=60.0)
    workspace = Workspace(tmp_path / "data")
    settings = "connections_per_host = 4"
    config = crawl_file(tmp_path, site.url, settings)
    with running("run", "--config", config, "--data", workspace.root) as child:
        while len(site.paths("/media/")) < 20 + WORKERS:
            assert child.poll() is None, "the crawl ended early"
            time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert errors.strip().splitlines()[-1].startswith("error: interrupted")
    for number, path in enumerate(paths):
        site.routes[path] = Answer(picture(number))
    with running("resume", "--data", workspace.root) as child:
        assert child.wait(timeout=60) == 0
    require_whole(workspace, {site.url + path: picture(n) for n, path in enumerate(paths)})
    asked = Counter(site.paths("/media/"))
    assert [path for path in paths[:20] if asked[path] != 1] == []


def test_a_crawl_that_is_killed_while_a_list_is_read_reads_it_again(
    site: LoopbackSite, tmp_path: Path
) -> None:
    paths = fill(site, COUNT, per_page=10)
    second = site.routes["/?page=2"]
    site.routes["/?page=2"] = Answer(b"", delay_s=60.0)
    config, workspace = crawl_file(tmp_path, site.url), Workspace(tmp_path / "data")
    with running("run", "--config", config, "--data", workspace.root) as child:
        while len(site.paths("/media/")) < 10 or not site.paths("/?page=2"):
            assert child.poll() is None, "the crawl ended early"
            time.sleep(0.005)
    site.routes["/?page=2"] = second
    with running("resume", "--data", workspace.root) as child:
        assert child.wait(timeout=60) == 0
    require_whole(workspace, {site.url + path: picture(n) for n, path in enumerate(paths)})
