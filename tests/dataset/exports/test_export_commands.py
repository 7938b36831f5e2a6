"""`python -m dataset export | card` as a person types it."""

import json
import shutil
from pathlib import Path

import pytest

from dataset import export_commands
from dataset.catalog import Catalog
from dataset.command_line import CommandLine
from tests.dataset.exports.hostile_pack import hostile_pack


def run(*arguments: object) -> int:
    command = CommandLine("dataset", "test")
    export_commands.add_verbs(command)
    return command.run([str(argument) for argument in arguments])


def test_an_export_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    assert run("export", "csv", packed.path, "--out", tmp_path / "clip", "--dry-run") == 0
    assert capsys.readouterr().out == f"16 pictures of {packed.path}\n"
    assert not (tmp_path / "clip").exists()
    assert run("export", "csv", packed.path, "--out", tmp_path / "clip") == 0
    assert ": csv, train 8, test 8; 19 files, " in capsys.readouterr().out
    assert (
        run("export", "csv", packed.path, "--out", tmp_path / "c", "--splits", "cal", "--json") == 0
    )
    assert json.loads(capsys.readouterr().out)["splits"] == {"cal": 8}


@pytest.mark.parametrize(
    ("size", "shards"), [("3", 3), ("1000", 1), ("1kb", 8), ("20 KB", 2), ("1GB", 1)]
)
def test_shards_are_measured_in_pictures_or_bytes(size: str, shards: int, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    assert (
        run("export", "webdataset", packed.path, "--out", tmp_path / "o", "--shard-size", size) == 0
    )
    found = len(list((tmp_path / "o").glob("train-*.tar")))
    assert found == shards


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--shard-size", "0"), 2, "--shard-size is '0'"),
        (("--shard-size", "-1"), 2, "--shard-size is '-1'"),
        (("--shard-size", "5TB"), 2, "--shard-size is '5TB'"),
        (("--shard-size", "٣"), 2, "--shard-size is"),
        (("--splits", "train,valid"), 2, "unknown split valid; they are train, cal, test"),
        (("--originals",), 2, "carries no original files"),
        (("--out", "there.txt"), 2, "is there and is no export"),
        (("--out", "there.txt/below"), 2, "check the path"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    monkeypatch.chdir(tmp_path)
    Path("there.txt").write_text("mine")
    assert run("export", "webdataset", packed.path, "--out", "out", *arguments) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"p.h5", "there.txt"}
    assert Path("there.txt").read_text() == "mine"


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    packed = hostile_pack(tmp_path / "p.h5")
    assert run("export", "npz", packed.path, "--out", full) == 2
    assert "is no export" in capsys.readouterr().err


def test_no_pack_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "csv", tmp_path / "none.h5", "--out", tmp_path / "o") == 2
    assert "no pack at" in capsys.readouterr().err
    (tmp_path / "bad.h5").write_bytes(b"no pack")
    assert run("export", "csv", tmp_path / "bad.h5", "--out", tmp_path / "o") == 3
    assert run("card", tmp_path / "bad.h5", "--data", tmp_path) == 3


def test_a_card_is_written_beside_its_pack_and_printed(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    assert run("card", packed.path, "--data", tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'p.card.md'}\n"
    assert (tmp_path / "p.attribution.csv").is_file()
    assert run("card", packed.path, "--data", tmp_path, "--print") == 0
    assert capsys.readouterr().out == (tmp_path / "p.card.md").read_text("utf-8")
    shutil.rmtree(tmp_path / "images", ignore_errors=True)
    assert run("card", packed.path, "--data", tmp_path / "nowhere") == 0
    assert "No catalogue stands beside" in (tmp_path / "p.card.md").read_text("utf-8")
    assert not (tmp_path / "nowhere").exists()
