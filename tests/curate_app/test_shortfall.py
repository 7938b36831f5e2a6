"""Targets and gaps on paper: what a class lacks, and which picture would do the most about it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app.shortfall import (
    MOST_WANTED,
    ClassNeed,
    merit,
    needs_of,
    standing,
    target_change,
    targets_of,
    totals,
    usefulness,
)

UNDECIDED, KEPT, REJECTED = 0, 1, 2


def needs(
    pictures: list[tuple[str, int]], repeated: list[int] | None = None, **targets: int
) -> dict[str, ClassNeed]:
    labels = sorted({label for label, _ in pictures})
    codes = np.array([labels.index(label) for label, _ in pictures], np.int32)
    status = np.array([state for _, state in pictures], np.int8)
    mask = None
    if repeated is not None:
        mask = np.zeros(len(pictures), bool)
        mask[repeated] = True
    return {need.label: need for need in needs_of(labels, codes, status, targets, mask)}


def test_a_class_is_short_by_what_its_target_asks_beyond_the_kept_ones() -> None:
    found = needs([("cat", KEPT), ("cat", UNDECIDED), ("cat", REJECTED), ("dog", KEPT)], cat=3)
    cat, dog = found["cat"], found["dog"]
    assert (cat.kept, cat.waiting, cat.rejected, cat.pictures) == (1, 1, 1, 3)
    assert (cat.short, cat.surplus) == (2, 0)
    assert cat.share == pytest.approx(2 / 3)
    assert (dog.target, dog.short, dog.surplus, dog.share) == (None, 0, 0, 0.0)


def test_a_class_beyond_its_target_has_a_surplus() -> None:
    cat = needs([("cat", KEPT)] * 5, cat=3)["cat"]
    assert (cat.short, cat.surplus) == (0, 2)


def test_a_class_may_have_a_target_before_it_has_a_picture() -> None:
    assert needs([("cat", KEPT)], fox=7)["fox"] == ClassNeed(label="fox", target=7)


def test_pictures_without_a_label_are_a_class_too() -> None:
    assert needs([("", UNDECIDED), ("", KEPT)])[""].pictures == 2


def test_a_label_that_no_picture_bears_any_more_is_no_class() -> None:
    none = np.zeros(0, np.int32), np.zeros(0, np.int8)
    assert needs_of(["gone"], *none, {}) == []


def test_duplicates_of_kept_pictures_wait_but_are_not_fresh() -> None:
    cat = needs([("cat", KEPT), ("cat", UNDECIDED), ("cat", UNDECIDED)], [0, 2])["cat"]
    assert (cat.waiting, cat.repeats, cat.fresh) == (2, 1, 1)


def test_the_largest_gap_comes_first_then_the_name() -> None:
    found = needs([("b", KEPT), ("a", KEPT), ("c", KEPT)], b=2, a=2, c=9)
    assert list(found) == ["c", "a", "b"]


def test_all_classes_together_want_the_sum() -> None:
    both = totals(needs([("a", KEPT), ("b", UNDECIDED)], a=4, b=3).values())
    assert (both.target, both.kept, both.waiting, both.short) == (7, 1, 1, 6)
    assert totals([ClassNeed(label="a")]).target is None


def test_settings_that_are_no_numbers_are_no_targets() -> None:
    settings = {"target:a": "5", "target:b": "-1", "target:c": "x", "cut:blur": "3", "target:": "2"}
    assert targets_of(settings) == {"a": 5, "": 2}
    assert targets_of({"target:d": "9" * 40, "target:e": "²"}) == {}
    assert targets_of({"target:f": str(MOST_WANTED)}) == {"f": MOST_WANTED}


def test_a_target_is_written_as_it_is_read() -> None:
    change = target_change("dog: big", 12)
    assert targets_of({change.name: change.value}) == {"dog: big": 12}
    assert target_change("dog", None).value == ""


def test_standing_is_the_share_of_pictures_below() -> None:
    values = np.array([5, 1, np.nan, 5, 9], np.float32)
    assert standing(values).tolist() == [0.5, 0.125, 0.5, 0.5, 0.875]
    assert standing(np.full(3, np.nan, np.float32)).tolist() == [0.5] * 3
    assert len(standing(np.zeros(0, np.float32))) == 0


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40))
def test_standing_keeps_the_order_and_stays_between_0_and_1(values: list[float]) -> None:
    found = standing(np.array(values, np.float32))
    assert ((found > 0) & (found < 1)).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert found.mean() == pytest.approx(0.5, abs=1e-5)


def test_merit_is_the_prediction_and_without_one_what_was_measured() -> None:
    predicted = np.array([2.0, 1.0, np.nan], np.float32)
    sharp = np.array([0.1, 0.2, 0.9], np.float32)
    assert merit(predicted, [sharp]).tolist() == pytest.approx([0.75, 0.25, 5 / 6])


def test_the_emptier_class_gets_its_pictures_first() -> None:
    labels, codes = ["full", "half", "empty"], np.array([0, 1, 2, 2], np.int32)
    rows = [
        ClassNeed(label="full", target=5, kept=5),
        ClassNeed(label="half", target=10, kept=5),
        ClassNeed(label="empty", target=10),
    ]
    useful = usefulness(rows, labels, codes, np.array([1, 1, 0.6, 0.4], np.float32))
    assert useful.tolist() == pytest.approx([0, 0.5, 0.6, 0.4])
