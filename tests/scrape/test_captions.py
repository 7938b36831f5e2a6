"""Text as people read it, whatever a page makes of it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.records import Caption
from scrape.captions import LONGEST, captions_of, clean_text, completed, is_cut


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("  a\n\t blue  bird ", "a blue bird"),
        ("a <b>blue</b> bird<br/>flies", "a blue bird flies"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("<p>Tom &amp; Jerry</p>", "Tom & Jerry"),
        ("x < y and y > z", "x < y and y > z"),
        ("i <3 you", "i <3 you"),
        ("nul\x00 bell\x07", "nul bell"),
        ("a\u200bb\ufeff \u202ereversed", "ab reversed"),
        ("non\u00a0breaking", "non breaking"),
        ("e\u0301", "é"),
        ("a <script>alert(1)</script>bird", "a bird"),
        ("https://example.org/a.png", "https://example.org/a.png"),
        ("", ""),
    ],
)
def test_markup_entities_and_control_characters_go(written: str, clean: str) -> None:
    assert clean_text(written) == clean


def test_a_novel_is_cut_visibly() -> None:
    text = clean_text("word " * 100_000)
    assert len(text) <= LONGEST
    assert is_cut(text)


@given(st.text(max_size=300))
def test_clean_text_is_one_short_line_without_control_characters(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= LONGEST
    assert cleaned == " ".join(cleaned.split())
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)


@pytest.mark.parametrize(
    "text",
    [
        "a bird that…",
        "a bird that...",
        "a bird that ....",
        "a bird that […]",
        "a bird that [...]",
        "a bird that (…)",
        "a bird that… Read more",
        "a bird that... »",
    ],
)
def test_a_shortened_text_is_known_by_its_end(text: str) -> None:
    assert is_cut(text)


@pytest.mark.parametrize("text", ["a bird.", "a… bird", "wait... what", "", "3..4", "read more"])
def test_a_whole_text_is_not_called_cut(text: str) -> None:
    assert not is_cut(text)


def test_captions_keep_order_and_origin_and_lose_repeats() -> None:
    found = [("A bird", "card p"), ("  ", "card h3"), ("---", "card h4"), ("A bird", "alt")]
    assert captions_of([*found, ("Bird", "title")]) == (
        Caption(text="A bird", origin="card p"),
        Caption(text="Bird", origin="title"),
    )


def test_a_cut_caption_gives_way_to_the_whole_one() -> None:
    card = captions_of([("A blue bird over a…", "card p"), ("Bird", "card h3")])
    detail = captions_of([("A blue bird over a green hill.", "detail p")])
    assert [c.text for c in completed(card, detail)] == ["A blue bird over a green hill.", "Bird"]


def test_a_cut_caption_stays_when_the_detail_page_says_something_else() -> None:
    card = captions_of([("A blue bird…", "card p")])
    assert completed(card, captions_of([("Imprint", "detail p")]))[1:] == card
    assert completed(card, captions_of([("A blue bird over…", "detail p")])) == card
    assert completed(card, ()) == card


def test_markup_that_no_parser_takes_is_cut_out() -> None:
    assert clean_text("<b>x</b> <![foo bar]]> y").startswith("x")
