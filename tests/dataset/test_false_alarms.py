"""False alarms: the newest word counts, nothing is lost, and a damaged line harms no other."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from dataset.errors import WorldError
from dataset.false_alarms import FILE_NAME, FalseAlarm, note, standing

ONE, OTHER = "a" * 64, "0123456789abcdef" * 4


def alarm(sha256: str = ONE, **changes: Any) -> FalseAlarm:
    usual = {"file": "00001.png", "row": 7, "who": "Ann", "at": "2026-11-21T20:00:00+00:00"}
    return FalseAlarm(**{**usual, "sha256": sha256, **changes})


def test_a_folder_without_marks_has_none(tmp_path: Path) -> None:
    assert standing(tmp_path) == {}


def test_what_was_noted_stands(tmp_path: Path) -> None:
    note(tmp_path, alarm())
    note(tmp_path, alarm(OTHER, file="ä 猫.png", who="Björn", row=-1))
    assert standing(tmp_path) == {
        ONE: alarm(),
        OTHER: alarm(OTHER, file="ä 猫.png", who="Björn", row=-1),
    }


def test_what_was_taken_back_stands_no_more_but_the_file_tells_it_all(tmp_path: Path) -> None:
    note(tmp_path, alarm())
    note(tmp_path, alarm(OTHER))
    note(tmp_path, alarm(who="Bob"), taken_back=True)
    assert list(standing(tmp_path)) == [OTHER]
    lines = (tmp_path / FILE_NAME).read_text("utf-8").splitlines()
    assert [json.loads(line)["taken_back"] for line in lines] == [False, False, True]


def test_the_newest_word_counts(tmp_path: Path) -> None:
    for who, taken_back in [("Ann", False), ("Bob", True), ("Cid", False), ("Dee", False)]:
        note(tmp_path, alarm(who=who), taken_back=taken_back)
    assert standing(tmp_path)[ONE].who == "Dee"


def test_taking_back_what_was_never_said_changes_nothing(tmp_path: Path) -> None:
    note(tmp_path, alarm(), taken_back=True)
    assert standing(tmp_path) == {}


def test_a_line_that_a_crash_cut_off_swallows_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    note(tmp_path, alarm())
    path = tmp_path / FILE_NAME
    note(tmp_path, alarm(OTHER))
    path.write_bytes(path.read_bytes()[:-40])
    note(tmp_path, alarm("b" * 64))
    assert list(standing(tmp_path)) == [ONE, "b" * 64]
    assert "line 2" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{}",
        "not json",
        '{"taken_back": false}',
        json.dumps({**alarm().__dict__, "taken_back": "no"}),
        json.dumps({**alarm().__dict__, "taken_back": False, "sha256": "../../etc/passwd"}),
        json.dumps({**alarm().__dict__, "taken_back": False, "sha256": "A" * 64}),
        json.dumps({**alarm().__dict__, "taken_back": False, "row": True}),
        json.dumps({**alarm().__dict__, "taken_back": False, "row": -2}),
        json.dumps({**alarm().__dict__, "taken_back": False, "who": None}),
        json.dumps({**alarm().__dict__, "taken_back": False, "more": 1}),
        json.dumps({**alarm().__dict__, "taken_back": False, "file": "x" * 20_000}),
        "[" * 100_000,
        "\udcff\udcfe",
    ],
)
def test_a_damaged_line_is_left_out(tmp_path: Path, line: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
    note(tmp_path, alarm(OTHER))
    assert list(standing(tmp_path)) == [OTHER]


@pytest.mark.parametrize(
    "change", [{"sha256": "a" * 63}, {"sha256": 5}, {"row": "7"}, {"row": -3}, {"at": None}]
)
def test_an_impossible_alarm_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"sha256|SHA-256|row|texts"):
        alarm(**{"sha256": ONE, **change})


def test_a_name_that_is_no_text_in_utf8_is_kept_as_well_as_can_be(tmp_path: Path) -> None:
    note(tmp_path, alarm(file="odd \udcff.png"))
    assert standing(tmp_path)[ONE].file == "odd ?.png"


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    marks = [f"{number:064x}" for number in range(80)]

    def work(own: list[str]) -> None:
        for sha256 in own:
            note(tmp_path, alarm(sha256))

    threads = [threading.Thread(target=work, args=(marks[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(standing(tmp_path)) == marks


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=FILE_NAME):
        note(tmp_path / "missing", alarm())
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(WorldError, match="cannot read"):
        standing(tmp_path)
