"""A folder of stickers: only what is new goes out, nothing is made twice, all is told."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dataset.errors import ConfigError, DataError
from dataset.false_alarms import FalseAlarm, note
from dataset.packed import PackedDataset
from sample.cli import main
from sample.inspection import inspect_folder
from sample.novelty import NoveltyConfig
from sample.sticker import StickerConfig
from sample.sticker_choice import chosen_pictures
from sample.sticker_sheet import Card, sticker_sheet
from sample.stickers import make_stickers
from tests.sample.drawings import drawings, save_pictures
from tests.sample.flat_drawings import RED, fading, ring, save, two_colours
from tests.train.drawn_pack import tiny_config
from tests.train.drawn_pack import write_drawn_pack as write_training_pack
from train.checkpoint import load_checkpoint
from train.loop import train

BARE = StickerConfig(sizes=(64,), svg=False, icons=False)
SMALL = StickerConfig(sizes=(96, 32))
PICTURES = {"disc.png": two_colours(), "ring.png": ring(), "sky.png": fading()}


def judged(folder: Path, verdicts: dict[str, str], *, with_hash: bool = True) -> Path:
    """`folder` with what a novelty check leaves there, as far as stickers look at it."""
    listed = []
    for name, verdict in verdicts.items():
        entry = {"file": name, "verdict": verdict}
        if with_hash:
            entry["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        listed.append(entry)
    (folder / "novelty.json").write_text(json.dumps({"pictures": listed}))
    return folder


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Three pictures: a new one, a copy, and one that is close."""
    folder = save(tmp_path / "drawn", PICTURES)
    return judged(folder, {"disc.png": "novel", "ring.png": "copy", "sky.png": "close"})


def listed(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "stickers.json").read_text())
    return content


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_only_what_is_new_becomes_a_sticker(drawn: Path, tmp_path: Path) -> None:
    done = make_stickers(drawn, tmp_path / "out", BARE)
    assert (done.made, dict(done.left_out)) == (1, {"copy": 1, "close": 1})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "disc",
        "sheet.png",
        "stickers.json",
    ]
    (entry,) = listed(tmp_path / "out")["stickers"]
    assert (entry["file"], entry["verdict"]) == ("disc.png", "novel")
    left = {one["file"]: one["why"] for one in listed(tmp_path / "out")["left_out"]}
    assert left == {"ring.png": "copy", "sky.png": "close"}


def test_without_a_check_nothing_goes_out_unless_all_is_asked_for(tmp_path: Path) -> None:
    folder = save(tmp_path / "drawn", {"disc.png": two_colours()})
    with pytest.raises(ConfigError, match="not checked for copies; run python -m sample novelty"):
        make_stickers(folder, tmp_path / "out", BARE)
    assert not (tmp_path / "out").exists()
    make_stickers(folder, tmp_path / "out", BARE, everything=True)
    (entry,) = listed(tmp_path / "out")["stickers"]
    assert entry["verdict"] == "not checked"


def test_with_all_asked_for_a_copy_is_still_called_one(drawn: Path, tmp_path: Path) -> None:
    done = make_stickers(drawn, tmp_path / "out", BARE, everything=True)
    verdicts = {one["file"]: one["verdict"] for one in done.record["stickers"]}
    assert verdicts == {"disc.png": "novel", "ring.png": "copy", "sky.png": "close"}


def test_a_picture_that_changed_since_the_check_is_not_taken_for_new(drawn: Path) -> None:
    Image.fromarray(ring()).save(drawn / "disc.png")
    chosen, left_out = chosen_pictures(drawn, everything=False)
    assert chosen == []
    assert {one.file: one.why for one in left_out}["disc.png"] == "not checked"


def test_a_record_without_hashes_is_believed(drawn: Path) -> None:
    judged(drawn, {"disc.png": "novel"}, with_hash=False)
    chosen, _ = chosen_pictures(drawn, everything=False)
    assert [one.file.name for one in chosen] == ["disc.png"]


