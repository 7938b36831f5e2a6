"""The pages driven in headless Chromium by key and by click; the catalogue says what arrived."""

from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.curate_app.conftest import RunningServer
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_actions import state

pytestmark = pytest.mark.browser

Serve = Callable[..., RunningServer]

_CHANGING = (NoSuchElementException, StaleElementReferenceException)


class Screen:
    """A page in the browser: keys, clicks, and what it shows."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, path: str = "") -> None:
        self.browser.get(self.address + path)

    def until(self, holds: Callable[[], object]) -> None:
        # Parts of a page are exchanged under way: a look at an old part is taken again.
        wait = WebDriverWait(self.browser, 20, ignored_exceptions=_CHANGING)
        wait.until(lambda _browser: holds())

    def arrive(self, *parts: str) -> None:
        """Wait for a page whose address holds `parts` and whose script has run."""
        ready = "return document.readyState === 'complete'"
        self.until(
            lambda: (
                all(part in self.browser.current_url for part in parts)
                and self.browser.execute_script(ready)
            )
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def press_with_shift(self, key: str) -> None:
        chain = ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(key)
        chain.key_up(Keys.SHIFT).perform()

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def tile(self, number: int) -> WebElement:
        return self.find(f'.tile[data-id="{number}"]')

    def status(self, number: int) -> str | None:
        return self.tile(number).get_attribute("data-status")

    def ids(self) -> list[int]:
        script = "return [...document.querySelectorAll('.tile')].map(t => Number(t.dataset.id))"
        found: list[int] = self.browser.execute_script(script)
        return found

    def current(self) -> int:
        return int(self.find(".tile.current").get_attribute("data-id") or 0)

    def wait_for(self, number: int, status: str) -> None:
        self.until(lambda: self.status(number) == status)

    def wait_for_message(self, text: str) -> None:
        self.until(lambda: self.find("#said").get_attribute("textContent") == text)


def complaints_of(browser: webdriver.Chrome) -> list[str]:
    """What pages wrote into the browser's console since the last call."""
    log = browser.execute(Command.GET_LOG, {"type": "browser"})["value"]
    return [entry["message"] for entry in log]


