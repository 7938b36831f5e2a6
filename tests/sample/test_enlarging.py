"""Enlarging from files: seeds, records, going on, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from dataset.errors import ConfigError, DataError, WorldError
from dataset.pixels import Pixels
from sample.cli import main
from sample.drawn_folder import Brush, PlannedPicture, fill_folder
from sample.enlarging import EnlargeConfig, enlarge, plan_enlarging
from sample.pictures import PictureFile
from tests.train.drawn_pack import drawn_pictures, tiny_config, write_drawn_pack
from train.checkpoint import Checkpoint, load_checkpoint
from train.drawing import Sampling
from train.loop import train
from train.upscaling import enlarged

CONFIG = EnlargeConfig(sampling=Sampling(steps=3), device="cpu")
FEW = ["--steps", "3", "--device", "cpu", "--progress", "quiet"]


def trained(folder: Path, **changes: object) -> Path:
    shape = changes.pop("shape", (3, 8, 8))
    labelled = bool(changes.pop("labelled", True))
    pack = write_drawn_pack(folder / "pack.h5", shape=shape, labelled=labelled)  # type: ignore[arg-type]
    config = tiny_config(pack, images=16, upscale={"from_size": 4, "noise": 0.2}, **changes)
    return train(config, folder / "runs").run


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that learnt, hardly, to enlarge 4 to 8 pixels."""
    torch.set_num_threads(1)
    return trained(tmp_path_factory.mktemp("enlarger"))


@pytest.fixture
def checkpoint(enlarger: Path) -> Checkpoint:
    return load_checkpoint(enlarger)


def small(folder: Path, count: int = 3, side: int = 4) -> Path:
    """a.png, b.png ... of 4 x 4 pixels."""
    folder.mkdir()
    for letter, picture in zip("abcdefgh", drawn_pictures(count, (3, side, side))[0], strict=False):
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"{letter}.png")
    return folder


def read(path: Path) -> tuple[NDArray[np.uint8], dict[str, str]]:
    with Image.open(path) as image:
        return np.asarray(image), {str(key): str(value) for key, value in image.info.items()}


