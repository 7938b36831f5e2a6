"""What a path holds is seen from its bytes and names; the command says and does as much."""

from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.imports.collection import ReadOptions
from dataset.imports.detection import kind_of, open_collection
from tests.dataset.imports.test_another_pack import write as write_pack
from tests.dataset.imports.test_cifar import FILES, unpack
from tests.dataset.imports.test_webdataset import SAMPLES
from tests.dataset.imports.written import scenes, write_lld, write_mnist, write_tar
from tests.dataset.pictures import scene_bytes


def test_every_kind_is_known_by_its_looks(tmp_path: Path) -> None:
    digits = scenes(3, 28)[..., 0]
    images = write_mnist(tmp_path / "m", digits, [0, 1, 2])
    pictures = {f"p/cat/{n}.png": scene_bytes(n) for n in range(3)}
    unpack(tmp_path / "pictures", pictures)
    unpack(tmp_path / "cifar", FILES)
    (tmp_path / "shards").mkdir()
    write_tar(tmp_path / "shards" / "0.tar", SAMPLES)
    kinds = {
        tmp_path / "pictures": "folder",
        write_tar(tmp_path / "p.tar", pictures): "folder",
        write_tar(tmp_path / "p.tar.xz", pictures, "w:xz"): "folder",
        write_lld(tmp_path / "any-name", scenes(3)): "lld",
        write_pack(tmp_path / "x.h5"): "pack",
        tmp_path / "m": "mnist",
        images: "mnist",
        tmp_path / "cifar": "cifar",
        tmp_path / "cifar" / "cifar-10-batches-bin": "cifar",
        write_tar(tmp_path / "c.tar.gz", FILES, "w:gz"): "cifar",
        tmp_path / "cifar" / "cifar-10-batches-bin" / "test_batch.bin": "cifar",
        write_tar(tmp_path / "w.tar", SAMPLES): "webdataset",
        tmp_path / "shards": "webdataset",
        tmp_path / "shards" / "{0..0}.tar": "webdataset",
    }
    assert {path: kind_of(path) for path in kinds} == kinds


def test_options_that_a_kind_has_no_use_for_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for options, said in [
        (ReadOptions(clusters=("1",)), "--clusters is of labels in HDF5"),
        (ReadOptions(scheme="x"), "--scheme is of files with several labels"),
    ]:
        with pytest.raises(ConfigError, match=said):
            open_collection("auto", tmp_path / "p", options)
    with pytest.raises(ConfigError, match="no folder or file at"):
        open_collection("auto", tmp_path / "none", ReadOptions())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    from dataset.cli import main

    code = main(["import", *arguments, "--progress", "quiet"])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_tells_takes_and_packs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"labels/ae_grayscale": [2, 20, 50, 2], "labels/b": [0, 1, 0, 1]}
    path = str(write_lld(tmp_path / "l.hdf5", scenes(5), **labels))
    code, out, _ = run(capsys, path, "--dry-run")
    assert code == 0
    assert "5 pictures" in out
    assert "ae_grayscale 3, b 2 classes" in out
    data = str(tmp_path / "data")
    taken = run(capsys, "lld", path, "--data", data, "--clusters", "2, 20", "--licence", "MIT")
    assert taken[0] == 0
    first, hint = taken[1].splitlines()
    assert first == "added 3, known 0, rejected 0"
    assert hint.startswith("undecided: 3; judge them (make curate, or python -m curate_app auto)")
    with Catalog(tmp_path / "data" / "catalog.sqlite") as catalog:
        assert catalog.images.counts("label") == {"2": 2, "20": 1}
        assert catalog.images.counts("licence") == {"MIT": 3}
    pack = str(tmp_path / "o" / "p.h5")
    code, out, _ = run(capsys, path, "--pack", pack, "--scheme", "b", "--set", "size=16")
    assert code == 0
    assert out.startswith("packed 5 pictures (train ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.h5"], 2, "no folder or file at"),
        (["lld", "no.tar"], 3, "no readable HDF5"),
        (["mnist", "no.tar"], 3, "no IDX file of pictures"),
        (["cifar", "no.tar"], 3, "no multiple of 3073"),
        (["webdataset", "no.tar"], 3, "no readable tar"),
        (["pack", "no.tar"], 3, "no readable HDF5"),
        (["no.tar", "--set", "size=16"], 2, "add --pack FILE"),
        (["no.tar", "--keep-split"], 2, "add --pack FILE"),
        (["no.tar", "--workers", "0"], 2, "must be at least 1"),
        (["no.tar", "--pack", "p.h5", "--set", "size=1"], 2, "size is 1"),
    ],
)
def test_a_bad_wish_is_one_line_and_writes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no.tar").write_bytes(b"no tar")
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert said in err
    assert err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["no.tar"]
