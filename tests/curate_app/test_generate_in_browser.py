"""The drawing screen in headless Chromium: pictures come with verdicts, keys keep the good ones."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.test_pages_in_browser import Screen, Serve, complaints_of
from tests.curate_app.trained_run import train_run

pytestmark = pytest.mark.browser


@pytest.fixture
def screen(
    browser: webdriver.Chrome, serve: Serve, drawn: DrawnCatalogue, tmp_path: Path
) -> Iterator[Screen]:
    """An app with one run to draw from; in the end no page may have complained."""
    train_run(tmp_path)
    complaints_of(browser)
    yield Screen(browser, serve(drawn.data, "--runs", str(tmp_path / "runs")).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


def wait_for_the_model(screen: Screen, holds: Callable[[], object]) -> None:
    """A process with PyTorch is started: on a busy machine that takes its time."""
    WebDriverWait(screen.browser, 90).until(lambda _browser: holds())


def test_pictures_are_drawn_judged_compared_kept_and_undone_by_keys(
    screen: Screen, tmp_path: Path
) -> None:
    screen.open("generate?count=3&steps=2&seed=7&sampler=ddim")
    assert "--seed 7 --count 3" in screen.find("#command").text
    screen.press_with_shift("d")
    wait_for_the_model(screen, lambda: len(screen.all(".drawn")) == 3)
    wait_for_the_model(screen, lambda: len(screen.all(".drawn .nearest")) == 3)
    verdicts = {tile.get_attribute("data-verdict") for tile in screen.all(".drawn")}
    assert verdicts <= {"copy", "near copy", "close", "novel", "too simple to judge"}

    # The first one is kept, the keys go on to the second, which is looked at beside its neighbours.
    screen.press("k")
    screen.until(lambda: screen.status(1) == "keep")
    screen.wait_for_message("kept seed 7")
    assert screen.current() == 2
    screen.until(lambda: len(screen.all("#shelf li")) == 1)
    screen.press(" ")
    screen.until(lambda: len(screen.all("#beside[open] .pair img")) == 4)
    assert "CC0-1.0" in screen.find("#beside").text
    screen.press("k")
    screen.until(lambda: screen.status(2) == "keep")
    screen.press(Keys.ARROW_RIGHT)
    screen.until(lambda: screen.find("#beside-title").text.startswith("Seed 9"))
    screen.press(Keys.ESCAPE)
    screen.until(lambda: not screen.all("#beside[open]"))
    kept = tmp_path / "runs" / "tiny" / "kept"
    screen.until(lambda: len(list(kept.glob("*.png"))) == 2)
    manifest = json.loads((kept / "manifest.json").read_text())
    assert [one["seed"] for one in manifest["pictures"]] == [7, 8]

    # What was kept last is undone first, and a click on the shelf takes one back.
    screen.press("u")
    screen.until(lambda: screen.status(2) == "undecided")
    screen.find("#shelf li button").click()
    screen.until(lambda: not screen.find("#shelf").is_displayed())
    screen.find("#toast-undo").click()
    screen.until(lambda: len(screen.all("#shelf li")) == 1)
    assert screen.status(1) == "keep"

    # More like the first one, above what was drawn before.
    screen.find('.drawn[data-id="1"] [data-act=like]').click()
    wait_for_the_model(screen, lambda: len(screen.all(".drawn")) == 6)
    assert "like seed 7" in screen.find(".batch h2").text
    # A reload keeps all that, and the address the settings.
    screen.find("[name=guidance]").clear()
    screen.find("[name=guidance]").send_keys("1" + Keys.ESCAPE)
    screen.until(lambda: "guidance=1" in screen.browser.current_url)
    screen.browser.refresh()
    assert len(screen.all(".drawn")) == 6
    assert screen.find("[name=guidance]").get_attribute("value") == "1"
    screen.find("#clear").click()
    screen.until(lambda: not screen.all(".drawn"))
    assert len(screen.all("#shelf li")) == 1
