"""The novelty screen in headless Chromium: marked by key and by click, taken back, on a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from dataset.false_alarms import standing
from tests.curate_app.checked_folder import write_check, write_pack
from tests.curate_app.conftest import RunningServer
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.test_pages_in_browser import Screen, complaints_of

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "tiny" / "samples"
    write_check(folder, ["copy", "copy", "novel"], write_pack(tmp_path / "packs"))
    return folder


@pytest.fixture
def screen(
    browser: webdriver.Chrome,
    serve: Callable[..., RunningServer],
    drawn: DrawnCatalogue,
    folder: Path,
) -> Iterator[Screen]:
    """The list of checks; in the end no page may have complained in the console."""
    drawn.add_many(2)
    complaints_of(browser)
    runs = str(folder.parent.parent)
    screen = Screen(browser, serve(drawn.data, "--runs", runs).address)
    screen.open("novelty")
    yield screen
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


def marked(folder: Path) -> list[str]:
    return sorted(alarm.file for alarm in standing(folder).values())


def test_false_alarms_by_key_and_by_click_with_undo(screen: Screen, folder: Path) -> None:
    screen.find(".check h2 a").click()
    screen.arrive("folder=tiny")
    assert screen.find("h1").text == "2 of 3 pictures are copies"
    assert screen.find("#unsettled").is_displayed() is False
    screen.press(Keys.ARROW_DOWN, "f")
    screen.wait_for_message("00000.png is a false alarm")
    screen.until(lambda: marked(folder) == ["00000.png"])
    assert screen.find(".finding.current .badge.cleared").text == "false alarm, says me"
    assert screen.find("#unsettled").text.startswith("1 mark since this check")
    screen.press(Keys.ARROW_DOWN, "k", "x", "3")  # judges nothing here
    screen.all("[data-act=false-alarm]")[1].click()
    screen.wait_for_message("00001.png is a false alarm")
    assert marked(folder) == ["00000.png", "00001.png"]
    screen.find("#toast-undo").click()
    screen.wait_for_message("00001.png counts as found again")
    screen.press("u")
    screen.wait_for_message("00000.png counts as found again")
    assert marked(folder) == []
    screen.press("u")
    screen.wait_for_message("nothing left to undo on this page")
    assert screen.find("#unsettled").is_displayed() is False


def test_filters_and_order_are_in_the_address(screen: Screen) -> None:
    screen.find(".check h2 a").click()
    screen.arrive("folder=tiny")
    screen.find(".verdicts .tone-novel").click()
    screen.arrive("verdict=novel")
    assert [one.text for one in screen.all(".finding .file")] == ["00002.png"]
    screen.find(".verdicts .tone-").click()
    screen.find("select[name=order] option[value=novelty]").click()
    screen.arrive("order=novelty")
    assert screen.find(".finding .file").text == "00002.png"
    images = "return [...document.querySelectorAll('figure img')].every(i => i.naturalWidth)"
    screen.until(lambda: screen.browser.execute_script(images))
    screen.press(Keys.ESCAPE)
    screen.until(lambda: screen.all(".checks"))


def test_no_page_is_wider_than_a_phone(screen: Screen) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for path in ("novelty", "novelty?folder=tiny/samples"):
            screen.open(path)
            width = screen.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 390, path
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
