"""One demo site for all tests that only look, and a client for it."""

from collections.abc import Iterator

import pytest
import requests

from scrape.demo_site import DemoSite
from tests.scrape.demo_site.visitor import Visitor


@pytest.fixture(scope="session")
def site() -> Iterator[DemoSite]:
    with DemoSite(seed=7) as running:
        yield running


@pytest.fixture(scope="session")
def visitor(site: DemoSite) -> Iterator[Visitor]:
    with requests.Session() as session:
        yield Visitor(session, site.url)
