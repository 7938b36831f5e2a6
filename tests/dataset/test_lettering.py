"""Which font writes a text: the one that is everywhere, or a wider one of the machine's."""

import pytest

from dataset.lettering import font_for, plain_font


@pytest.mark.parametrize("text", ["", "a line", "what is cut…"])
def test_what_pillow_s_font_has_is_written_in_it(text: str) -> None:
    assert font_for(text, 14) is plain_font(14)


@pytest.mark.parametrize("text", ["Bär", "Žába", "кот", "猫", "\U0010fffe"])
def test_any_text_has_a_font_and_a_width(text: str) -> None:
    assert font_for(text, 14).getlength(text) > 0


def test_letters_that_the_plain_font_lacks_are_written_in_another_where_there_is_one() -> None:
    font = font_for("Bär", 14)
    if font is plain_font(14):
        pytest.skip("no wider font on this machine")
    assert bytes(font.getmask("ä")) != bytes(font.getmask("\U0010ffff"))
