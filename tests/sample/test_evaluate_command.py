"""`sample evaluate`: checkpoints and samplers drawn, gone on with, compared; wrong usage."""

import json
import shutil
from pathlib import Path

import pytest

from sample.cli import main
from sample.compared_sets import default_folder, sources
from sample.draw import DrawConfig
from sample.evaluate_command import tried
from tests.train.drawn_pack import tiny_config
from tests.train.drawn_pack import write_drawn_pack as write_training_pack
from train.drawing import Sampling
from train.loop import train

QUICK = ["--progress", "quiet", "--device", "cpu", "--set", "replicates=4", "--count", "12"]


@pytest.fixture(scope="module")
def pack(run: Path) -> Path:
    return run.parents[1] / "pack.h5"


def test_checkpoints_and_samplers_are_drawn_and_compared(
    run: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ["evaluate", str(run), "--packed", str(pack), "--out", str(out), "--all-checkpoints"]
    asked += ["--try", "ddim:2", "--try", "euler:2:1", *QUICK]
    assert main(asked) == 0
    told = capsys.readouterr().out
    for name in ("test 24 ddim:2", "test 48 ddim:2", "test 24 euler:2", "real: other training"):
        assert name in told
    assert told.splitlines()[-2:] == [str(out / "evaluation.png"), str(out / "evaluation.json")]
    drawn = sorted((out / "drawn").iterdir())
    assert len(drawn) == 4
    assert all(len(list(folder.glob("0*.png"))) == 12 for folder in drawn)
    # Asked again, all is there already: pictures and vectors are kept.
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    first = (out / "evaluation.json").read_bytes()
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(first)
    assert (out / "evaluation.json").read_bytes() == first
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    changed = {path.name for path in after if before.get(path) != after[path]}
    assert changed == {"evaluation.json", "evaluation.png"}


def test_the_record_says_how_each_set_was_drawn(run: Path, pack: Path, tmp_path: Path) -> None:
    asked = ["evaluate", str(run), "--packed", str(pack), "--out", str(tmp_path)]
    assert main([*asked, "--steps", "2", "--sampler", "ddim", *QUICK]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    facts = record["sets"][-1]["facts"]
    assert (facts["sampler"], facts["steps"], facts["images_seen"]) == ("ddim", 2, 48)
    assert facts["trained_on_this_pack"] is True
    assert facts["available"] == 12
    assert record["config"]["replicates"] == 4


def test_a_class_alone_meets_its_own_real_pictures_and_no_more_is_drawn_than_can_be_compared(
    run: Path, pack: Path, tmp_path: Path
) -> None:
    asked = ["evaluate", str(run), "--packed", str(pack), "--out", str(tmp_path), "--label", "bar"]
    assert main([*asked, "--steps", "2", *QUICK, "--count", "400"]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    assert record["reference"] == "training pictures of bar"
    assert record["config"]["labels"] == ["bar"]
    assert 6 <= record["n"] < 400
    assert len(list(tmp_path.glob("drawn/*/0*.png"))) == record["n"]


def test_the_clip_score_alone_may_be_asked_for_with_its_space_on_the_command_line(
    run: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(run), "--packed", str(pack), "--set", 'metrics=["clip"]', "--dry-run"]
    assert main([*asked, "--space", "clip=/no/where"]) == 0
    assert main(asked) == 2
    assert "add --space clip=MODEL" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_done(
    run: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(run), "--packed", str(pack), "--out", str(tmp_path / "out")]
    assert main([*asked, "--dry-run", *QUICK]) == 0
    told = capsys.readouterr().out
    assert '"replicates": 4' in told
    assert "would draw test 48 dpm++2m:20" in told
    assert not (tmp_path / "out").exists()


def test_latents_of_an_autoencoder_are_a_space_and_its_pictures_can_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = write_training_pack(tmp_path / "pack.h5")
    small = {"base_channels": 8, "multipliers": [1, 2], "blocks": 1}
    run = train(tiny_config(pack, kind="vae", images=16, vae=small), tmp_path / "runs").run
    asked = ["evaluate", str(run), "--packed", str(pack), "--space", f"vae={run}", *QUICK]
    assert main([*asked, "--try", "ddim:2", "--try", "heun:2"]) == 0
    told = capsys.readouterr().out
    assert "in the space vae " in told
    assert told.count(" prior") == 1  # samplers are of no concern to it
    assert (run / "evaluation" / "evaluation.png").is_file()


def test_ways_to_draw_are_read() -> None:
    usual = Sampling()
    assert tried([], usual) == [usual]
    ddim, heun = tried(["ddim:50", "heun:18:1.5", "ddim:50"], usual)
    assert (ddim.sampler, ddim.steps, ddim.guidance) == ("ddim", 50, usual.guidance)
    assert (heun.sampler, heun.steps, heun.guidance.scale) == ("heun", 18, 1.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--try", "ddim"], "--try ddim is no SAMPLER:STEPS"),
        (["--try", "ddim:many"], "is no SAMPLER:STEPS"),
        (["--try", "ddim:2:3:4"], "is no SAMPLER:STEPS"),
        (["--try", "dream:2"], "sampler is 'dream'"),
        (["--try", "ddim:0"], "steps is 0"),
        (["--space", "vgg"], "unknown space 'vgg'"),
        (["--space", "inception=none.pth"], "cannot read the weights of Inception at none.pth"),
        (["--space", "clip=/no/where"], "no model folder at /no/where"),
        (["--set", "metrics=fod"], "metrics"),
        (["--label", "cat"], "has no class 'cat'; its classes: "),
        (["--packed", "none.h5"], "none.h5"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_2(
    run: Path,
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    asked = ["evaluate", str(run), "--packed", str(pack), "--out", str(tmp_path / "out"), *QUICK]
    assert main([*asked, *arguments]) == 2
    told = capsys.readouterr().err.strip()
    assert words in told
    assert told.startswith("error: ")
    assert len(told.splitlines()) == 1


def test_paths_that_are_nothing_or_given_twice_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = ["--packed", str(run.parents[1] / "pack.h5")]
    assert main(["evaluate", str(tmp_path / "none"), *pack]) == 2
    assert "give a run, a checkpoint or a folder of pictures" in capsys.readouterr().err
    latest = run / "checkpoints" / "000000048"
    out = ["--out", str(tmp_path / "out")]
    assert main(["evaluate", str(run), str(latest), *pack, *out]) == 2
    assert "is given twice; leave one out" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), *pack]) == 3
    assert "holds no pictures" in capsys.readouterr().err


def test_an_evaluation_lies_beside_what_was_evaluated_and_never_in_a_checkpoint(
    run: Path, tmp_path: Path
) -> None:
    assert default_folder(run) == run / "evaluation"
    assert default_folder(tmp_path / "samples") == tmp_path / "samples" / "evaluation"
    latest = sorted((run / "checkpoints").iterdir())[-1]
    assert default_folder(latest) == run.resolve() / "evaluation"


def test_folders_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / one / "runs" / "samples" for one in ("a", "b")]
    for path in paths:
        path.mkdir(parents=True)
    found = sources(paths, [Sampling()], DrawConfig(), tmp_path)
    assert [source.name for source in found] == [str(path) for path in paths]
    shutil.rmtree(tmp_path / "b")
    (one,) = sources(paths[:1], [Sampling()], DrawConfig(), tmp_path)
    assert one.name == "runs/samples"


def test_fewer_pictures_than_asked_for_of_a_model_that_learnt_from_another_pack(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_training_pack(tmp_path / "other.h5", count=30, seed=5)
    asked = ["evaluate", str(run), "--packed", str(other), "--out", str(tmp_path / "out")]
    assert main([*asked, "--steps", "2", *QUICK]) == 0
    assert "was drawn by a model that learnt from another pack" in capsys.readouterr().out
