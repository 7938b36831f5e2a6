"""Labels and captions: every script is right, nothing hides or turns around what follows."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.wording import LONGEST_LABEL, NO_TEXT, bare, clean_label, seen, strange_letter

ANY_LETTER = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        *(("a\0b", "U+0000"), ("\x9b31m", "U+009B"), ("a\u202eb", "U+202E"), ("\u2066", "U+2066")),
        *(("z\u200bz", "U+200B"), ("\ufeffa", "U+FEFF"), ("\ud800", "U+D800")),
        *(("\ue000", "U+E000"), ("\U000e0001", "U+E0001"), ("", ""), ("plain", "")),
        *(("\u200fשלום\u200e", ""), ("می\u200cخواهم", ""), ("👩\u200d👧", ""), ("e\u0301", "")),
    ],
    ids=ascii,
)
def test_letter_that_no_line_holds_is_named(text: str, letter: str) -> None:
    assert strange_letter(text) == letter


def test_text_is_shown_with_its_strange_letters_named() -> None:
    assert seen("x\u202ey z\u200b") == "x⟨U+202E⟩y z⟨U+200B⟩"
    assert seen("\u200fשלום") == "\u200fשלום"


@given(ANY_LETTER)
def test_label_that_was_cleaned_is_a_short_line_and_stays_as_it_is(text: str) -> None:
    label = clean_label(text)
    assert len(label) <= LONGEST_LABEL
    assert strange_letter(label) == ""
    assert not NO_TEXT.search(label)
    assert label == clean_label(label) == bare(label) == " ".join(label.split())


@given(ANY_LETTER)
def test_what_is_shown_turns_nothing_around(text: str) -> None:
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not turning & {unicodedata.bidirectional(letter) for letter in seen(text)}


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=LONGEST_LABEL))
def test_letters_of_any_script_stay(text: str) -> None:
    assert clean_label(text) == text
