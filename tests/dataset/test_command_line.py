"""Exit codes, one-line errors, progress for people and for programs."""

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset import cli
from dataset.catalog import Catalog
from dataset.command_line import CommandLine
from dataset.errors import ConfigError, DataError, DisallowedError, PictureError, WorldError
from dataset.image_store import ImageStore
from dataset.packed import PackedDataset
from dataset.progress import Progress, clock, set_progress_mode, track
from tests.dataset.pictures import scene_bytes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("wrong"), 2),
        (DataError("wrong"), 3),
        (PictureError("html", "wrong"), 3),
        (WorldError("wrong"), 4),
        (DisallowedError("robots", "wrong"), 5),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 4),
        (PermissionError(errno.EACCES, "denied", "/x"), 4),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), 2),
        (OSError(errno.EADDRINUSE, "in use"), 4),
    ],
)
def test_every_fault_has_its_exit_code_and_one_line(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_options: argparse.Namespace) -> None:
        raise error

    command = CommandLine("x", "test")
    command.verb("go", fail, "fail", "python -m x go")
    assert command.run(["go"]) == code
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1


def test_a_bug_is_not_wrapped() -> None:
    def fail(_options: argparse.Namespace) -> None:
        raise ZeroDivisionError

    command = CommandLine("x", "test")
    command.verb("go", fail, "fail", "python -m x go")
    with pytest.raises(ZeroDivisionError):
        command.run(["go"])


@pytest.mark.parametrize("arguments", [["pak"], ["pack", "--sett", "x"], [], ["info"]])
def test_wrong_usage_is_one_line_and_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_progress_for_a_program_is_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_progress_mode("json")
    try:
        assert list(track(range(5), "count", 5, "things")) == [0, 1, 2, 3, 4]
    finally:
        set_progress_mode("auto")
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["done"], last["total"], last["unit"], last["final"]) == (5, 5, "things", True)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0:00"), (754, "12:34"), (3600, "1:00:00"), (1_224_000, "340:00:00")],
)
def test_long_work_is_told_in_hours(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def test_short_work_says_nothing_and_quiet_never_does(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("short", 3) as progress:
        progress.advance(3)
    assert capsys.readouterr().err == ""


def test_the_way_from_a_folder_to_a_pack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(12):
        picture = tmp_path / "in" / ("cat" if n % 2 else "dog") / f"{n}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(scene_bytes(n))
    data = str(tmp_path / "data")
    assert cli.main(["import", "folder", str(tmp_path / "in"), "--data", data, "--dry-run"]) == 0
    assert "12 pictures in" in capsys.readouterr().out
    assert cli.main(["import", "folder", str(tmp_path / "in"), "--data", data]) == 0
    assert cli.main(["duplicates", "--data", data]) == 0
    assert cli.main(["pack", "--data", data]) == 3
    assert "nothing to pack" in capsys.readouterr().err
    choice = ["--set", 'statuses=["undecided"]', "--set", "size=16"]
    assert cli.main(["pack", "--data", data, *choice]) == 0
    assert cli.main(["pack", "--data", data, *choice]) == 0
    assert "up to date" in capsys.readouterr().out
    path = str(tmp_path / "data" / "packs" / "main.h5")
    assert cli.main(["info", path, "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert "cat" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["info", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 12
    assert cli.main(["verify", path]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["duplicates", "--data", "{tmp}/none"], 2, "no catalogue at"),
        (["pack", "--data", "{tmp}", "--set", "sise=3"], 2, "did you mean size?"),
        (["pack", "--data", "{tmp}", "--config", "{tmp}/no.toml"], 2, "cannot read config"),
        (["info", "{tmp}/no.h5"], 2, "no pack at"),
        (["pack", "--data", "{tmp}/text.h5"], 2, "is a file; give the folder of the catalogue"),
        (["import", "folder", "{tmp}", "--data", "{tmp}/text.h5"], 2, "is a file; give the folder"),
        (["import", "folder", "{tmp}/none"], 2, "no folder or tar"),
        (["verify", "{tmp}/text.h5"], 3, "no readable HDF5"),
        (["duplicates", "--data", "{tmp}/broken"], 3, "damaged or no SQLite file"),
    ],
)
def test_bad_input_is_one_line_with_its_code(
    arguments: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "text.h5").write_text("text")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "catalog.sqlite").write_bytes(b"broken" * 1000)
    assert cli.main([part.format(tmp=tmp_path) for part in arguments]) == code
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_no_space_left_is_told_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real full disk is /dev/full: writing there fails as on a full partition."""

    def write(_options: argparse.Namespace) -> None:
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")

    command = CommandLine("x", "test")
    command.verb("go", write, "write", "python -m x go")
    assert command.run(["go"]) == 4
    assert "no space left" in capsys.readouterr().err


def test_kill_9_during_an_import_keeps_what_was_taken(tmp_path: Path) -> None:
    folder, data = tmp_path / "in" / "cat", tmp_path / "data"
    folder.mkdir(parents=True)
    for n in range(300):
        (folder / f"{n:03}.png").write_bytes(scene_bytes(n))
    command = [sys.executable, "-m", "dataset", "import", "folder", str(folder.parent)]
    child = subprocess.Popen([*command, "--data", str(data)], start_new_session=True)
    store = data / "images"
    while child.poll() is None and len(list(store.glob("*/*"))) < 60:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    with Catalog(data / "catalog.sqlite") as catalog:
        for record in catalog.images.all():
            assert ImageStore(store).get(record.sha256)
    assert cli.main(["import", "folder", str(folder.parent), "--data", str(data)]) == 0
    with Catalog(data / "catalog.sqlite") as catalog:
        assert catalog.images.count() == 300
    choice = ["--set", 'statuses=["undecided"]']
    assert cli.main(["pack", "--data", str(data), *choice]) == 0
    assert len(PackedDataset(data / "packs" / "main.h5")) == 300
