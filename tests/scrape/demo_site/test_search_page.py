"""The search page in a real browser: scrolling loads everything, then says so."""

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from scrape.demo_site import DemoSite
from tests.scrape.demo_site.visitor import Visitor

pytestmark = pytest.mark.browser


def shown(browser: webdriver.Chrome) -> list[str]:
    return [
        str(image.get_dom_attribute("src"))
        for image in browser.find_elements(By.CSS_SELECTOR, "#results .result img")
    ]


def status(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "status").text


def scroll_to_the_end(browser: webdriver.Chrome) -> None:
    """Scroll down until the page says that there is no more."""

    def has_ended(driver: webdriver.Chrome) -> bool:
        driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        return status(driver).startswith(("No more", "The results could not"))

    WebDriverWait(browser, 30, poll_frequency=0.1).until(has_ended)


def test_scrolling_loads_everything_once(
    browser: webdriver.Chrome, site: DemoSite, visitor: Visitor
) -> None:
    expected = [entry["url"] for entry in visitor.entries("/api/pictures?q=poodle")]
    browser.get(f"{site.url}/search?q=poodle")
    WebDriverWait(browser, 20).until(lambda driver: len(shown(driver)) >= 24)
    before = len(shown(browser))
    scroll_to_the_end(browser)
    assert shown(browser) == expected
    assert len(expected) > before
    assert status(browser) == f"No more results: {len(expected)} of {len(expected)}"


def test_nothing_found_is_said(browser: webdriver.Chrome, site: DemoSite) -> None:
    browser.get(f"{site.url}/search?q=unicorn")
    scroll_to_the_end(browser)
    assert status(browser) == "No more results: 0 of 0"


def test_cards_show_their_pictures_when_they_are_seen(
    browser: webdriver.Chrome, site: DemoSite
) -> None:
    browser.get(f"{site.url}/logos/?page=3")
    first = browser.find_element(By.CSS_SELECTOR, ".card img")
    WebDriverWait(browser, 20).until(
        lambda _: first.get_dom_attribute("src") == first.get_dom_attribute("data-src")
    )