def test_every_picture_of_a_folder_is_enlarged_and_recorded(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    given, out = small(tmp_path / "small"), tmp_path / "large"
    done = enlarge(checkpoint, given, replace(CONFIG, seed=7, noise=0.1), out)
    assert (done.pictures, done.drawn) == (3, 3)
    names = [f"{number:05d}.png" for number in range(3)]
    assert sorted(path.name for path in out.iterdir()) == [*names, "manifest.json", "sheet.png"]
    pixels, told = read(out / "00001.png")
    assert pixels.shape == (8, 8, 3)
    expected = {"seed": "8", "source": "b.png", "noise": "0.1", "steps": "3", "guidance": "1.0"}
    assert told.items() >= (expected | {"fingerprint": checkpoint.fingerprint}).items()
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert [entry["source"] for entry in manifest["pictures"]] == ["a.png", "b.png", "c.png"]
    assert [entry["file"] for entry in manifest["pictures"]] == names
    assert manifest["pack_hash"] == checkpoint.pack_hash


def test_a_file_holds_what_the_trainer_s_function_makes(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    pictures = torch.from_numpy(drawn_pictures(3, (3, 4, 4))[0])
    made = enlarged(
        checkpoint, pictures, [5, 6, 7], CONFIG.sampling, torch.device("cpu"), noise=0.2
    )
    config = replace(CONFIG, seed=5, noise=0.2, batch=2)
    enlarge(checkpoint, small(tmp_path / "small"), config, tmp_path / "large")
    for number, picture in enumerate(made.permute(0, 2, 3, 1).int().numpy()):
        pixels, _ = read(tmp_path / "large" / f"{number:05d}.png")
        assert np.abs(pixels.astype(int) - picture).max() <= 1


def test_nothing_is_enlarged_twice_and_what_is_missing_is_made(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    given, out = small(tmp_path / "small"), tmp_path / "large"
    enlarge(checkpoint, given, CONFIG, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert enlarge(checkpoint, given, replace(CONFIG, batch=1), out).drawn == 0
    (out / "00001.png").unlink()
    (out / "manifest.json").unlink()
    assert enlarge(checkpoint, given, CONFIG, out).drawn == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_another_small_picture_of_the_same_name_is_not_taken_for_done(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    given, out = small(tmp_path / "small"), tmp_path / "large"
    enlarge(checkpoint, given, CONFIG, out)
    Image.new("RGB", (4, 4), "red").save(given / "b.png")
    with pytest.raises(ConfigError, match=r"00001\.png.*--replace"):
        enlarge(checkpoint, given, CONFIG, out)
    assert enlarge(checkpoint, given, CONFIG, out, replace=True).drawn == 1


@pytest.mark.parametrize("given", ["small", "small/a.png"])
def test_the_small_pictures_are_never_written_over(
    checkpoint: Checkpoint, tmp_path: Path, given: str
) -> None:
    folder = small(tmp_path / "small")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigError, match="another --out"):
        enlarge(checkpoint, tmp_path / given, CONFIG, folder, replace=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_classes_come_from_the_manifest_where_the_model_knows_them() -> None:
    files = [PictureFile(f"{name}.png", b"", name) for name in ("block", "zebra", "")]
    plan = plan_enlarging(CONFIG, files, ["bar", "block"])
    assert [(picture.label, picture.label_name) for picture in plan] == [
        (1, "block"),
        (-1, ""),
        (-1, ""),
    ]
    plan = plan_enlarging(replace(CONFIG, label="bar"), files, ["bar", "block"])
    assert [picture.label for picture in plan] == [0, 0, 0]
    assert [picture.label for picture in plan_enlarging(CONFIG, files, [])] == [-1, -1, -1]


def test_what_was_drawn_is_enlarged_with_its_classes(
    enlarger: Path, run: Path, tmp_path: Path
) -> None:
    drawn, out = tmp_path / "drawn", tmp_path / "large"
    command = ["draw", str(run), "--per-class", "1", "--out", str(drawn), *FEW]
    assert main(command) == 0
    for path in drawn.glob("0*.png"):
        pixels, _ = read(path)
        Image.fromarray(pixels[::2, ::2]).save(path)
    assert main(["upscale", str(enlarger), "--from", str(drawn), "--out", str(out), *FEW]) == 0
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert [entry["label_name"] for entry in manifest["pictures"]] == ["bar", "block"]


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_pictures_of_any_mode_become_what_the_model_learnt(
    tmp_path: Path, channels: int, mode: str
) -> None:
    run = trained(tmp_path, shape=(channels, 8, 4), labelled=False)
    Image.new("RGB", (2, 4), "white").convert(mode).save(tmp_path / "one.png")
    enlarge(load_checkpoint(run), tmp_path / "one.png", CONFIG, tmp_path / "large")
    pixels, _ = read(tmp_path / "large" / "00000.png")
    assert pixels.shape == ((8, 4) if channels == 1 else (8, 4, 4))


def test_a_gpu_that_is_too_small_is_told_of_in_one_line(tmp_path: Path) -> None:
    picture = PlannedPicture(name="00000.png", seed=0, label=-1, label_name="")

    def paint(_part: object, _progress: object) -> tuple[Pixels, int]:
        raise torch.OutOfMemoryError("CUDA out of memory\nand much more")

    with pytest.raises(WorldError, match=r"does not hold 7 pictures .* smaller --batch"):
        fill_folder(tmp_path, [picture], {}, {}, lambda: Brush(paint, torch.device("cpu"), 7))
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_beside_the_run_and_says_so(
    enlarger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = small(tmp_path / "small", 1) / "a.png"
    command = ["upscale", str(enlarger), "--from", str(given), *FEW]
    assert main([*command, "--dry-run"]) == 0
    assert "would enlarge 1 pictures" in capsys.readouterr().out
    assert not (enlarger / "enlarged").exists()
    assert main(command) == 0
    assert "1 of 1 pictures drawn" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    expected = {"folder": str(enlarger / "enlarged"), "pictures": 1, "drawn": 0}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{plain}", "--from", "{small}"], 2, "upscale.from_size"),
        (["{enlarger}", "--from", "{missing}"], 2, "no picture or folder"),
        (["{enlarger}", "--from", "{large}"], 2, "a.png is 8 x 8, this model enlarges 4 x 4"),
        (["{enlarger}", "--from", "{text}"], 3, "text.png cannot be used: "),
        (["{enlarger}", "--from", "{empty}"], 3, "no pictures"),
        (["{enlarger}", "--from", "{small}", "--noise", "0.3"], 2, "from 0 to the 0.2"),
        (["{enlarger}", "--from", "{small}", "--noise", "nan"], 2, "noise is nan"),
        (["{enlarger}", "--from", "{small}", "--steps", "5000"], 2, "steps"),
        (["{enlarger}", "--from", "{small}", "--label", "blok"], 2, "did you mean block"),
        (["{enlarger}", "--from", "{small}", "--seed", "-1"], 2, "seed"),
        (["{enlarger}", "--from", "{small}", "--batch", "-1"], 2, "batch"),
    ],
)
def test_failures_are_one_line_and_write_nothing(
    run: Path,
    enlarger: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("not a picture")
    places = {
        "plain": run,
        "enlarger": enlarger,
        "small": small(tmp_path / "small"),
        "large": small(tmp_path / "large", side=8),
        "text": tmp_path / "text.png",
        "empty": tmp_path / "empty",
        "missing": tmp_path / "missing",
    }
    out = tmp_path / "out"
    given = [argument.format(**places) for argument in arguments]
    assert main(["upscale", *given, "--out", str(out), "--device", "cpu"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not out.exists()


def test_a_picture_that_a_manifest_lists_must_be_there(
    checkpoint: Checkpoint, run: Path, tmp_path: Path
) -> None:
    assert main(["draw", str(run), "--count", "2", "--out", str(tmp_path / "s"), *FEW]) == 0
    (tmp_path / "s" / "00001.png").unlink()
    with pytest.raises(DataError, match=r"00001\.png is listed in the manifest but missing"):
        enlarge(checkpoint, tmp_path / "s", CONFIG, tmp_path / "large")