def test_a_false_alarm_goes_out_until_it_is_taken_back(drawn: Path) -> None:
    digest = hashlib.sha256((drawn / "ring.png").read_bytes()).hexdigest()
    alarm = FalseAlarm("ring.png", digest, 3, "Ada", "2026-01-01T00:00:00+00:00")
    note(drawn, alarm)
    chosen, _ = chosen_pictures(drawn, everything=False)
    assert {one.file.name: one.verdict for one in chosen} == {
        "disc.png": "novel",
        "ring.png": "false alarm",
    }
    note(drawn, alarm, taken_back=True)
    assert len(chosen_pictures(drawn, everything=False)[0]) == 1


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"pictures": 3}',
        '{"pictures": [{"file": 1}]}',
        '{"pictures": [{"file": "disc.png", "verdict": "as good as new"}]}',
        '{"pictures": [{"file": "disc.png", "verdict": "novel\\ud800"}]}',
    ],
)
def test_a_damaged_record_is_no_permission(drawn: Path, content: str) -> None:
    (drawn / "novelty.json").write_text(content)
    with pytest.raises(DataError, match=r"novelty\.json is damaged"):
        chosen_pictures(drawn, everything=True)


def test_a_sticker_s_folder_holds_all_that_its_facts_list(drawn: Path, tmp_path: Path) -> None:
    make_stickers(drawn, tmp_path / "out", SMALL)
    folder = tmp_path / "out" / "disc"
    facts = json.loads((folder / "sticker.json").read_text())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*facts["files"], "sticker.json"}
    assert {"sticker-96.png", "sticker-32.png", "sticker.svg"} <= there
    assert {"icons/favicon.ico", "icons/site.webmanifest", "icons/head.html"} <= there
    assert facts["ground"] == {"removed": True, "why": ""}
    assert (facts["flat"], facts["colours"]) == (True, 2)
    assert 0 < facts["svg"]["off"] < 0.03
    assert facts["svg"]["bytes"] == (folder / "sticker.svg").stat().st_size
    for size in (96, 32):
        with Image.open(folder / f"sticker-{size}.png") as image:
            assert (image.size, image.mode) == ((size, size), "RGBA")
    with Image.open(tmp_path / "out" / "sheet.png") as image:
        assert image.mode == "RGB"


def test_a_sticker_says_what_it_was_made_of(tmp_path: Path) -> None:
    told = PngInfo()
    told.add_text("seed", "44")
    told.add_itxt("label_name", "Eule ☾")
    (tmp_path / "drawn").mkdir()
    Image.fromarray(two_colours()).save(tmp_path / "drawn" / "00000.png", pnginfo=told)
    make_stickers(tmp_path / "drawn", tmp_path / "out", BARE, everything=True)
    with Image.open(tmp_path / "out" / "00000" / "sticker-64.png") as image:
        info = dict(image.info)
    assert (info["seed"], info["label_name"]) == ("44", "Eule ☾")
    content = (tmp_path / "drawn" / "00000.png").read_bytes()
    assert info["sticker_of"] == "00000.png"
    assert info["sticker_of_sha256"] == hashlib.sha256(content).hexdigest()
    assert info["verdict"] == "not checked"


def test_a_ground_that_is_kept_is_said_to_be(drawn: Path, tmp_path: Path) -> None:
    make_stickers(drawn, tmp_path / "out", BARE, everything=True)
    facts = json.loads((tmp_path / "out" / "sky" / "sticker.json").read_text())
    assert facts["ground"]["removed"] is False
    assert "fades" in facts["ground"]["why"]


