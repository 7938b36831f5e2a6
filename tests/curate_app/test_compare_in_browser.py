"""Duplicates in headless Chromium: the slider's live counts, and two pictures in one frame."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing
from tests.curate_app.test_actions import state
from tests.curate_app.test_duplicates import chain
from tests.curate_app.test_pages_in_browser import Screen, ScreenOf, screen_of

__all__ = ["screen_of"]

pytestmark = pytest.mark.browser


def tag(screen: Screen) -> str:
    return screen.find("#compare .pane .tag").text


def sheets(screen: Screen) -> list[tuple[str, str, str]]:
    """Width, height and place of every picture's frame that is shown."""
    return [
        (sheet.value_of_css_property("width"), sheet.value_of_css_property("height"),
         sheet.value_of_css_property("transform"))
        for sheet in screen.all("#compare .pane:not([hidden]) .sheet")
    ]  # fmt: skip


def loaded(screen: Screen) -> bool:
    script = (
        "return [...document.querySelectorAll('#compare .pane:not([hidden]) img')]"
        ".every(i => i.complete && i.naturalWidth > 0)"
    )
    return bool(screen.browser.execute_script(script))


def test_pictures_are_flipped_zoomed_and_decided_in_one_frame(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    small2, large2 = drawn.add_pair(51)
    screen = screen_of(drawn)
    screen.open("duplicates")
    screen.press("f")
    screen.until(lambda: screen.find("#compare").is_displayed() and loaded(screen))
    assert tag(screen) == f"#{large}, suggested"
    fitted = sheets(screen)
    screen.press("f")
    screen.until(lambda: tag(screen) == f"#{third}")
    assert sheets(screen) == fitted, "another picture, the same place"
    assert screen.find(".side.shown h3").text == f"#{third}"
    differing = {dt.text for dt in screen.all(".side:last-child dt.differs")}
    assert {"Size", "File"} <= differing
    assert "Licence" not in differing
    # Zoom and place stay through all views.
    screen.press("+", "+")
    zoomed = sheets(screen)
    assert zoomed != fitted
    screen.press(Keys.ARROW_RIGHT)
    screen.until(lambda: tag(screen) == f"#{small}")
    screen.press("d")
    screen.until(lambda: tag(screen) == "difference × 4")
    over = screen.find("#compare .over")
    assert over.value_of_css_property("mix-blend-mode") == "difference"
    assert sheets(screen) == zoomed
    screen.press("v")
    screen.until(lambda: len(sheets(screen)) == 2)
    assert sheets(screen) == zoomed * 2
    screen.press("z")
    screen.until(lambda: sheets(screen) != zoomed * 2)
    # The keys that judge act on what is compared; then the next group comes by itself.
    screen.press("f", Keys.ARROW_LEFT, "s")
    screen.wait_for_message(f"#{third} is no duplicate of the others")
    screen.until(lambda: tag(screen) == f"#{small}")
    screen.press("b")
    screen.wait_for(small, "reject")
    screen.until(lambda: tag(screen) == f"#{large2}, suggested")
    assert state(drawn, large, third, small) == [
        ("keep", "", 0),
        ("undecided", "", 0),
        ("reject", f"duplicate of #{large}", 0),
    ]
    # Another view moves nothing: beside each other, too, the keys act where they did.
    screen.press("v")
    screen.until(
        lambda: screen.find(".pane.acted-on .tag").text.startswith(f"#{large2}, suggested")
    )
    assert "keys act here" in screen.find(".pane.acted-on .tag").text
    assert screen.find("footer [data-act=only]").text.startswith(f"Only #{large2}")
    better = {dt.text for dt in screen.all(".side:first-child dd.better")}
    assert "128 × 128" in better
    assert not screen.all(".side:last-child dd.better")
    screen.press("f", "f", "v")
    screen.until(lambda: screen.find(".pane.acted-on .tag").text.startswith(f"#{small2} "))
    screen.press("o")
    screen.wait_for(large2, "reject")
    assert state(drawn, small2) == [("keep", "", 0)]
    screen.press("u")
    screen.wait_for(large2, "undecided")
    screen.press(Keys.ESCAPE)
    screen.until(lambda: not screen.find("#compare").is_displayed())


def test_the_wheel_zooms_at_the_pointer_and_a_drag_moves(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    drawn.add_pair(50)
    screen = screen_of(drawn)
    screen.open("duplicates")
    screen.find("[data-act=compare]").click()
    screen.until(lambda: screen.find("#compare").is_displayed() and loaded(screen))
    fitted = sheets(screen)
    stage = screen.find("#stage")
    # Twice: to the same scale pixel by pixel and back.
    screen.find("[data-zoom=toggle]").click()
    screen.until(lambda: screen.find("#compare-scale").text == "100 %")
    assert sheets(screen)[0][:2] == ("128px", "128px")
    screen.press("z")
    screen.until(lambda: sheets(screen) == fitted)
    ActionChains(screen.browser).move_to_element(stage).perform()
    wheel = (
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -100, clientX: 300, "
        "clientY: 300, bubbles: true, cancelable: true}))"
    )
    screen.browser.execute_script(wheel, stage)
    assert sheets(screen) != fitted
    before = sheets(screen)
    chain_ = ActionChains(screen.browser).move_to_element(stage).click_and_hold()
    chain_.move_by_offset(40, 25).release().perform()
    moved = [
        tuple(float(n) for n in s[2].strip("matrix()").split(",")[4:])
        for s in (before[0], sheets(screen)[0])
    ]
    assert (moved[1][0] - moved[0][0], moved[1][1] - moved[0][1]) == (40, 25)


def test_the_slider_tells_every_radius_before_it_loads_one(
    screen_of: ScreenOf, drawn: DrawnCatalogue
) -> None:
    best, a, b = chain(drawn)
    screen = screen_of(drawn)
    screen.open("duplicates?radius=5")
    says = "10 bits: 1 group, 1 to decide; 2 pictures would go"
    assert screen.find("#radius-says").text == "5 bits: 0 groups, 0 to decide; 0 pictures would go"
    slider = screen.find("#radius")
    slider.click()  # the middle is 6
    screen.press("]", "]")
    screen.until(
        lambda: screen.find("#radius-says").text.startswith("8 bits: 1 group, 1 to decide")
    )
    screen.arrive("radius=8")
    screen.until(lambda: screen.browser.switch_to.active_element == screen.find("#radius"))
    screen.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert screen.find("#radius-says").text == says
    assert screen.find("#radius").get_attribute("aria-valuetext") == says
    screen.arrive("radius=10")
    # The chain is marked, and one key takes it apart.
    assert len({tile.get_attribute("data-part") for tile in screen.all(".tile")}) == 2
    screen.find(f'.tile[data-id="{best}"] .frame').click()
    screen.press_with_shift("s")
    screen.wait_for_message("3 pictures taken apart into 2 groups")
    screen.until(lambda: len(screen.all(".tile.apart")) == 1)
    assert state(drawn, best, a, b) == [("undecided", "", 0)] * 3
