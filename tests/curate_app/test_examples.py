"""The screen of predictions: what was learned, how good it is, rows to judge; learning is a job."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium import webdriver

from curate_app.predictor import predict
from dataset.records import SettingChange, VoteChange
from tests.curate_app.conftest import Judge, RunningServer
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_pages_in_browser import Screen, complaints_of
from tests.curate_app.test_prediction import judge as record
from tests.curate_app.test_prediction import keep, light_and_dark, reject


def learned(drawn: DrawnCatalogue, count: int = 22) -> tuple[list[int], list[int]]:
    """Light pictures are kept and dark ones rejected, 12 of each; the rest is predicted."""
    light, dark = light_and_dark(drawn, count)
    with drawn.open() as catalog:
        record(catalog, *keep(*light[:12]), *reject(*dark[:12]))
        predict(catalog)
    return light, dark


def rows_of(judge: Judge, address: str = "/examples?format=json") -> dict[str, list[int]]:
    page: dict[str, Any] = judge.get(address).get_json()
    return {row["name"]: [p["id"] for p in row["pictures"]] for row in page["rows"]}


def test_page_without_predictions_says_what_to_do(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(2)
    page = judge.get("/examples")
    assert page.status_code == 200
    assert "Nothing is learned yet" in page.text
    told = judge.get("/examples?format=json").get_json()
    assert told["lesson"] is None
    assert told["rows"] == []


def test_rows_hold_the_undecided_in_order_of_what_is_predicted(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    light, dark = learned(drawn)
    rows = rows_of(judge)
    assert set(rows["best"][:10]) == set(light[12:])
    assert set(rows["worst"][:10]) == set(dark[12:])
    assert set(rows["worth"]) <= set(light[12:] + dark[12:])
    assert rows["odd"] == []
    page = judge.get("/examples?format=json").get_json()
    chances = {
        row["name"]: [picture["predicted"] for picture in row["pictures"]] for row in page["rows"]
    }
    assert chances["best"] == sorted(chances["best"], reverse=True)
    assert chances["worst"] == sorted(chances["worst"])
    html = judge.get("/examples").text
    for address in ("sort=-predicted", "sort=predicted", "sort=-worth", "status=undecided"):
        assert address in html
    assert "Kept above rejected" in html
    assert 'class="histogram"' in html
    assert "Agreement with stars" not in html  # nobody gave any


def test_links_lead_into_a_grid_in_that_order(judge: Judge, drawn: DrawnCatalogue) -> None:
    learned(drawn)
    page = judge.get("/examples?format=json").get_json()
    for row in page["rows"][:3]:
        there = row["address"] + "&format=json"
        grid = [picture["id"] for picture in judge.get(there).get_json()["pictures"]]
        shown = [picture["id"] for picture in row["pictures"]]
        assert grid[: len(shown)] == shown


def test_decisions_against_the_prediction_are_shown_again(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    light, dark = light_and_dark(drawn, 16)
    with drawn.open() as catalog:
        # Two slips: a dark one kept, a light one rejected.
        record(catalog, *keep(*light[:13], dark[14]), *reject(*dark[:13], light[14]))
        predict(catalog)
    odd = rows_of(judge)["odd"]
    assert dark[14] in odd
    assert light[14] in odd
    assert odd.index(dark[14]) < odd.index(light[14])


def test_age_is_counted_in_judgements(judge: Judge, drawn: DrawnCatalogue) -> None:
    light, dark = learned(drawn, 36)
    assert "up to date" in judge.get("/examples").text
    judge.judge("keep", light[13], light[14])
    assert judge.get("/examples?format=json").get_json()["judged_since"] == 2
    page = judge.get("/examples").text
    assert "<strong>2</strong> judgements since" in page
    assert "time to learn again" not in page
    judge.judge("reject", *dark[13:34])
    assert "time to learn again" in judge.get("/examples").text
    # A judged picture is in no row of undecided ones, whatever was predicted.
    rows = rows_of(judge)
    assert not {light[13], *dark[13:34]} & {*rows["best"], *rows["worst"], *rows["worth"]}


def test_filter_chooses_a_class_in_every_row(judge: Judge, drawn: DrawnCatalogue) -> None:
    light, _dark = learned(drawn)
    rows = rows_of(judge, "/examples?label=light&format=json")
    assert set(rows["worst"]) == set(light[12:])
    page = judge.get("/examples?label=light").text
    assert "label=light" in page
    assert '<option value="light" selected>' in page


@pytest.mark.parametrize("query", ["top=3", "label=a&label=b", "between=odd:1..2", "status=x"])
def test_strange_addresses_are_refused(judge: Judge, drawn: DrawnCatalogue, query: str) -> None:
    learned(drawn, 13)
    assert judge.get(f"/examples?{query}").status_code == 400


def test_classes_short_of_their_target_come_first(judge: Judge, drawn: DrawnCatalogue) -> None:
    light, dark = light_and_dark(drawn, 20)
    with drawn.open() as catalog:
        record(catalog, *keep(*light[:12]), *reject(*dark[:12]))
        record(
            catalog,
            SettingChange(name="target:light", value="12"),
            SettingChange(name="target:dark", value="9"),
        )
        predict(catalog)
    assert set(rows_of(judge)["worth"][:8]) == set(dark[12:])


def test_hostile_texts_stay_texts(judge: Judge, drawn: DrawnCatalogue) -> None:
    learned(drawn, 13)
    hostile = drawn.add(drawing(900, 48), caption=HOSTILE, label=HOSTILE)
    with drawn.open() as catalog:
        predict(catalog)
    page = judge.get("/examples").text
    assert f'data-id="{hostile}"' in page
    assert "<script>document" not in page


def test_learning_is_a_job_that_runs_once_at_a_time(judge: Judge, drawn: DrawnCatalogue) -> None:
    light, dark = light_and_dark(drawn, 12)
    judge.judge("keep", *light)
    judge.judge("reject", *dark)
    started = judge.post("/examples/learn", {})
    assert started.status_code == 200
    assert started.get_json()["kind"] == "predict"
    assert judge.post("/examples/learn", {}).status_code == 409
    job = _until_over(judge, started.get_json()["id"])
    assert job["state"] == "done", job
    assert "learned from 24 judged pictures" in job["result"]
    assert judge.get("/examples?format=json").get_json()["lesson"]["judged"] == 24
    assert judge.post("/examples/learn", {"odd": 1}).status_code == 400


def test_a_job_without_examples_says_what_lacks(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(3)
    job = _until_over(judge, judge.post("/examples/learn", {}).get_json()["id"])
    assert job["state"] == "failed"
    assert "cannot say yet: 0 kept" in job["error"]
    assert "cannot say yet: 0 kept" in judge.get("/examples").text


def _until_over(judge: Judge, job_id: int) -> dict[str, Any]:
    for _ in range(600):
        job: dict[str, Any] = judge.get(f"/jobs/{job_id}").get_json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job did not end: {job}")


# ---------------------------------------------------------------- in the browser


@pytest.fixture
def screen(
    browser: webdriver.Chrome, serve: Callable[..., RunningServer], drawn: DrawnCatalogue
) -> Iterator[Callable[[], Screen]]:
    complaints_of(browser)
    yield lambda: Screen(browser, serve(drawn.data).address)
    complaints = complaints_of(browser)
    browser.get("about:blank")
    assert complaints == []


@pytest.mark.browser
def test_learned_looked_at_and_judged_by_keys(
    screen: Callable[[], Screen], drawn: DrawnCatalogue
) -> None:
    light, dark = light_and_dark(drawn, 18)
    with drawn.open() as catalog:
        record(catalog, *keep(*light[:12]), *reject(*dark[:12]))
        record(catalog, VoteChange(left=light[0], right=dark[0], outcome="left"))
    page = screen()
    page.open("/examples")
    assert page.ids() == []
    page.press("r")  # learns; the page comes anew with its rows
    page.until(lambda: len(page.ids()) > 0)
    page.arrive("/examples")
    assert "up to date" in page.find("#lesson").text
    best = page.ids()[0]
    assert best in light
    page.until(lambda: page.current() == best)
    page.press("k")
    page.wait_for(best, "keep")
    page.until(lambda: "1 judgement since" in page.find("#lesson").text)
    assert page.current() != best
    page.press("x")
    page.wait_for_message(f"rejected #{page.ids()[1]}")
    page.press("u", "u")
    page.wait_for(best, "undecided")
    with drawn.open() as catalog:
        record_ = catalog.images.get(best)
        assert record_ is not None
        assert record_.status == "undecided"
    page.find("[data-act=learn]").click()
    page.until(lambda: "up to date" in page.find("#lesson").text)
