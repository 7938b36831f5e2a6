"""Kept pictures: files, log and manifest agree, whatever is undone, torn or hostile."""

import json
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app.kept_pictures import KeptPictures, file_name
from sample.pictures import list_pictures, trained_on
from tests.curate_app.test_drawn_picture import ORIGIN, finding, picture, png_text


@pytest.fixture
def kept(tmp_path: Path) -> KeptPictures:
    return KeptPictures(tmp_path / "run")


def files(kept: KeptPictures) -> set[str]:
    return {path.name for path in kept.folder.glob("*.png")}


def test_kept_picture_is_a_file_with_its_metadata_and_verdict(kept: KeptPictures) -> None:
    one = picture()
    file = kept.keep(one, "anna")
    assert (kept.folder / file).read_bytes() == one.content
    manifest = json.loads((kept.folder / "manifest.json").read_text())
    assert {key: manifest[key] for key in ORIGIN} == ORIGIN
    [entry] = manifest["pictures"]
    assert (entry["file"], entry["seed"], entry["label_name"]) == (file, 12, "cat")
    assert (entry["who"], entry["sampler"]) == ("anna", "ddim")
    assert entry["novelty"]["verdict"] == "novel"
    assert entry["novelty"]["nearest"]["page_url"] == "https://pictures.example/3"


def test_novelty_check_reads_the_folder_as_one_of_drawn_pictures(kept: KeptPictures) -> None:
    kept.keep(picture(), "me")
    kept.drop(kept.keep(picture(seed=5, png=png_text(90)), "me"), "me")
    found, missing = list_pictures(kept.folder)
    assert [(one.seed, one.label_name) for one in found] == [(12, "cat")]
    assert missing == []
    assert trained_on(kept.folder) == ORIGIN["pack_hash"]


def test_keeping_twice_is_keeping_once(kept: KeptPictures) -> None:
    assert kept.keep(picture(), "me") == kept.keep(picture(), "me")
    assert len(kept.standing()) == 1
    assert kept.undo("me") is not None
    assert kept.undo("me") is None


def test_dropping_and_undoing_bring_files_away_and_back(kept: KeptPictures) -> None:
    a, b = (kept.keep(picture(png=png_text(c)), "me") for c in (1, 2))
    assert kept.drop(a, "me")
    assert not kept.drop(a, "me")
    assert files(kept) == {b} == set(kept.standing())
    undone = kept.undo("me")
    assert undone is not None
    assert (undone.verb, undone.file) == ("drop", a)
    assert files(kept) == {a, b} == set(kept.standing())
    assert kept.standing()[a]["novelty"]["verdict"] == "novel"
    assert kept.undo("other") is None  # nobody undoes what somebody else did
    kept.undo("me")
    kept.undo("me")
    assert files(kept) == set(kept.standing()) == set()
    assert kept.undo("me") is None


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(["keep 1", "keep 2", "drop 1", "drop 2", "undo"]), max_size=9))
def test_files_are_always_what_the_manifest_says(deeds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptPictures(Path(folder))
        for deed in deeds:
            verb, _, number = deed.partition(" ")
            if verb == "undo":
                kept.undo("me")
                continue
            one = picture(png=png_text(int(number)))
            kept.keep(one, "me") if verb == "keep" else kept.drop(file_name(one), "me")
        assert files(kept) == set(kept.standing())
        if deeds and (kept.folder / "manifest.json").exists():
            told = json.loads((kept.folder / "manifest.json").read_text())["pictures"]
            assert [one["file"] for one in told] == list(kept.standing())


def test_verdict_that_comes_later_is_noted_and_no_deed_to_undo(kept: KeptPictures) -> None:
    one = picture(finding=None)
    file = kept.keep(one, "anna")
    assert kept.standing()[file]["novelty"]["verdict"] == "being checked"
    kept.judge([one.found(finding(verdict="copy"), 9), picture(png=png_text(50))])
    entry = kept.standing()[file]
    assert (entry["novelty"]["verdict"], entry["who"]) == ("copy", "anna")
    lines = len((kept.folder / "kept.jsonl").read_text().splitlines())
    kept.judge([one.found(finding(verdict="copy"), 10)])
    assert len((kept.folder / "kept.jsonl").read_text().splitlines()) == lines
    undone = kept.undo("anna")
    assert undone is not None
    assert undone.verb == "keep"
    assert kept.standing() == {}


def test_torn_and_strange_lines_of_the_log_are_left_out(kept: KeptPictures) -> None:
    file = kept.keep(picture(), "me")
    log = kept.folder / "kept.jsonl"
    strange = json.loads(log.read_text()) | {"file": "../../../etc/passwd", "number": 2}
    log.write_text(
        log.read_text() + json.dumps(strange) + "\nnull\n[1]\n{}\n" + '{"number": 3, "ve'
    )
    assert list(kept.standing()) == [file]
    other = kept.keep(picture(png=png_text(77)), "me")  # on a line of its own
    assert list(kept.standing()) == [file, other]


@pytest.mark.parametrize(
    "name", ["../kept.jsonl", "kept.jsonl", "manifest.json", "", ".", "/etc/passwd", "1-a.png\n"]
)
def test_only_kept_pictures_have_a_path(name: str, kept: KeptPictures) -> None:
    kept.keep(picture(), "me")
    assert kept.path(name) is None
    assert not kept.drop(name, "me")


def test_zip_holds_what_is_kept_and_the_manifest(kept: KeptPictures) -> None:
    a, b = (kept.keep(picture(png=png_text(c)), "me") for c in (1, 2))
    kept.drop(a, "me")
    with kept.zipped() as packed, zipfile.ZipFile(packed) as archive:
        assert sorted(archive.namelist()) == sorted([b, "manifest.json"])
        assert archive.read(b) == (kept.folder / b).read_bytes()
