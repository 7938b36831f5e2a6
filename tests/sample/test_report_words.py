"""The sentences: the answer on top fits the verdicts, and rarity is counted, not felt."""

from typing import Any

import numpy as np
import pytest

from sample.difference import Difference
from sample.report_words import headline, original_name, percent, sentence
from tests.sample.told_record import told_neighbour, told_picture, told_record

BLANK = np.zeros((4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (["copy"], "No: it is a copy."),
        (["near copy"], "Hardly: it is nearly a copy."),
        (["novel"], "Yes, as far as can be measured."),
        (["close"], "Perhaps: look at it."),
        (["copy", "novel"], "No: 1 of 2 pictures is a copy."),
        (["copy", "copy", "close"], "No: 2 of 3 pictures are copies."),
        (["copy"] * 4, "No: all 4 pictures are copies."),
        (["near copy", "near copy", "novel"], "Not all: 2 of 3 pictures are near copies."),
        (["close", "novel"], "Yes: none of 2 pictures is a copy."),
        (["too simple to judge"] * 2, "That cannot be said of these pictures."),
    ],
)
def test_the_headline_answers_the_question(verdicts: list[str], answer: str) -> None:
    pictures = [told_picture(number, verdict) for number, verdict in enumerate(verdicts)]
    assert headline(told_record(pictures)) == answer


def test_without_calibration_the_headline_promises_nothing() -> None:
    record = told_record([told_picture(0, "cannot say"), told_picture(1, "cannot say")])
    record["calibration"]["enough"] = False
    assert headline(record) == "That cannot be said with so few held-out pictures."


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (1 / 61, "none of 60 held-out pictures comes this near"),
        (2 / 61, "1 of 60 held-out pictures comes this near"),
        (31 / 61, "30 of 60 held-out pictures come this near"),
        (1.0, "60 of 60 held-out pictures come this near"),
    ],
)
def test_rarity_is_counted_among_the_held_out(p: float, told: str) -> None:
    picture = told_picture(0, "close", p=p)
    assert told in sentence(picture, told_record([picture]), None, "as it is")


def test_rarity_is_counted_in_the_stratum_of_the_picture() -> None:
    picture = told_picture(0, "novel", p=11 / 21, stratum="plain")
    strata = [
        {"name": name, "up_to": None, "pictures": 20, "smallest_p": 1 / 21, "threshold": 0.5}
        for name in ("plain", "intricate")
    ]
    record = told_record([picture])
    record["calibration"]["strata"] = strata
    told = sentence(picture, record, None, "as it is")
    assert "10 of 20 held-out pictures as complex as it come this near" in told


@pytest.mark.parametrize(
    ("verdict", "levels", "how", "told"),
    [
        ("copy", 0.5, "as it is", "The very same picture: 0.5 of 255 levels apart."),
        ("copy", 0.5, "mirrored", "The very same picture, mirrored: 0.5 of 255 levels apart."),
        ("copy", 9.0, "mirrored", "The training picture shows through, mirrored: none of 60"),
        ("near copy", 9.0, "as it is", "Nearer than chance allows: none of 60"),
        ("too simple to judge", 0.0, "as it is", "Almost nothing is drawn"),
        ("cannot say", 0.0, "as it is", "There are too few"),
        ("a verdict of a later version", 9.0, "as it is", "As near as this: 30 of 60"),
    ],
)
def test_the_sentence_fits_the_verdict(verdict: str, levels: float, how: str, told: str) -> None:
    picture: dict[str, Any] = told_picture(0, verdict)
    shown = Difference(BLANK, BLANK, levels, levels)
    assert sentence(picture, told_record([picture]), shown, how).startswith(told)


def test_a_copy_by_its_pixels_alone_needs_no_p() -> None:
    picture = told_picture(0, "copy", p=None, q=None)
    assert sentence(picture, told_record([picture]), None, "as it is") == ""


def test_an_original_has_a_short_name() -> None:
    assert original_name(told_neighbour(3)) == "Drawing number 3"
    assert original_name(told_neighbour(3, caption=" two\n lines ")) == "two lines"
    assert len(original_name(told_neighbour(3, caption="long " * 99))) == 60
    assert original_name(told_neighbour(3, caption="")) == "round 103"
    assert original_name({"row": 4}) == "picture 4"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.004, "0.4 %"), (0.997, "99.7 %"), (0.126, "13 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert percent(share) == text.replace(" ", "\N{NO-BREAK SPACE}")
