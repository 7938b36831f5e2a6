"""The evaluation whole: which set is better, the same bits again, and what is refused."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.compared_sets import Source, sources
from sample.draw import DrawConfig
from sample.evaluate import EvaluateConfig, Evaluation, evaluate
from sample.evaluation_table import table_lines
from tests.sample.drawings import drawings, save_pictures
from tests.sample.tiny_encoders import build_clip, build_dinov2, inception_weights
from train.drawing import Sampling

NEW = range(1000, 1060)  # drawn like the pack's, and not in it


def folders(*paths: Path) -> list[Source]:
    return sources(paths, [Sampling()], DrawConfig(), Path("unused"))


def config(**changes: Any) -> EvaluateConfig:
    return EvaluateConfig(**({"count": 60, "replicates": 10} | changes))


def figures(done: Evaluation, name: str, space: str = "outline") -> dict[str, Any]:
    (row,) = [one for one in done.record["sets"] if one["name"] == name]
    found: dict[str, Any] = row["figures"][space]
    return found


def blurred(pictures: Pixels) -> Pixels:
    soft = ImageFilter.GaussianBlur(1.0)
    return np.stack([np.asarray(Image.fromarray(picture).filter(soft)) for picture in pictures])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of new drawings, blurred ones, and ones of a single kind."""
    folder = tmp_path_factory.mktemp("drawn")
    save_pictures(folder / "new", drawings(NEW))
    save_pictures(folder / "blurred", blurred(drawings(NEW)))
    save_pictures(folder / "same", np.repeat(drawings([1001]), 60, axis=0))
    return folder


