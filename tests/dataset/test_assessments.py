"""The store of assessments: nothing acknowledged is lost, nothing is taken out, damage is told."""

import json
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataset.assessments import (
    Answer,
    Assessment,
    Assessments,
    GoldCheck,
    PictureSet,
    ShownPicture,
    check_name,
    check_question,
)
from dataset.errors import ConfigError, DataError

KEYS = [f"{number:064x}" for number in range(6)]
AT = "2026-01-01T00:00:00+00:00"


def picture_set(title: str, *keys: str, label: str = "") -> PictureSet:
    shown = tuple(ShownPicture(key=key, label=label, origin="00.png") for key in keys)
    return PictureSet(title=title, source=f"folder:{title}", pictures=shown)


def assessment(**more: Any) -> Assessment:
    usual: dict[str, Any] = {
        "name": "old-or-new",
        "question": "Which is better?",
        "sets": (picture_set("old", *KEYS[:2]), picture_set("new", *KEYS[2:4])),
        "seed": 7,
        "made_at": AT,
        "made_by": "anna",
        "gold": (GoldCheck(sound=KEYS[4], damaged=KEYS[5]),),
    }
    return Assessment(**(usual | more))


def answer(trial: int, who: str = "anna", **more: Any) -> Answer:
    usual: dict[str, Any] = {
        "kind": "compare",
        "left": 0,
        "right": 1,
        "pictures": (KEYS[0], KEYS[2]),
        "label": "",
        "choice": "left",
    }
    return Answer(who=who, at=AT, trial=trial, **(usual | more))


@pytest.fixture
def kept(tmp_path: Path) -> Assessments:
    """A data folder with one assessment."""
    found = Assessments(tmp_path)
    begun = assessment()
    for key in begun.every_key():
        found.put_picture(begun.name, key, b"png")
    found.write(begun)
    return found


def test_assessment_is_read_as_it_was_written(kept: Assessments) -> None:
    assert kept.names() == ["old-or-new"]
    assert kept.read("old-or-new") == assessment()
    assert kept.picture("old-or-new", KEYS[0]).read_bytes() == b"png"


def test_name_that_is_taken_is_refused_and_nothing_is_overwritten(kept: Assessments) -> None:
    before = kept.manifest("old-or-new").read_bytes()
    with pytest.raises(ConfigError, match="already; choose another name"):
        kept.write(assessment(question="Another one?"))
    assert kept.manifest("old-or-new").read_bytes() == before


def test_assessment_without_its_manifest_does_not_exist_yet(tmp_path: Path) -> None:
    found = Assessments(tmp_path)
    found.put_picture("half", KEYS[0], b"png")
    assert found.names() == []
    with pytest.raises(ConfigError, match=r"no assessment 'half'; there are: none yet"):
        found.read("half")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "Old", "a b", "-a", "a-", "a" * 41, "ü", "a\n", "a\0"]
)
def test_bad_name_is_refused_before_any_path_is_made_of_it(kept: Assessments, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of an assessment"):
        check_name(name)
    with pytest.raises(ConfigError):
        kept.read(name)
    with pytest.raises(ConfigError):
        assessment(name=name)


@pytest.mark.parametrize("question", ["", "  ", "x" * 201, "a\u202eb", "two\nlines"])
def test_question_that_no_page_can_show_is_refused(question: str) -> None:
    with pytest.raises(ConfigError, match="the question must be one line"):
        check_question(question)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sets": ()},
        {"sets": (picture_set("one", KEYS[0]),)},
        {"sets": tuple(picture_set(str(n), KEYS[0]) for n in range(9))},
        {"sets": (picture_set("one", KEYS[0]), picture_set("empty"))},
        {"sets": (picture_set("one", KEYS[0]), picture_set("two", "../../etc/passwd"))},
        {"gold": (GoldCheck(sound=KEYS[0], damaged="x"),)},
        {"by_class": True},
        {"schema": "assessment/2"},
    ],
)
def test_assessment_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        assessment(**wrong)


