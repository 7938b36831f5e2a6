"""The verbs: exit codes, one line per error, results on stdout."""

import json
from pathlib import Path

import pytest

from curate_app.cli import command_line, main
from dataset.records import Change, Outcome, PairChange, SettingChange, VoteChange, Wish
from dataset.workspace import Workspace
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing

VERBS = ("serve", "auto", "undo", "log", "stats")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("verb", VERBS)
def test_verb_has_help_and_examples_that_parse(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    examples = [line.strip() for line in text.splitlines() if line.startswith("  python -m")]
    assert examples
    for example in examples:
        stage, *arguments = example.removeprefix("python -m ").split()
        assert stage == "curate_app"
        assert command_line().parser.parse_args(arguments).verb == verb


@pytest.mark.parametrize("verb", VERBS)
def test_missing_catalogue_is_one_line_and_exit_2(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, verb, "--data", str(tmp_path / "none"))
    assert (code, out) == (2, "")
    assert err.startswith("error: no catalogue at ")
    assert err.count("\n") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_damaged_catalogue_is_one_line_and_exit_3(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Workspace(tmp_path).catalog.write_bytes(b"not a database " * 500)
    code, _, err = run(capsys, verb, "--data", str(tmp_path))
    assert code == 3
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--host", "0.0.0.0"],
        ["serve", "--host", "192.168.1.7"],
        ["serve", "--host", "::"],
        ["serve", "--host", "example.org"],
        ["serve", "--port", "70000"],
        ["serve", "--port", "-1"],
        ["serve", "--port", "0", "--who", "auto"],
        ["auto", "--radius", "13"],
        ["auto", "--reject", "blank,blurr"],
        ["auto", "--reject", "blank,,collage"],
        ["auto", "--reject", "watermark", "--preset", "logo"],
    ],
)
def test_wrong_option_is_one_line_and_exit_2(
    arguments: list[str], drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *arguments, "--data", str(drawn.data))
    assert code == 2
    assert err.startswith("error: --")
    assert err.count("\n") == 1


