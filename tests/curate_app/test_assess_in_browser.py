"""An assessment in headless Chromium: begun, voted on and read; the answers say what came."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from curate_app.assembling import Wish, begin
from curate_app.trials import Schedule
from dataset.assessments import Assessment, Assessments
from tests.curate_app.conftest import RunningServer
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue
from tests.curate_app.drawn_sets import draw_folder
from tests.curate_app.test_assess import answered, store
from tests.curate_app.test_pages_in_browser import Screen, complaints_of

pytestmark = pytest.mark.browser

SETS = ("folder:a", "folder:b")


class AssessScreen(Screen):
    """The voting page: which pair stands on it."""

    def pair(self) -> int:
        """The number of the trial on the screen, once it can be seen."""
        self.until(lambda: self.find("#stage").get_attribute("data-ready"))
        return int(self.find("#stage").get_attribute("data-ready") or -1)

    def wait_for_pair(self, number: int) -> None:
        self.until(lambda: self.find("#stage").get_attribute("data-ready") == str(number))

    def wait_for_votes(self, count: int) -> None:
        self.until(lambda: self.find("#mine").text == str(count))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    draw_folder(folder / "a", 8)
    draw_folder(folder / "b", 8, first=100, side=32)
    return folder


@pytest.fixture
def assess_screen(
    browser: webdriver.Chrome,
    serve: Callable[..., RunningServer],
    drawn: DrawnCatalogue,
    runs: Path,
) -> Iterator[Callable[[], AssessScreen]]:
    """Serve `drawn` and look at it; in the end no page may have complained in the console."""
    complaints_of(browser)
    yield lambda: AssessScreen(browser, serve(drawn.data, "--runs", str(runs)).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


def start(drawn: DrawnCatalogue, runs: Path, question: str = "Which is better?") -> Assessment:
    wish = Wish(name="pair", sets=SETS, question=question, tells_class=True, seed=3)
    return begin(wish, runs, drawn.data, "me")


def choices(drawn: DrawnCatalogue) -> list[tuple[int, str]]:
    found = Assessments(drawn.data).answers("pair").standing()
    return [(one.trial, one.choice) for one in found]


def test_assessment_is_begun_on_the_form_and_its_page_opens_by_itself(
    assess_screen: Callable[[], AssessScreen], drawn: DrawnCatalogue
) -> None:
    screen = assess_screen()
    screen.open("assess")
    assert not screen.find("#begin").is_enabled()
    for tick in screen.all("[name=set]"):
        tick.click()
    name = screen.find("[name=name]")
    name.clear()
    name.send_keys("pair")
    screen.arrive("set=folder%3Aa", "set=folder%3Ab", "name=pair")
    name.send_keys(Keys.ENTER)
    screen.arrive("/assess/pair")
    assert screen.pair() == 0
    assert [one.title for one in Assessments(drawn.data).read("pair").sets] == ["a", "b"]


def test_pairs_are_voted_on_by_keys_and_clicks_and_an_undone_one_comes_back(
    assess_screen: Callable[[], AssessScreen], drawn: DrawnCatalogue, runs: Path
) -> None:
    start(drawn, runs)
    screen = assess_screen()
    screen.open("assess/pair")
    assert screen.pair() == 0
    assert screen.find("#about-class").text.startswith("Both are to show: ")
    keys = [Keys.ARROW_LEFT, "2", Keys.ARROW_UP, "1", Keys.ARROW_RIGHT, "t", "="]
    for number, key in enumerate(keys):
        screen.wait_for_pair(number)
        screen.press(key)
    screen.wait_for_pair(7)
    screen.find('.contender[data-side="1"] .look').click()
    screen.wait_for_pair(8)
    screen.find("[data-act=tie]").click()
    screen.wait_for_votes(9)
    expected = ["left", "right", "tie", "left", "right", "tie", "tie", "right", "tie"]
    assert choices(drawn) == list(enumerate(expected))
    screen.wait_for_pair(9)
    screen.press("u", "u")
    screen.wait_for_pair(7)
    screen.wait_for_votes(7)
    screen.press(Keys.ARROW_LEFT)
    screen.wait_for_pair(8)
    screen.press(Keys.ARROW_LEFT)
    screen.wait_for_pair(9)
    screen.wait_for_votes(9)
    assert choices(drawn)[7:] == [(7, "left"), (8, "left")]
    looks = [one.ms for one in Assessments(drawn.data).answers("pair").standing()]
    assert all(0 < look < 60_000 for look in looks)
    screen.open("assess/pair")  # the page goes on where it was
    screen.wait_for_pair(9)


def test_both_pictures_are_shown_in_one_size_whatever_their_own_is(
    assess_screen: Callable[[], AssessScreen], drawn: DrawnCatalogue, runs: Path
) -> None:
    of = start(drawn, runs)
    screen = assess_screen()
    screen.open("assess/pair")
    number = screen.pair()
    while Schedule(of, "me").trial(number).kind == "gold":
        screen.press("t")
        screen.wait_for_pair(number + 1)
        number += 1
    sizes = "[...document.querySelectorAll('.look img')].map(i => [i.clientWidth, i.naturalWidth])"
    shown = screen.browser.execute_script(f"return {sizes}")
    assert {natural for _, natural in shown} == {16, 32}
    assert len({width for width, _ in shown}) == 1
    screen.press("z")
    rendering = screen.find(".look img").value_of_css_property("image-rendering")
    assert rendering == "pixelated"


def test_page_ends_when_the_answer_is_settled_and_an_undo_opens_it_again(
    assess_screen: Callable[[], AssessScreen], drawn: DrawnCatalogue, runs: Path
) -> None:
    of = start(drawn, runs)
    store(drawn, answered(of, "me", 16))
    screen = assess_screen()
    screen.open("assess/pair")
    for number in range(16, 19):
        if screen.find("#settled").is_displayed():
            break
        screen.wait_for_pair(number)
        trial = Schedule(of, "me").trial(number)
        wanted = 1 if trial.kind == "gold" else 0
        screen.press(Keys.ARROW_LEFT if trial.left == wanted else Keys.ARROW_RIGHT)
        screen.wait_for_votes(number + 1)
    screen.until(lambda: screen.find("#settled").is_displayed())
    screen.find("#settled a").click()
    screen.arrive("/assess/pair/results")
    assert screen.find(".duel h3").text == "a is preferred to b"
    assert "settled after 14 votes" in screen.find(".duel .numbers").text
    screen.find("a.back").click()
    screen.arrive("/assess")
    assert "settled" in screen.find("#begun").text
    assert [link.text for link in screen.all("#begun .acts a")] == ["Result"]
    screen.open("assess/pair")
    screen.until(lambda: screen.find("#settled").is_displayed())
    before = len(choices(drawn))
    screen.press(Keys.ARROW_LEFT)
    screen.press("u")
    screen.wait_for_pair(before - 1)
    assert not screen.find("#settled").is_displayed()
    assert len(choices(drawn)) == before - 1


def test_vote_that_does_not_arrive_brings_its_pair_back(
    browser: webdriver.Chrome,
    serve: Callable[..., RunningServer],
    drawn: DrawnCatalogue,
    runs: Path,
) -> None:
    start(drawn, runs)
    server = serve(drawn.data, "--runs", str(runs))
    screen = AssessScreen(browser, server.address)
    screen.open("assess/pair")
    screen.wait_for_pair(0)
    server.kill()
    screen.press(Keys.ARROW_LEFT)
    screen.until(lambda: "not saved" in (screen.find("#said").get_attribute("textContent") or ""))
    screen.wait_for_pair(0)
    assert screen.find("#mine").text == "0"
    port = server.address.rstrip("/").rpartition(":")[2]
    serve(drawn.data, "--runs", str(runs), "--port", port)
    screen.press(Keys.ARROW_RIGHT)
    screen.wait_for_votes(1)
    assert choices(drawn) == [(0, "right")]
    browser.get("about:blank")
    complaints_of(browser)  # of the server that did not answer, as meant


def test_pages_fit_a_phone_and_hostile_texts_run_nothing(
    assess_screen: Callable[[], AssessScreen], drawn: DrawnCatalogue, runs: Path
) -> None:
    draw_folder(runs / ("long" * 30), 4)
    of = start(drawn, runs, HOSTILE)
    store(drawn, answered(of, "anna" * 10, 6))
    screen = assess_screen()
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for path in ("assess", "assess/pair", "assess/pair/results"):
            screen.open(path)
            width = screen.browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 390, path
            assert "owned" not in screen.browser.title
            assert not screen.all("img[src='x']")
        screen.open("assess/pair")
        screen.pair()
        bar = screen.find(".choices-bar").rect
        assert bar["y"] + bar["height"] <= 844  # all of it on one screen
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
