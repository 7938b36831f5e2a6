"""Typed faster than the app saves, or with a dialog open: nothing is lost, everything is told."""

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing
from tests.curate_app.numbered_catalogue import add_numbered
from tests.curate_app.test_actions import state
from tests.curate_app.test_pages_in_browser import (
    Screen,
    ScreenOf,
    Serve,
    complaints_of,
    screen_of,
)

__all__ = ["screen_of"]

pytestmark = pytest.mark.browser

PHONE = {"width": 380, "height": 844, "deviceScaleFactor": 1, "mobile": True}


def type_all(screen: Screen, *keys: str) -> None:
    """All keys at once: nothing is answered in between."""
    ActionChains(screen.browser).send_keys(*keys).perform()


def warns(screen: Screen) -> bool:
    """Whether the page asks back before it is closed."""
    script = "return !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    return bool(screen.browser.execute_script(script))


def spoken(screen: Screen, number: int) -> str | None:
    return screen.tile(number).get_attribute("aria-label")


def toast(screen: Screen) -> str:
    return screen.find("#toast-text").text


def events(drawn: DrawnCatalogue) -> list[tuple[int, str]]:
    with drawn.open() as catalog:
        return [(event.image_id, event.verb) for event in catalog.judgements.latest()][::-1]


def test_a_page_is_left_when_what_was_judged_on_it_is_saved(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, b, c = drawn.add_many(3)
    screen = screen_of(drawn)
    screen.open()
    assert not warns(screen)
    # As slow as an app can be: somebody else writes into the catalogue.
    with drawn.open() as catalog, catalog.transaction():
        type_all(screen, "4", "k", "x", "5", Keys.ENTER, "x")
        assert warns(screen)
        assert "/picture/" not in screen.browser.current_url
    screen.arrive(f"/picture/{c}")
    assert events(drawn) == [(a, "stars"), (a, "keep"), (b, "reject"), (c, "stars")]
    assert not warns(screen)
    with drawn.open() as catalog, catalog.transaction():
        type_all(screen, "x", "3", Keys.ARROW_LEFT, "k")  # the last one means no picture yet
        assert screen.browser.current_url.endswith(f"/picture/{c}")
    screen.arrive(f"/picture/{b}")
    with drawn.open() as catalog, catalog.transaction():
        type_all(screen, "2")
        screen.find("a.brand").click()
    screen.until(lambda: len(screen.all(".tile")) == 3)
    assert events(drawn)[4:] == [(c, "reject"), (c, "stars"), (b, "stars")]
    assert state(drawn, a, b, c) == [("keep", "", 4), ("reject", "", 2), ("reject", "", 3)]
    # What was refused is told here, and the keys go on.
    screen.browser.execute_script("document.querySelector('.tile').dataset.id = 99")
    type_all(screen, "k")
    screen.wait_for_message("not saved: there is no picture 99 in this catalogue")
    screen.press("?")
    assert screen.find("#help").is_displayed()
    complaints_of(screen.browser)  # of the refusal, as meant


def test_the_toast_can_be_read_and_clicked_over_an_open_dialog(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, _ = drawn.add_many(2)
    screen = screen_of(drawn)
    screen.open()
    screen.press(" ", "k")
    screen.wait_for_message(f"kept #{a}")
    tree = screen.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    told = [node for node in tree if not node["ignored"] and node["role"]["value"] == "status"]
    assert len(told) == 1
    screen.find("#toast-undo").click()
    screen.wait_for_message(f"undid keep of #{a}")
    assert screen.find("#zoom").is_displayed()
    screen.press(Keys.ARROW_LEFT, "x")  # the keys have not stayed with the button
    screen.wait_for(a, "reject")
    screen.press(" ")
    assert toast(screen) == f"rejected #{a}", "it stays when the dialog goes"
    screen.find("#toast-undo").click()
    screen.wait_for(a, "undecided")
    # What is typed in a dialog outlives the new counts of what was judged before it.
    screen.press("k", "w")
    field = screen.find("#whole-form [name=label]")
    field.send_keys("typed")
    screen.until(
        lambda: screen.find('[data-value="keep"] .count').get_attribute("textContent") == "1"
    )
    assert field.get_attribute("value") == "typed"
    assert screen.browser.switch_to.active_element == field


def test_a_tile_says_what_it_is_and_a_caption_what_stands(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, b = drawn.add_many(2)
    screen = screen_of(drawn)
    screen.open()
    name = f"Picture {a}: Drawing number 0"
    assert spoken(screen, a) == name
    screen.press("1", "k")
    screen.until(lambda: spoken(screen, a) == f"{name}, kept, 1 star")
    screen.open()
    assert spoken(screen, a) == f"{name}, kept, 1 star", "the server says the same"
    ActionChains(screen.browser).key_down(Keys.CONTROL).send_keys("a").key_up(
        Keys.CONTROL
    ).perform()
    assert [tile.get_attribute("aria-label") for tile in screen.all(".tile")] == [
        f"{name}, kept, 1 star, selected",
        f"Picture {b}: Drawing number 1, selected",
    ]
    assert screen.find("#said").get_attribute("textContent") == "2 selected"
    screen.press(Keys.ESCAPE)
    assert spoken(screen, b) == f"Picture {b}: Drawing number 1"

    screen.press("c")
    field = screen.find("#ask-caption textarea")
    assert field.get_attribute("value") == "Drawing number 0"
    screen.find("#ask-caption .good").click()
    before = events(drawn)
    screen.press("c")
    type_all(screen, "Mine")  # in the place of what was there
    screen.find("#ask-caption .good").click()
    caption = screen.tile(a).find_element(By.CSS_SELECTOR, ".caption")
    screen.until(lambda: caption.text == "Mine")
    assert events(drawn) == [*before, (a, "caption")], "the same again is no judgement"
    screen.press("u")
    screen.until(lambda: caption.text == "Drawing number 0")
    assert spoken(screen, a) == f"{name}, kept, 1 star"


def test_many_are_judged_at_once_and_the_next_page_offers_the_undo(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    with drawn.open() as catalog, catalog.transaction():
        ids = [add_numbered(catalog) for _ in range(2001)]
    screen = screen_of(drawn)
    screen.open()
    screen.press("w")
    screen.find("#whole [data-value=keep]").click()
    screen.until(lambda: len(screen.all('.tile[data-status="keep"]')) >= 200)
    assert toast(screen) == "kept 2,001 pictures"
    assert screen.find("#toast-undo").is_displayed()
    assert state(drawn, ids[0], ids[-1]) == [("keep", "", 0)] * 2
    screen.open("?status=reject")
    assert not screen.find("#toast").is_displayed(), "once"
    complaints_of(screen.browser)  # of pictures that have no file


def test_a_picture_split_off_leaves_the_keys_in_its_group_while_that_is_undecided(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    _, large2 = drawn.add_pair(51)
    screen = screen_of(drawn)
    screen.open("duplicates")
    assert screen.ids()[:3] == [large, third, small]
    screen.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "s")
    assert screen.current() == third
    screen.until(lambda: (spoken(screen, small) or "").endswith(", not one of them"))
    screen.press("s")
    assert screen.current() == large2
    screen.until(lambda: len(screen.all(".group.decided")) == 1)


def test_a_lost_session_is_said_and_takes_nothing_off_the_page(
    browser: webdriver.Chrome, serve: Serve, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(3)
    screen = Screen(browser, serve(drawn.data, "--password", "open sesame").address)
    # Narrow as a phone is, the bar shows the screen that one is on.
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        screen.open("issues?measure=sharpness")
        screen.find("#password").send_keys("open sesame" + Keys.ENTER)
        screen.until(lambda: screen.all("#sides"))
        here = screen.find(".bar [aria-current]").rect
        assert here["x"] >= 0
        assert here["x"] + here["width"] <= PHONE["width"]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.delete_all_cookies()
    screen.press("]")
    screen.until(lambda: "not logged in any more; reload the page and log in" in toast(screen))
    assert screen.all("#sides")


def test_the_way_back_and_a_reload_lead_to_where_the_keys_were(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(230, side=24)
    screen = screen_of(drawn)
    screen.open()
    screen.browser.execute_script("document.querySelector('[data-more]').scrollIntoView()")
    screen.until(lambda: len(screen.ids()) == 230)
    screen.tile(ids[219]).click()
    screen.until(lambda: f"here={ids[219]}" in screen.browser.current_url)
    screen.press(Keys.ENTER)
    screen.arrive(f"/picture/{ids[219]}")
    screen.browser.back()
    screen.arrive("here=")
    screen.until(lambda: screen.current() == ids[219])
    screen.press("k")
    screen.wait_for(ids[219], "keep")
    # Before the first tile of this page the earlier ones come in their place.
    screen.tile(ids[200]).click()
    screen.press(Keys.ARROW_LEFT)
    screen.until(lambda: screen.current() == ids[199])
    assert screen.ids() == ids


def test_a_box_that_was_only_looked_at_changes_nothing_and_enter_saves_what_was_typed(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    a, b, c = drawn.add_many(3)
    screen = screen_of(drawn)
    screen.open()
    screen.press_with_shift(Keys.ARROW_RIGHT)
    screen.press("l", Keys.ENTER)
    screen.press("c")
    screen.press("S", "e", "e", "n", Keys.ENTER)
    screen.until(lambda: "caption of 2 pictures" in toast(screen))
    assert [verb for _id, verb in events(drawn)] == ["caption", "caption"]
    screen.press(Keys.ARROW_RIGHT, "x")
    screen.wait_for(c, "reject")
    screen.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, "u")
    screen.wait_for(c, "undecided")
    assert screen.current() == c  # undo leads back to what it undid
    screen.press("w", Keys.ENTER)
    screen.until(lambda: not screen.all("dialog[open]"))
    assert state(drawn, a, b) == [("undecided", "", 0)] * 2