def test_nothing_is_made_twice(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_stickers(drawn, out, BARE, everything=True)
    before = times(out / "disc")
    assert make_stickers(drawn, out, BARE, everything=True).made == 0
    assert times(out / "disc") == before
    (out / "ring" / "sticker-64.png").unlink()
    (out / "sky" / "sticker.json").write_text("{")
    assert make_stickers(drawn, out, BARE, everything=True).made == 2
    assert times(out / "disc") == before


def test_a_picture_that_changed_is_made_again(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_stickers(drawn, out, BARE, everything=True)
    Image.fromarray(two_colours(ground=(20, 20, 24))).save(drawn / "disc.png")
    assert make_stickers(drawn, out, BARE, everything=True).made == 1


def test_the_folder_of_a_picture_that_is_gone_goes_too(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_stickers(drawn, out, BARE, everything=True)
    (drawn / "sky.png").unlink()
    (out / "mine").mkdir()
    make_stickers(drawn, out, BARE, everything=True)
    assert sorted(path.name for path in out.glob("*/")) == ["disc", "mine", "ring"]


def test_stickers_made_otherwise_are_replaced_only_on_demand(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_stickers(drawn, out, BARE)
    before = times(out)
    other = StickerConfig(sizes=(48,), svg=False, icons=False)
    with pytest.raises(ConfigError, match="--replace"):
        make_stickers(drawn, out, other)
    assert times(out) == before
    make_stickers(drawn, out, other, replace=True)
    assert sorted(path.name for path in (out / "disc").iterdir()) == [
        "sticker-48.png",
        "sticker.json",
    ]


def test_an_interrupted_run_is_gone_on_with(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_stickers(drawn, out, BARE, everything=True)
    before = times(out / "disc")
    for path in (out / "stickers.json", out / "sheet.png", out / "ring" / "sticker.json"):
        path.unlink()
    assert make_stickers(drawn, out, BARE, everything=True).made == 1
    assert times(out / "disc") == before
    assert len(listed(out)["stickers"]) == 3


def test_what_somebody_put_beside_a_sticker_is_kept(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_stickers(drawn, out, StickerConfig(sizes=(64,), svg=False))
    (out / "disc" / "notes.txt").write_text("mine")
    facts = json.loads((out / "disc" / "sticker.json").read_text())
    make_stickers(drawn, out, BARE, replace=True)
    assert (out / "disc" / "notes.txt").read_text() == "mine"
    assert not (out / "disc" / "icons").exists()
    facts["files"].append("../../drawn/disc.png")
    (out / "disc" / "sticker.json").write_text(json.dumps(facts))
    make_stickers(drawn, out, SMALL, replace=True)
    assert (drawn / "disc.png").exists()


def test_the_pictures_folder_is_no_place_for_stickers(drawn: Path) -> None:
    before = times(drawn)
    with pytest.raises(ConfigError, match="holds the pictures"):
        make_stickers(drawn, drawn / ".." / "drawn", BARE)
    assert times(drawn) == before


def test_pictures_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    folder = save(tmp_path / "drawn", {"a.png": two_colours(), "a.bmp": ring()})
    save(folder, {"enlarged.png": ring()})
    make_stickers(folder, tmp_path / "out", BARE, everything=True)
    names = sorted(path.name for path in (tmp_path / "out").glob("*/"))
    assert names == ["a.bmp", "a.png", "enlarged.png"]


def test_no_file_s_name_leads_out_of_the_folder_or_onto_what_else_is_made(tmp_path: Path) -> None:
    names = ["...png", "..png", "sheet.png.png", "stickers.json.png"]
    folder = save(tmp_path / "drawn", {"a.png": two_colours()})
    for name in names:
        shutil.copy(folder / "a.png", folder / name)
    manifest = {"pictures": [{"file": name, "seed": 0} for name in names]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = make_stickers(folder, tmp_path / "in" / "out", BARE, everything=True)
    assert [entry["folder"] for entry in done.record["stickers"]] == names
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    assert not list((tmp_path / "in" / "out").glob("sticker-*"))


def test_a_picture_of_nothing_is_left_out(tmp_path: Path) -> None:
    nothing = np.zeros((16, 16, 4), np.uint8)
    folder = save(tmp_path / "drawn", {"a.png": nothing})
    done = make_stickers(folder, tmp_path / "out", BARE, everything=True)
    assert done.record["left_out"] == [{"file": "a.png", "why": "all of it is transparent"}]


def test_of_very_many_reasons_the_first_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    for number in range(14):
        (folder / f"{number}.png").write_text("no picture")
    assert main(["stickers", str(folder), "--any"]) == 0
    told = capsys.readouterr().out
    assert told.count("left out") == 11
    assert "4 left out for other reasons" in told


def test_files_that_are_no_pictures_are_left_out_with_the_reason(tmp_path: Path) -> None:
    folder = save(tmp_path / "drawn", {"good.png": two_colours()})
    (folder / "text.png").write_text("hello")
    (folder / "torn.png").write_bytes((folder / "good.png").read_bytes()[:60])
    done = make_stickers(folder, tmp_path / "out", BARE, everything=True)
    assert done.made == 1
    assert sorted(one["file"] for one in done.record["left_out"]) == ["text.png", "torn.png"]


def test_a_file_s_name_may_be_any_bytes(tmp_path: Path) -> None:
    folder = save(tmp_path / "drawn", {"a.png": two_colours(), "b.png": ring()})
    for old, new in (("a.png", b"\xff<b>.png"), ("b.png", b"\xfe<b>.png")):
        (folder / old).rename(folder / os.fsdecode(new))
    done = make_stickers(folder, tmp_path / "out", BARE, everything=True)
    entries = listed(tmp_path / "out")["stickers"]
    assert [entry["file"] for entry in entries] == ["?<b>.png"] * 2
    assert [entry["folder"] for entry in entries] == ["?<b>.png", "?<b>.png_"]
    assert done.made == 2


def test_no_new_picture_is_no_sticker_and_no_error(
    drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(drawn, dict.fromkeys(PICTURES, "copy"))
    assert main(["stickers", str(drawn)]) == 0
    printed = capsys.readouterr().out
    assert "no stickers" in printed
    assert "3 left out: copy" in printed
    assert listed(drawn / "stickers")["stickers"] == []


def test_the_real_check_lets_new_pictures_out_and_holds_copies_back(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    folder = save_pictures(tmp_path / "drawn", drawings([0, 5000]))  # the first was learnt from
    inspect_folder(folder, small_pack.path, NoveltyConfig(audit=1))
    chosen, left_out = chosen_pictures(folder, everything=False)
    assert {one.file: one.why for one in left_out}["000.png"] == "copy"
    assert [one.file.name for one in chosen] in (["001.png"], [])


def test_a_model_that_enlarges_is_asked_first(tmp_path: Path) -> None:
    pack = write_training_pack(tmp_path / "pack.h5")
    config = tiny_config(pack, images=8, upscale={"from_size": 4, "noise": 0.2})
    checkpoint = load_checkpoint(train(config, tmp_path / "runs").run)
    small = np.full((4, 4, 3), 255, np.uint8)
    small[1:3, 1:3] = RED
    folder = save(tmp_path / "drawn", {"b.png": small, "a.png": small})
    judged(folder, {"b.png": "novel", "a.png": "copy"})
    out = tmp_path / "out"
    done = make_stickers(folder, out, BARE, checkpoint=checkpoint)
    assert [one["file"] for one in done.record["stickers"]] == ["b.png"]
    assert done.record["enlarged_with"]["fingerprint"] == checkpoint.fingerprint
    with Image.open(out / "enlarged" / "00000.png") as image:
        assert (image.size, image.info["source"]) == ((8, 8), "b.png")
    assert make_stickers(folder, out, BARE, checkpoint=checkpoint).made == 0
    save(folder, {"b.png": np.zeros((6, 6, 3), np.uint8)})
    judged(folder, {"b.png": "novel", "a.png": "copy"})
    with pytest.raises(ConfigError, match="6 x 6, this model enlarges 4 x 4"):
        make_stickers(folder, tmp_path / "other", BARE, checkpoint=checkpoint)


def test_the_command_says_what_was_made_and_what_was_not(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    command = ["stickers", str(drawn), "--out", out, "--size", "48", "--size", "96", "--no-icons"]
    assert main([*command, "--dry-run"]) == 0
    assert "would make 1 stickers" in capsys.readouterr().out
    assert not Path(out).exists()
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"1 of 1 stickers made in {out} (see sheet.png)" in printed
    assert "1 left out: copy" in printed
    assert "of the pixels drawn otherwise" in printed
    assert main(command) == 0
    assert f"1 stickers are already made in {out}" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == listed(Path(out))
    assert record["config"]["sizes"] == [96, 48]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{drawn}/none"], 2, "no folder"),
        (["{empty}", "--any"], 3, "holds no pictures"),
        (["{unchecked}"], 2, "not checked for copies"),
        (["{drawn}", "--size", "5"], 2, "sizes"),
        (["{drawn}", "--outline", "900"], 2, "outline"),
        (["{drawn}", "--margin", "nan"], 2, "margin"),
        (["{drawn}", "--with", "{drawn}/none"], 2, "no checkpoint"),
    ],
)
def test_failures_are_one_line_and_write_nothing(
    drawn: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    shutil.copytree(drawn, tmp_path / "unchecked")
    (tmp_path / "unchecked" / "novelty.json").unlink()
    (tmp_path / "empty").mkdir()
    names = {"drawn": drawn, "empty": tmp_path / "empty", "unchecked": tmp_path / "unchecked"}
    given = [argument.format(**names) for argument in arguments]
    assert main(["stickers", *given, "--out", str(tmp_path / "out")]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


def test_a_sheet_of_many_says_how_many_are_not_on_it() -> None:
    facts = {
        "file": "a.png",
        "verdict": "novel",
        "label": "",
        "flat": False,
        "colours": None,
        "svg": None,
        "ground": {"removed": False, "why": "no flat ground " * 20},
    }
    picture = Image.new("RGBA", (64, 64), (214, 40, 57, 255))
    one = sticker_sheet([Card(facts, picture, None)])
    few = sticker_sheet([Card(facts, picture, None)] * 4)
    many = sticker_sheet([Card(facts, picture, None)] * 301)
    assert few.width == 3 * (one.width - 14) + 14
    assert many.height == 100 * (one.height - 14) + 14 + 17