@pytest.fixture
def screen_of(
    browser: webdriver.Chrome, serve: Serve
) -> Iterator[Callable[[DrawnCatalogue], Screen]]:
    """Serve a catalogue and look at it; in the end no page may have complained in the console."""
    complaints_of(browser)
    yield lambda drawn: Screen(browser, serve(drawn.data).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


ScreenOf = Callable[[DrawnCatalogue], Screen]


def test_grid_is_judged_by_keys_and_goes_on_by_itself(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, b, c = drawn.add_many(3)
    screen = screen_of(drawn)
    screen.open()
    screen.press("k")
    screen.wait_for(a, "keep")
    screen.wait_for_message(f"kept #{a}")
    assert screen.current() == b
    screen.press("x", "4")
    screen.wait_for(b, "reject")
    screen.wait_for_message(f"★★★★ for #{c}")
    assert state(drawn, a, b, c) == [("keep", "", 0), ("reject", "", 0), ("undecided", "", 4)]
    # The counts beside the grid follow.
    screen.until(lambda: screen.find('[data-value="keep"] .count').text == "1")
    screen.press("u", "u")
    screen.wait_for(b, "undecided")
    screen.wait_for_message(f"undid reject of #{b}")
    screen.press("u")
    screen.wait_for(a, "undecided")
    screen.press("u")
    screen.wait_for_message("nothing left to undo")
    assert state(drawn, a, b, c) == [("undecided", "", 0)] * 3


def test_grid_is_judged_by_clicks(screen_of: ScreenOf, drawn: DrawnCatalogue) -> None:
    a, b = drawn.add_many(2)
    screen = screen_of(drawn)
    screen.open()
    screen.tile(b).find_element(By.CSS_SELECTOR, "[data-act=reject]").click()
    screen.wait_for(b, "reject")
    screen.tile(a).find_element(By.CSS_SELECTOR, "[data-act=keep]").click()
    screen.wait_for(a, "keep")
    assert state(drawn, a, b) == [("keep", "", 0), ("reject", "", 0)]
    screen.wait_for_message(f"kept #{a}")
    screen.find("#toast-undo").click()
    screen.wait_for(a, "undecided")
    screen.wait_for_message(f"undid keep of #{a}")
    assert state(drawn, a, b) == [("undecided", "", 0), ("reject", "", 0)]


def test_keys_work_on_after_a_click_on_a_button(screen_of: ScreenOf, drawn: DrawnCatalogue) -> None:
    a, b = drawn.add_many(2)
    screen = screen_of(drawn)
    screen.open()
    screen.tile(a).find_element(By.CSS_SELECTOR, "[data-act=keep]").click()
    screen.wait_for(a, "keep")
    screen.press(Keys.ARROW_RIGHT, "k")
    screen.wait_for(b, "keep")


def test_fast_keys_arrive_all_and_in_order(screen_of: ScreenOf, drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(20)
    screen = screen_of(drawn)
    screen.open()
    ActionChains(screen.browser).send_keys("kx" * 10).perform()
    screen.wait_for(ids[-1], "reject")
    expected = [("keep", "", 0), ("reject", "", 0)] * 10
    assert state(drawn, *ids) == expected
    with drawn.open() as catalog:
        assert [event.image_id for event in catalog.judgements.latest()] == ids[::-1]


def test_arrows_walk_the_grid_and_shift_selects_what_keys_then_judge(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(14)
    screen = screen_of(drawn)
    screen.open()
    screen.press(Keys.ARROW_DOWN)
    below = screen.current()
    assert screen.tile(below).location["x"] == screen.tile(ids[0]).location["x"]
    assert screen.tile(below).location["y"] > screen.tile(ids[0]).location["y"]
    screen.press(Keys.ARROW_UP)
    assert screen.current() == ids[0]
    screen.press_with_shift(Keys.ARROW_RIGHT)
    screen.press_with_shift(Keys.ARROW_RIGHT)
    assert screen.find("#chosen-count").text == "3 selected"
    screen.press("x")
    screen.wait_for(ids[2], "reject")
    assert state(drawn, *ids[:4]) == [("reject", "", 0)] * 3 + [("undecided", "", 0)]
    assert not screen.find("#chosen").is_displayed()
    with drawn.open() as catalog:
        assert catalog.judgements.last_batch() == 1


def test_shift_click_selects_a_range_and_the_bar_judges_it(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(5)
    screen = screen_of(drawn)
    screen.open()
    frames = {i: screen.tile(i).find_element(By.CSS_SELECTOR, ".frame") for i in ids}
    frames[ids[1]].click()
    assert screen.current() == ids[1]
    chain = ActionChains(screen.browser).key_down(Keys.SHIFT).click(frames[ids[3]])
    chain.key_up(Keys.SHIFT).perform()
    screen.find("#chosen [data-act=keep]").click()
    screen.wait_for(ids[3], "keep")
    assert [screen.status(i) for i in ids] == ["undecided", "keep", "keep", "keep", "undecided"]
    screen.press("u")
    screen.wait_for(ids[1], "undecided")
    assert state(drawn, *ids) == [("undecided", "", 0)] * 5


def test_zoom_shows_the_picture_large_and_takes_the_same_keys(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, b = drawn.add_many(2)
    screen = screen_of(drawn)
    screen.open()
    screen.press(" ")
    assert screen.find("#zoom").is_displayed()
    assert screen.find("#zoom-link").text == f"#{a}"
    screen.press("k")
    screen.until(lambda: screen.find("#zoom-link").text == f"#{b}")
    screen.wait_for(a, "keep")
    screen.press(Keys.ARROW_LEFT)
    screen.until(lambda: screen.find("#zoom-mark").text == "kept")
    screen.press(" ")
    assert not screen.find("#zoom").is_displayed()
    assert screen.current() == a


def test_help_lists_the_keys_and_search_takes_the_focus(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    [a, b, *_] = drawn.add_many(4)
    screen = screen_of(drawn)
    screen.open("?status=undecided")
    screen.press("?")
    assert screen.find("#help").is_displayed()
    screen.press("k")  # asks for nothing while the keys are read
    screen.press("?")
    assert not screen.find("#help").is_displayed()
    screen.press("/")
    ActionChains(screen.browser).send_keys("number 1", Keys.ENTER).perform()
    screen.arrive("status=undecided", "text=number+1")
    assert screen.ids() == [b]
    assert state(drawn, a) == [("undecided", "", 0)]


def test_filter_is_chosen_by_click_and_lives_in_the_address(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(8)
    screen = screen_of(drawn)
    screen.open()
    screen.find('[data-facet="label"][data-value="cat"]').click()
    screen.arrive("/?label=cat")
    assert screen.ids() == [2, 6]
    address = screen.browser.current_url
    screen.press("k")
    screen.wait_for(2, "keep")
    screen.find('[data-facet="status"][data-value="undecided"]').click()
    screen.arrive("status=undecided")
    assert screen.ids() == [6]
    screen.browser.get(address)
    assert screen.ids() == [2, 6]
    assert screen.status(2) == "keep"


def test_endless_scroll_brings_every_picture_once(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(210, side=24)
    screen = screen_of(drawn)
    screen.open()
    screen.until(lambda: len(screen.ids()) >= 200)

    def scrolled_to_the_end() -> bool:
        screen.browser.execute_script("scrollTo(0, document.body.scrollHeight)")
        return len(screen.ids()) == 210

    screen.until(scrolled_to_the_end)
    assert screen.ids() == ids
    screen.until(lambda: not screen.all("[data-more]"))
    last = screen.tile(ids[-1])
    last.find_element(By.CSS_SELECTOR, "[data-act=keep]").click()
    screen.wait_for(ids[-1], "keep")


def test_duplicates_are_decided_by_keys(screen_of: ScreenOf, drawn: DrawnCatalogue) -> None:
    pairs = [drawn.add_pair(seed) for seed in (50, 51, 52)]
    (small, large), (small2, large2), (small3, large3) = pairs
    screen = screen_of(drawn)
    screen.open("duplicates")
    assert screen.current() == large
    screen.press("b")
    screen.wait_for(small, "reject")
    assert screen.current() == large2
    screen.press("a")
    screen.wait_for(small2, "keep")
    screen.press(Keys.ARROW_RIGHT, "o")
    screen.wait_for(large3, "reject")
    assert state(drawn, large, small, large2, small2, large3, small3) == [
        ("keep", "", 0),
        ("reject", f"duplicate of #{large}", 0),
        ("keep", "", 0),
        ("keep", "", 0),
        ("reject", f"duplicate of #{small3}", 0),
        ("keep", "", 0),
    ]
    screen.until(lambda: screen.find("#counts strong").text == "0")
    screen.press("u")
    screen.wait_for(large3, "undecided")
    screen.open("duplicates")
    assert screen.ids() == [large3, small3]


def test_pictures_are_told_apart_by_keys_for_ever_and_by_undo_not(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    small2, large2 = drawn.add_pair(51)
    screen = screen_of(drawn)
    screen.open("duplicates")
    screen.press("n")
    screen.wait_for_message("3 pictures are no duplicates")
    assert screen.current() == large2
    assert len(screen.all(".group.decided")) == 1
    screen.press("u")
    screen.wait_for_message("undid “not duplicates” of 3 pictures")
    screen.until(lambda: not screen.all(".group.decided"))
    screen.press(Keys.ARROW_UP, Keys.ARROW_RIGHT, "s")
    screen.wait_for_message(f"#{third} is no duplicate of the others")
    screen.until(lambda: len(screen.all(".tile.apart")) == 1)
    assert screen.current() == small
    screen.open("duplicates")
    assert screen.ids() == [large, small, large2, small2]
    screen.find(".group [data-act=different]").click()
    screen.wait_for_message("2 pictures are no duplicates")
    screen.open("duplicates")
    assert screen.ids() == [large2, small2]
    assert state(drawn, small, large, third) == [("undecided", "", 0)] * 3


def test_what_was_split_off_is_not_judged_with_the_group_it_was_in(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    screen = screen_of(drawn)
    screen.open("duplicates")
    screen.press(Keys.ARROW_RIGHT, "s")
    screen.until(lambda: len(screen.all(".tile.apart")) == 1)
    screen.press("b")
    screen.wait_for_message(f"kept #{large}, rejected #{small}")
    assert len(screen.all(".group.decided")) == 1
    assert state(drawn, large, third, small) == [
        ("keep", "", 0),
        ("undecided", "", 0),
        ("reject", f"duplicate of #{large}", 0),
    ]
    screen.press("u")
    screen.wait_for(small, "undecided")
    screen.press("a")
    screen.wait_for_message("kept all of 2 pictures")
    assert state(drawn, third) == [("undecided", "", 0)]


def test_duplicates_are_decided_by_clicks(screen_of: ScreenOf, drawn: DrawnCatalogue) -> None:
    small, large = drawn.add_pair(50)
    screen = screen_of(drawn)
    screen.open("duplicates?radius=2")
    screen.find(".group [data-act=best]").click()
    screen.wait_for(small, "reject")
    assert state(drawn, large, small) == [("keep", "", 0), ("reject", f"duplicate of #{large}", 0)]


def test_picture_page_is_judged_by_keys_and_shows_its_history(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, b = drawn.add_many(2)
    screen = screen_of(drawn)
    screen.open()
    screen.press(Keys.ENTER)
    screen.arrive(f"/picture/{a}")
    screen.press("k", "3")
    screen.until(lambda: screen.find(".state").text == "keep, 3 stars")
    assert "undecided → keep" in screen.find("#history").text
    lit = screen.all('.rating [aria-pressed="true"]')
    assert len(lit) == 3
    screen.press(Keys.ARROW_RIGHT)
    screen.arrive(f"/picture/{b}")
    screen.find(".verdict [data-act=reject]").click()
    screen.wait_for(b, "reject")
    screen.press(Keys.ESCAPE)
    screen.arrive(f"/?here={b}")
    assert (screen.ids(), screen.current()) == ([a, b], b)
    assert state(drawn, a, b) == [("keep", "", 3), ("reject", "", 0)]


def test_hostile_captions_run_nothing_on_any_page(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(50, 128), caption=HOSTILE, label=HOSTILE, licence=HOSTILE)
    drawn.add(drawing(50, 128).resize((64, 64)), caption=HOSTILE, label=HOSTILE)
    screen = screen_of(drawn)
    for path in ("", "duplicates", "picture/1"):
        screen.open(path)
        assert "owned" not in screen.browser.title
        assert HOSTILE in (screen.find(".tile").get_attribute("data-caption") or "")
        screen.press(" ")
        assert screen.find("#zoom-caption").text == HOSTILE
        screen.press(" ", "k")
        screen.until(lambda: screen.find("#said").get_attribute("textContent") != "")
        assert "owned" not in screen.browser.title
        assert not screen.all("img[src='x']")


def test_page_that_outlives_a_restart_of_the_app_goes_on(
    browser: webdriver.Chrome, serve: Serve, drawn: DrawnCatalogue
) -> None:
    a, b = drawn.add_many(2)
    server = serve(drawn.data)
    screen = Screen(browser, server.address)
    screen.open()
    screen.press("k")
    screen.wait_for(a, "keep")
    server.kill()
    screen.press("k")
    screen.until(lambda: "not saved" in (screen.find("#said").get_attribute("textContent") or ""))
    assert screen.status(b) == "undecided"
    port = server.address.rstrip("/").rpartition(":")[2]
    serve(drawn.data, "--port", port)
    screen.press("k")
    screen.wait_for(b, "keep")
    screen.press("u", "u")
    screen.wait_for(a, "undecided")
    assert state(drawn, a, b) == [("undecided", "", 0)] * 2
    browser.get("about:blank")
    complaints_of(browser)  # of the server that did not answer, as meant


def test_no_page_is_wider_than_a_phone(screen_of: ScreenOf, drawn: DrawnCatalogue) -> None:
    drawn.add_pair(50)
    drawn.add(drawing(1), caption="unbreakable" * 30, label="long" * 20)
    screen = screen_of(drawn)
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for path in ("", "duplicates", "picture/1", "?text=nothing"):
            screen.open(path)
            width = screen.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 390, path
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_bar_holds_every_screen_on_a_page_of_1280_pixels(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(1))
    screen = screen_of(drawn)
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for path in ("", "novelty", "assess"):
            screen.open(path)
            page, hidden = screen.browser.execute_script(
                "const bar = document.querySelector('.bar nav');"
                "return [document.documentElement.scrollWidth, bar.scrollWidth - bar.clientWidth]"
            )
            assert page <= 1280, path
            assert hidden == 0, path
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
