"""Beginning an assessment: which sets there are, what is taken of them, and what never leaks."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate_app.assembling import Wish, begin
from curate_app.picture_sets import as_png, chosen, entries, offers
from dataset.assessments import Assessment, Assessments
from dataset.errors import ConfigError, DataError
from dataset.workspace import Workspace
from tests.curate_app.drawn_catalogue import HOSTILE
from tests.curate_app.drawn_sets import draw_folder, write_manifest, write_pack


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two drawings of one run."""
    folder = tmp_path / "runs"
    draw_folder(folder / "tiny" / "samples", 8)
    draw_folder(folder / "tiny" / "later", 6, first=100)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


BOTH = ("folder:tiny/samples", "folder:tiny/later")


def begun(runs: Path, data: Path, **more: Any) -> Assessment:
    usual: dict[str, Any] = {"name": "a", "sets": BOTH, "seed": 3}
    return begin(Wish(**(usual | more)), runs, data, "anna")


def test_sets_are_the_folders_of_drawings_and_the_splits_of_packs(runs: Path, data: Path) -> None:
    write_pack(data, "pets")
    (runs / "tiny" / "previews").mkdir()
    draw_folder(runs / "tiny" / "checkpoints" / "0001")
    draw_folder(runs / "tiny" / ".hidden")
    draw_folder(runs / "a" / "b" / "c" / "d" / "too-deep")
    (runs / "empty").mkdir()
    found = {one.id: one for one in offers(runs, data)}
    assert list(found) == [
        "folder:tiny/later",
        "folder:tiny/samples",
        "pack:pets/test",
        "pack:pets/cal",
        "pack:pets/train",
    ]
    drawn, real = found["folder:tiny/samples"], found["pack:pets/test"]
    assert (drawn.count, drawn.classes, drawn.is_real) == (8, ("cat", "dog"), False)
    assert drawn.origin == "ddim, 20 steps, guidance 2"
    assert (real.count, real.classes, real.is_real) == (8, ("cat", "dog"), True)


_TURNED = json.dumps({"pictures": [{"file": "\ud800.png"}]})


def test_folder_without_a_manifest_counts_by_its_files(runs: Path, data: Path) -> None:
    folder = draw_folder(runs / "mine", 5)
    (folder / "notes.txt").write_text("no picture")
    for text in (
        None,
        "{",
        "[]",
        '{"pictures": [{"file": "../x.png"}]}',
        '{"pictures": 7}',
        _TURNED,
    ):
        (folder / "manifest.json").unlink(missing_ok=True)
        if text is not None:
            (folder / "manifest.json").write_text(text)
        mine = next(one for one in offers(runs, data) if one.id == "folder:mine")
        assert (mine.count, mine.classes) == (5, ())
        assert [entry.name for entry in entries("folder:mine", runs, data)] == [
            f"{number:05d}.png" for number in range(5)
        ]


def test_there_may_be_no_runs_and_no_packs(tmp_path: Path) -> None:
    assert offers(tmp_path / "none", tmp_path) == []


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "folder:",
        "folder:.",
        "folder:..",
        "folder:../data",
        "folder:/etc",
        "folder:tiny/../tiny/samples",
        "folder:tiny/samples\0",
        "pack:../../secret/test",
        "pack:pets/other",
        "pack:pets",
        "other:tiny/samples",
        HOSTILE,
    ],
)
def test_only_sets_that_are_listed_are_opened(runs: Path, data: Path, offer: str) -> None:
    write_pack(data, "pets")
    with pytest.raises(ConfigError, match="there is no set"):
        entries(offer, runs, data)


def test_links_out_of_the_runs_and_unprintable_names_are_not_followed(
    runs: Path, data: Path, tmp_path: Path
) -> None:
    secret = draw_folder(tmp_path / "secret")
    (runs / "link").symlink_to(secret)
    draw_folder(runs / "turned\u202eround")
    draw_folder(runs / "other").rename(runs / os.fsdecode(b"\xff\xfe"))
    write_pack(tmp_path, "elsewhere")
    Workspace(data).packs.mkdir()
    Workspace(data).pack("link").symlink_to(Workspace(tmp_path).pack("elsewhere"))
    assert {one.id for one in offers(runs, data)} == set(BOTH)


def test_damaged_pack_is_no_set(runs: Path, data: Path) -> None:
    write_pack(data, "pets")
    Workspace(data).pack("pets").write_bytes(b"no pack")
    assert {one.id for one in offers(runs, data)} == set(BOTH)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_packs_of_all_channels_give_pictures_in_colour(
    runs: Path, data: Path, channels: int
) -> None:
    write_pack(data, "pets", channels=channels)
    for entry in entries("pack:pets/test", runs, data):
        pixels = entry.read()
        assert pixels.shape == (16, 16, 3)
        assert pixels.dtype == np.uint8


def test_chosen_are_drawn_by_lot_and_stay_in_order(runs: Path, data: Path) -> None:
    found = entries(BOTH[0], runs, data)
    assert chosen(found, 8, 0) == found
    few = chosen(found, 3, 0)
    assert [one.name for one in few] == sorted(one.name for one in few)
    assert few == chosen(found, 3, 0)
    assert len({tuple(one.name for one in chosen(found, 3, seed)) for seed in range(20)}) > 5


