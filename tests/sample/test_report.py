"""The report: one page that loads nothing, in which hostile text stays text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from dataset.packed import PackedDataset
from sample.inspection import Inspection, inspect_folder
from sample.novelty import NoveltyConfig
from sample.report import ReportPictures, render_report, rows_shown
from sample.report_cards import web_address
from tests.sample.drawings import (
    drawing,
    drawings,
    save_pictures,
)
from tests.sample.told_record import told_neighbour, told_picture, told_record

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'
LOADING = {"src", "srcset", "action", "formaction", "poster", "background", "data"}


def told_pictures(record: dict[str, Any], side: int = 32) -> ReportPictures:
    """The pictures of a told record: samples as `told_picture` says, originals by row."""
    rows = {near["row"] for picture in record["pictures"] for near in picture["neighbours"]}
    rows |= {row for pair in record["calibration"]["lowest"] for row in (45, pair["near_row"])}
    numbers = {picture["file"]: int(picture["file"][:5]) for picture in record["pictures"]}
    drawn = {n: drawing(7000 + n % 60, side) for n in set(numbers.values())}
    return ReportPictures(
        samples={name: drawn[number] for name, number in numbers.items()},
        originals={row: drawing(row, side) for row in rows},
    )


class Tags(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory, small_pack: PackedDataset) -> Inspection:
    folder = tmp_path_factory.mktemp("samples")
    save_pictures(folder, drawings([3, 4, 7000, 7001, 7002]))
    return inspect_folder(folder, small_pack.path, NoveltyConfig(audit=1))


@pytest.fixture(scope="module")
def page(inspection: Inspection) -> str:
    return inspection.report.read_text("utf-8")


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    for tag, attributes in Tags(page).found:
        for name in LOADING & attributes.keys():
            assert str(attributes[name]).startswith("data:image/"), (tag, name)
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
    assert not re.search(
        r"url\((?!data:image/webp)|@import|\bfetch\b|XMLHttpRequest|import\(", page
    )
    policy = next(tag for tag in Tags(page).of("meta") if "http-equiv" in tag)
    assert str(policy["content"]).startswith("default-src 'none'; img-src data:;")


def test_every_sample_stands_beside_its_nearest_originals(
    page: str, inspection: Inspection
) -> None:
    tags = Tags(page)
    cards = tags.of("article")
    assert [card["data-file"] for card in cards] == [
        picture["file"] for picture in inspection.record["pictures"]
    ]
    assert [card["data-verdict"] for card in cards][:2] == ["copy", "copy"]
    told = [str(tag["alt"]) for tag in tags.of("img")]
    assert sum(alt.startswith("the picture ") for alt in told) == 5
    assert told.count("where they differ") == told.count("") == 5
    for picture in inspection.record["pictures"]:
        for near in picture["neighbours"]:
            assert near["caption"] in page
            assert near["page_url"] in page


def test_links_lead_out_without_a_trace(page: str) -> None:
    links = Tags(page).of("a")
    assert links
    for link in links:
        assert str(link["href"]).startswith("https://")
        assert set(str(link["rel"]).split()) == {"noopener", "noreferrer", "nofollow"}


def test_hostile_texts_stay_texts() -> None:
    near = told_neighbour(
        0,
        caption=HOSTILE,
        author=HOSTILE,
        licence=HOSTILE,
        source=HOSTILE,
        label=HOSTILE,
        view=HOSTILE,
        alignment=None,
        url="javascript:alert(3)",
        page_url=f'https://evil.example/"onmouseover="alert(4){HOSTILE}',
        licence_url="data:text/html,<script>alert(5)</script>",
    )
    name = "00000<b onclick=alert(6)>.png"
    picture = told_picture(0, "copy", file=name, label=HOSTILE, neighbours=[near, near])
    refused = {"name": HOSTILE, "reason": HOSTILE}
    hit = {**near, "times": 1, "files": [name]}
    record = told_record([picture, told_picture(1)], unreadable=[refused], most_copied=[hit])
    page = render_report(record, told_pictures(record))
    tags = Tags(page)
    assert len(tags.of("script")) == 1
    assert all(not name.startswith("on") for _, attributes in tags.found for name in attributes)
    assert not [tag for tag in tags.of("img") if tag["src"] == "x"]
    assert "<b onclick" not in page
    assert "{{ 7 * 7 }}" in page
    own = ("https://evil.example/", "https://pictures.example/", "https://creativecommons.org/")
    for link in tags.of("a"):
        assert str(link["href"]).startswith(own)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTP://a.example", "HTTP://a.example"),
        (" https://a.example ", "https://a.example"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("//a.example", None),
        ("https://", None),
        ("http://[broken", None),
        ("", None),
    ],
)
def test_only_web_addresses_become_links(url: str, shown: str | None) -> None:
    assert web_address(url) == shown


def test_a_report_without_calibration_says_what_it_cannot_say() -> None:
    record = told_record([told_picture(0, "cannot say")])
    record["calibration"] |= {"pictures": 0, "smallest_p": 1.0, "enough": False, "lowest": []}
    record["calibration"] |= {"ratios": [], "complexities": [], "threshold": None}
    record["share"] = {"judged": 1, "rate": None, "interval": [0.0, 1.0]}
    record["audit"]["new"] = {**record["audit"]["new"], "trials": 0}
    page = render_report(record, told_pictures(record))
    assert "Pack with a larger cal split" in page
    assert "no pictures to test with" in page
    assert "This pack has none." in page


def test_a_large_set_shows_its_most_suspicious_pictures() -> None:
    record = told_record([told_picture(0, "copy"), *(told_picture(n) for n in (1, 2, 3))])
    record["config"]["cards"] = 2
    page = render_report(record, told_pictures(record))
    cards = Tags(page).of("article")
    assert len(cards) == 2
    assert cards[0]["data-verdict"] == "copy"
    assert "novelty.csv lists all 4" in page


def test_one_picture_needs_no_filters_and_no_counts() -> None:
    record = told_record([told_picture(0)])
    page = render_report(record, told_pictures(record))
    assert "Yes, as far as can be measured." in page
    assert not [tag for tag in Tags(page).of("button") if "data-go" in tag]
    assert "hidden" in next(tag for tag in Tags(page).of("div") if tag.get("id") == "pictures")


def test_what_has_no_card_is_on_the_wall() -> None:
    pictures = [told_picture(number) for number in range(1100)]
    record = told_record(pictures)
    record["config"]["cards"] = 10
    page = render_report(record, told_pictures(record))
    assert len(Tags(page).of("article")) == 10
    assert page.count("data:image/webp") == 2
    rest = json.loads(re.findall(r'id="rest">(.*?)</script>', page, re.DOTALL)[0])
    assert [entry[0] for entry in rest["pictures"]] == [p["file"] for p in pictures[10:]]
    assert rest["pictures"][0][5] == "Drawing number 10"


def test_a_hostile_name_on_the_wall_stays_a_name() -> None:
    pictures = [told_picture(0), told_picture(1, file="00001</script><b>.png")]
    record = told_record(pictures)
    record["config"]["cards"] = 1
    page = render_report(record, told_pictures(record))
    assert len(Tags(page).of("script")) == 2
    assert not Tags(page).of("b onclick")
    assert "</script><b>" not in page


def test_a_card_tells_whose_work_the_nearest_original_is() -> None:
    record = told_record([told_picture(0, "copy")])
    page = render_report(record, told_pictures(record))
    for fact in ("A. Hand", "CC0-1.0", "2026-01-02", "ab" * 32, "0123456789abcdef", "4.0"):
        assert fact in page
    hrefs = {link["href"] for link in Tags(page).of("a")}
    assert "https://pictures.example/0" in hrefs
    assert "https://creativecommons.org/publicdomain/zero/1.0/" in hrefs


def test_the_copied_most_lead_to_their_copies() -> None:
    pictures = [told_picture(number, "copy") for number in (0, 40, 1)]
    hit = {**told_neighbour(0), "times": 2, "files": [pictures[0]["file"], pictures[1]["file"]]}
    record = told_record(pictures, most_copied=[hit])
    page = render_report(record, told_pictures(record))
    cards = [card for card in Tags(page).of("article") if card["data-near"] == "0"]
    assert len(cards) == 2
    assert [tag["data-near"] for tag in Tags(page).of("button") if "data-near" in tag] == ["0"]


def test_a_false_alarm_is_marked_so() -> None:
    record = told_record([told_picture(0, "copy", false_alarm=True), told_picture(1)])
    page = render_report(record, told_pictures(record))
    assert "marked a false alarm" in page
    assert "1 picture was marked as a false alarm by a person" in page


def test_a_record_of_the_first_version_still_makes_a_page() -> None:
    record = told_record([told_picture(0)])
    for key in ("backend", "share", "fewest_findings", "most_copied"):
        del record[key]
    for key in ("threshold", "strata", "lowest", "complexities"):
        del record["calibration"][key]
    for key in ("sha256", "false_alarm", "levels", "complexity", "stratum"):
        del record["pictures"][0][key]
    for near in record["pictures"][0]["neighbours"]:
        for key in ("ratio", "mirrored", "alignment", "sha256", "phash", "rating"):
            del near[key]
    pictures = ReportPictures({"00000.png": drawings([1])[0]}, {0: drawings([0])[0]})
    assert len(Tags(render_report(record, pictures)).of("article")) == 1


def test_missing_pictures_leave_blanks() -> None:
    record = told_record([told_picture(0), told_picture(1)])
    record["config"]["cards"] = 1
    page = render_report(record, ReportPictures({}, {}))
    assert not Tags(page).of("img")
    assert len(Tags(page).of("article")) == 1


def test_large_pictures_are_shown_smooth_and_small_ones_by_their_pixels() -> None:
    record = told_record([told_picture(0), told_picture(1)])
    record["config"]["cards"] = 1
    small = render_report(record, told_pictures(record))
    large = render_report(record, told_pictures(record, side=128))
    assert '<body class="pixels">' in small
    assert "<body>" in large
    assert large.count("data:image/webp") > small.count("data:image/webp") == 1


def test_the_rows_of_the_page_are_what_it_shows() -> None:
    hit = {**told_neighbour(33), "times": 1, "files": ["00000.png"]}
    pictures = [told_picture(0, neighbours=[told_neighbour(7)]), told_picture(1)]
    record = told_record(pictures, most_copied=[hit])
    record["config"]["cards"] = 1
    assert rows_shown(record) == [5, 7, 33, 45]


@pytest.mark.browser
def test_the_wall_tells_of_the_picture_that_the_keys_stand_on(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    record = told_record([told_picture(0, "copy"), *(told_picture(n) for n in range(1, 90))])
    record["config"]["cards"] = 2
    (tmp_path / "report.html").write_text(render_report(record, told_pictures(record)), "utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    mosaic = browser.find_element(By.ID, "mosaic")
    mosaic.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    told = browser.find_element(By.CSS_SELECTOR, "#lens p").text
    assert told.startswith("00004.png · round · novel · ratio")
    assert "nearest: Drawing number 4" in told
    browser.get((tmp_path / "report.html").as_uri() + "#show=copy")
    browser.refresh()
    assert browser.find_element(By.ID, "count").text == "1 shown"
    assert not browser.find_element(By.CSS_SELECTOR, "#mosaic i").is_displayed()
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.browser
def test_the_search_and_the_copied_most_narrow_the_cards(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    pictures = [told_picture(number, "copy") for number in (0, 40, 1)]
    hit = {**told_neighbour(0), "times": 2, "files": ["00000.png", "00040.png"]}
    record = told_record(pictures, most_copied=[hit])
    (tmp_path / "report.html").write_text(render_report(record, told_pictures(record)), "utf-8")
    browser.get((tmp_path / "report.html").as_uri())

    def shown() -> list[str]:
        cards = browser.find_elements(By.CSS_SELECTOR, ".card")
        return [card.get_dom_attribute("data-file") for card in cards if card.is_displayed()]

    browser.find_element(By.CSS_SELECTOR, "button[data-near='0']").click()
    assert shown() == ["00000.png", "00040.png"]
    browser.find_element(By.ID, "near").click()
    browser.find_element(By.ID, "text").send_keys("00001 a. hand")
    assert shown() == ["00001.png"]
    assert "text=00001" in browser.current_url


@pytest.mark.browser
def test_filter_and_order_work_and_the_page_is_silent(
    browser: webdriver.Chrome, inspection: Inspection
) -> None:
    browser.get(inspection.report.resolve().as_uri())

    def shown() -> list[str]:
        cards = browser.find_elements(By.CSS_SELECTOR, ".card")
        return [card.get_dom_attribute("data-file") for card in cards if card.is_displayed()]

    everything = shown()
    assert len(everything) == 5
    browser.find_element(By.CSS_SELECTOR, "[data-show=copy]").click()
    assert shown() == everything[:2]
    browser.find_element(By.CSS_SELECTOR, "[data-show='']").click()
    Select(browser.find_element(By.ID, "order")).select_by_value("novelty")
    assert shown() == everything[::-1]
    script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert [name for name in browser.execute_script(script) if not name.startswith("data:")] == []
    wide = browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert wide
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
