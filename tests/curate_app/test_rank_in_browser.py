"""The rank screen driven in headless Chromium by key and by click; the catalogue says what came."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from dataset.records import Change, VoteChange
from tests.curate_app.conftest import RunningServer
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_actions import state
from tests.curate_app.test_pages_in_browser import Screen, complaints_of

pytestmark = pytest.mark.browser

Cast = tuple[str, int, int]


class RankScreen(Screen):
    """The rank screen: what stands on it and what was said."""

    def begin(self, label: str = "dog", more: str = "") -> list[int]:
        self.open(f"rank?label={label}{more}")
        return self.group()

    def group(self) -> list[int]:
        """The pictures on the screen, once they can be seen."""
        self.until(lambda: self.find("#stage").get_attribute("data-ready"))
        return [int(f.get_attribute("data-id") or 0) for f in self.all(".contender")]

    def next_after(self, before: list[int]) -> list[int]:
        """The group after `before`, once it can be seen."""
        self.until(lambda: sorted(self.group()) != sorted(before))
        return self.group()

    def said(self) -> str:
        return self.find("#told").text

    def wait_until_said(self, text: str) -> None:
        self.until(lambda: self.said() == text)


@pytest.fixture
def rank_screen(
    browser: webdriver.Chrome, serve: Callable[..., RunningServer], drawn: DrawnCatalogue
) -> Iterator[Callable[[], RankScreen]]:
    """Serve `drawn` and look at it; in the end no page may have complained in the console."""
    complaints_of(browser)
    yield lambda: RankScreen(browser, serve(drawn.data).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


def dogs(drawn: DrawnCatalogue, count: int) -> list[int]:
    return [drawn.add(drawing(600 + i, 64), label="dog", caption=f"Dog {i}") for i in range(count)]


def votes(drawn: DrawnCatalogue) -> list[Cast]:
    """The votes that stand, oldest first: (outcome, left, right)."""
    words = {1: "left", 0: "tie", -1: "right"}
    with drawn.open() as catalog:
        found = catalog.votes.standing()
    sides = zip(found.outcome.tolist(), found.left.tolist(), found.right.tolist(), strict=True)
    return [(words[outcome], left, right) for outcome, left, right in sides]


def test_pairs_are_voted_on_by_keys_and_an_undone_one_comes_back(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 8)
    screen = rank_screen()
    expected: list[Cast] = []
    pair = screen.begin()
    for key, outcome in [
        (Keys.ARROW_LEFT, "left"),
        ("2", "right"),
        (Keys.ARROW_UP, "tie"),
        ("t", "tie"),
        ("1", "left"),
        (Keys.ARROW_RIGHT, "right"),
    ]:
        screen.press(key)
        expected.append((outcome, pair[0], pair[1]))
        pair = screen.next_after(pair)
    screen.until(lambda: screen.find("#mine").text == "6")
    assert votes(drawn) == expected
    screen.press("s")  # another pair, nothing written
    pair = screen.next_after(pair)
    screen.press("u")
    screen.until(lambda: screen.group() == [expected[-1][1], expected[-1][2]])
    screen.until(lambda: screen.find("#mine").text == "5")
    assert votes(drawn) == expected[:-1]
    again = screen.group()
    screen.press(Keys.ARROW_LEFT)
    screen.next_after(again)
    screen.until(lambda: screen.find("#mine").text == "6")
    assert votes(drawn) == [*expected[:-1], ("left", again[0], again[1])]
    # What another page of the same person did is taken back and shown here, too.
    with drawn.open() as catalog:
        [left, right] = screen.group()
        catalog.judgements.apply(
            [VoteChange(left=right, right=left, outcome="tie")], who="me", verb="vote"
        )
    screen.press("u")
    screen.until(lambda: screen.group() == [right, left])
    assert len(votes(drawn)) == 6


def test_clicks_choose_and_a_held_key_or_a_double_click_votes_once(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 12)
    screen = rank_screen()
    pair = screen.begin()
    screen.all(".look")[1].click()
    first: Cast = ("right", pair[0], pair[1])
    pair = screen.next_after(pair)
    for repeated in (False, True, True, True):
        event = {"type": "keyDown", "key": "ArrowLeft", "code": "ArrowLeft", "autoRepeat": repeated}
        screen.browser.execute_cdp_cmd(
            "Input.dispatchKeyEvent", {**event, "windowsVirtualKeyCode": 37}
        )
    held: Cast = ("left", pair[0], pair[1])
    pair = screen.next_after(pair)
    screen.find("[data-act=tie]").click()
    tied: Cast = ("tie", pair[0], pair[1])
    screen.next_after(pair)
    screen.until(lambda: screen.find("#mine").text == "3")
    assert votes(drawn) == [first, held, tied]
    screen.press(Keys.ARROW_RIGHT)  # the button has not kept the keys
    screen.until(lambda: screen.find("#mine").text == "4")


def test_x_and_k_with_a_side_judge_one_and_a_rejected_one_is_not_seen_again(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn, 5)
    screen = rank_screen()
    pair = screen.begin()
    screen.press("k", Keys.ARROW_LEFT)
    screen.wait_until_said(f"kept #{pair[0]}")
    screen.until(lambda: screen.all(".contender .badge")[0].text == "kept")
    screen.press("x", Keys.ESCAPE)
    assert screen.said() == ""
    screen.press("x", Keys.ARROW_RIGHT)
    gone = pair[1]
    screen.wait_until_said(f"rejected #{gone}")
    seen = []
    for _ in range(8):
        now = screen.group()
        seen += now
        screen.press(Keys.ARROW_DOWN)
        screen.next_after(now)
    assert gone not in seen
    assert state(drawn, pair[0], gone) == [("keep", "", 0), ("reject", "", 0)]
    screen.press("u")
    screen.until(lambda: screen.group() == pair)
    assert state(drawn, gone) == [("undecided", "", 0)]
    screen.press("x", "x")  # both are bad
    screen.wait_until_said("rejected 2 pictures")
    assert set(screen.group()) <= set(ids) - set(pair)
    assert votes(drawn) == []


def test_best_of_four_takes_two_keys_and_the_class_is_chosen_by_keys(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 9)
    cats = [drawn.add(drawing(700 + i, 64), label="cat") for i in range(8)]
    screen = rank_screen()
    four = screen.begin("cat", "&mode=four")
    assert set(four) <= set(cats)
    screen.press("2")
    assert screen.find(".contender.best").get_attribute("data-id") == str(four[1])
    screen.press("3")
    screen.next_after(four)
    screen.until(lambda: screen.find("#mine").text == "5")
    places = {number: place for place, number in enumerate(four)}
    for outcome, left, right in votes(drawn):
        winner, loser = (left, right) if outcome == "left" else (right, left)
        assert places[winner] == 1 or places[loser] == 2
    four = screen.group()
    screen.press("4", Keys.ESCAPE, "1", " ")  # another best, and no worst
    screen.next_after(four)
    screen.until(lambda: screen.find("#mine").text == "8")
    assert {(outcome, left) for outcome, left, _ in votes(drawn)[5:]} == {("left", four[0])}
    screen.press("g", Keys.ARROW_DOWN, Keys.ENTER)
    screen.arrive("label=dog", "mode=four")
    assert not set(screen.group()) & set(cats)
    screen.press(Keys.ENTER, "2")
    screen.arrive("/picture/")


def test_zoom_looks_at_the_same_place_of_both_and_ends_with_the_vote(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 6)
    screen = rank_screen()
    pair = screen.begin()
    screen.press(" ", "+")
    transforms = {
        image.value_of_css_property("transform") for image in screen.all(".contender img")
    }
    assert transforms == {"matrix(3.75, 0, 0, 3.75, 0, 0)"}
    screen.press(Keys.ARROW_LEFT)
    screen.next_after(pair)
    assert not screen.all("#stage.lens")
    screen.press(" ", Keys.ESCAPE, Keys.ESCAPE, Keys.ESCAPE)  # one too many leaves nothing
    assert not screen.all("#stage.lens")
    screen.until(lambda: screen.find("#mine").text == "1")


def test_stop_sign_appears_and_the_top_is_kept_by_one_click_and_one_undo(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn, 5)
    pairs = list(itertools.combinations(ids, 2)) * 12
    changes = [VoteChange(left=a, right=b, outcome="left") for a, b in pairs[::2]]
    changes += [VoteChange(left=b, right=a, outcome="right") for a, b in pairs[1::2]]
    with drawn.open() as catalog:
        catalog.judgements.apply(changes[:-1], who="ben", verb="vote")
    screen = rank_screen()
    screen.begin("dog", "&top=2")
    assert screen.find("#count").text == "0 by you of 119"
    screen.find("#target").clear()
    screen.find("#target").send_keys("2", Keys.ENTER)
    screen.until(lambda: "the target of this class" in screen.find("#target-note").text)
    assert "top=" not in screen.browser.current_url
    screen.until(lambda: "Stop: the top 2 are settled." in screen.find("#stop").text)
    assert [int(p.get_attribute("data-id") or 0) for p in screen.all(".place.inside")] == ids[:2]
    screen.find("[data-act=keep-top-only]").click()
    screen.until(lambda: screen.find("#told") and state(drawn, ids[1])[0][0] == "keep")
    reason = "not in the top 2"
    assert state(drawn, *ids) == [("keep", "", 0)] * 2 + [("reject", reason, 0)] * 3
    screen.until(lambda: "all 2 are in the top 2" in screen.find("#progress").text)
    screen.browser.execute_script("document.querySelector('#stage').focus()")
    screen.press("u")
    screen.until(lambda: state(drawn, ids[4]) == [("undecided", "", 0)])
    assert state(drawn, *ids) == [("undecided", "", 0)] * 5


def test_vote_that_does_not_arrive_brings_its_pair_back(
    browser: webdriver.Chrome, serve: Callable[..., RunningServer], drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 10)
    server = serve(drawn.data)
    screen = RankScreen(browser, server.address)
    pair = screen.begin()
    server.kill()
    screen.press(Keys.ARROW_LEFT)
    screen.until(lambda: "not saved" in (screen.find("#said").get_attribute("textContent") or ""))
    screen.until(lambda: screen.group() == pair)
    assert screen.find("#mine").text == "0"
    port = server.address.rstrip("/").rpartition(":")[2]
    serve(drawn.data, "--port", port)
    screen.press(Keys.ARROW_LEFT)
    screen.until(lambda: screen.find("#mine").text == "1")
    assert votes(drawn) == [("left", pair[0], pair[1])]
    browser.get("about:blank")
    complaints_of(browser)  # of the server that did not answer, as meant


def test_pair_of_which_somebody_else_rejected_one_is_refused_and_does_not_come_back(
    browser: webdriver.Chrome, serve: Callable[..., RunningServer], drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 10)
    screen = RankScreen(browser, serve(drawn.data).address)
    pair = screen.begin()
    with drawn.open() as catalog:
        change = Change(image_id=pair[0], field="status", value="reject")
        catalog.judgements.apply([change], who="ben", verb="reject")
    screen.press(Keys.ARROW_LEFT)
    message = f"not saved: #{pair[0]} was rejected meanwhile; nothing is written"
    screen.wait_for_message(message)
    assert sorted(screen.group()) != sorted(pair)
    assert votes(drawn) == []
    browser.get("about:blank")
    complaints_of(browser)  # of the vote that was refused, as meant


def test_rank_page_fits_a_phone_and_hostile_texts_run_nothing(
    rank_screen: Callable[[], RankScreen], drawn: DrawnCatalogue
) -> None:
    for seed in range(4):
        drawn.add(drawing(seed), label=HOSTILE, caption=f"{HOSTILE}</script>{'long' * 50}{seed}")
    screen = rank_screen()
    phone = {"width": 380, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for path in ("rank", "rank?mode=four"):
            screen.open(path)
            screen.group()
            width = screen.browser.execute_script(
                "return document.querySelector('main').scrollWidth"
            )
            assert width <= 380, path
            bar = screen.find(".choices-bar").rect
            assert bar["y"] + bar["height"] <= 800, path  # all of it on one screen
            assert screen.browser.title != "owned"
            assert not screen.all("img[src='x']")
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
