"""Reading a folder of pictures, whoever drew them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from sample.pictures import (
    as_colour,
    content_hash,
    decode_pictures,
    list_pictures,
    trained_with,
)
from tests.sample.drawings import drawing, drawings, provenance, save_pictures, write_pictures


def test_any_folder_of_pictures_is_read_in_order_of_name(tmp_path: Path) -> None:
    save_pictures(tmp_path, drawings([1, 2]))
    save_pictures(tmp_path, drawings([1, 2, 3]), "jpg")
    Image.fromarray(drawing(9)).save(tmp_path / "sheet.png")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "folder.png").mkdir()
    found, missing = list_pictures(tmp_path)
    assert [file.name for file in found] == ["000.jpg", "000.png", "001.jpg", "001.png", "002.jpg"]
    assert missing == []


def test_the_manifest_names_pictures_labels_and_seeds(tmp_path: Path) -> None:
    save_pictures(tmp_path, drawings([1, 2]))
    listed = [
        {"file": "001.png", "seed": 7, "label": 0, "label_name": "round"},
        {"file": "gone.png", "seed": 8, "label": -1, "label_name": ""},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"pictures": listed}))
    (found,), (missing,) = list_pictures(tmp_path)
    assert (found.name, found.label_name, found.seed) == ("001.png", "round", 7)
    assert missing.name == "gone.png"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"pictures": 3}',
        '{"pictures": [{}]}',
        '{"pictures": [{"file": 1}]}',
        '{"pictures": [{"file": "a.png", "seed": 1e999}]}',
        '{"pictures": [{"file": "a\\u0000.png", "seed": 1}]}',
        '{"pictures": [{"file": "a.png", "seed": 1, "label_name": "\\ud800"}]}',
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/b.png", "..", ""])
def test_a_manifest_cannot_point_outside_its_folder(tmp_path: Path, name: str) -> None:
    listed = {"pictures": [{"file": name, "seed": 0}]}
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(DataError, match="outside"):
        list_pictures(tmp_path)


def test_a_missing_or_empty_folder_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        list_pictures(tmp_path / "none")
    with pytest.raises(DataError, match="no pictures"):
        list_pictures(tmp_path)


def test_pictures_of_the_pack_s_size_keep_their_pixels(tmp_path: Path, pack: PackedDataset) -> None:
    files, _ = list_pictures(save_pictures(tmp_path, drawings([1, 2])))
    readable, pictures, unreadable = decode_pictures(files, pack)
    assert np.array_equal(pictures, drawings([1, 2]))
    assert (len(readable), unreadable) == (2, [])


def test_other_sizes_and_channels_are_brought_to_the_pack_s(
    tmp_path: Path, pack: PackedDataset
) -> None:
    large = np.asarray(drawing(1)).repeat(3, axis=0).repeat(3, axis=1)
    save_pictures(tmp_path, np.stack([large]))
    Image.fromarray(drawing(1)[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(drawing(1)).convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(large[:40]).save(tmp_path / "wide.png")
    readable, pictures, _ = decode_pictures(list_pictures(tmp_path)[0], pack)
    by_name = dict(zip([file.name for file in readable], pictures, strict=True))
    assert pictures.shape == (4, 32, 32, 3)
    assert np.abs(by_name["000.png"].astype(int) - drawing(1)).mean() < 4
    assert np.array_equal(by_name["alpha.png"], drawing(1))
    assert np.array_equal(by_name["grey.png"][..., 0], drawing(1)[..., 0])


def test_what_is_no_picture_is_counted_out_with_its_reason(
    tmp_path: Path, pack: PackedDataset
) -> None:
    save_pictures(tmp_path, drawings([1]))
    whole = (tmp_path / "000.png").read_bytes()
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.png").write_bytes(b"<!doctype html><p>not found")
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    readable, _, unreadable = decode_pictures(list_pictures(tmp_path)[0], pack)
    assert [file.name for file in readable] == ["000.png"]
    reasons = {refused.name: refused.reason.split(":")[0] for refused in unreadable}
    assert reasons == {"empty.png": "empty", "page.png": "html", "torn.png": "truncated"}


def test_floating_point_pictures_are_read_unless_their_numbers_are_none(
    tmp_path: Path, pack: PackedDataset
) -> None:
    levels = drawing(1)[..., 0].astype(np.float32)
    Image.fromarray(levels).save(tmp_path / "grey.tif")
    for name, value in (("nan", np.nan), ("endless", np.inf)):
        levels[3, 4] = value
        Image.fromarray(levels).save(tmp_path / f"{name}.tiff")
    readable, pictures, unreadable = decode_pictures(list_pictures(tmp_path)[0], pack)
    assert [file.name for file in readable] == ["grey.tif"]
    assert np.array_equal(pictures[0, ..., 1], drawing(1)[..., 0])
    assert {refused.name for refused in unreadable} == {"nan.tiff", "endless.tiff"}
    assert all("not numbers" in refused.reason for refused in unreadable)


def test_a_file_s_hash_is_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"abc")
    (file,), _ = list_pictures(tmp_path)
    assert file.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ("{", None),
        ("[]", None),
        ('{"training": 3}', None),
        ('{"training": {"flip": true}}', {"flip": True}),
    ],
)
def test_the_manifest_may_say_how_the_model_was_trained(
    tmp_path: Path, content: str, known: object
) -> None:
    assert trained_with(tmp_path) is None
    (tmp_path / "manifest.json").write_text(content)
    assert trained_with(tmp_path) == known


def test_a_pack_of_oblong_pictures_is_refused(tmp_path: Path) -> None:
    oblong = drawings(range(3))[:, :24]
    facts = [provenance(row) for row in range(3)]
    pack = PackedDataset(write_pictures(tmp_path / "p.h5", oblong, facts))
    files, _ = list_pictures(save_pictures(tmp_path / "s", drawings([1])))
    with pytest.raises(DataError, match="32x24"):
        decode_pictures(files, pack)


def test_the_hash_is_of_names_and_bytes(tmp_path: Path) -> None:
    files, _ = list_pictures(save_pictures(tmp_path, drawings([1, 2])))
    before = content_hash(files)
    assert content_hash(list_pictures(tmp_path)[0]) == before
    (tmp_path / "000.png").rename(tmp_path / "002.png")
    assert content_hash(list_pictures(tmp_path)[0]) != before


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_no_pictures_are_still_pictures(channels: int) -> None:
    seen = as_colour(np.empty((0, 8, 8, channels), np.uint8))
    assert seen.shape == (0, 8, 8, 3)
    assert seen.dtype == np.uint8