def test_sets_matched_by_class_must_share_one() -> None:
    cats, dogs = (picture_set(name, KEYS[0], label=name) for name in ("cat", "dog"))
    with pytest.raises(ConfigError, match="cat and dog share no class"):
        assessment(sets=(cats, dogs), by_class=True)
    assert assessment(sets=(cats, replace(cats, title="more")), by_class=True).by_class


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": 1}', '{"more": 1}', "[" * 9999])
def test_damaged_manifest_is_told_in_one_line(kept: Assessments, text: str) -> None:
    kept.manifest("old-or-new").write_text(text)
    with pytest.raises(DataError, match="begin another assessment") as caught:
        kept.read("old-or-new")
    assert "\n" not in str(caught.value)


def test_answers_come_back_in_the_order_in_which_they_were_given(kept: Assessments) -> None:
    given = [answer(0), answer(0, "ben", choice="tie", ms=900), answer(2), answer(1, "ben")]
    for one in given:
        assert kept.answers("old-or-new").add(one)
    assert kept.answers("old-or-new").standing() == given


def test_a_trial_is_answered_once_by_each_person(kept: Assessments) -> None:
    file = kept.answers("old-or-new")
    assert file.add(answer(0))
    assert not file.add(answer(0, choice="right"))
    assert not kept.answers("old-or-new").add(answer(0))
    assert file.add(answer(0, "ben"))
    assert [one.choice for one in file.standing()] == ["left", "left"]


def test_undo_takes_back_ones_own_newest_answer_and_the_file_keeps_both(kept: Assessments) -> None:
    file = kept.answers("old-or-new")
    for one in (answer(0), answer(1), answer(0, "ben")):
        file.add(one)
    before = file.path.read_bytes()
    assert file.take_back("anna", AT) == answer(1)
    assert file.take_back("anna", AT) == answer(0)
    assert file.take_back("anna", AT) is None
    assert file.standing() == [answer(0, "ben")]
    assert file.path.read_bytes().startswith(before)
    assert file.add(answer(0, choice="right"))
    assert kept.answers("old-or-new").standing() == [answer(0, "ben"), answer(0, choice="right")]


def test_line_that_a_crash_left_half_is_no_answer_and_the_next_one_is_whole(
    kept: Assessments,
) -> None:
    file = kept.answers("old-or-new")
    file.add(answer(0))
    with file.path.open("ab") as torn:
        torn.write(b'{"who": "anna", "tri')
    assert kept.answers("old-or-new").standing() == [answer(0)]
    assert file.add(answer(1))
    assert kept.answers("old-or-new").standing() == [answer(0), answer(1)]


def test_vote_that_found_no_room_on_the_disk_is_not_acknowledged(kept: Assessments) -> None:
    file = kept.answers("old-or-new")
    file.add(answer(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.path.stat().st_size + 20, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            file.add(answer(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.standing() == [answer(0)]
    assert file.add(answer(1))
    assert kept.answers("old-or-new").standing() == [answer(0), answer(1)]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "7",
        '{"who": "anna", "at": "", "taken_back": 5}',
        json.dumps({"who": "anna"}),
        "[" * 9999,
    ],
)
def test_damaged_line_is_named(kept: Assessments, line: str) -> None:
    file = kept.answers("old-or-new")
    file.add(answer(0))
    with file.path.open("a") as damaged:
        damaged.write(line + "\n")
    for _ in range(2):  # told again, not only once
        with pytest.raises(DataError, match=r"line 2 of .* is damaged"):
            file.standing()


@pytest.mark.parametrize(
    "wrong",
    [
        {"trial": "0"},
        {"trial": True},
        {"left": -2},
        {"kind": "other"},
        {"choice": "both"},
        {"who": 7},
        {"pictures": ["one"]},
        {"pictures": [1, 2]},
    ],
)
def test_answer_of_wrong_parts_is_damage(kept: Assessments, wrong: dict[str, Any]) -> None:
    file = kept.answers("old-or-new")
    file.add(answer(0))
    entry = json.loads(file.path.read_text()) | {"trial": 1} | wrong
    file.path.write_text(json.dumps(entry) + "\n")
    with pytest.raises(DataError, match="line 1 "):
        kept.answers("old-or-new").standing()


def test_assessment_that_was_deleted_and_begun_anew_has_no_answers(kept: Assessments) -> None:
    file = kept.answers("old-or-new")
    file.add(answer(0))
    kept.manifest("old-or-new").unlink()
    kept.write(assessment(seed=8))
    assert file.standing() == []
    file.add(answer(1))
    shutil.rmtree(kept.root)
    assert file.standing() == []
    assert kept.names() == []


_WRITER = """
import sys
from pathlib import Path
from dataset.assessments import Answer, Assessments
file = Assessments(Path(sys.argv[1])).answers("old-or-new")
for trial in range(25):
    file.add(Answer(who=sys.argv[2], at="", trial=trial, kind="compare", left=0, right=1,
                    pictures=("a", "b"), label="", choice="tie"))
"""


def test_processes_that_write_at_once_lose_nothing(kept: Assessments) -> None:
    command = [sys.executable, "-c", _WRITER, str(kept.root.parent)]
    running = [subprocess.Popen([*command, who]) for who in ("anna", "ben")]
    assert [process.wait(60) for process in running] == [0, 0]
    found = kept.answers("old-or-new").standing()
    assert sorted((one.who, one.trial) for one in found) == [
        (who, trial) for who in ("anna", "ben") for trial in range(25)
    ]
