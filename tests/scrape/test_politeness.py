"""What a site sees of a crawl, from its own log: few connections, gaps, rests, no trespass."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from scrape.crawl import crawl
from scrape.pace import Pace
from scrape.report import CrawlReport
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, Script, page
from tests.scrape.picture_site import card, grid_source

HOSTS = tuple(f"127.0.0.{number}" for number in range(1, 5))
REAL = replace(SETTINGS, allow_hosts=HOSTS, workers=16, tries=2)
# What the server's clock may be off: between a turn taken and a request seen lie some threads.
SLACK_S = 0.03


@dataclass
class Web:
    """Four hosts; the first one shows pictures of all of them."""

    sites: list[LoopbackSite]
    workspace: Workspace

    def put(self, host: int, name: str, answer: Script) -> None:
        self.sites[host].routes[f"/media/{name}"] = answer

    def put_many(self, host: int, count: int, *, delay_s: float = 0.0) -> None:
        for number in range(count):
            body = picture(1000 * host + number)
            self.put(host, f"{number}.png", Answer(body, delay_s=delay_s))

    def crawl(self, settings: CrawlSettings = REAL) -> CrawlReport:
        """Crawl everything that was put, in the order of its putting, by the real clock."""
        shown = [site.url + path for site in self.sites for path in site.routes if "media" in path]
        self.sites[0].routes["/"] = page("".join(card(address, "a picture") for address in shown))
        with PoliteClient(settings) as client:
            source = grid_source(self.sites[0].url)
            return crawl([source], settings, self.workspace, client=client)

    def times(self, host: int) -> list[float]:
        """When each request of a host came, in order, robots.txt included."""
        return sorted(request.at for request in self.sites[host].requests)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with ExitStack() as stack:
        sites = [stack.enter_context(LoopbackSite(host=host)) for host in HOSTS]
        yield Web(sites, Workspace(tmp_path / "data"))


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("connections", [1, 2, 3])
def test_a_host_never_sees_more_connections_than_it_is_granted(web: Web, connections: int) -> None:
    for host in range(3):
        web.put_many(host, 12, delay_s=0.03)
    report = web.crawl(replace(REAL, connections_per_host=connections))
    assert report.added == 36
    for site in web.sites[:3]:
        assert max(request.busy for request in site.requests) <= connections
    assert max(request.busy for site in web.sites for request in site.requests) == connections


def test_the_gap_is_kept_on_every_host_at_once(web: Web) -> None:
    for host in range(4):
        web.put_many(host, 6)
    started = time.monotonic()
    assert web.crawl(replace(REAL, gap_s=0.2)).added == 24
    for host in range(4):
        assert min(gaps(web.times(host))) >= 0.2 - SLACK_S
    # Side by side: the time of one host's requests, not the sum of all of them.
    assert max(times[-1] for times in map(web.times, range(4))) - started < 24 * 0.2


def test_the_crawl_delay_of_robots_is_kept_where_it_is_longer(web: Web) -> None:
    web.sites[1].routes["/robots.txt"] = Answer(b"User-agent: *\nCrawl-delay: 0.3")
    web.sites[2].routes["/robots.txt"] = Answer(b"User-agent: other\nCrawl-delay: 60")
    for host in (1, 2):
        web.put_many(host, 5)
    assert web.crawl(replace(REAL, gap_s=0.05)).added == 10
    assert min(gaps(web.times(1))[1:]) >= 0.3 - SLACK_S
    assert min(gaps(web.times(2))) >= 0.05 - SLACK_S


def test_robots_is_asked_once_a_host_and_before_anything_else(web: Web) -> None:
    for host in range(4):
        web.put_many(host, 10)
    web.crawl()
    for site in web.sites:
        asked = [request.path for request in sorted(site.requests, key=lambda r: r.at)]
        assert asked[0] == "/robots.txt"
        assert asked.count("/robots.txt") == 1
        assert all(
            request.headers["user-agent"].startswith("Pedigree/") for request in site.requests
        )


def test_no_closed_path_is_ever_asked_for(web: Web) -> None:
    web.sites[1].routes["/robots.txt"] = Answer(
        b"User-agent: *\nDisallow: /media/secret\nUser-agent: pedigree\nDisallow: /media/ours/\n"
        b"Disallow: /*.gif$\nAllow: /media/ours/open/"
    )
    for name in ("ours/1.png", "ours/open/2.png", "secret/3.png", "4.gif", "4.gif?x=1", "5.png"):
        web.put(1, name, Answer(picture(len(name) * 100 + ord(name[0]))))
    report = web.crawl()
    assert report.outcomes["refused"] == {"robots": 2}
    assert set(web.sites[1].paths()) == {
        "/media/ours/open/2.png", "/media/secret/3.png", "/media/4.gif?x=1", "/media/5.png"
    }  # fmt: skip


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_kept_by_the_whole_host_and_by_no_other(web: Web, as_date: bool) -> None:
    rest_s = 2.0
    said_at: list[float] = []

    def busy_once(earlier: int) -> Answer:
        if earlier:
            return Answer(picture(1))
        said_at.append(time.monotonic())
        # A date has whole seconds: the one that is reached after `rest_s` at the earliest.
        date = formatdate(time.time() + rest_s + 0.999, usegmt=True)
        return Answer(b"", 429, {"Retry-After": date if as_date else f"{rest_s:.0f}"})

    web.put(1, "busy.png", busy_once)
    web.put_many(1, 4)
    web.put_many(2, 10)
    settings = replace(REAL, connections_per_host=1, gap_s=0.02)
    assert web.crawl(settings).added == 15
    later = [at for at in web.times(1) if at > said_at[0] + SLACK_S]
    assert rest_s - SLACK_S <= later[0] - said_at[0] <= 1.1 * rest_s + (1.0 if as_date else 0.0)
    assert web.times(2)[-1] < said_at[0] + rest_s


@pytest.mark.parametrize("header", [{"X-Robots-Tag": "noai"}, {"TDM-Reservation": "1"}])
def test_after_a_no_in_the_head_the_body_is_left_unread(web: Web, header: dict[str, str]) -> None:
    large = picture(1) + bytes(30_000_000)
    web.put(1, "large.png", Answer(large, headers=header))
    assert web.crawl().outcomes["refused"] == {"opt-out": 1}
    # What the system's buffers of both ends took in; the crawl itself took nothing.
    assert web.sites[1].written.get("/media/large.png", 0) < len(large) // 2


def test_a_hanging_and_a_resting_host_do_not_hold_up_a_fast_one(web: Web) -> None:
    for number in range(30):
        web.put(1, f"{number}.png", Answer(delay_s=30.0))
    web.put(2, "busy.png", Answer(b"", 429, {"Retry-After": "1"}))
    web.put_many(2, 10)
    web.put_many(3, 60)
    settings = replace(REAL, timeout_s=2.0, workers=8)
    report = web.crawl(settings)
    assert report.added == 70
    fast = web.times(3)
    assert max(gaps(fast)) < settings.timeout_s
    assert fast[-1] < web.times(2)[-1]
    # A few failures in a row open the circuit: the rest is left for another run.
    assert len(web.sites[1].paths("/media/")) <= 8 + settings.connections_per_host
    assert "failed" in report.hosts[web.sites[1].url.removeprefix("http://")]


def test_a_host_that_is_down_is_left_alone_and_another_run_asks_again(web: Web) -> None:
    for number in range(40):
        web.put(1, f"{number}.png", Answer(reset=True))
    settings = replace(REAL, tries=4)
    web.crawl(settings)
    assert len(web.sites[1].paths("/media/")) <= 8 + settings.connections_per_host
    with Catalog(web.workspace.catalog) as catalog:
        counts = catalog.ledger.counts()
    assert sum(counts.values()) == 40
    assert {state for state, _ in counts} <= {"new", "retry"}
    web.put_many(1, 40)
    assert web.crawl(settings).added == 40


def test_a_push_back_widens_the_gap_and_good_answers_close_it_again() -> None:
    clock = StepClock()
    pace = Pace(clock, connections=1, longest_wait_s=60.0, gap_s=0.1)

    def gap() -> float:
        with pace.turn("a.example"):
            before = clock.now()
        with pace.turn("a.example"):
            return clock.now() - before

    first = gap()
    for _ in range(3):
        pace.pushed_back("a.example")
    widened = gap()
    assert first == pytest.approx(0.1)
    assert widened == pytest.approx(2.0)  # 0.5, 1, 2
    for _ in range(60):
        pace.answered("a.example", 0.01)
    gap()
    assert gap() == pytest.approx(0.1)
    for _ in range(20):
        pace.pushed_back("a.example")
    gap()
    assert gap() == pytest.approx(60.0)  # never more than a run waits


def test_429_without_a_time_slows_the_crawl_down(web: Web) -> None:
    web.put(1, "a.png", lambda earlier: Answer(picture(1)) if earlier else Answer(b"", 429))
    web.put_many(1, 8)
    assert web.crawl(replace(REAL, connections_per_host=1)).added == 9
    found = gaps(web.times(1))
    assert max(found) >= 0.45 - SLACK_S
    widest = found.index(max(found))
    assert found[widest:] != sorted(found[widest:])  # it is forgotten, answer by answer
    assert found[-1] < max(found)
