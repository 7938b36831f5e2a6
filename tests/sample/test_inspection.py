"""The inspection of a folder: what it writes, when it has nothing to do."""

import csv
import json
from pathlib import Path

import pytest

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from sample.inspection import Inspection, inspect_folder, read_record
from sample.novelty import VERDICTS, NoveltyConfig
from tests.sample.drawings import (
    drawings,
    provenance,
    save_pictures,
    write_drawn_pack,
    write_pictures,
)

CONFIG = NoveltyConfig(audit=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy, two new drawings, and a file that is no picture."""
    save_pictures(tmp_path / "s", drawings([5, 8000, 8001]))
    (tmp_path / "s" / "broken.png").write_bytes(b"broken")
    return tmp_path / "s"


def inspect(folder: Path, pack: PackedDataset, *, again: bool = False) -> Inspection:
    return inspect_folder(folder, pack.path, CONFIG, again=again)


def test_report_table_and_record_lie_beside_the_pictures(
    folder: Path, small_pack: PackedDataset
) -> None:
    done = inspect(folder, small_pack)
    assert done.fresh
    assert done.counts["copy"] == 1
    assert sum(done.counts.values()) == 3
    assert list(done.counts) == list(VERDICTS)
    record = json.loads((folder / "novelty.json").read_text("utf-8"))
    assert record == done.record
    assert [refused["name"] for refused in record["unreadable"]] == ["broken.png"]
    first = record["pictures"][0]
    assert (first["file"], first["verdict"]) == ("000.png", "copy")
    near = first["neighbours"][0]
    assert (near["row"], near["view"], near["licence"]) == (5, "as it is", "CC0-1.0")
    assert near["url"] == "https://pictures.example/5.png"
    assert near["distance"] == pytest.approx(0, abs=1e-6)
    with (folder / "novelty.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["file"] for line in table] == [picture["file"] for picture in record["pictures"]]
    assert table[0]["nearest_page_url"] == "https://pictures.example/5"
    left = {path.name for path in folder.iterdir() if path.suffix != ".png"}
    assert left == {"report.html", "novelty.json", "novelty.csv"}


def test_the_same_inputs_are_not_inspected_twice(folder: Path, small_pack: PackedDataset) -> None:
    first = inspect(folder, small_pack)
    written = (folder / "report.html").stat().st_mtime_ns
    second = inspect(folder, small_pack)
    assert not second.fresh
    assert second.record == first.record
    assert (folder / "report.html").stat().st_mtime_ns == written
    assert inspect(folder, small_pack, again=True).record == first.record
    assert (folder / "report.html").stat().st_mtime_ns > written


def test_other_pictures_pack_or_thresholds_are_inspected_anew(
    folder: Path, small_pack: PackedDataset, tmp_path: Path
) -> None:
    inspect(folder, small_pack)
    stricter = NoveltyConfig(audit=2, level=0.1)
    assert inspect_folder(folder, small_pack.path, stricter).fresh
    other = write_drawn_pack(tmp_path / "o.h5", train=12, cal=5, test=0)
    assert inspect_folder(folder, other, stricter).fresh
    (folder / "001.png").unlink()
    assert inspect_folder(folder, other, stricter).fresh
    assert not inspect_folder(folder, other, stricter).fresh


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "novelty/0"}', "{}"])
def test_a_damaged_or_foreign_record_counts_as_none(tmp_path: Path, content: str) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "novelty.json").write_text(content)
    assert read_record(tmp_path) is None


def test_a_damaged_record_is_made_again(folder: Path, small_pack: PackedDataset) -> None:
    first = inspect(folder, small_pack)
    (folder / "novelty.json").write_text("{")
    assert inspect(folder, small_pack).fresh
    assert read_record(folder) == first.record


def test_a_lost_report_is_made_again(folder: Path, small_pack: PackedDataset) -> None:
    inspect(folder, small_pack)
    (folder / "report.html").unlink()
    assert inspect(folder, small_pack).fresh


def test_a_kept_index_is_used_again(
    folder: Path, small_pack: PackedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "index.safetensors"
    first = inspect_folder(folder, small_pack.path, CONFIG, index_path=path)
    assert path.is_file()
    second = inspect_folder(folder, small_pack.path, CONFIG, index_path=path, again=True)
    assert second.record == first.record


def test_captions_are_no_formulas_in_a_spreadsheet(tmp_path: Path) -> None:
    facts = [provenance(row, caption="=HYPERLINK(0)", author="@SUM(1)") for row in range(12)]
    pack = write_pictures(tmp_path / "p.h5", drawings(range(12)), facts)
    folder = save_pictures(tmp_path / "s", drawings([1]))
    inspect_folder(folder, pack, CONFIG)
    with (folder / "novelty.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["nearest_caption"] == "'=HYPERLINK(0)"
    assert line["nearest_author"] == "'@SUM(1)"


def test_only_unreadable_files_make_an_empty_report(
    tmp_path: Path, small_pack: PackedDataset
) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.png").write_bytes(b"no")
    done = inspect(tmp_path / "s", small_pack)
    assert sum(done.counts.values()) == 0
    assert done.report.is_file()


def test_a_pack_of_three_pictures_is_judged_with_doubt(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5", train=3, cal=0, test=0)
    done = inspect_folder(save_pictures(tmp_path / "s", drawings([0, 8000])), pack, CONFIG)
    assert done.counts["copy"] == 1
    assert done.counts["cannot say"] == 1


def test_a_missing_pack_or_folder_is_said_plainly(folder: Path, small_pack: PackedDataset) -> None:
    with pytest.raises(ConfigError, match="no pack at"):
        inspect_folder(folder, folder / "none.h5", CONFIG)
    with pytest.raises(ConfigError, match="no folder"):
        inspect_folder(folder / "none", small_pack.path, CONFIG)


def test_a_file_that_is_no_pack_is_refused(folder: Path) -> None:
    with pytest.raises(DataError):
        inspect_folder(folder, folder / "broken.png", CONFIG)


def test_pictures_of_a_model_of_another_pack_are_noted(
    tmp_path: Path, small_pack: PackedDataset
) -> None:
    folder = save_pictures(tmp_path, drawings([8000]))
    for known, noted in ((small_pack.content_hash, True), ("0" * 64, False)):
        manifest = {"pack_hash": known, "pictures": [{"file": "000.png", "seed": 1}]}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        done = inspect(folder, small_pack)
        assert done.record["trained_on_this_pack"] is noted
        page = done.report.read_text("utf-8")
        assert ("trained on another pack" in page) is not noted
