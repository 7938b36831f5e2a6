"""Names of files from labels of any kind."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.exports.names import LONGEST_BYTES, safe_name, safe_names


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("red panda", "red panda"),
        ("ünï 猫", "ünï 猫"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "class"),
        ("", "class"),
        ("a/b\\c", "a_b_c"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("~root", "root"),
        ("end. ", "end"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com¹", "_com¹"),
        ("LPT9 .x", "_LPT9 .x"),
        ("console", "console"),
        ("a\0b\x1b[31m", "ab[31m"),
        ("\u202etxt", "txt"),
        ('<b>"x"|?*:', "_b__x_____"),
        ("é" * 80, "é" * 50),
    ],
)
def test_a_name_holds_nothing_that_a_system_would_not_take(label: str, name: str) -> None:
    assert safe_name(label) == name


def test_names_that_differ_in_case_or_form_alone_are_told_apart() -> None:
    labels = ["Cat", "cat", "CAT", "e\u0301", "é", "ß", "ss", "a/b", "a_b"]
    names = safe_names(labels)
    assert names == ["Cat", "cat-2", "CAT-3", "é", "é-2", "ß", "ss-2", "a_b", "a_b-2"]


def test_names_that_are_taken_are_given_to_nobody() -> None:
    assert safe_names(["Images", "images-2", "IMAGES"], taken=("images",)) == [
        "Images-2",
        "images-2-2",
        "IMAGES-3",
    ]


@given(st.lists(st.text(max_size=120), max_size=12))
def test_names_are_distinct_short_and_lie_in_one_folder(labels: list[str]) -> None:
    names = safe_names(labels)
    folded = {unicodedata.normalize("NFKC", name).casefold() for name in names}
    assert len(names) == len(labels) == len(folded)
    for name in names:
        assert 0 < len(name.encode()) <= LONGEST_BYTES + 8
        assert not set(name) & set('/\\<>:"|?*\0')
        assert name[0] not in ".-~ "
        assert name[-1] not in ". "
        assert name.isprintable() or all(unicodedata.category(c) != "Cc" for c in name)
