"""What the tests of several stages share."""

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.browser import open_browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page in a real browser gets a second try, which the report shows: on a machine at full
    load Chromium now and then takes longer than any wait that one would want in a test."""
    for item in items:
        if item.get_closest_marker("browser") or "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One headless Chromium for all page tests of a run."""
    opened = open_browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.quit()
