"""Classes and incoming driven in headless Chromium; the catalogue says what arrived."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from dataset.records import Change, SettingChange
from tests.curate_app.conftest import RunningServer
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_actions import state
from tests.curate_app.test_pages_in_browser import Screen, complaints_of

pytestmark = pytest.mark.browser

Open = Callable[[], Screen]
PHONE = {"width": 380, "height": 844, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture
def screen(
    browser: webdriver.Chrome, serve: Callable[..., RunningServer], drawn: DrawnCatalogue
) -> Iterator[Open]:
    """Serve `drawn` and look at it; in the end no page may have complained in the console."""
    complaints_of(browser)
    yield lambda: Screen(browser, serve(drawn.data).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


def targets(drawn: DrawnCatalogue) -> dict[str, str]:
    with drawn.open() as catalog:
        return catalog.settings.all()


def type_in(screen: Screen, selector: str, text: str) -> None:
    field = screen.find(selector)
    field.clear()
    field.send_keys(text)


def fits_a_phone(screen: Screen, path: str) -> None:
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        screen.open(path)
        width = screen.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_targets_are_typed_in_place_and_a_class_is_renamed_and_collected_for(
    screen: Open, drawn: DrawnCatalogue
) -> None:
    a, *_ = drawn.add_many(8)  # bird, cat, dog, fish
    drawn.add(drawing(90), label=HOSTILE)
    with drawn.open() as catalog:
        catalog.judgements.apply(
            [Change(image_id=a, field="status", value="keep")], who="me", verb="keep"
        )
    page = screen()
    page.open("classes")
    # From field to field by Enter: each is saved when it is left, and the focus stays.
    page.find('[data-target="bird"]').click()
    ActionChains(page.browser).send_keys("5", Keys.ENTER, "7").perform()
    page.wait_for_message("“bird”: target 5")
    page.until(lambda: page.find('tr[data-label="bird"] .gap').text == "4")
    focused = "return document.activeElement.dataset.target + ' ' + document.activeElement.value"
    page.until(lambda: page.browser.execute_script(focused).endswith(" 7"))
    assert targets(drawn) == {"target:bird": "5"}  # what is being typed is not saved yet
    other = page.browser.execute_script("return document.activeElement.dataset.target")
    page.find("h1").click()
    page.until(lambda: targets(drawn) == {"target:bird": "5", f"target:{other}": "7"})
    # The keys are those of every screen.
    page.until(
        lambda: page.browser.execute_script("return document.activeElement.tagName") == "BODY"
    )
    page.press("u")
    page.until(lambda: targets(drawn) == {"target:bird": "5"})
    page.until(lambda: page.all('tr[data-label="bird"] .goal'))

    type_in(page, "#add [name=label]", "red panda")
    type_in(page, "#add [name=target]", "3")
    page.find("#add button").click()
    page.until(lambda: page.find('tr[data-label="red panda"] .gap').text == "3")
    type_in(page, "#for-all [name=target]", "2")
    page.find("#for-all button").click()
    page.until(lambda: set(targets(drawn).values()) == {"2"})
    assert len(targets(drawn)) == 6

    page.open("classes?label=bird")
    page.until(lambda: page.find("#command pre").text.startswith("python -m scrape run commons"))
    type_in(page, "#top-up [name=query]", "blue tit's")
    page.find("#top-up [name=openverse]").click()
    page.until(lambda: "openverse" not in page.find("#command pre").text)
    assert "--query='blue tit'\"'\"'s' --label=bird" in " ".join(
        page.find("#command pre").text.split()
    )
    page.find("#start").click()  # without a contact address: the browser asks for it
    assert page.browser.execute_script("return document.activeElement.name") == "contact"
    type_in(page, "#move [name=to]", "birds")
    page.find("#move button").click()
    page.arrive("label=birds")
    assert page.find("#panel-title").text == "birds"
    assert "owned" not in page.browser.title
    fits_a_phone(page, "classes?label=birds")


def test_pictures_that_have_no_tile_on_the_page_are_not_accepted(
    screen: Open, drawn: DrawnCatalogue
) -> None:
    pictures = drawn.add_many(104, side=24)
    with drawn.open() as catalog:
        labels = [Change(image_id=i, field="label", value="bird") for i in pictures]
        target = SettingChange(name="target:bird", value="102")
        catalog.judgements.apply([*labels, target], who="me", verb="target")
    page = screen()
    page.open("incoming?label=bird")
    seen = page.ids()
    assert len(seen) == len(page.all(".tile.best")) == 102
    page.press("x", "x")
    page.until(lambda: "2 more come with the next ones" in page.find("#bulk").text)
    assert "Accept the best 100" in page.find("#bulk").text
    page.press_with_shift("f")
    page.wait_for_message("kept 100 pictures of bird; short by 2 still")
    unseen = sorted(set(pictures) - set(seen))
    assert [status for status, _, _ in state(drawn, *unseen)] == ["undecided"] * 2


def test_new_pictures_fill_a_class_and_duplicates_are_put_away_by_keys(
    screen: Open, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    doubt, kept = drawn.add_pair(51)
    birds = [drawn.add(drawing(seed), label="bird", caption=HOSTILE) for seed in range(6)]
    with drawn.open() as catalog:
        keeps = [Change(image_id=i, field="status", value="keep") for i in (large, kept)]
        catalog.judgements.apply(keeps, who="me", verb="keep")
        numbers, scores = np.array(birds, np.int64), np.arange(6, dtype=np.float32)
        catalog.ratings.put("predicted", numbers, scores, scores, "test")
    page = screen()
    page.open("incoming")
    page.find("#repeats summary").click()
    page.until(lambda: len(page.all(".repeat-pairs li")) == 2)
    page.find("[data-act=reject-repeats]").click()
    page.wait_for_message("rejected 2 pictures, duplicates of kept")
    page.until(lambda: not page.all("#repeats"))
    page.press("u")
    page.until(lambda: page.all("#repeats"))
    assert state(drawn, small) == [("undecided", "", 0)]

    # Where the rule trusts no pair unseen, each stands beside the kept picture.
    (drawn.data / "keep.toml").write_text("sure = 1.0\n")
    page.open("incoming")
    assert [int(p.get_attribute("data-new") or 0) for p in page.all(".pair")] == [small, doubt]
    assert page.current() == small
    page.press("d")  # harmless, as elsewhere
    page.press_with_shift("d")
    page.wait_for_message(f"rejected #{small}, a duplicate of #{large}")
    assert page.current() == doubt
    page.press("n")
    page.wait_for_message("2 pictures are no duplicates")
    page.until(lambda: len(page.all(".pair.told")) == 2)
    page.press("u")
    page.until(lambda: len(page.all(".pair.told")) == 1)

    # One class: the best are marked, one is refused by hand, the rest is accepted at once.
    page.open("classes")
    type_in(page, '[data-target="bird"]', "3\n")
    page.until(lambda: targets(drawn) == {"target:bird": "3"})
    page.until(lambda: page.find('tr[data-label="bird"] .gap').text == "3")
    page.find('tr[data-label="bird"] .todo a').click()
    page.arrive("incoming?label=bird")
    assert page.ids() == birds[::-1]
    assert len(page.all(".tile.best")) == 3
    page.press("k", "x")
    page.wait_for(birds[4], "reject")
    page.until(lambda: page.find("[data-need=bird] small").text == "1 of 3")
    page.until(lambda: page.find(f'.tile[data-id="{birds[3]}"] .gap').text == "short by 2")
    # The marks move with the button: what it would accept can be seen on the page.
    page.until(lambda: "Accept the best 2" in page.find("#bulk").text)
    marked = [int(tile.get_attribute("data-id") or 0) for tile in page.all(".tile.best")]
    assert marked == [birds[3], birds[2]]
    page.press("f")  # harmless, as elsewhere
    page.press_with_shift("f")
    page.wait_for_message("kept 2 pictures of bird; its target is met")
    page.until(lambda: "has reached its target" in page.find("#bulk").text)
    assert [status for status, _, _ in state(drawn, *birds[:2])] == ["undecided"] * 2
    assert [status for status, _, _ in state(drawn, *birds[2:])] == [
        "keep",
        "keep",
        "reject",
        "keep",
    ]
    page.press("u")
    page.until(lambda: "Accept the best 2" in page.find("#bulk").text)
    assert "owned" not in page.browser.title
    fits_a_phone(page, "incoming")