def test_pictures_are_pngs_of_our_own_without_metadata(runs: Path, data: Path) -> None:
    made = begun(runs, data)
    kept = Assessments(data)
    for key in made.every_key():
        content = kept.picture("a", key).read_bytes()
        assert hashlib.sha256(content).hexdigest() == key
        assert b"secret" not in content
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
    source = runs / "tiny" / "samples" / "00000.png"
    assert b"secret" in source.read_bytes()
    with Image.open(source) as image:
        assert as_png(np.asarray(image.convert("RGB")))[0] == made.sets[0].pictures[0].key


def test_what_is_drawn_anew_later_changes_nothing(runs: Path, data: Path) -> None:
    made = begun(runs, data)
    before = {path.name: path.read_bytes() for path in (data / "assessments").rglob("*.png")}
    draw_folder(runs / "tiny" / "samples", 8, first=700)
    assert Assessments(data).read("a") == made
    after = {path.name: path.read_bytes() for path in (data / "assessments").rglob("*.png")}
    assert after == before


def test_large_pictures_are_made_smaller(runs: Path, data: Path) -> None:
    pixels = np.zeros((2000, 500, 3), np.uint8)
    with Image.open(io.BytesIO(as_png(pixels)[1])) as image:
        assert image.size == (256, 1024)


def test_pairs_are_matched_by_class_where_the_sets_share_any(runs: Path, data: Path) -> None:
    draw_folder(runs / "plain", labelled=False)
    assert begun(runs, data, name="a").by_class
    assert not begun(runs, data, name="b", match="none").by_class
    assert not begun(runs, data, name="c", sets=(BOTH[0], "folder:plain")).by_class
    with pytest.raises(ConfigError, match="the sets have no class in common"):
        begun(runs, data, name="d", sets=(BOTH[0], "folder:plain"), match="class")
    assert Assessments(data).names() == ["a", "b", "c"]


def test_pictures_of_other_classes_stay_out_of_a_matched_assessment(runs: Path, data: Path) -> None:
    folder = draw_folder(runs / "more", 6)
    table = json.loads((folder / "manifest.json").read_text())
    for entry in table["pictures"][::2]:
        entry["label_name"] = "fish"
    write_manifest(folder, table)
    made = begun(runs, data, sets=(BOTH[0], "folder:more"))
    assert {picture.label for one in made.sets for picture in one.pictures} == {"dog"}
    assert [len(one.pictures) for one in made.sets] == [4, 3]


def test_gold_checks_are_real_pictures_beside_their_noisy_selves(runs: Path, data: Path) -> None:
    assert begun(runs, data, name="a").gold_source == "tiny/samples"
    write_pack(data, "other", 12)
    assert begun(runs, data, name="other").gold_source == "tiny/samples"
    learnt = write_pack(data, "pets")
    table = json.loads((runs / "tiny" / "later" / "manifest.json").read_text())
    write_manifest(runs / "tiny" / "later", {**table, "pack_hash": learnt})
    made = begun(runs, data, name="b")
    assert made.gold_source == "real pictures: pets, test"
    assert len(made.gold) == 8
    kept = Assessments(data)
    for check in made.gold:
        sound, noisy = (
            np.asarray(Image.open(kept.picture("b", key))).astype(float)
            for key in (check.sound, check.damaged)
        )
        assert np.abs(sound - noisy).mean() > 30


def test_the_seed_decides_what_is_taken(runs: Path, data: Path) -> None:
    same = [begun(runs, data, name=name, most=3).sets for name in ("a", "b")]
    assert same[0] == same[1]
    assert all(len(one.pictures) == 3 for one in same[0])
    others = [begun(runs, data, name=name, seed=None).seed for name in ("c", "d")]
    assert others[0] != others[1]


def test_files_that_are_no_pictures_are_left_out_and_a_set_of_them_is_refused(
    runs: Path, data: Path
) -> None:
    folder = runs / "tiny" / "later"
    for number in range(5):
        (folder / f"{number:05d}.png").write_bytes(b"no picture")
    (folder / "00005.png").unlink()
    with pytest.raises(DataError, match=r"no picture of tiny/later can be shown .*draw it again"):
        begun(runs, data)
    assert Assessments(data).names() == []
    draw_folder(folder, 6)
    (folder / "00003.png").write_bytes(b"no picture")
    assert len(begun(runs, data).sets[1].pictures) == 5  # under the same name as what failed


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "../a"}, "is no name of an assessment"),
        ({"question": ""}, "the question must be one line"),
        ({"sets": ()}, "choose 2 to 8 sets"),
        ({"sets": BOTH[:1]}, "choose 2 to 8 sets"),
        ({"sets": (BOTH[0], BOTH[0])}, "named twice"),
        ({"match": "colour"}, "is none of: auto, class, none"),
        ({"most": 1}, "choose 2 to 10000"),
        ({"seed": -1}, "is not from 0"),
    ],
)
def test_wish_that_cannot_be_carried_out_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Wish(**({"name": "a", "sets": BOTH} | wrong))


def test_name_that_is_taken_is_told_before_any_picture_is_read(runs: Path, data: Path) -> None:
    begun(runs, data)
    for path in (runs / "tiny").rglob("*.png"):
        path.unlink()
    with pytest.raises(ConfigError, match="already; choose another name"):
        begun(runs, data)
