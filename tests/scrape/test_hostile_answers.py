"""One crawl of every hostile answer that we know: each has its state, its reason, its sentence."""

import html
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dataset.catalog import Catalog
from dataset.records import AddressRecord
from dataset.workspace import Workspace
from scrape.addresses import canonical_address
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.connection import dial
from scrape.crawl import crawl
from scrape.explain import explain
from scrape.reasons import REASONS, sentence
from scrape.report import CrawlReport
from tests.scrape.conftest import SETTINGS
from tests.scrape.hostile_answers import (
    CASES,
    FORGOTTEN,
    MAX_BYTES,
    REBOUND,
    ROBOTS,
    WALL,
    Hostile,
)
from tests.scrape.loopback import Answer, LoopbackSite, page
from tests.scrape.picture_site import card, grid_source

HOSTS = sorted({case.host for case in CASES})
NAMES = {FORGOTTEN: "127.0.0.10", REBOUND: "127.0.0.11"}
SETTINGS_HERE = replace(
    SETTINGS,
    allow_hosts=(*(f"127.0.0.{number}" for number in HOSTS), FORGOTTEN),
    max_bytes=MAX_BYTES,
    timeout_s=1.5,
    deadline_s=2.5,
    tries=2,
)
PUBLIC = "93.184.216.34"


class World:
    """The names and numbers outside: what is looked up, and what is connected to."""

    def __init__(self) -> None:
        self.looked_up: Counter[str] = Counter()
        self.dialled: set[str] = set()

    def resolve(self, host: str, port: int) -> list[str]:
        self.looked_up[host] += 1
        is_first = self.looked_up[host] == 1
        if host == FORGOTTEN and is_first:
            return [NAMES[FORGOTTEN]]
        if host == REBOUND:  # public when it is checked, private when it is asked
            return [PUBLIC if is_first else "10.0.0.1"]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def dial(self, number: str, port: int, timeout: Any) -> socket.socket:
        self.dialled.add(number)
        return dial(NAMES[REBOUND] if number == PUBLIC else number, port, timeout)


@dataclass
class Crawled:
    """What the crawl left behind."""

    workspace: Workspace
    report: CrawlReport
    world: World
    sites: dict[int, LoopbackSite]

    def address(self, case: Hostile) -> str:
        return canonical_address(html.unescape(written(case, self.sites)))

    def record(self, case: Hostile) -> AddressRecord:
        with Catalog(self.workspace.catalog) as catalog:
            record = catalog.ledger.get(self.address(case))
        assert record is not None, "the ledger does not know it"
        return record


def written(case: Hostile, sites: dict[int, LoopbackSite]) -> str:
    """The address as the page has it."""
    site = sites[case.host]
    return (case.written or "{site}" + case.path).format(site=site.url, port=site.port)


def furnish(sites: dict[int, LoopbackSite]) -> None:
    """Give every site its routes, and the first one the page that shows them all."""
    for number, site in sites.items():
        # A connection for each answer: the name is looked up again for the next one.
        robots = Answer(ROBOTS, headers={"Connection": "close"})
        site.routes["/robots.txt"] = robots
        for case in CASES:
            if case.host == number:
                site.routes.update({case.path: case.answer, **case.also})
                site.routes["/robots.txt"] = case.robots or site.routes["/robots.txt"]
    shown = "".join(card(written(case, sites), f"This is {case.name}") for case in CASES)
    sites[1].routes["/"] = page(shown)


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    workspace, world = Workspace(tmp_path_factory.mktemp("data")), World()
    with ExitStack() as stack:
        sites = {n: stack.enter_context(LoopbackSite(host=f"127.0.0.{n}")) for n in HOSTS}
        furnish(sites)
        client = PoliteClient(
            SETTINGS_HERE, clock=StepClock(WALL), resolver=world.resolve, dial=world.dial
        )
        source = grid_source(sites[1].url)
        report = crawl([source], SETTINGS_HERE, workspace, client=client)
        yield Crawled(workspace, report, world, sites)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_answer_has_its_state_and_reason(crawled: Crawled, case: Hostile) -> None:
    record = crawled.record(case)
    assert (record.state, record.reason) == (case.state, case.reason), record.message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_explain_tells_its_story(crawled: Crawled, case: Hostile) -> None:
    address = crawled.address(case)
    with Catalog(crawled.workspace.catalog) as catalog:
        story = explain(catalog, address)
    assert story[0] == address
    if case.state == "fetched":
        assert story[-1].startswith(("in the set", "not in the set: undecided"))
    else:
        assert sentence(case.reason) in "\n".join(story)
        assert story[-1] == "not in the set"


def test_the_report_counts_every_case_once(crawled: Crawled) -> None:
    report = crawled.report
    expected: dict[str, Counter[str]] = {state: Counter() for state in report.outcomes}
    good = 0
    for case in CASES:
        good += case.state == "fetched"
        if case.state != "fetched":
            expected[case.state][case.reason] += 1
    assert report.outcomes == expected
    assert report.added + report.known == good
    assert report.known == 3  # two twins, and what a redirect leads to
    assert report.sources["grid"].items == len(CASES)
    assert report.verdict() is None


def test_names_of_cases_are_their_own_and_many() -> None:
    assert max(Counter(case.name for case in CASES).values()) == 1
    assert len(CASES) >= 150


@pytest.mark.parametrize("reason", sorted({case.reason for case in CASES} - {"ok"}))
def test_every_reason_has_a_sentence(reason: str) -> None:
    assert reason in REASONS or reason.startswith("http-")
    assert len(sentence(reason).split()) >= 3


def test_nothing_private_was_connected_to(crawled: Crawled) -> None:
    known = {f"127.0.0.{number}" for number in HOSTS}
    assert crawled.world.dialled <= {*known, PUBLIC}
    assert PUBLIC in crawled.world.dialled  # the first look-up of the host that was rebound
    assert crawled.sites[11].paths() == []


def test_a_closed_part_of_the_site_was_never_asked_for(crawled: Crawled) -> None:
    assert crawled.sites[1].paths("/private") == []
    assert crawled.sites[17].paths() == []


def test_no_bytes_of_a_refused_picture_were_kept(crawled: Crawled) -> None:
    with Catalog(crawled.workspace.catalog) as catalog:
        known = {record.sha256 for record in catalog.images.all()}
    stored = {path.name for path in crawled.workspace.images.rglob("*") if path.is_file()}
    assert {Path(name).stem for name in stored} >= known
    assert len(stored) <= len(known) + 2  # the twin by pixels has bytes of its own
