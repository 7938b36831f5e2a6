"""Text as people read it, whatever a page makes of it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.records import Caption
from scrape.captions import (
    LONGEST,
    captions_of,
    clean_text,
    completed,
    continues,
    is_by_camera,
    is_cut,
)


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


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("<a>Ghent</a>, Belgium", "Ghent, Belgium"),
        ("<a>Ghent</a> , <i>Belgium</i>.", "Ghent, Belgium."),
        ("(<a>Ghent</a>)", "(Ghent)"),
        ("<span>Anna</span>'s bird", "Anna's bird"),
        ("H<sub>2</sub>O", "H2O"),
        ("<B>b</B>ird", "bird"),
        ("<span>one</span><span>two</span>", "one two"),
        ("<p>one</p><p>two</p>", "one two"),
        ("one<br>two", "one two"),
        ("<big>one</big>two", "one two"),
        ('<a title="a>b">x</a> y', "x y"),
        ("x \ue000, <u>y</u>", "x , y"),
    ],
)
def test_blanks_stand_between_elements_but_not_around_punctuation(written: str, clean: str) -> None:
    assert clean_text(written) == clean


def test_text_written_with_a_blank_before_its_comma_is_left_alone() -> None:
    assert clean_text("Ghent , Belgium !") == "Ghent , Belgium !"


@pytest.mark.parametrize(
    "text",
    [
        "OLYMPUS DIGITAL CAMERA",
        "KONICA MINOLTA DIGITAL CAMERA",
        "SONY DSC",
        "Exif_JPEG_PICTURE",
        "Processed with VSCO with a6 preset",
        "Created with GIMP",
        "IMG_1234",
        "IMG_1234.JPG",
        "img-20200101-wa0001",
        "IMG_E1234 (2)",
        "DSC00012.JPG",
        "DSC_0012",
        "_DSC0012",
        "DSCN0012.jpeg",
        "P1010001.jpg",
        "100_1234",
        "GOPR0001",
        "PXL_20210101_123456789.MP.jpg",
        "20200101_123456.jpg",
        "WhatsApp Image 2020-01-01 at 10.11.12.jpeg",
        "Screenshot 2020-01-01",
    ],
)
def test_what_a_camera_writes_is_no_caption(text: str) -> None:
    assert is_by_camera(text)
    assert [c.text for c in captions_of([(text, "alt"), ("A bird", "p")])] == ["A bird"]


@pytest.mark.parametrize(
    "text",
    [
        "A digital camera",
        "Olympus digital camera",
        "IMG_1234 shows a bird",
        "Bird, IMG_1234",
        "DSC logo",
        "P10",
        "1984",
        "blue-bird.png",
        "image of a bird",
        "Sam 12",
        "IMG" + "0" * 5000,
        "IMG_1234 " + "1 " * 90 + "!",
    ],
)
def test_what_a_person_writes_stays_a_caption(text: str) -> None:
    assert not is_by_camera(text)


@pytest.mark.parametrize(
    ("text", "cut", "expected"),
    [
        ("A blue bird over a hill.", "A blue bird over\u2026", True),
        ("A blue bird over a hill.", "A blue bird ov...", True),
        ('The words "BLUE" and so on.', "The words \u201cBLUE\u201d and\u2026", True),
        ("A red bird.", "A blue\u2026", False),
        ("A blue bird.", "A blue bird.", False),
        ("Anything", "\u2026", False),
    ],
)
def test_a_whole_text_is_known_by_its_beginning(text: str, cut: str, expected: bool) -> None:
    assert continues(text, cut) is expected


@pytest.mark.parametrize("piece", ["<p>", "<b>", " ", "<p> ", "(", "<!", "\ue000", "1 ", "IMG_1"])
def test_hostile_repetition_takes_no_more_than_its_length(piece: str) -> None:
    text = clean_text(piece * (200_000 // len(piece)))
    assert len(captions_of([(text, "p")])) <= 1
