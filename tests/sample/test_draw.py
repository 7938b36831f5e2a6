"""Drawing from a really trained model: seeds, metadata, going on, and what is refused."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dataset.errors import ConfigError, DataError
from sample.draw import (
    DrawConfig,
    default_folder,
    draw,
    draw_batch,
    known_labels,
    origin,
    plan_pictures,
)
from sample.picture_sheet import SheetConfig
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.augment_config import AugmentConfig
from train.checkpoint import Checkpoint, load_checkpoint
from train.drawing import Sampling
from train.guidance import Guidance
from train.loop import train
from train.samplers import SolverOptions
from train.upscale_config import UpscaleConfig

QUICK = Sampling(steps=3, guidance=Guidance(scale=2.0))
CONFIG = DrawConfig(sampling=QUICK, count=6, device="cpu")


@pytest.fixture
def checkpoint(run: Path) -> Checkpoint:
    return load_checkpoint(run)


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    with Image.open(path) as image:
        return np.asarray(image).astype(np.int64)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_numbered_pictures_a_sheet_and_a_manifest(checkpoint: Checkpoint, tmp_path: Path) -> None:
    done = draw(checkpoint, CONFIG, tmp_path / "s")
    assert (done.pictures, done.drawn) == (6, 6)
    numbered = [f"{number:05d}.png" for number in range(6)]
    assert names(tmp_path / "s") == [*numbered, "manifest.json", "sheet.png"]
    assert pixels(tmp_path / "s" / "00000.png").shape == (8, 8, 3)
    manifest = json.loads((tmp_path / "s" / "manifest.json").read_text())
    assert [entry["file"] for entry in manifest["pictures"]] == numbered
    assert [entry["seed"] for entry in manifest["pictures"]] == list(range(6))
    labels = [entry["label_name"] for entry in manifest["pictures"]]
    assert labels == ["bar"] * 3 + ["block"] * 3
    assert manifest["fingerprint"] == checkpoint.fingerprint
    assert manifest["pack_hash"] == checkpoint.pack_hash
    assert (manifest["sampler"], manifest["steps"], manifest["guidance"]) == ("dpm++2m", 3, 2.0)


def test_every_picture_says_how_it_was_drawn(checkpoint: Checkpoint, tmp_path: Path) -> None:
    draw(checkpoint, replace(CONFIG, seed=40), tmp_path)
    with Image.open(tmp_path / "00004.png") as image:
        assert dict(image.info) == {
            "seed": "44",
            "label": "1",
            "label_name": "block",
            "fingerprint": checkpoint.fingerprint,
            "sampler": "dpm++2m",
            "steps": "3",
            "spacing": "karras",
            "guidance": "2.0",
            "guidance_from": "0.0",
            "guidance_to": "None",
            "rescale": "0.0",
            "orthogonal": "False",
            "precision": "auto",
        }


@pytest.mark.parametrize(
    ("sampler", "options", "told"),
    [
        ("ddim", SolverOptions(eta=0.25), {"eta": "0.25", "spacing": "linear"}),
        ("dpm++2m-sde", SolverOptions(), {"eta": "1.0"}),
        ("heun", SolverOptions(churn=4.0, churn_to=9.0), {"churn": "4.0", "churn_to": "9.0"}),
        ("unipc", SolverOptions(order=2), {"order": "2"}),
    ],
)
def test_a_picture_says_which_options_its_sampler_had(
    checkpoint: Checkpoint,
    tmp_path: Path,
    sampler: str,
    options: SolverOptions,
    told: dict[str, str],
) -> None:
    guidance = Guidance(scale=3.0, sigma_from=0.5, sigma_to=4.0, rescale=0.7, orthogonal=True)
    sampling = Sampling(sampler=sampler, steps=2, options=options, guidance=guidance)
    draw(checkpoint, DrawConfig(sampling=sampling, count=1, device="cpu"), tmp_path)
    told |= {"sampler": sampler, "guidance": "3.0", "guidance_from": "0.5", "guidance_to": "4.0"}
    told |= {"rescale": "0.7", "orthogonal": "True"}
    with Image.open(tmp_path / "00000.png") as image:
        assert told.items() <= image.info.items()


@pytest.mark.parametrize("sampler", ["ddpm", "dpm++2m"])
def test_a_picture_s_seed_alone_decides_it(
    checkpoint: Checkpoint, tmp_path: Path, sampler: str
) -> None:
    config = replace(CONFIG, sampling=replace(QUICK, sampler=sampler), labels=("bar",))
    draw(checkpoint, config, tmp_path / "together")
    draw(checkpoint, replace(config, batch=1), tmp_path / "alone")
    draw(checkpoint, replace(config, seed=4, count=1), tmp_path / "fifth")
    for number in range(6):
        name = f"{number:05d}.png"
        apart = pixels(tmp_path / "together" / name) - pixels(tmp_path / "alone" / name)
        assert np.abs(apart).max() <= 1
    fifth = pixels(tmp_path / "together" / "00004.png")
    assert np.abs(pixels(tmp_path / "fifth" / "00000.png") - fifth).max() <= 1
    assert np.abs(pixels(tmp_path / "together" / "00003.png") - fifth).max() > 1


def test_nothing_is_drawn_twice(checkpoint: Checkpoint, tmp_path: Path) -> None:
    draw(checkpoint, CONFIG, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert draw(checkpoint, replace(CONFIG, batch=2), tmp_path).drawn == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_partly_drawn_folder_is_gone_on_with(checkpoint: Checkpoint, tmp_path: Path) -> None:
    draw(checkpoint, CONFIG, tmp_path)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("00003.png", "00005.png", "manifest.json"):
        (tmp_path / name).unlink()
    (tmp_path / "00001.png").write_bytes(whole["00001.png"][:60])
    kept = (tmp_path / "00002.png").stat().st_mtime_ns
    assert draw(checkpoint, CONFIG, tmp_path).drawn == 3
    assert (tmp_path / "00002.png").stat().st_mtime_ns == kept
    assert {path.name for path in tmp_path.iterdir()} == whole.keys()
    for number in range(6):
        with Image.open(tmp_path / f"{number:05d}.png") as image:
            assert image.info["seed"] == str(number)


def test_an_interrupted_drawing_has_no_manifest_and_loses_nothing(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, CONFIG, tmp_path)
    (tmp_path / "00002.png").unlink()
    (tmp_path / "00005.png").unlink()
    # No room for the sixth picture: a folder bars its way.
    (tmp_path / "00005.png").mkdir()
    with pytest.raises(OSError, match="directory"):
        draw(checkpoint, CONFIG, tmp_path)
    assert "manifest.json" not in names(tmp_path)
    assert "00002.png" in names(tmp_path)
    (tmp_path / "00005.png").rmdir()
    assert draw(checkpoint, CONFIG, tmp_path).drawn == 1
    assert "manifest.json" in names(tmp_path)


@pytest.mark.slow
def test_a_killed_drawing_is_gone_on_with_and_no_picture_is_torn(run: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sample", "draw", str(run), "--out", str(tmp_path)]
    command += ["--count", "200", "--steps", "2", "--batch", "4", "--device", "cpu"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (tmp_path / "00020.png").exists() and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    drawn = {path: path.stat().st_mtime_ns for path in tmp_path.glob("0*.png")}
    assert 20 < len(drawn) < 200
    for path in drawn:
        assert pixels(path).shape == (8, 8, 3)
    assert not (tmp_path / "manifest.json").exists()
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "manifest.json").exists()
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn


@pytest.mark.parametrize(
    "change",
    [
        {"sampling": replace(QUICK, steps=4)},
        {"sampling": replace(QUICK, guidance=Guidance(scale=1.0))},
        {"sampling": replace(QUICK, guidance=Guidance(scale=2.0, orthogonal=True))},
        {"sampling": replace(QUICK, sampler="ddpm")},
        {"sampling": replace(QUICK, spacing="logsnr")},
        {"seed": 1},
        {"count": 4},
    ],
)
def test_pictures_drawn_otherwise_are_replaced_only_on_demand(
    checkpoint: Checkpoint, tmp_path: Path, change: dict[str, object]
) -> None:
    draw(checkpoint, CONFIG, tmp_path)
    (tmp_path / "report.html").write_text("about the old pictures")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = replace(CONFIG, **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="--replace"):
        draw(checkpoint, other, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    draw(checkpoint, other, tmp_path, replace=True)
    assert "report.html" not in names(tmp_path)
    assert len(names(tmp_path)) == other.count + 2


def test_foreign_pictures_are_never_overwritten_silently(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "00000.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "holiday.png")
    with pytest.raises(ConfigError, match=r"00000\.png"):
        draw(checkpoint, CONFIG, tmp_path)
    draw(checkpoint, CONFIG, tmp_path, replace=True)
    assert "holiday.png" in names(tmp_path)


def test_more_of_the_same_class_goes_on_from_what_is_there(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    config = replace(CONFIG, labels=("bar",))
    draw(checkpoint, config, tmp_path)
    assert draw(checkpoint, replace(config, count=9), tmp_path).drawn == 3


def test_the_plan_spreads_pictures_over_classes() -> None:
    classes = ["a", "b", "c"]
    spread = plan_pictures(DrawConfig(count=7), classes)
    assert [picture.label_name for picture in spread] == list("aaabbcc")
    each = plan_pictures(DrawConfig(per_class=2), classes)
    assert [picture.label for picture in each] == [0, 0, 1, 1, 2, 2]
    some = plan_pictures(DrawConfig(per_class=1, labels=("c", "a", "c")), classes)
    assert [picture.label_name for picture in some] == ["c", "a"]
    few = plan_pictures(DrawConfig(count=2), classes)
    assert [picture.label_name for picture in few] == ["a", "b"]


def test_a_model_without_classes_draws_without(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5", labelled=False, shape=(1, 8, 8))
    outcome = train(tiny_config(pack, images=16), tmp_path / "runs")
    checkpoint = load_checkpoint(outcome.checkpoint)
    done = draw(checkpoint, replace(CONFIG, count=2), default_folder(checkpoint))
    assert done.folder == tmp_path / "runs" / "test" / "samples"
    assert pixels(done.folder / "00000.png").shape == (8, 8)
    with pytest.raises(ConfigError, match="without classes"):
        draw(checkpoint, replace(CONFIG, labels=("dog",)), tmp_path / "x")


def test_a_network_that_hears_no_classes_is_asked_for_none(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    deaf = replace(checkpoint, config=replace(checkpoint.config, network="favicon"))
    assert known_labels(checkpoint) == ["bar", "block"]
    assert known_labels(deaf) == []
    with pytest.raises(ConfigError, match="without classes"):
        draw(deaf, replace(CONFIG, labels=("bar",)), tmp_path / "x")


def test_an_autoencoder_draws_from_its_prior(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5")
    small = {"base_channels": 8, "multipliers": [1, 2], "blocks": 1}
    outcome = train(tiny_config(pack, kind="vae", images=16, vae=small), tmp_path / "runs")
    checkpoint = load_checkpoint(outcome.checkpoint)
    done = draw(checkpoint, replace(CONFIG, count=3), tmp_path / "s")
    assert done.drawn == 3
    with Image.open(done.folder / "00001.png") as image:
        expected = {"seed": "1", "label": "-1", "label_name": "", "sampler": "prior"}
        assert dict(image.info) == {**expected, "fingerprint": checkpoint.fingerprint}
    assert draw(checkpoint, replace(CONFIG, count=3), tmp_path / "s").drawn == 0
    with pytest.raises(ConfigError, match="without classes"):
        draw(checkpoint, replace(CONFIG, labels=("bar",)), tmp_path / "x")


def test_a_model_that_enlarges_does_not_draw(checkpoint: Checkpoint, tmp_path: Path) -> None:
    config = replace(checkpoint.config, upscale=UpscaleConfig(from_size=4))
    with pytest.raises(ConfigError, match="enlarges"):
        draw(replace(checkpoint, config=config), CONFIG, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_an_unknown_class_names_the_nearest(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean block"):
        draw(checkpoint, replace(CONFIG, labels=("blok",)), tmp_path / "s")
    with pytest.raises(ConfigError, match="bar, block"):
        draw(checkpoint, replace(CONFIG, labels=("zebra",)), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_more_steps_than_the_model_has_are_refused_before_drawing(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="steps"):
        draw(checkpoint, replace(CONFIG, sampling=replace(QUICK, steps=5000)), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_sheet_shows_every_picture_magnified(checkpoint: Checkpoint, tmp_path: Path) -> None:
    draw(checkpoint, replace(CONFIG, count=26), tmp_path)  # 13 of each class: two rows each
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape[0] >= 4 * 96
    assert sheet.shape[1] >= 12 * 96
    for number in (0, 12, 25):  # the first of a row
        one = pixels(tmp_path / f"{number:05d}.png").repeat(12, axis=0).repeat(12, axis=1)
        tops = range(sheet.shape[0] - 95)
        assert any((sheet[top : top + 96, 16:112] == one).all() for top in tops)


def test_another_sheet_is_made_of_the_same_pictures(checkpoint: Checkpoint, tmp_path: Path) -> None:
    draw(checkpoint, CONFIG, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("0*.png")}
    sheet = pixels(tmp_path / "sheet.png")
    plain = replace(CONFIG, sheet=SheetConfig(style="plain", columns=2))
    assert draw(checkpoint, plain, tmp_path).drawn == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("0*.png")} == before
    assert pixels(tmp_path / "sheet.png").shape != sheet.shape
    assert json.loads((tmp_path / "manifest.json").read_text())["sheet"]["style"] == "plain"


def test_the_manifest_names_the_run_and_how_its_pictures_were_changed(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    warped = replace(
        checkpoint.config, flip=True, augment=AugmentConfig(probability=0.2, rotation=0.0)
    )
    told = origin(replace(checkpoint, config=warped))
    draw(checkpoint, CONFIG, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["training"] == origin(checkpoint)["training"]
    assert manifest["training"]["augment"]["probability"] == 0.0
    assert manifest["run"] == str(checkpoint.run)
    assert manifest["checkpoint"] == str(checkpoint.path)
    assert told["training"]["flip"] is True
    augment = told["training"]["augment"]
    assert (augment["probability"], augment["rotation"], augment["x_flip"]) == (0.2, 0.0, True)


def test_numbers_that_are_not_finite_are_drawn_and_counted(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    shutil.copytree(checkpoint.path, tmp_path / "c")
    model = tmp_path / "c" / "model.safetensors"
    weights = load_file(model)
    save_file({name: torch.full_like(w, torch.nan) for name, w in weights.items()}, model)
    denoiser = replace(checkpoint, path=tmp_path / "c").denoiser("cpu")
    pictures, broken = draw_batch(denoiser, plan_pictures(CONFIG, ["bar", "block"]), CONFIG)
    assert broken == 6
    assert pictures.std() == 0


def test_a_damaged_checkpoint_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    shutil.copytree(checkpoint.path, tmp_path / "c")
    model = tmp_path / "c" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-8])
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 0),
        ("count", 10_000_001),
        ("per_class", -1),
        ("batch", -1),
        ("seed", -1),
        ("seed", 2**62),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        DrawConfig(**{name: value})  # type: ignore[arg-type]
