"""What the tests of several stages share."""

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.browser import open_browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One headless Chromium for all page tests of a run."""
    opened = open_browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.quit()
