"""What holds for every format: rows, refusals, atomic writing, equal bytes."""

import csv
import json
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dataset.errors import ConfigError, DataError
from dataset.exports import FORMATS, ExportOptions, export_pack
from dataset.exports.arrays import credits_beside
from dataset.exports.options import chosen_rows
from dataset.packed import PackedDataset
from dataset.provenance import Split
from dataset.spreadsheet import plain_cell
from tests.dataset.exports.hostile_pack import hostile_pack, set_check_rows

Options = ExportOptions


def contents(target: Path) -> dict[str, bytes]:
    if target.is_file():
        return {"": target.read_bytes()}
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_same_pack_gives_the_same_bytes(name: str, channels: int, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", channels=channels)
    for place in ("a", "b"):
        export_pack(name, packed, tmp_path / place / "out", Options(all_captions=True))
    assert contents(tmp_path / "a/out") == contents(tmp_path / "b/out")


@pytest.mark.parametrize("name", FORMATS)
def test_no_name_of_a_file_is_an_enemys(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 40, originals=True)
    if name != "npz":
        export_pack(name, packed, tmp_path / "deep/er/out", Options(originals=True))
        for path in contents(tmp_path / "deep/er/out"):
            assert not set(path) & set('\\<>:"|?*\n\t')
            assert all(len(part) <= 104 and part.strip(". -~") for part in path.split("/"))
    outside = {path.name for path in tmp_path.iterdir()} | {p.name for p in tmp_path.glob("deep/*")}
    assert outside <= {"p.h5", "deep", "er"}


@pytest.mark.parametrize("name", FORMATS)
def test_the_sealed_split_leaves_only_when_it_is_named(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 30)
    report = export_pack(name, packed, tmp_path / "out", Options())
    assert report.splits == {"train": 10, "test": 10}
    named = export_pack(name, packed, tmp_path / "all", Options(splits=("train", "cal", "test")))
    assert named.splits == {"train": 10, "cal": 10, "test": 10}
    only = export_pack(name, packed, tmp_path / "cal", Options(splits=("cal",)))
    assert only.splits == {"cal": 10}


@pytest.mark.parametrize("name", FORMATS)
def test_a_target_that_is_there_is_refused_and_left_alone(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    target = tmp_path / "out"
    export_pack(name, packed, target, Options(splits=("train",)))
    before = contents(target)
    with pytest.raises(ConfigError, match="is there already"):
        export_pack(name, packed, target, Options())
    assert contents(target) == before
    export_pack(name, packed, target, Options(replace=True))
    assert contents(target) != before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is no export"):
        export_pack(name, packed, tmp_path / "mine.txt", Options(replace=True))
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_split_is_one_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", splits=("train",))
    with pytest.raises(DataError, match=r"split test of pack .* is empty; leave it out"):
        export_pack(name, packed, tmp_path / "out", Options(splits=("train", "test")))
    assert export_pack(name, packed, tmp_path / "fine", Options()).splits == {"train": 24}
    sealed = hostile_pack(tmp_path / "cal.h5", splits=("cal",))
    with pytest.raises(DataError, match="no rows to train or test with"):
        export_pack(name, sealed, tmp_path / "out", Options())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_original_files_of_a_pack_without_them_are_refused(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    with pytest.raises(ConfigError, match="carries no original files"):
        export_pack(name, packed, tmp_path / "out", Options(originals=True))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_killed_in_the_middle_leaves_no_target(name: str, tmp_path: Path) -> None:
    hostile_pack(tmp_path / "p.h5")
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom dataset.packed import PackedDataset\n"
        "from dataset.exports import ExportOptions, export_pack\n"
        "from dataset.progress import Progress\n"
        "def die(self, *_): os.kill(os.getpid(), signal.SIGKILL)\nProgress.advance = die\n"
        f"export_pack({name!r}, PackedDataset(Path({str(tmp_path / 'p.h5')!r})),"
        f" Path({str(tmp_path / 'out')!r}), ExportOptions())\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (tmp_path / "out").exists()
    export_pack(name, hostile_pack(tmp_path / "small.h5"), tmp_path / "out", Options())
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_picture_is_refused_and_its_rows_are_named(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 300, splits=("train", "test"))
    with packed.path.open("r+b") as file:
        file.seek(packed._offset + 260 * packed.data[0].nbytes + 7)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    damaged = PackedDataset(packed.path)
    with pytest.raises(DataError, match=r"is damaged: rows 256-299 are not the pictures") as told:
        export_pack(name, damaged, tmp_path / "out", Options())
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["p.h5"]


def test_checks_that_fit_no_pack_are_damage(tmp_path: Path) -> None:
    for rows in (0, -1, 2**40):
        packed = hostile_pack(tmp_path / f"{rows}.h5")
        set_check_rows(packed.path, rows)
        with pytest.raises(DataError, match="checks/data is damaged"):
            export_pack("npz", packed, tmp_path / "out.npz", Options())


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_of_an_export_is_credited(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 30)
    target = tmp_path / "out"
    export_pack(name, packed, target, Options())
    table = credits_beside(target) if name == "npz" else target / "attribution.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == 20
    for place, row in enumerate(rows):
        fact = packed.provenance(int(row["row"]))
        assert row["licence"] == plain_cell(fact.licence)
        assert not row["title"].startswith(("=", "@", "+", "-"))
        if name == "npz":
            assert row["file"] == f"images[{place}]"
        elif name == "webdataset":
            shard, _, member = row["file"].partition("/")
            with tarfile.open(target / shard) as tar:
                assert tar.getmember(member).size
        else:
            assert (target / row["file"]).is_file()


def test_credits_beside_arrays_replace_no_table_of_anybody(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    table = tmp_path / "a.npz.attribution.csv"
    table.write_text("mine")
    with pytest.raises(ConfigError, match="is no export"):
        export_pack("npz", packed, tmp_path / "a.npz", Options(replace=True))
    assert table.read_text() == "mine"
    assert not (tmp_path / "a.npz").exists()


def test_rows_are_those_of_the_splits_in_order_of_the_file(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 9)
    wanted: Sequence[tuple[tuple[Split, ...], list[int]]] = [
        ((), [0, 2, 3, 5, 6, 8]),
        (("cal",), [1, 4, 7]),
        (("test", "train", "cal"), list(range(9))),
    ]
    for splits, rows in wanted:
        assert chosen_rows(packed, Options(splits=splits)).tolist() == rows


@pytest.mark.parametrize(
    "bad",
    [
        {"splits": ("valid",)},
        {"shard_pictures": -1},
        {"background": "red"},
        {"background": "#12345g"},
    ],
)
def test_options_that_mean_nothing_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"split|shard|--background"):
        Options(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "npz"])
def test_the_mark_names_the_pack_by_its_content(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    report = export_pack(name, packed, tmp_path / "out", Options())
    mark = json.loads((tmp_path / "out/export.json").read_text("utf-8"))
    assert (mark["format"], mark["pack"]) == (name, "p.h5")
    assert mark["content_hash"] == packed.content_hash
    assert mark["label_names"] == packed.label_names
    assert report.files == len(contents(tmp_path / "out"))
    assert report.bytes == sum(map(len, contents(tmp_path / "out").values()))