@pytest.fixture(scope="module")
def compared(
    pack: PackedDataset, drawn: Path, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    three = folders(*(drawn / name for name in ("new", "blurred", "same")))
    return evaluate(three, pack.path, config(), tmp_path_factory.mktemp("out"), device="cpu")


def test_new_drawings_are_as_near_as_real_ones_and_damaged_ones_are_not(
    compared: Evaluation, drawn: Path
) -> None:
    name = drawn.name
    real, new = figures(compared, "other training pictures"), figures(compared, f"{name}/new")
    soft, same = figures(compared, f"{name}/blurred"), figures(compared, f"{name}/same")
    assert new["kid"]["low"] < real["kid"]["high"]
    assert soft["kid"]["low"] > max(new["kid"]["value"], real["kid"]["value"])
    assert same["recall"]["value"] == 0.0
    assert new["recall"]["low"] > same["recall"]["high"] > 0.0  # none of 60 is not surely none
    assert new["coverage"]["value"] > same["coverage"]["value"]
    for figure in (*real.values(), *new.values(), *soft.values()):
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_real_pictures_come_first_with_their_number(compared: Evaluation) -> None:
    rows = compared.record["sets"]
    assert [one["real"] for one in rows] == [True, True, False, False, False]
    assert [one["name"] for one in rows[:2]] == ["other training pictures", "held-out pictures"]
    assert {one["n"] for one in rows} == {60}
    assert compared.record["n"] == 60


def test_too_few_for_the_frechet_distance_are_told_why_and_get_the_others(
    compared: Evaluation,
) -> None:
    (space,) = compared.record["spaces"]
    assert "fid" not in space["metrics"]
    assert space["metrics"][0] == "kid"
    assert "FD needs more than 117 pictures" in space["refused"]["fid"]
    text = "\n".join(table_lines(compared.record))
    assert "FD needs more than 117 pictures of each set" in text
    assert "KD ×1000 ↓" in text


def test_a_plot_and_a_record_are_left(compared: Evaluation) -> None:
    with Image.open(compared.plot) as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
    kept = json.loads((compared.folder / "evaluation.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(compared.record))
    assert kept["made_with"]["resized_by"] == "Pillow bicubic, float"


def test_the_same_pictures_give_the_same_bytes(
    compared: Evaluation, pack: PackedDataset, drawn: Path, tmp_path: Path
) -> None:
    three = folders(*(drawn / name for name in ("new", "blurred", "same")))
    again = evaluate(three, pack.path, config(), tmp_path, device="cpu")
    for name in ("evaluation.json", "evaluation.png"):
        assert (again.folder / name).read_bytes() == (compared.folder / name).read_bytes()
    once_more = evaluate(three, pack.path, config(), tmp_path, device="cpu")  # of kept vectors
    assert once_more.record == again.record
    other = evaluate(three, pack.path, config(seed=1), tmp_path / "other", device="cpu")
    assert other.record["sets"] != again.record["sets"]


def test_copies_of_the_training_set_look_perfect_and_the_table_says_so(
    pack: PackedDataset, tmp_path: Path
) -> None:
    copies = save_pictures(tmp_path / "copies", drawings(range(120)))
    done = evaluate(folders(copies), pack.path, config(), tmp_path / "out", device="cpu")
    assert figures(done, f"{tmp_path.name}/copies")["coverage"]["value"] > 0.9
    assert table_lines(done.record)[-1] == "copies score best of all: see python -m sample novelty"


def test_held_out_pictures_may_be_the_reference(
    pack: PackedDataset, drawn: Path, tmp_path: Path
) -> None:
    wanted = config(against="held-out", metrics=("kid",))
    done = evaluate(folders(drawn / "new"), pack.path, wanted, tmp_path, device="cpu")
    assert done.record["n"] == 45  # half of 90
    assert done.record["reference"] == "held-out pictures"
    names = [one["name"] for one in done.record["sets"]]
    assert names[:2] == ["other held-out pictures", "training pictures"]


def test_the_smallest_set_decides_the_number(
    pack: PackedDataset, drawn: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = save_pictures(tmp_path / "few", drawings(range(2000, 2020)))
    done = evaluate(folders(drawn / "new", few), pack.path, config(), tmp_path / "o", device="cpu")
    assert done.record["n"] == 20
    assert "20 pictures of each set are compared" in caplog.text
    assert "there are no more in " in caplog.text


@pytest.mark.parametrize("metrics", [("fid",)])
def test_nothing_but_what_is_refused_is_an_error(
    pack: PackedDataset, drawn: Path, tmp_path: Path, metrics: Sequence[str]
) -> None:
    wanted = config(metrics=metrics)
    with pytest.raises(DataError, match=r"needs more than 117 pictures .* there are 60") as error:
        evaluate(folders(drawn / "new"), pack.path, wanted, tmp_path, device="cpu")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "evaluation.json").exists()


def black() -> Pixels:
    return np.zeros((12, 32, 32, 3), np.uint8)


def large() -> Pixels:
    return drawings(range(12), 90)


@pytest.mark.parametrize("pictures", [black(), large()], ids=["black", "larger"])
def test_odd_pictures_get_honest_figures(
    pack: PackedDataset, tmp_path: Path, pictures: Pixels
) -> None:
    folder = save_pictures(tmp_path / "odd", pictures)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    done = evaluate(folders(folder), pack.path, config(), tmp_path / "out", device="cpu")
    assert done.record["n"] == 12
    assert done.record["sets"][-1]["facts"]["unreadable"] == 1
    values = figures(done, f"{tmp_path.name}/odd")
    assert all(np.isfinite(one["value"]) for one in values.values())
    assert (values["coverage"]["value"] == 0.0) == (not pictures.any())


def test_too_few_pictures_are_refused(pack: PackedDataset, tmp_path: Path) -> None:
    few = save_pictures(tmp_path / "few", drawings(range(5)))
    with pytest.raises(DataError, match="few has 5 pictures, too few to compare; it takes 6"):
        evaluate(folders(few), pack.path, config(), tmp_path / "out", device="cpu")
    for path in few.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="holds no picture that can be read"):
        evaluate(folders(few), pack.path, config(), tmp_path / "out", device="cpu")


def test_a_pack_of_three_pictures_is_refused(tmp_path: Path, drawn: Path) -> None:
    from tests.sample.drawings import write_drawn_pack

    three = write_drawn_pack(tmp_path / "three.h5", train=3, cal=0, test=0)
    with pytest.raises(DataError, match="too few train pictures to compare with; it takes 12"):
        evaluate(folders(drawn / "new"), three, config(), tmp_path / "out", device="cpu")


def test_without_matplotlib_the_figures_are_kept(
    pack: PackedDataset,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "evaluation.png").write_bytes(b"of an earlier one")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    new = folders(drawn / "new")
    done = evaluate(new, pack.path, config(metrics=("kid",)), tmp_path, device="cpu")
    assert not done.plot.exists()
    assert "no plot: plots need matplotlib" in caplog.text
    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["n"] == 60


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spaces": ("vgg",)}, "unknown space 'vgg'"),
        ({"spaces": ()}, "spaces is"),
        ({"metrics": ("fod",)}, "metrics is 'fod'"),
        ({"count": 5}, "count is 5"),
        ({"replicates": 1}, "replicates is 1"),
        ({"caption_as": "a dog"}, "must hold"),
        ({"metrics": ("clip",)}, "needs the space of a CLIP"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config(**changes)


def test_spaces_of_learnt_models_stand_side_by_side(
    pack: PackedDataset, drawn: Path, tmp_path: Path
) -> None:
    clip, dinov2 = build_clip(tmp_path / "clip"), build_dinov2(tmp_path / "dino")
    spaces = (f"clip={clip}", f"dinov2={dinov2}", "patches")
    new = shutil.copytree(drawn / "new", tmp_path / "new")
    listed = [
        {"file": path.name, "seed": 0, "label_name": ("round", "angular")[row % 2]}
        for row, path in enumerate(sorted(new.glob("*.png")))
    ]
    (new / "manifest.json").write_text(json.dumps({"pictures": listed}))
    wanted = config(spaces=spaces, caption_as="a photo of {label}", replicates=4)
    done = evaluate(folders(new), pack.path, wanted, tmp_path / "out", device="cpu")
    assert [space["dim"] for space in done.record["spaces"]] == [12, 16, 30]
    name = f"{tmp_path.name}/new"
    first = figures(done, name, spaces[0])
    assert {"fid", "kid", "clip", "clip_shuffled"} <= set(first)
    assert "clip" not in figures(done, name, spaces[1])
    assert "fid" in figures(done, name, spaces[2])
    assert 0.0 <= first["clip"]["value"] <= 100.0
    text = "\n".join(table_lines(done.record))
    assert "CLIP score ↑" in text
    assert "FD ↓" in text
    assert "FID" not in text  # that is the name in one space alone


def test_without_captions_the_clip_score_says_what_is_missing(
    pack: PackedDataset, drawn: Path, tmp_path: Path
) -> None:
    wanted = config(spaces=(f"clip={build_clip(tmp_path / 'clip')}",), replicates=2)
    done = evaluate(folders(drawn / "new"), pack.path, wanted, tmp_path / "out", device="cpu")
    assert "clip" not in figures(done, f"{drawn.name}/new", wanted.spaces[0])
    missing = [line for line in table_lines(done.record) if "needs captions" in line]
    assert [line.split(": ")[0] for line in missing] == [f"– {drawn.name}/new"]
    # The pack's own pictures have captions: they have a score.
    assert "clip" in figures(done, "other training pictures", wanted.spaces[0])


def test_inception_is_refused_for_few_pictures_and_gives_the_kernel_distance(
    pack: PackedDataset, drawn: Path, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    save_file(inception_weights(), tmp_path / "w.safetensors")
    space = f"inception={tmp_path / 'w.safetensors'}"
    wanted = config(spaces=(space,), metrics=("fid", "kid"), count=6, replicates=2)
    done = evaluate(folders(drawn / "new"), pack.path, wanted, tmp_path / "out", device="cpu")
    assert set(figures(done, f"{drawn.name}/new", space)) == {"kid"}
    reason = done.record["spaces"][0]["refused"]["fid"]
    assert "more than 2048 pictures of each set" in reason
    assert "there are 6" in reason