def test_auto_prints_counts_by_reason_and_says_when_nothing_is_left(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn.add_pair(50)
    drawn.add_blank(120)
    _, dry, _ = run(capsys, "auto", "--data", str(drawn.data), "--dry-run")
    assert "a dry run" in dry
    code, first, _ = run(capsys, "auto", "--data", str(drawn.data))
    assert code == 0
    assert first.splitlines() == [
        "      1 keep",
        "      1 reject: blank",
        "      1 reject: duplicate",
        "      0 judged before, left alone",
        "batch 1; `python -m curate_app undo` takes it back",
    ]
    _, second, _ = run(capsys, "auto", "--data", str(drawn.data))
    assert second == "nothing to do: all 3 pictures are judged already\n"
    _, undone, _ = run(capsys, "undo", "--data", str(drawn.data))
    assert undone == "undid batch 1: the automatic judgement by auto, 3 changes\n"
    _, again, _ = run(capsys, "undo", "--data", str(drawn.data))
    assert again == "nothing left to undo\n"


def test_auto_json_is_for_a_machine(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn.add_pair(50)
    _, out, _ = run(capsys, "auto", "--data", str(drawn.data), "--json")
    assert json.loads(out) == {
        "batch": 1, "kept": 1, "rejected": {"duplicate": 1}, "decided_before": 0,
        "unsure": 0, "dry_run": False,
    }  # fmt: skip


def test_undo_of_one_person_leaves_the_others_alone(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn.add_many(1)
    run(capsys, "auto", "--data", str(drawn.data))
    _, out, _ = run(capsys, "undo", "--data", str(drawn.data), "--who", "anna")
    assert out == "nothing left to undo\n"


def test_log_shows_the_newest_first_as_text_and_as_json_lines(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = drawn.add_pair(50)
    run(capsys, "auto", "--data", str(drawn.data))
    _, text, _ = run(capsys, "log", "--data", str(drawn.data))
    newest, oldest = text.splitlines()
    assert f"#{large} status: undecided -> keep" in newest
    assert f"#{small} status: undecided -> reject (duplicate of #{large})" in oldest
    _, lines, _ = run(capsys, "log", "--data", str(drawn.data), "--limit", "1", "--json")
    assert json.loads(lines)["image_id"] == large


def test_decisions_on_pairs_are_in_the_log_and_undone_in_their_turn(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = drawn.add_many(2)
    with drawn.open() as catalog:
        apart = PairChange(a=a, b=b, verdict="different")
        catalog.judgements.apply([apart], who="anna", verb="different")
    _, text, _ = run(capsys, "log", "--data", str(drawn.data))
    assert text.rstrip().endswith(f"batch 1  anna  different  #{a} and #{b}: by hash -> different")
    _, lines, _ = run(capsys, "log", "--data", str(drawn.data), "--json")
    assert (json.loads(lines)["a"], json.loads(lines)["after"]) == (a, "different")
    _, undone, _ = run(capsys, "undo", "--data", str(drawn.data))
    assert undone == "undid batch 1: “not duplicates” by anna, 1 change\n"


def test_stats_count_by_class_and_show_no_control_characters(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn.add_many(3)
    drawn.add(drawing(60), label="a\x1b[31mred")
    drawn.add(drawing(61), label=HOSTILE)
    _, out, _ = run(capsys, "stats", "--data", str(drawn.data))
    assert "\x1b" not in out
    assert out.splitlines()[-1].split() == ["all", "5", "0", "0"]
    drawn.add(drawing(62), label="a\x9b31mred \u202eété")
    _, text, _ = run(capsys, "stats", "--data", str(drawn.data), "--json")
    assert all(line.isprintable() for line in text.splitlines())
    assert json.loads(text)["a\x9b31mred \u202eété"]["undecided"] == 1
    assert json.loads(text)["bird"] == {"undecided": 1, "keep": 0, "reject": 0}


def test_votes_and_settings_are_in_the_log_and_undone_in_their_turn(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = drawn.add_many(2)
    outcomes: tuple[Outcome, ...] = ("left", "right", "tie")
    votes = [VoteChange(left=a, right=b, outcome=outcome) for outcome in outcomes]
    target = SettingChange(name="target:bird", value="12")
    with drawn.open() as catalog:
        catalog.judgements.apply(votes, who="anna", verb="vote")
        catalog.judgements.apply([target], who="ben", verb="target")
    _, text, _ = run(capsys, "log", "--data", str(drawn.data))
    lines = text.splitlines()
    assert lines[0].endswith("batch 2  ben  target  target:bird:  -> 12")
    assert [line.split("batch 1  anna  vote  ")[1] for line in lines[1:]] == [
        f"#{a} like #{b}",
        f"#{b} over #{a}",
        f"#{a} over #{b}",
    ]
    assert {len(line) - len(line.lstrip()) for line in lines} == {3, 4}
    _, out, _ = run(capsys, "log", "--data", str(drawn.data), "--json")
    entries = [json.loads(line) for line in out.splitlines()]
    assert [entry.get("outcome") for entry in entries] == [None, "tie", "right", "left"]
    assert (entries[0]["name"], entries[0]["after"]) == ("target:bird", "12")
    for expected in (
        "undid batch 2: the target by ben, 1 change\n",
        "undid batch 1: the vote by anna, 3",
    ):
        _, undone, _ = run(capsys, "undo", "--data", str(drawn.data))
        assert undone.startswith(expected)


def test_undo_counts_the_changes_of_every_kind(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = drawn.add_many(2)
    with drawn.open() as catalog:
        wishes: list[Wish] = [
            Change(image_id=a, field="status", value="keep"),
            Change(image_id=a, field="caption", value="A bird"),
            PairChange(a=a, b=b, verdict="different"),
            VoteChange(left=a, right=b, outcome="tie"),
            SettingChange(name="target:bird", value="12"),
        ]
        catalog.judgements.apply(wishes, who="anna", verb="mixed")
    _, out, _ = run(capsys, "undo", "--data", str(drawn.data), "--who", "anna")
    assert out == "undid batch 1: mixed by anna, 5 changes\n"


def test_hostile_texts_in_the_log_are_harmless_on_a_terminal(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\u202e\u2028done"
    a = drawn.add(drawing(60), label=hostile)
    b = drawn.add(drawing(61))
    with drawn.open() as catalog:
        wishes: list[Wish] = [
            Change(image_id=a, field="label", value="bird"),
            Change(image_id=a, field="caption", value=hostile),
            Change(image_id=a, field="status", value="reject", reason=hostile),
            PairChange(a=a, b=b, verdict="same"),
            VoteChange(left=a, right=b, outcome="left"),
            SettingChange(name=f"target:{hostile}", value=hostile),
        ]
        # A catalogue from elsewhere brings names along that no form here has let through.
        catalog.judgements.apply(wishes, who=hostile, verb=hostile)
    for more in ((), ("--json",)):
        _, out, _ = run(capsys, "log", "--data", str(drawn.data), *more)
        assert len(out.splitlines()) == 6
        assert all(line.isprintable() for line in out.split("\n"))
    entries = [json.loads(line) for line in out.splitlines()]
    assert {entry["who"] for entry in entries} == {hostile}
    _, out, _ = run(capsys, "undo", "--data", str(drawn.data))
    assert out.count("\n") == 1
    assert out.rstrip("\n").isprintable()
