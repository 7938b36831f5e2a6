"""What a person is shown: fixed by the name, drawn by lot, balanced, with checks among it."""

from collections import Counter
from itertools import islice
from typing import Any

import pytest

from curate_app.trials import BLOCK, Schedule, Trial, set_pairs
from dataset.assessments import Assessment, GoldCheck, PictureSet, ShownPicture


def key(of: int, number: int) -> str:
    return f"{of:032x}{number:032x}"


def assessment(sets: int = 2, pictures: int = 40, **more: Any) -> Assessment:
    """Set n holds pictures with keys that begin with n; of three classes in turn."""
    made = tuple(
        PictureSet(
            title=f"set {one}",
            source=f"folder:{one}",
            pictures=tuple(
                ShownPicture(key=key(one, n), label=("cat", "dog", "fish")[n % 3])
                for n in range(pictures)
            ),
        )
        for one in range(sets)
    )
    gold = tuple(GoldCheck(sound=key(90, n), damaged=key(91, n)) for n in range(9))
    usual: dict[str, Any] = {"name": "a", "question": "?", "seed": 5, "gold": gold}
    return Assessment(sets=made, made_at="", made_by="", **(usual | more))


def trials(of: Assessment, count: int, who: str = "anna") -> list[Trial]:
    return list(islice(Schedule(of, who).open((), (), ()), count))


def set_of(shown: str) -> int:
    return int(shown[:32], 16)


def test_sequence_is_the_same_for_a_name_and_another_for_another_name_or_seed() -> None:
    assert trials(assessment(), 60) == trials(assessment(), 60)
    pictures = {
        tuple(one.pictures for one in trials(of, 24, who))
        for of in (assessment(), assessment(seed=6))
        for who in ("anna", "ben")
    }
    assert len(pictures) == 4


def test_trial_is_the_same_whether_asked_for_alone_or_in_turn() -> None:
    every = trials(assessment(), 400)
    for number in (0, 11, 12, 199, 399):
        assert Schedule(assessment(), "anna").trial(number) == every[number]
    assert Schedule(assessment(), "anna").trial(999_999).number == 999_999


def test_each_side_shows_a_picture_of_the_set_that_it_is_said_to_show() -> None:
    for one in trials(assessment(3), 240):
        shown = tuple(map(set_of, one.pictures))
        if one.kind == "gold":
            assert shown == tuple({1: 90, 0: 91}[side] for side in (one.left, one.right))
            assert {one.left, one.right} == {0, 1}
            assert one.pair is None
        else:
            assert shown == (one.left, one.right)
            assert one.pair == (min(shown), max(shown))


@pytest.mark.parametrize("sets", [2, 3, 6])
def test_sides_and_sets_are_balanced(sets: int) -> None:
    found = [one for one in trials(assessment(sets), 3000) if one.kind == "compare"]
    pairs = Counter(one.pair for one in found)
    assert set(pairs) == set(set_pairs(assessment(sets)))
    usual = len(found) / len(pairs)
    assert all(0.8 * usual < count < 1.2 * usual for count in pairs.values())
    lower_left = sum(one.left < one.right for one in found)
    assert 0.46 < lower_left / len(found) < 0.54


def test_of_twelve_pairs_one_is_a_gold_check_and_one_a_repetition() -> None:
    found = trials(assessment(), 30 * BLOCK)
    for start in range(0, len(found), BLOCK):
        kinds = Counter(one.kind for one in found[start : start + BLOCK])
        wanted = {"compare": 10, "gold": 1, "repeat": 1} if start else {"compare": 10, "gold": 2}
        assert kinds == wanted
    for who in map(str, range(40)):
        assert "gold" in {one.kind for one in trials(assessment(), 3, who)}


def test_repetition_shows_an_earlier_pair_with_its_sides_exchanged() -> None:
    found = trials(assessment(), 40 * BLOCK)
    repeats = [one for one in found if one.kind == "repeat"]
    assert len(repeats) == 39
    for one in repeats:
        first = found[one.of]
        assert first.kind == "compare"
        assert one.pictures == first.pictures[::-1]
        assert (one.left, one.right) == (first.right, first.left)
        assert 6 <= one.number - first.number < 2 * BLOCK


def test_by_class_only_pictures_of_one_class_meet_and_every_class_comes() -> None:
    of = assessment(by_class=True)
    labels = {picture.key: picture.label for one in of.sets for picture in one.pictures}
    found = [one for one in trials(of, 600) if one.kind != "gold"]
    for one in found:
        assert {labels[shown] for shown in one.pictures} == {one.label}
    counts = Counter(one.label for one in found)
    assert set(counts) == {"cat", "dog", "fish"}
    assert min(counts.values()) > 0.25 * len(found)


def test_without_gold_pictures_there_are_comparisons_instead() -> None:
    assert {one.kind for one in trials(assessment(gold=()), BLOCK)} == {"compare"}


def test_a_picture_never_meets_itself_where_there_are_others() -> None:
    one = PictureSet(
        title="a",
        source="folder:a",
        pictures=tuple(ShownPicture(key=key(0, n)) for n in range(2)),
    )
    same = assessment(sets=2, pictures=2)
    same = Assessment(
        name="a", question="?", sets=(one, one), seed=1, made_at="", made_by="", gold=same.gold
    )
    assert all(len(set(trial.pictures)) == 2 for trial in trials(same, 200))


def test_answered_and_held_pairs_do_not_come_again_and_settled_sets_rest() -> None:
    of = assessment(3)
    left = list(islice(Schedule(of, "anna").open({0, 1, 4}, {2, 6}, [(0, 1)]), 40))
    assert not {0, 1, 2, 4, 6} & {one.number for one in left}
    assert {one.pair for one in left} == {None, (0, 2), (1, 2)}
    assert list(Schedule(of, "anna").open((), (), [(0, 1), (0, 2), (1, 2)])) == []
