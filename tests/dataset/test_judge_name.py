"""Names of judges: what a person may be called, and what is the program's own."""

import pytest

from dataset.errors import ConfigError
from dataset.judge_name import judge_name


@pytest.mark.parametrize("name", ["auto", "duplicates", "merge", " merge "])
def test_names_of_judges_that_are_no_persons_are_taken(name: str) -> None:
    with pytest.raises(ConfigError, match="choose another"):
        judge_name(name)


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\0b", "a\x9bb", "\u202ea"])
def test_name_is_a_short_line_of_letters(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        judge_name(name)


def test_blanks_of_a_name_are_folded() -> None:
    assert judge_name("  Änna   B. ") == "Änna B."
