"""The door and the pack screen in headless Chromium: log in, pack by key, watch it, stop it."""

import json
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from dataset.records import Change
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_pages_in_browser import Screen, Serve, complaints_of

pytestmark = pytest.mark.browser

SECRET = "correct horse"


@pytest.fixture
def kept(drawn: DrawnCatalogue) -> DrawnCatalogue:
    """Twelve kept pictures, and one whose every word from the web is hostile."""
    ids = drawn.add_many(12)
    ids.append(drawn.add(drawing(77), caption=HOSTILE, label=HOSTILE, licence=HOSTILE))
    with drawn.open() as catalog:
        changes = [Change(image_id=i, field="status", value="keep") for i in ids]
        catalog.judgements.apply(changes, who="me", verb="keep")
    return drawn


@pytest.fixture
def at_the_door(browser: webdriver.Chrome, serve: Serve, kept: DrawnCatalogue) -> Iterator[Screen]:
    """The app behind a password; pages may complain of what was refused on purpose alone."""
    complaints_of(browser)
    yield Screen(browser, serve(kept.data, "--password", SECRET).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    meant = ("403 (FORBIDDEN)", "400 (BAD REQUEST)")
    assert [line for line in complaints if not any(part in line for part in meant)] == []


def log_in(screen: Screen, password: str) -> None:
    screen.find("#password").send_keys(password + Keys.ENTER)


def test_password_lets_in_and_a_key_packs_what_is_shown(
    at_the_door: Screen, kept: DrawnCatalogue
) -> None:
    screen = at_the_door
    screen.open("export?size=16&label=cat")
    assert "/login" in screen.browser.current_url
    assert not screen.all(".brand")
    log_in(screen, "wrong word")
    screen.until(lambda: screen.find("#wrong").text == "that is not the password")
    log_in(screen, SECRET)
    screen.arrive("/export?size=16&label=cat")
    # The numbers follow the form, and the address follows them.
    assert screen.find(".headline strong").text == "3"
    for tick in screen.all('#settings input[name="label"]'):
        if tick.is_selected():
            tick.click()
    screen.until(lambda: screen.find(".headline strong").text == "13")
    name = screen.find('#settings input[name="name"]')
    name.clear()
    name.send_keys("tiny" + Keys.ESCAPE)
    screen.until(lambda: "name=tiny" in screen.browser.current_url)
    screen.until(lambda: "--set 'name=\"tiny\"'" in screen.find("#command").text)
    # So do lists and switches, which are chosen and not typed.
    screen.find('#settings option[value="subject"]').click()
    screen.until(lambda: "fit=subject" in screen.browser.current_url)
    screen.find('#settings input[name="linear_light"]').send_keys(Keys.SPACE + Keys.ESCAPE)
    screen.until(lambda: "linear_light=on" in screen.browser.current_url)
    screen.until(lambda: "--set linear_light=true" in screen.find("#command").text)
    screen.press("p")  # a small letter starts nothing
    assert screen.find("#pack").is_enabled()
    assert not screen.all(".job")
    screen.press_with_shift("p")
    screen.until(lambda: screen.find(".job").get_attribute("data-state") == "done")
    screen.wait_for_message("Pack tiny is done")
    row = '#packs tr[data-pack="tiny"]'
    screen.until(lambda: screen.all(row))
    manifest = json.loads((kept.data / "packs" / "tiny.manifest.json").read_text())
    assert manifest["config"]["size"] == 16
    assert (manifest["config"]["fit"], manifest["config"]["linear_light"]) == ("subject", True)
    shown = screen.find(f"{row} .hash").get_attribute("textContent")
    assert shown == manifest["content_hash"]
    # A reload keeps what happened; what came from the web is text everywhere.
    screen.browser.refresh()
    assert screen.find(".job .job-state").text == "done"
    assert HOSTILE in screen.find(".job-result").text
    assert HOSTILE in screen.find(".licences").text
    assert screen.browser.title == "Pack · Pedigree"
    assert not screen.all("main img")


def test_wrong_setting_is_told_and_a_job_is_stopped_by_its_button(
    at_the_door: Screen, kept: DrawnCatalogue
) -> None:
    screen = at_the_door
    screen.open("export")
    log_in(screen, SECRET)
    screen.arrive("/export")
    name = screen.find('#settings input[name="name"]')
    name.clear()
    name.send_keys("a/b" + Keys.ESCAPE)
    screen.until(lambda: "name 'a/b' must be letters" in screen.find("#fault").text)
    screen.press_with_shift("p")
    screen.until(lambda: "not packed: " in screen.find("#toast-text").text)
    assert not screen.all(".job")
    name.clear()
    name.send_keys("ok" + Keys.ESCAPE)
    # So slow that nobody misses the button: the catalogue is held by somebody else.
    with kept.open() as catalog, catalog.transaction():
        screen.press_with_shift("p")
        screen.until(lambda: screen.find(".job").get_attribute("data-state") == "running")
        screen.find(".job-stop").click()
        screen.until(lambda: screen.find(".job").get_attribute("data-state") == "stopped")
    assert screen.find(".job").find_element(By.CSS_SELECTOR, ".job-stop").get_attribute("hidden")
    assert not (kept.data / "packs" / "ok.manifest.json").exists()
