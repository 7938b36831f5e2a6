"""Sites on loopback, and clients that may speak to them and to nobody else."""

from collections.abc import Callable, Iterator

import pytest

from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from tests.scrape.loopback import LoopbackSite

SETTINGS = CrawlSettings(
    contact="owner@example.org",
    allow_hosts=("127.0.0.1",),
    gap_s=0.0,
    timeout_s=5.0,
    deadline_s=10.0,
)


@pytest.fixture
def site() -> Iterator[LoopbackSite]:
    with LoopbackSite() as running:
        yield running


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def client(clock: StepClock) -> Iterator[PoliteClient]:
    """A client whose pauses take no time."""
    with PoliteClient(SETTINGS, clock=clock) as running:
        yield running


ClientOf = Callable[[CrawlSettings], PoliteClient]


@pytest.fixture
def client_of(clock: StepClock) -> Iterator[ClientOf]:
    """Makes clients with other settings, on the same clock."""
    made: list[PoliteClient] = []

    def make(settings: CrawlSettings) -> PoliteClient:
        made.append(PoliteClient(settings, clock=clock))
        return made[-1]

    yield make
    for running in made:
        running.close()
