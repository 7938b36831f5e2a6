"""The commands: what they print, and with what they exit."""

import json
import shutil
from pathlib import Path

import pytest

from dataset.packed import PackedDataset
from sample.cli import main
from tests.sample.drawings import drawings, save_pictures, write_drawn_pack

FEW = ["--steps", "2", "--device", "cpu", "--progress", "quiet"]
QUICK = ["--set", "audit=1", "--progress", "quiet"]


def test_draw_then_check_then_sum_up(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["draw", str(run), "--per-class", "2", "--out", str(out), *FEW]) == 0
    assert "4 of 4 pictures drawn" in capsys.readouterr().out
    assert main(["draw", str(run), "--per-class", "2", "--out", str(out), *FEW]) == 0
    assert "already drawn" in capsys.readouterr().out
    pack = run.parents[1] / "pack.h5"
    assert main(["novelty", str(out), "--packed", str(pack), *QUICK]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == str(out / "report.html")
    assert main(["novelty", str(out), "--packed", str(pack), *QUICK]) == 0
    assert "already checked" in capsys.readouterr().out
    summary = ["summary", "--data", str(tmp_path), "--run", str(run), "--samples", str(out)]
    assert main(summary) == 0
    told = capsys.readouterr()
    assert str((out / "report.html").resolve()) in told.out
    assert "48 images seen" in told.out
    assert main([*summary, "--json"]) == 0
    assert {part["name"] for part in json.loads(capsys.readouterr().out)} >= {"trained", "report"}


def test_strict_exits_3_on_a_copy_and_0_without(
    small_pack: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--packed", str(small_pack.path), "--strict", *QUICK]
    copies = save_pictures(tmp_path / "copies", drawings([1, 2, 9000]))
    assert main(["novelty", str(copies), *arguments]) == 3
    assert "2 of the pictures" in capsys.readouterr().err
    assert (copies / "report.html").is_file()
    assert main(["novelty", str(copies), *arguments]) == 3  # already checked, still copies
    new = save_pictures(tmp_path / "new", drawings([9000]))
    assert main(["novelty", str(new), *arguments]) == 0


def test_json_is_the_record(
    small_pack: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_pictures(tmp_path / "s", drawings([9000]))
    arguments = ["novelty", str(folder), "--packed", str(small_pack.path), "--json", "--k", "2"]
    assert main([*arguments, *QUICK]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((folder / "novelty.json").read_text("utf-8"))
    assert len(record["pictures"][0]["neighbours"]) == 2


def test_dry_runs_write_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", str(run), "--dry-run", "--out", str(tmp_path / "s")]) == 0
    assert "would draw 64 pictures" in capsys.readouterr().out
    assert main(["novelty", "anywhere", "--packed", "any.h5", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["k"] == 3
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_drawing_reaches_the_manifest(run: Path, tmp_path: Path) -> None:
    arguments = ["--sampler", "heun", "--spacing", "logsnr", "--guidance", "3", "--orthogonal"]
    arguments += ["--guidance-between", "0.1", "9", "--rescale", "0.5", "--precision", "float32"]
    arguments += ["--churn", "4", "--churn-between", "0.2", "7", "--churn-noise", "1.003"]
    assert main(["draw", str(run), "--count", "1", "--out", str(tmp_path), *arguments, *FEW]) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert (
        manifest.items()
        >= {
            "sampler": "heun",
            "steps": 2,
            "spacing": "logsnr",
            "churn": 4.0,
            "churn_from": 0.2,
            "churn_to": 7.0,
            "churn_noise": 1.003,
            "guidance": 3.0,
            "guidance_from": 0.1,
            "guidance_to": 9.0,
            "rescale": 0.5,
            "orthogonal": True,
            "precision": "float32",
        }.items()
    )
    options = ["--sampler", "unipc", "--order", "2", "--replace"]
    assert main(["draw", str(run), "--count", "1", "--out", str(tmp_path), *options, *FEW]) == 0
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8"))["order"] == 2
    options = ["--sampler", "dpm++2m-sde", "--eta", "0.5", "--replace"]
    assert main(["draw", str(run), "--count", "1", "--out", str(tmp_path), *options, *FEW]) == 0
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8"))["eta"] == 0.5


def test_a_range_without_an_upper_end_is_drawn_and_recorded_as_json_has_it(
    run: Path, tmp_path: Path
) -> None:
    arguments = ["--sampler", "heun", "--churn", "4", "--churn-between", "0", "inf"]
    arguments += ["--guidance-between", "0.1", "inf"]
    assert main(["draw", str(run), "--count", "1", "--out", str(tmp_path), *arguments, *FEW]) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert (manifest["churn_to"], manifest["guidance_to"]) == (None, None)


@pytest.mark.parametrize(
    "given", [["--steps", "5000"], ["--label", "bat"], ["--from", "absent.png"]]
)
def test_a_dry_run_refuses_what_drawing_would(
    run: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", str(run), "--dry-run", *given]) == 2
    assert capsys.readouterr().out == ""


def test_a_checkpoint_may_be_given_from_inside_its_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree(run, tmp_path / "run")
    (newest,) = (copied / "checkpoints").glob("*48")
    monkeypatch.chdir(newest)
    assert main(["draw", ".", "--count", "1", *FEW]) == 0
    assert (copied / "samples" / "00000.png").is_file()


def test_draw_json(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["draw", str(run), "--count", "1", "--out", str(tmp_path), "--json", *FEW]
    assert main(arguments) == 0
    expected = {"folder": str(tmp_path), "pictures": 1, "drawn": 1}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["draw", "{missing}"], 2, "no checkpoint at"),
        (["draw", "{empty}"], 2, "no finished checkpoint"),
        (["draw", "{damaged}"], 3, "damaged"),
        (["draw", "{run}", "--label", "bat"], 2, "did you mean bar"),
        (["draw", "{run}", "--steps", "100000"], 2, "steps"),
        (["draw", "{run}", "--count", "0"], 2, "count"),
        (["draw", "{run}", "--per-class", "0"], 2, "per_class is 0; it must be from 1"),
        (["draw", "{run}", "--steps", "0"], 2, "steps"),
        (["draw", "{run}", "--guidance", "-1"], 2, "guidance"),
        (["draw", "{run}", "--guidance-between", "3", "2"], 2, "sigma_from"),
        (["draw", "{run}", "--rescale", "1.5"], 2, "rescale"),
        (["draw", "{run}", "--eta", "nan"], 2, "eta"),
        (["draw", "{run}", "--churn", "-2"], 2, "churn"),
        (["draw", "{run}", "--eta", "0.5"], 2, "eta is of sampler ddim and dpm++2m-sde"),
        (["draw", "{run}", "--sampler", "ddim", "--churn", "4"], 2, "churn is of sampler heun"),
        (["draw", "{run}", "--sampler", "ddpm", "--order", "2"], 2, "order is of sampler unipc"),
        (["draw", "{run}", "--churn-between", "1", "1"], 2, "churn_from"),
        (["novelty", "{missing}", "--packed", "{pack}"], 2, "no folder"),
        (["novelty", "{empty}", "--packed", "{pack}"], 3, "no pictures"),
        (["novelty", "{samples}", "--packed", "{missing}"], 2, "no pack"),
        (["novelty", "{samples}", "--packed", "{samples}/000.png"], 3, "HDF5"),
        (
            ["novelty", "{samples}", "--packed", "{pack}", "--set", "lvel=1"],
            2,
            "did you mean level",
        ),
        (["novelty", "{samples}", "--packed", "{pack}", "--set", "level=5"], 2, "level"),
        (["novelty", "{samples}", "--packed", "{pack}", "--k", "0"], 2, "k is 0"),
    ],
)
def test_failures_are_one_line_and_their_code(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (newest,) = (run / "checkpoints").glob("*48")
    shutil.copytree(newest, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"damaged")
    places = {
        "missing": tmp_path / "missing",
        "empty": tmp_path / "empty",
        "damaged": tmp_path / "damaged",
        "run": run,
        "samples": save_pictures(tmp_path / "samples", drawings([1])),
        "pack": write_drawn_pack(tmp_path / "p.h5", train=4, cal=0, test=0),
    }
    before = sorted(run.rglob("*"))
    assert main([argument.format(**places) for argument in arguments]) == code
    told = capsys.readouterr()
    (line,) = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert said in line
    assert told.out == ""
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["draw"],
        ["novelty", "x"],
        ["draw", "x", "--sampler", "no"],
        ["draw", "x", "--spacing", "no"],
        ["draw", "x", "--order", "4"],
        ["paint"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
