"""The inspection of a folder: what it writes, when it has nothing to do."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset import false_alarms
from dataset.errors import ConfigError, DataError
from dataset.false_alarms import FalseAlarm
from dataset.packed import PackedDataset
from sample.inspection import Inspection, inspect_folder, open_checker, read_record
from sample.novelty import VERDICTS, NoveltyChecker, NoveltyConfig
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


@pytest.fixture(scope="module")
def small_checker(small_pack: PackedDataset) -> NoveltyChecker:
    """One for the whole file: it is calibrated and audited once."""
    return open_checker(small_pack, CONFIG)


def inspect(folder: Path, checker: NoveltyChecker, *, again: bool = False) -> Inspection:
    return inspect_folder(folder, checker.pack.path, CONFIG, again=again, checker=checker)


def mark(folder: Path, name: str, taken_back: bool = False) -> None:
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    alarm = FalseAlarm(name, digest, 5, "me", "2026-01-01T00:00:00Z")
    false_alarms.note(folder, alarm, taken_back)


def test_report_table_and_record_lie_beside_the_pictures(
    folder: Path, small_pack: PackedDataset
) -> None:
    done = inspect_folder(folder, small_pack.path, CONFIG)
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


def test_the_same_inputs_are_not_inspected_twice(
    folder: Path, small_checker: NoveltyChecker
) -> None:
    first = inspect(folder, small_checker)
    written = (folder / "report.html").stat().st_mtime_ns
    second = inspect(folder, small_checker)
    assert not second.fresh
    assert second.record == first.record
    assert (folder / "report.html").stat().st_mtime_ns == written
    assert inspect(folder, small_checker, again=True).record == first.record
    assert (folder / "report.html").stat().st_mtime_ns > written


def test_other_pictures_pack_or_thresholds_are_inspected_anew(folder: Path, tmp_path: Path) -> None:
    one = write_drawn_pack(tmp_path / "1.h5", train=12, cal=5, test=0)
    other = write_drawn_pack(tmp_path / "2.h5", train=13, cal=4, test=0)
    config, stricter = NoveltyConfig(audit=1), NoveltyConfig(audit=1, level=0.1)
    inspect_folder(folder, one, config)
    assert inspect_folder(folder, one, stricter).fresh
    assert inspect_folder(folder, other, stricter).fresh
    (folder / "001.png").unlink()
    assert inspect_folder(folder, other, stricter).fresh
    assert not inspect_folder(folder, other, stricter).fresh


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "novelty/1"}', "{}"])
def test_a_damaged_or_foreign_record_counts_as_none(tmp_path: Path, content: str) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "novelty.json").write_text(content)
    assert read_record(tmp_path) is None


def test_a_damaged_record_is_made_again(folder: Path, small_checker: NoveltyChecker) -> None:
    first = inspect(folder, small_checker)
    (folder / "novelty.json").write_text("{")
    assert inspect(folder, small_checker).fresh
    assert read_record(folder) == first.record


def test_a_lost_report_is_made_again(folder: Path, small_checker: NoveltyChecker) -> None:
    inspect(folder, small_checker)
    (folder / "report.html").unlink()
    assert inspect(folder, small_checker).fresh


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
    tmp_path: Path, small_checker: NoveltyChecker
) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.png").write_bytes(b"no")
    done = inspect(tmp_path / "s", small_checker)
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
    tmp_path: Path, small_checker: NoveltyChecker
) -> None:
    folder = save_pictures(tmp_path, drawings([8000]))
    for known, noted in ((small_checker.pack.content_hash, True), ("0" * 64, False)):
        manifest = {"pack_hash": known, "pictures": [{"file": "000.png", "seed": 1}]}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        done = inspect(folder, small_checker)
        assert done.record["trained_on_this_pack"] is noted
        page = done.report.read_text("utf-8")
        assert ("trained on another pack" in page) is not noted


def test_a_false_alarm_is_marked_and_no_longer_counts(
    folder: Path, small_checker: NoveltyChecker
) -> None:
    assert inspect(folder, small_checker).record["share"]["copies"] == 1
    mark(folder, "000.png")
    done = inspect(folder, small_checker)
    assert done.fresh
    assert (done.record["share"]["copies"], done.record["share"]["flagged"]) == (0, 0)
    assert done.record["most_copied"] == []
    last = done.record["pictures"][-1]
    assert (last["file"], last["false_alarm"], last["verdict"]) == ("000.png", True, "copy")
    assert not inspect(folder, small_checker).fresh
    mark(folder, "000.png", taken_back=True)
    again = inspect(folder, small_checker).record
    assert again["share"]["copies"] == 1
    assert not any(picture["false_alarm"] for picture in again["pictures"])


def test_a_false_alarm_on_a_near_picture_feeds_the_null(
    tmp_path: Path, small_checker: NoveltyChecker
) -> None:
    folder = save_pictures(tmp_path, (drawings([5, 6]) * 0.85).astype(np.uint8))
    before = inspect(folder, small_checker).record
    nearer, other = (picture["file"] for picture in before["pictures"])
    mark(folder, nearer)
    after = inspect(folder, small_checker).record
    assert before["calibration"]["pictures"] + 1 == after["calibration"]["pictures"]
    assert after["calibration"]["false_alarms"] == 1
    assert after["calibration"]["ratios"] == before["calibration"]["ratios"]  # of the cal split
    assert after["pictures"][0]["file"] == other
    assert after["pictures"][0]["p"] > before["pictures"][1]["p"]


def test_the_training_set_as_samples_is_all_copies(
    tmp_path: Path, small_checker: NoveltyChecker
) -> None:
    record = inspect(save_pictures(tmp_path, drawings(range(25))), small_checker).record
    assert record["verdicts"]["copy"] == 25
    share = record["share"]
    assert (share["judged"], share["flagged"], share["copies"], share["rate"]) == (25, 25, 25, 1.0)
    assert share["interval"][1] == 1.0
    assert [hit["times"] for hit in record["most_copied"]] == [1] * 20


def test_the_training_picture_that_is_copied_most_comes_first(
    tmp_path: Path, small_checker: NoveltyChecker
) -> None:
    record = inspect(save_pictures(tmp_path, drawings([9, 4, 4, 9, 9, 9000])), small_checker).record
    first, second = record["most_copied"]
    assert (first["row"], first["times"], first["files"]) == (
        9,
        3,
        ["000.png", "003.png", "004.png"],
    )
    assert (second["row"], second["times"]) == (4, 2)
    assert first["page_url"] == "https://pictures.example/9"
    assert first["licence"] == "CC0-1.0"


def test_black_broken_and_foreign_pictures_get_an_honest_verdict_or_a_reason(
    tmp_path: Path, small_checker: NoveltyChecker
) -> None:
    save_pictures(tmp_path, np.zeros((1, 32, 32, 3), np.uint8))
    Image.fromarray(np.full((32, 32), np.nan, np.float32)).save(tmp_path / "nan.tiff")
    Image.fromarray(np.full((32, 32), 9000, np.uint16)).save(tmp_path / "deep.png")
    Image.new("CMYK", (70, 50), (10, 200, 30, 0)).save(tmp_path / "print.jpg")
    Image.fromarray(drawings([5])[0]).resize((900, 900)).save(tmp_path / "large.webp")
    Image.new("RGBA", (32, 32)).save(tmp_path / "clear.png")
    record = inspect(tmp_path, small_checker).record
    found = {picture["file"]: picture["verdict"] for picture in record["pictures"]}
    assert [found[name] for name in ("000.png", "deep.png", "print.jpg", "clear.png")] == [
        "too simple to judge"
    ] * 4
    assert found["large.webp"] == "copy"
    (refused,) = record["unreadable"]
    assert refused["name"] == "nan.tiff"
    assert "not numbers" in refused["reason"]


def test_without_a_cal_split_only_the_same_pixels_are_called_copies(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5", train=20, cal=0, test=3)
    folder = save_pictures(tmp_path / "s", drawings([0, 8000, 8001]))
    record = inspect_folder(folder, pack, CONFIG).record
    assert record["verdicts"]["copy"] == 1
    assert record["verdicts"]["cannot say"] == 2
    assert record["calibration"]["enough"] is False
    assert record["calibration"]["threshold"] is None
    assert record["calibration"]["lowest"] == []
    assert record["share"]["rate"] is None
    assert record["share"]["interval"] == [0.0, 1.0]
    json.dumps(record, allow_nan=False)


def test_missing_weights_are_said_in_a_line(tmp_path: Path, small_pack: PackedDataset) -> None:
    folder = save_pictures(tmp_path / "s", drawings([8000]))
    config = NoveltyConfig(audit=1, encoder=f"dinov2={tmp_path / 'no-weights'}")
    with pytest.raises((ConfigError, DataError), match="no-weights"):
        inspect_folder(folder, small_pack.path, config)
    with pytest.raises(ConfigError, match="unknown space"):
        inspect_folder(folder, small_pack.path, NoveltyConfig(encoder="dino"))


def test_the_trainer_s_augmentation_widens_the_views(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5", train=20, cal=19, test=0)
    config = NoveltyConfig(audit=1, index_mb=50)
    augment = {"probability": 0.5, "y_flip": 1, "rotation": 0.0, "scaling": 0, "translation": 0}
    upside_down = np.ascontiguousarray(drawings([5])[:, ::-1])
    plain = inspect_folder(save_pictures(tmp_path / "s", upside_down), pack, config)
    manifest = {
        "pictures": [{"file": "000.png", "seed": 0}],
        "training": {"flip": True, "augment": augment},
    }
    (tmp_path / "s" / "manifest.json").write_text(json.dumps(manifest))
    told = inspect_folder(tmp_path / "s", pack, config)
    assert told.fresh
    assert told.record["views"] > plain.record["views"]
    assert (plain.counts["copy"], told.counts["copy"]) == (0, 1)


def test_a_learnt_descriptor_judges_as_well(tmp_path: Path, small_pack: PackedDataset) -> None:
    folder = save_pictures(tmp_path / "s", drawings([5, 8000]))
    config = NoveltyConfig(audit=1, encoder="outline")
    record = inspect_folder(folder, small_pack.path, config).record
    assert "outline" in record["embedder"]
    assert 2 < record["views"] <= 12
    assert record["pictures"][0]["verdict"] == "copy"
