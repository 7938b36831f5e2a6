"""The report: one page that loads nothing, in which hostile text stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from dataset.packed import PackedDataset
from sample.inspection import Inspection, inspect_folder
from sample.novelty import NoveltyConfig
from sample.report import histogram_bars, web_address
from tests.sample.drawings import (
    drawings,
    provenance,
    save_pictures,
    write_drawn_pack,
    write_pictures,
)

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'
LOADING = {"src", "srcset", "action", "formaction", "poster", "background", "data"}


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
    return inspect_folder(folder, small_pack.path, NoveltyConfig(audit=3))


@pytest.fixture(scope="module")
def page(inspection: Inspection) -> str:
    return inspection.report.read_text("utf-8")


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    for tag, attributes in Tags(page).found:
        for name in LOADING & attributes.keys():
            assert str(attributes[name]).startswith("data:image/png;base64,"), (tag, name)
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
    assert not re.search(r"url\(|@import|\bfetch\b|XMLHttpRequest|import\(", page)
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
    assert len(tags.of("img")) == 5 * (1 + 3)
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


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    facts = [
        provenance(
            row,
            caption=HOSTILE,
            author=HOSTILE,
            licence=HOSTILE,
            url="javascript:alert(3)",
            page_url=f'https://evil.example/"onmouseover="alert(4){HOSTILE}',
            licence_url="data:text/html,<script>alert(5)</script>",
            source=HOSTILE,
        )
        for row in range(12)
    ]
    pack = write_pictures(tmp_path / "p.h5", drawings(range(12)), facts)
    folder = save_pictures(tmp_path / "s", drawings([1, 7000]))
    (folder / "000.png").rename(folder / "<b onclick=alert(6)>.png")
    (folder / "<i>.png").write_bytes(b"<html>")
    page = inspect_folder(folder, pack, NoveltyConfig(audit=2)).report.read_text("utf-8")
    tags = Tags(page)
    assert len(tags.of("script")) == 1
    assert all(not name.startswith("on") for _, attributes in tags.found for name in attributes)
    assert not [tag for tag in tags.of("img") if tag["src"] == "x"]
    assert "<b onclick" not in page
    assert "{{ 7 * 7 }}" in page
    for link in tags.of("a"):
        assert str(link["href"]).startswith("https://evil.example/")


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


def test_the_histogram_counts_everything_and_stacks() -> None:
    bars = histogram_bars({"copy": [0.01, 0.02], "novel": [0.01, 0.9, 5.0]})
    heights = {bar.height for bar in bars}
    assert sum(bar.height for bar in bars) == pytest.approx(5 * min(heights))
    first = [bar for bar in bars if bar.x == 0]
    assert [bar.set for bar in first] == ["copy", "novel"]
    assert min(bar.y for bar in first) == pytest.approx(0)
    assert histogram_bars({"copy": []}) == []


def test_a_report_without_calibration_says_what_it_cannot_say(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5", train=20, cal=0, test=0)
    folder = save_pictures(tmp_path / "s", drawings([7000]))
    page = inspect_folder(folder, pack, NoveltyConfig(audit=2)).report.read_text("utf-8")
    assert "Pack with a larger cal split" in page
    assert "no pictures to test with" in page


def test_a_large_set_shows_its_most_suspicious_pictures(
    tmp_path: Path, small_pack: PackedDataset
) -> None:
    folder = save_pictures(tmp_path / "s", drawings([7000, 7001, 2, 7002]))
    done = inspect_folder(folder, small_pack.path, NoveltyConfig(audit=1, cards=2))
    page = done.report.read_text("utf-8")
    cards = Tags(page).of("article")
    assert len(cards) == 2
    assert cards[0]["data-verdict"] == "copy"
    assert "novelty.csv lists all 4" in page
    assert len(done.record["pictures"]) == 4


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
