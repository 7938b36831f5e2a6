"""`python -m dataset export | card` as a person types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from dataset import export_commands
from dataset.catalog import Catalog
from dataset.command_line import CommandLine
from dataset.pack_writer import write_pack
from dataset.provenance import Provenance
from tests.dataset.conftest import AddPicture
from tests.dataset.exports.hostile_pack import hostile_pack
from tests.dataset.packs import pictures, write_small
from tests.dataset.pictures import scene_bytes


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
    assert ": csv, train 8, test 8; 20 files, " in capsys.readouterr().out
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


def test_arrays_go_into_a_file_that_numpy_knows_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    assert run("export", "npz", packed.path, "--out", tmp_path / "x") == 2
    assert "arrays go into a file that ends in .npz" in capsys.readouterr().err
    assert run("export", "npz", packed.path, "--out", tmp_path / "x.npz") == 0
    assert (tmp_path / "x.npz.attribution.csv").is_file()


def test_no_pack_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "csv", tmp_path / "none.h5", "--out", tmp_path / "o") == 2
    assert "no pack at" in capsys.readouterr().err
    (tmp_path / "bad.h5").write_bytes(b"no pack")
    assert run("export", "csv", tmp_path / "bad.h5", "--out", tmp_path / "o") == 3
    assert run("card", tmp_path / "bad.h5", "--data", tmp_path) == 3


def test_a_card_finds_its_catalogue_and_is_written_beside_its_pack(
    catalog: Catalog,
    add_picture: AddPicture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = pack_of(catalog, add_picture, tmp_path / "packs/p.h5")
    card = path.with_name("p.card.md")
    arguments: tuple[tuple[object, ...], ...] = ((), ("--data", tmp_path))
    for more in arguments:
        assert run("card", path, *more) == 0
        assert capsys.readouterr().out == f"{card}\n"
        assert path.with_name("p.attribution.csv").is_file()
        assert "The whole catalogue at event 0: 3 " in card.read_text("utf-8")
    assert run("card", path, "--print") == 0
    assert capsys.readouterr().out == card.read_text("utf-8")
    assert run("card", path, "--data", tmp_path / "nowhere") == 2
    assert not (tmp_path / "nowhere").exists()


def test_a_card_that_knows_no_catalogue_is_printed_and_replaces_none(
    catalog: Catalog,
    add_picture: AddPicture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = pack_of(catalog, add_picture, tmp_path / "elsewhere/p.h5")
    path.with_name("p.card.md").write_text("better")
    assert run("card", path) == 0
    assert "No catalogue stands beside" in capsys.readouterr().out
    assert path.with_name("p.card.md").read_text() == "better"
    assert {p.name for p in path.parent.iterdir()} == {"p.h5", "p.card.md"}
    assert run("card", path, "--out", tmp_path / "o.card.md") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'o.card.md'}\n"
    assert (tmp_path / "o.attribution.csv").is_file()


def test_a_catalogue_of_other_pictures_is_not_believed(
    catalog: Catalog,
    add_picture: AddPicture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pack_of(catalog, add_picture, tmp_path / "own.h5")
    (tmp_path / "packs").mkdir()
    foreign = write_small(tmp_path / "packs/p.h5").path
    assert run("card", foreign, "--data", tmp_path) == 3
    told = capsys.readouterr().err
    assert f"catalog.sqlite is not the one that pack {foreign} was made from" in told
    assert run("card", foreign) == 0
    assert "No catalogue stands beside" in capsys.readouterr().out
    assert not foreign.with_name("p.card.md").exists()


def pack_of(catalog: Catalog, add_picture: AddPicture, path: Path) -> Path:
    """A pack of three pictures that the catalogue has."""
    path.parent.mkdir(exist_ok=True)
    records = [catalog.images.get(add_picture(scene_bytes(n))) for n in range(3)]
    facts = [
        Provenance(row=row, image_id=record.id, sha256=record.sha256)
        for row, record in enumerate(records)
        if record is not None
    ]
    write_pack(path, pictures(3), np.full(3, -1, np.int64), [], facts, {})
    return path
