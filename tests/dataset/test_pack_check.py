"""Verifying a pack: what was altered is named, what leaks is told, licences are weighed."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from dataset import cli, pack_check, pack_sheet
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from tests.dataset.packs import facts_of, pictures, write_small


def alter(packed: PackedDataset, what: Any) -> list[str]:
    """The faults after a change to the file."""
    with h5py.File(packed.path, "r+") as file:
        what(file)
    return pack_check.verify(PackedDataset(packed.path))


def put(name: str, place: Any, value: Any) -> Any:
    return lambda file: file[name].__setitem__(place, value)


def test_a_sound_pack_has_no_faults_and_no_warnings(tmp_path: Path) -> None:
    found = pack_check.check(write_small(tmp_path / "p.h5"), strict=True)
    assert found == pack_check.Findings([], [])


def test_altered_rows_are_named(tmp_path: Path) -> None:
    packed = write_small(tmp_path / "p.h5", data=pictures(200, (3, 32, 32)))

    def blot(file: h5py.File) -> None:
        for row in (0, 70, 199):
            file["data"][row, 0, 0, 0] ^= 1

    faults = alter(packed, blot)
    assert faults == ["content hash differs: altered after packing: rows 0-127, 192-199 of data"]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (put("provenance/author", 3, "somebody else"), "altered after packing: provenance/author"),
        (put("provenance/votes", 3, 9), "provenance/votes"),
        (put("captions/text", 0, "other"), "captions/text"),
        (put("encoded/blob", 0, 7), "encoded/blob"),
        (put("embeddings/clip", (0, 0), 7), "embeddings/clip"),
        (put("labels/resnet/rc_4", 0, 3), "labels/resnet/rc_4"),
        (put("split", 0, 2), "altered after packing: split"),
        (lambda f: f.__delitem__("embeddings/clip"), r"embeddings/clip \(gone\)"),
        (lambda f: f["labels/label"].attrs.__setitem__("names", '["x", "y"]'), "names of classes"),
        (lambda f: f.attrs.__setitem__("content_hash", "0" * 64), "or the hash itself"),
        (put("checks/data", (0, 0), 9), "checks do not fit|rows 0-23 of data"),
        (lambda f: f.attrs.__setitem__("cal_seal", "0" * 64), "seal of the split cal"),
        (put("stats/mean", 0, 0.9), "stats/mean is not of the pictures"),
        (lambda f: f["labels/label"].attrs.__setitem__("probs", [0.9, 0.1]), "probs are not"),
        (lambda f: f["labels/label"].attrs.__setitem__("probs", [1.0]), "probs are not"),
        (lambda f: f.attrs.__setitem__("counts", '{"split": {"cal": 1}}'), "counts of the splits"),
    ],
)
def test_what_was_altered_is_named(tmp_path: Path, what: Any, told: str) -> None:
    faults = alter(write_small(tmp_path / "p.h5"), what)
    assert len(faults) == 1
    assert re.search(told, faults[0]), faults


def leaking(path: Path, changed: dict[int, dict[str, Any]], twin: bool = False) -> list[str]:
    data, facts = pictures(24), facts_of(24)
    for row, change in changed.items():
        facts[row] = replace(facts[row], **change)
    if twin:
        data[4] = data[3]
    return pack_check.verify(write_small(path, data=data, facts=facts))


def test_a_group_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    faults = leaking(tmp_path / "p.h5", {3: {"group": 99}, 4: {"group": 99}, 5: {"group": 99}})
    assert faults == ["leak: group 99 is in train and in cal (rows 3 and 4)"]


def test_an_original_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    faults = leaking(tmp_path / "p.h5", {3: {"sha256": "ab" * 32}, 5: {"sha256": "ab" * 32}})
    assert faults == [f"leak: original {'ab' * 32} is in train and in test (rows 3 and 5)"]


def test_the_same_pixels_in_two_splits_are_a_leak(tmp_path: Path) -> None:
    faults = leaking(tmp_path / "p.h5", {}, twin=True)
    assert faults == ["leak: pixels of row 3 is in train and in cal (rows 3 and 4)"]


def test_a_leak_is_told_under_one_head(tmp_path: Path) -> None:
    same = {"group": 99, "sha256": "ab" * 32}
    assert len(leaking(tmp_path / "p.h5", {3: same, 4: same}, twin=True)) == 1


def test_what_is_alike_in_one_split_is_no_leak(tmp_path: Path) -> None:
    same = {"group": 99, "sha256": "ab" * 32}
    assert leaking(tmp_path / "p.h5", {0: same, 3: same, 6: same}) == []


def test_rows_of_no_group_and_no_original_do_not_leak(tmp_path: Path) -> None:
    facts = facts_of(24, group=0, sha256="", phash="")
    assert pack_check.verify(write_small(tmp_path / "p.h5", facts=facts)) == []


def test_the_same_perceptual_hash_in_two_splits_is_a_warning(tmp_path: Path) -> None:
    facts = facts_of(24, phash="00000000000000ff")
    found = pack_check.check(write_small(tmp_path / "p.h5", facts=facts))
    assert found.faults == []
    assert found.warnings == ["1 perceptual hashes are in more than one split: look alike"]


def test_many_leaks_are_counted_and_not_all_named(tmp_path: Path) -> None:
    facts = [Provenance(group=1 + n // 2, split=("train", "test")[n % 2]) for n in range(100)]
    write_pack(tmp_path / "p.h5", pictures(100), np.full(100, -1), [], facts, {})
    faults = pack_check.verify(PackedDataset(tmp_path / "p.h5"))
    assert len(faults) == 21
    assert faults[-1] == "leak: 30 more of the kind group"


def test_licences_are_warnings_and_with_strict_faults(tmp_path: Path) -> None:
    facts = facts_of(24)
    facts[0] = replace(facts[0], licence="unknown")
    facts[1] = replace(facts[1], licence="")
    facts[2] = replace(facts[2], licence="All rights reserved\x1b[2J")
    facts[3] = replace(facts[3], licence="No known copyright restrictions")
    packed = write_small(tmp_path / "p.h5", facts=facts)
    found = pack_check.check(packed)
    assert found.faults == []
    assert found.warnings[0] == "2 pictures have no known licence"
    assert found.warnings[1].startswith("1 pictures reserve all rights (All rights reserved⟨U+001B")
    assert pack_check.check(packed, strict=True).faults == found.warnings


def test_the_command_tells_faults_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = write_small(tmp_path / "p.h5")
    assert cli.main(["verify", str(packed.path)]) == 0
    assert capsys.readouterr().out == f"sound: {packed.path}\n"
    alter(packed, put("provenance/votes", 3, 9))
    assert cli.main(["verify", str(packed.path)]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("fault: content hash differs")
    assert err.count("\n") == 1
    assert "is not sound" in err
    assert cli.main(["verify", str(packed.path), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["sound"], len(told["faults"])) == (False, 1)


def test_info_counts_classes_splits_and_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(24)
    facts[0] = replace(facts[0], label=-1)
    packed = write_small(tmp_path / "p.h5", facts=facts)
    assert cli.main(["info", str(packed.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["classes"] == {
        "cat": {"train": 3, "cal": 4, "test": 4},
        "dog": {"train": 4, "cal": 4, "test": 4},
        "(no label)": {"train": 1, "cal": 0, "test": 0},
    }
    assert told["licences"] == {"CC-BY-4.0": 24}
    assert told["captions"] == {"pictures": 24, "all": 48}
    assert told["originals"] == 16
    assert told["embeddings"] == {"clip": 5}
    assert told["schemes"] == {"resnet/rc_4": 4}
    assert told["original_sizes"]["width"] == {"least": 100, "median": 111, "most": 123}
    assert told["config"] == {"size": 8}
    assert cli.main(["info", str(packed.path)]) == 0
    out = capsys.readouterr().out
    assert "24 pictures of 3x8x8" in out
    assert "cal sealed" in out
    assert "#" * 30 in out
    assert "they were 100-123 (median 111) x 80 px" in out
    assert "(none) 24" not in out
    assert "after event 3" in out
    straight = write_small(tmp_path / "s.h5", event_id=0)
    assert cli.main(["info", str(straight.path)]) == 0
    assert "event" not in capsys.readouterr().out


def test_a_sheet_of_large_pictures_and_many_classes_stays_small(tmp_path: Path) -> None:
    data = np.zeros((70, 1, 300, 200), np.uint8)
    write_pack(tmp_path / "p.h5", data, np.arange(70), [str(n) for n in range(70)], [], {})
    sheet = pack_sheet.sample_sheet(PackedDataset(tmp_path / "p.h5"))
    assert sheet.size == (12 * 128 + 160, 64 * 128)


def test_a_sheet_without_labels_fills_several_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pack(tmp_path / "p.h5", pictures(30), np.full(30, -1, np.int64), [], [], {})
    sheet = tmp_path / "s.png"
    assert cli.main(["info", str(tmp_path / "p.h5"), "--sheet", str(sheet)]) == 0
    said = f"sheet      {sheet}: the first 30 of 30 pictures, which have no labels"
    assert said in capsys.readouterr().out
    with Image.open(sheet) as drawn:
        assert drawn.size == (12 * 16, 3 * 16)


def test_a_sheet_names_its_classes_and_is_a_png(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write_small(tmp_path / "p.h5").path)
    assert cli.main(["info", path, "--sheet", str(tmp_path / "s.jpg")]) == 2
    assert "so end it in .png" in capsys.readouterr().err
    assert not (tmp_path / "s.jpg").exists()
    assert cli.main(["info", path, "--json", "--sheet", str(tmp_path / "s.PNG")]) == 0
    assert json.loads(capsys.readouterr().out)["sheet"] == str(tmp_path / "s.PNG")
    with Image.open(tmp_path / "s.PNG") as drawn:
        names = np.asarray(drawn)[:, 12 * 16 :]
    assert all((names[top : top + 16] < 128).any() for top in (0, 16))


def test_a_fault_is_json_too_where_json_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_small(tmp_path / "p.h5").path
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    for verb in ("verify", "info"):
        assert cli.main([verb, str(path), "--json"]) == 3
        told = json.loads(capsys.readouterr().out)
        assert len(told["faults"]) == 1
        assert told["pack"] == str(path)
        assert told.get("sound", False) is False


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_sheet_is_drawn_of_any_channels(tmp_path: Path, channels: int) -> None:

    packed = write_small(tmp_path / "p.h5", data=pictures(6, (channels, 8, 8)))
    sheet = tmp_path / "sheet.png"
    assert cli.main(["info", str(packed.path), "--sheet", str(sheet)]) == 0
    with Image.open(sheet) as drawn:
        assert drawn.size == (12 * 8 * 2 + 160, 2 * 8 * 2)
        first = np.asarray(drawn.convert("RGB"))[0, 0]
    expected = packed.data[0, :, 0, 0].astype(int)
    if channels == 1:
        assert first.tolist() == [expected[0]] * 3
    elif channels == 3:
        assert first.tolist() == expected.tolist()
    else:
        over = (expected[:3] * expected[3] + 255 * (255 - expected[3]) + 127) // 255
        assert first.tolist() == over.tolist()


@pytest.mark.parametrize(
    "licence",
    ["banana 7", "unknown", "", "All rights reserved", "(c) Ada", "free", "MITx", "copyright Ada"],
)
def test_strict_refuses_licences_that_say_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], licence: str
) -> None:
    facts = facts_of(24)
    facts[5] = replace(facts[5], licence=licence)
    path = write_small(tmp_path / "p.h5", facts=facts).path
    assert cli.main(["verify", str(path)]) == 0
    assert capsys.readouterr().out.startswith("warning: 1 pictures ")
    assert cli.main(["verify", str(path), "--strict"]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("fault: 1 pictures ")
    assert "name licences by import --licence, or choose some" in err
    assert "pack again" not in err


@pytest.mark.parametrize(
    "licence",
    [
        *("CC0-1.0", "cc by 4.0", "CC-BY-SA-2.5", "PDM-1.0", "no-known-copyright", "MIT"),
        *("copyrighted-free-use", "us-government-work", "Apache-2.0", "GFDL-1.2-or-later"),
        *("attribution", "OGL-UK-3.0", "etalab-2.0", "DL-DE-BY-2.0", "FAL-1.3", "LAL-1.2"),
        *("Public domain", "https://creativecommons.org/licenses/by/4.0/", "OFL-1.1"),
    ],
)
def test_known_licences_are_neither_faults_nor_warnings(tmp_path: Path, licence: str) -> None:
    packed = write_small(tmp_path / "p.h5", facts=facts_of(24, licence=licence))
    assert pack_check.check(packed, strict=True) == pack_check.Findings([], [])


@pytest.mark.parametrize(
    "licence",
    ["CC-BY-NC-ND-4.0", "CC-BY-ND", "cc by-nc 2.0", "https://creativecommons.org/licenses/by-nd/4"],
)
def test_licences_with_limits_are_counted_warnings_even_when_strict(
    tmp_path: Path, licence: str
) -> None:
    facts = facts_of(24)
    facts[3] = replace(facts[3], licence=licence)
    found = pack_check.check(write_small(tmp_path / "p.h5", facts=facts), strict=True)
    assert found.faults == []
    assert found.warnings == [
        f"1 pictures are not for commerce, or not to be changed ({licence} 1)"
    ]
