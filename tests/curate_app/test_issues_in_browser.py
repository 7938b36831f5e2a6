"""The cut dragged in headless Chromium: exact numbers under way, both sides when it rests."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from dataset.records import Change
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.test_actions import state
from tests.curate_app.test_issues_screen import ids
from tests.curate_app.test_pages_in_browser import (
    Screen,
    ScreenOf,
    complaints_of,
    screen_of,
)

__all__ = ["ids", "screen_of"]

pytestmark = pytest.mark.browser

ADDRESS = "issues?measure=sharpness&preset=photo"


def says(screen: Screen) -> str:
    return screen.find("#cut-says").text


def near(screen: Screen, row: int) -> list[int]:
    found = screen.all(f".cut-sides .cut-row:nth-child({row}) .tile")
    return [int(tile.get_attribute("data-id") or 0) for tile in found]


def test_a_cut_is_moved_by_keys_seen_from_both_sides_applied_and_taken_back(
    screen_of: ScreenOf, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    screen = screen_of(drawn)
    screen.open(ADDRESS)
    screen.until(lambda: says(screen) == "sharpness under 0.5: 9 pictures would go, 11 would stay")
    ActionChains(screen.browser).send_keys("[" * 6).perform()  # steps of 0.01
    assert says(screen) == "sharpness under 0.44: 8 pictures would go, 12 would stay"
    screen.arrive("cut=0.44")
    screen.until(lambda: near(screen, 1) == ids[7::-1])
    assert near(screen, 2) == ids[8:]
    ring = screen.find("#sides .tile.current").get_attribute("data-id")
    assert ring == str(ids[7]), "the first just on the bad side"
    screen.browser.execute_script("document.querySelector('#cut').focus()")
    screen.press(Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.HOME)
    assert says(screen) == "sharpness under 0: 0 pictures would go, 20 would stay"
    assert not screen.find("#apply").is_enabled()
    screen.find('[data-go="0.5"]').click()
    screen.until(lambda: near(screen, 1) == ids[8::-1])
    # One is rescued before the cut is made: the counts follow, and it stays.
    screen.tile(ids[8]).find_element("css selector", "[data-act=keep]").click()
    screen.until(lambda: says(screen).endswith("8 pictures would go, 11 would stay"))
    assert screen.find("#apply").text == "Reject 8 pictures"
    screen.find("#apply").click()
    screen.wait_for_message("rejected 8 pictures: blur: sharpness under 0.5")
    screen.until(lambda: near(screen, 1) == [])
    assert state(drawn, *ids[7:10]) == [
        ("reject", "blur: sharpness under 0.5", 0),
        ("keep", "", 0),
        ("undecided", "", 0),
    ]
    screen.press("u")
    screen.until(lambda: near(screen, 1) == ids[7::-1])
    assert state(drawn, ids[0]) == [("undecided", "", 0)]


def test_a_cut_is_dragged_on_the_histogram_and_remembered(
    screen_of: ScreenOf, drawn: DrawnCatalogue, ids: list[int]
) -> None:
    screen = screen_of(drawn)
    screen.open(ADDRESS)
    plot = screen.find("#plot")
    chain = ActionChains(screen.browser).move_to_element(plot).click_and_hold()
    chain.move_by_offset(plot.rect["width"] // 4, 0).release().perform()
    cut = float(says(screen).split()[2].rstrip(":"))
    assert cut == pytest.approx(0.75, abs=0.005)
    # The line stands over the thumb.
    x = float(screen.find("#cut-line").get_attribute("x1") or 0)
    assert x == pytest.approx(75, abs=0.5)
    screen.until(lambda: screen.ids()[:1] in ([ids[13]], [ids[14]]))
    scrolled = screen.browser.execute_script("return scrollY")
    assert scrolled == 0
    screen.find("[data-act=remember-cut]").click()
    screen.wait_for_message(f"from now on sharpness under {cut:g} is: blur")
    screen.until(lambda: screen.find("#remembered").text.startswith(f"remembered {cut:g}"))
    screen.open(ADDRESS)
    assert says(screen).startswith(f"sharpness under {cut:g}:")
    # Somebody else judges meanwhile: what the person did not see does not happen.
    with drawn.open() as catalog:
        change = Change(image_id=ids[0], field="status", value="keep")
        catalog.judgements.apply([change], who="anna", verb="keep")
    screen.find("#apply").click()
    screen.until(lambda: "look again" in (screen.find("#said").get_attribute("textContent") or ""))
    assert state(drawn, ids[1]) == [("undecided", "", 0)]
    screen.until(lambda: ids[0] not in screen.ids())
    screen.open("issues")
    complaints_of(screen.browser)  # of the refusal, as meant
