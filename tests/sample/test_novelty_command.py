"""`sample novelty`: what it says and with what it exits."""

import hashlib
import json
from pathlib import Path

import pytest

from dataset import false_alarms
from dataset.false_alarms import FalseAlarm
from dataset.packed import PackedDataset
from sample.cli import main
from sample.novelty_command import doubts
from tests.sample.drawings import drawings, save_pictures, write_drawn_pack

QUICK = ["--set", "audit=1", "--progress", "quiet"]


def test_strict_spares_a_copy_that_a_person_holds_to_be_a_false_alarm(
    small_pack: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_pictures(tmp_path / "s", drawings([1, 9000]))
    arguments = ["novelty", str(folder), "--packed", str(small_pack.path), "--strict", *QUICK]
    assert main(arguments) == 3
    assert "1 of the pictures" in capsys.readouterr().err
    digest = hashlib.sha256((folder / "000.png").read_bytes()).hexdigest()
    false_alarms.note(folder, FalseAlarm("000.png", digest, 1, "me", "2026-01-01T00:00:00Z"))
    assert main(arguments) == 0
    assert "copies: an estimated 0.0% of 2 judged pictures" in capsys.readouterr().out


def test_too_small_a_calibration_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5", train=20, cal=5, test=0)
    folder = save_pictures(tmp_path / "s", drawings([9000]))
    assert main(["novelty", str(folder), "--packed", str(pack), *QUICK]) == 0
    told = capsys.readouterr()
    assert "5 calibration pictures are too few for a verdict" in told.err
    assert "cannot be estimated" in told.out


@pytest.mark.parametrize(
    ("enough", "needed", "judged", "said"),
    [
        (True, 3, 64, []),
        (True, 1, 0, []),
        (True, 70, 64, ["cannot tell a near copy among 64 pictures"]),
        (False, 70, 64, ["too few for a verdict"]),
    ],
)
def test_what_the_calibration_cannot_bear_is_said(
    enough: bool, needed: int, judged: int, said: list[str]
) -> None:
    record = {
        "calibration": {"enough": enough, "pictures": 20},
        "share": {"judged": judged},
        "fewest_findings": needed,
    }
    found = doubts(record)
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))


def test_options_reach_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--k", "7", "--encoder", "vae=runs/vae", "--set", "duplicates=[4, 9]"]
    given += ["--set", "backend=torch", "--set", "strata=2"]
    assert main(["novelty", "any", "--packed", "any.h5", "--dry-run", *given]) == 0
    config = json.loads(capsys.readouterr().out)
    assert (config["k"], config["encoder"], config["duplicates"]) == (7, "vae=runs/vae", [4, 9])
    assert (config["backend"], config["strata"]) == ("torch", 2)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["--encoder", "dinov2={missing}"], 2, "missing"),
        (["--encoder", "dino"], 2, "unknown space"),
        (["--set", "backend=annoy"], 2, "backend"),
        (["--set", "strata=9"], 2, "strata is 9"),
    ],
)
def test_wrong_options_are_one_line(
    small_pack: PackedDataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    code: int,
    said: str,
) -> None:
    folder = save_pictures(tmp_path / "s", drawings([9000]))
    given = [option.format(missing=tmp_path / "missing") for option in given]
    arguments = ["novelty", str(folder), "--packed", str(small_pack.path), *given, *QUICK]
    assert main(arguments) == code
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
