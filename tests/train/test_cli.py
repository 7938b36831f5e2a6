import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import torch

from dataset.config import to_mapping
from tests.train.compared_runs import assert_same, figures
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.checkpoint import checkpoint_folders
from train.cli import command_line, main
from train.config import TrainConfig, preset_names
from train.loop import train


def write_toml(path: Path, config: TrainConfig) -> Path:
    """The config as a person would write it."""
    lines: list[str] = []
    tables: list[str] = []
    for key, value in to_mapping(config).items():
        if isinstance(value, dict):
            tables += [f"[{key}]", *(f"{k} = {json.dumps(v)}" for k, v in value.items())]
        elif value is not None:
            lines.append(f"{key} = {json.dumps(value)}")
    path.write_text("\n".join([*lines, *tables]) + "\n")
    return path


@pytest.fixture
def config_file(tmp_path: Path, pack: Path) -> Path:
    return write_toml(tmp_path / "mine.toml", tiny_config(pack))


def test_run_prints_the_checkpoint_and_info_reads_it(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = str(tmp_path / "runs")
    assert main(["run", "--config", str(config_file), "--runs", runs, "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["images_seen"] == 48
    assert main(["info", outcome["run"], "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["finished"]
    assert facts["classes"] == ["bar", "block"]
    assert facts["checkpoints"] == ["000000024", "000000048"]
    assert facts["last_figures"]["images"] == 48
    assert main(["info", outcome["checkpoint"]]) == 0
    assert "images_seen: 48" in capsys.readouterr().out


def test_running_again_says_that_it_is_finished(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", str(config_file), "--runs", str(tmp_path)]
    assert main(command) == 0
    assert "48 images seen, loss" in capsys.readouterr().out
    assert main(command) == 0
    assert "finished before" in capsys.readouterr().out


def test_named_options_win_over_set_and_set_over_the_file(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", str(config_file), "--runs", str(tmp_path), "--dry-run", "--json"]
    assert main([*command, "--set", "name=b", "--set", "batch=4", "--name", "7"]) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert (config["name"], config["batch"], config["lr"]) == ("7", 4, 1e-3)
    assert not (tmp_path / "7").exists()


DRY_KEYS = (
    "run pack pictures shape denoised_shape classes device images_seen images_left epochs"
    " parameters forward_mflop_per_image training_mflop_per_image run_tflop memory_mib"
    " memory_there_mib images_per_s minutes time_is_from advice config"
)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    command = ["run", "--config", str(config_file), "--runs", str(runs), "--dry-run"]
    assert main([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert " ".join(facts) == DRY_KEYS
    assert facts["shape"] == [3, 8, 8]
    assert (facts["pictures"], facts["images_left"], facts["epochs"]) == (40, 48, 1.2)
    assert facts["images_per_s"] > 0
    assert "probe of three steps on random pictures" in facts["time_is_from"]
    assert facts["advice"][0].startswith("40 pictures are few")
    assert not runs.exists()
    assert main(command) == 0
    out = capsys.readouterr().out
    for word in ("parameters: ", "training_mflop_per_image: ", "memory_mib: ", "pictures: 40"):
        assert word in out


def test_a_dry_run_of_a_run_that_is_half_done_counts_what_is_left(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--set", "decay=constant", "--runs", str(tmp_path)]
    command = ["run", "--config", str(config_file), *given]
    assert main([*command, "--set", "images=24"]) == 0
    before = contents(tmp_path / "test")
    capsys.readouterr()
    assert main([*command, "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["images_seen"], facts["images_left"]) == (24, 24)
    assert main([*command, "--dry-run", "--json", "--restart"]) == 0
    assert json.loads(capsys.readouterr().out)["images_left"] == 48
    assert contents(tmp_path / "test") == before


def test_a_dry_run_says_when_the_memory_will_not_do(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", str(config_file), "--runs", str(tmp_path), "--dry-run", "--json"]
    assert main([*command, "--set", "batch=100_000_000"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["memory_mib"] > facts["memory_there_mib"]
    assert facts["advice"][-1].endswith("GiB are there: try --batch auto")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_few_pictures_are_warned_of_where_the_run_begins(
    config_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["run", "--config", str(config_file), "--runs", str(tmp_path)]) == 0
    assert "40 pictures are few: the model may copy them" in caplog.text


def test_resume_goes_on_with_the_folders_own_config(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ended by its budget, then given a larger one."""
    runs, whole = tmp_path / "runs", tmp_path / "whole"
    command = ["run", "--config", str(config_file), "--set", "decay=constant"]
    assert main([*command, "--set", "images=24", "--runs", str(runs)]) == 0
    assert main([*command, "--runs", str(whole)]) == 0
    capsys.readouterr()
    run = runs / "test"
    assert main(["resume", str(run)]) == 0
    assert "finished before" in capsys.readouterr().out
    assert main(["resume", str(run), "--set", "images=48", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images_seen"] == 48
    assert_same(run, whole / "test")


def test_resume_finds_a_pack_that_was_moved_and_a_run_that_was_renamed(
    config_file: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", str(config_file), "--runs", str(tmp_path)]) == 0
    run, moved = tmp_path / "renamed", tmp_path / "moved.h5"
    (tmp_path / "test").rename(run)
    pack.rename(moved)
    capsys.readouterr()
    assert main(["resume", str(run)]) == 2
    assert "pack.h5" in capsys.readouterr().err
    assert main(["resume", str(run), "--packed", str(moved), "--device", "cpu"]) == 0
    assert "finished before" in capsys.readouterr().out
    assert not (tmp_path / "test").exists()


def test_resuming_under_another_name_begins_no_other_run(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", str(config_file), "--runs", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["resume", str(tmp_path / "test"), "--set", "name=other"]) == 2
    assert "rename the folder instead" in one_error(capsys)
    assert not (tmp_path / "other").exists()


def test_plots_and_averages_of_a_run_come_from_its_folder_alone(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", str(config_file), "--runs", str(tmp_path)]) == 0
    run = str(tmp_path / "test")
    capsys.readouterr()
    assert main(["plot", run]) == 0
    assert [Path(line).name for line in capsys.readouterr().out.splitlines()] == [
        "loss.png",
        "schedule.png",
    ]
    assert main(["average", run, "--width", "0.1", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["width"] == 0.1
    assert main(["info", done["path"], "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["ema_width"], facts["images_seen"]) == (0.1, 48)


def test_a_batch_may_be_given_as_a_number_or_found(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", str(config_file), "--runs", str(tmp_path), "--dry-run", "--json"]
    assert main([*command, "--batch", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["batch"] == 4
    assert main([*command, "--batch", "auto"]) == 0
    assert 1 <= json.loads(capsys.readouterr().out)["config"]["batch"] <= 40
    assert main([*command, "--batch", "many"]) == 2
    assert "batch" in capsys.readouterr().err


def test_bench_measures_learning_and_drawing(
    config_file: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--rounds", "2", "--steps", "1", "--warmup", "0", "--pictures", "2"]
    command = ["bench", "--config", str(config_file), "--drawing-steps", "2", *quick]
    assert main([*command, "--picture", "1x8x16", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["shape"] == [1, 8, 16]
    assert facts["learning"]["images_per_s"] > 0
    assert main([*command, "--packed", str(pack), "--set", "batch=4"]) == 0
    out = capsys.readouterr().out
    assert "pictures 3x8x8, batch 4, float32" in out
    for word in ("learning: ", " GFLOP/s of ", "MFU ", "drawing: ", "2 at once in 2 steps"):
        assert word in out


@pytest.mark.parametrize("picture", ["32", "2x8x8", "3x0x8", "3x8", "3x8x8x8", "axbxc", ""])
def test_a_picture_of_a_bench_that_is_none_is_a_usage_error(
    picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "--picture", picture])
    assert stopped.value.code == 2
    assert "CxHxW" in capsys.readouterr().err


def test_presets_are_listed_with_what_they_are_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["presets", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts.keys() == set(preset_names())
    assert facts["dogs"]["picture"] == [3, 64, 64]
    assert main(["presets"]) == 0
    assert "tiny: " in capsys.readouterr().out


ABSENT = ["run", "--packed", "absent.h5"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--config", "tiny"], 2, "--packed"),
        (["run", "--config", "tiny", "--dry-run"], 2, "--packed"),
        (["run", "--config", "absent.toml", "--packed", "p.h5"], 2, "absent.toml"),
        (["run", "--config", "giant", "--packed", "p.h5"], 2, "presets: animal, cifar"),
        (ABSENT, 2, "absent.h5"),
        ([*ABSENT, "--dry-run"], 2, "absent.h5"),
        ([*ABSENT, "--batch", "auto"], 2, "absent.h5"),
        (["run", "--packed", "p.h5", "--set", "unet.bloks=2"], 2, "did you mean blocks"),
        (["run", "--packed", "p.h5", "--set", "images"], 2, "--set takes key=value"),
        (["run", "--packed", "p.h5", "--name", "a/b"], 2, "name"),
        (["run", "--packed", "p.h5", "--batch", "0"], 2, "batch is 0"),
        (["resume", "absent"], 2, "no run's folder"),
        (["run", "--packed", "\N{DOG FACE}.h5"], 2, "no pack at \N{DOG FACE}.h5"),
        (["plot", "absent"], 2, "no run's folder"),
        (["info", "absent"], 2, "absent"),
        (["average", "absent", "--width", "0.1"], 2, "absent"),
        (["average", "absent", "--width", "0.5"], 2, "width"),
        (["bench", "--config", "giant"], 2, "presets: animal, cifar"),
        (["bench", "--rounds", "0"], 2, "rounds"),
        (["bench", "--packed", "absent.h5"], 2, "absent.h5"),
        (["bench", "--set", "vectors=clip", "--picture", "3x8x8"], 2, "give --packed"),
        (["bench", "--config", "dogs", "--picture", "3x60x64"], 2, "multiples of 16"),
    ],
)
def test_what_a_person_gets_wrong_is_one_line(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert said in one_error(capsys)


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    """What stands on stderr, which must be one line of error and nothing else."""
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    return error


DRY = pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry-run"])


@DRY
@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["vectors=clip"], 2, "no embedding 'clip'; it has none"),
        (["tokens=4"], 2, "vectors"),
        (["split=test"], 3, "no pictures in its split test"),
        (["validation.every_images=8"], 3, "no pictures in its split test to validate with"),
        (["unet.multipliers=[1,1,1,1,1]"], 2, "multiples of 16"),
        (["network=dogs93m", "augment.probability=0.1"], 2, "augment is asked for"),
        (["network=favicon", "vectors=clip"], 2, "no embedding 'clip'"),
        (["latent=absent"], 2, "absent"),
        (["diffusion.sigma_max=0.003"], 2, "schedule cosine with 1000 steps begins above"),
        (["upscale.from_size=3"], 2, "upscale.from_size"),
        (["kind=vae", "upscale.from_size=4"], 2, "no meaning for kind vae"),
        (["kind=vae", "vae.multipliers=[1,1,1,1,1]"], 2, "multiples of 16"),
    ],
)
def test_a_run_that_cannot_be_is_refused_in_one_line_and_writes_nothing(
    given: list[str],
    code: int,
    said: str,
    dry: list[str],
    config_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By a dry run like by the run itself."""
    runs = tmp_path / "refused"
    assignments = [word for assignment in given for word in ("--set", assignment)]
    command = ["run", "--config", str(config_file), "--runs", str(runs)]
    assert main([*command, *assignments, *dry]) == code
    assert said in one_error(capsys)
    assert not list(runs.rglob("*.json"))


@DRY
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(
    dry: list[str], config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", str(config_file), "--device", "cuda", *dry]) == 4
    assert "no CUDA device was found" in one_error(capsys)


@DRY
def test_pictures_of_two_channels_are_refused(
    dry: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = write_drawn_pack(tmp_path / "two.h5", shape=(3, 8, 8))
    config = write_toml(tmp_path / "two.toml", tiny_config(pack))
    with h5py.File(pack, "r+") as file:
        data = file["data"][:, :2]
        del file["images"]
        del file["data"]
        file["data"] = data
        file["images"] = file["data"]
    assert main(["run", "--config", str(config), "--runs", str(tmp_path), *dry]) == 3
    assert "two.h5" in one_error(capsys)


@DRY
def test_a_run_of_that_name_with_another_config_is_refused_with_the_key(
    dry: list[str], config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", str(config_file), "--runs", str(tmp_path)]
    assert main(command) == 0
    before = contents(tmp_path / "test")
    capsys.readouterr()
    assert main([*command, "--set", "unet.blocks=2", *dry]) == 2
    assert "unet.blocks = 1, now it is 2" in one_error(capsys)
    assert contents(tmp_path / "test") == before


def test_every_verb_has_help_and_an_example_that_parses() -> None:
    line = command_line()
    actions = line.parser._subparsers._group_actions  # type: ignore[union-attr]
    verbs = actions[0].choices
    assert isinstance(verbs, dict)
    assert verbs.keys() == {"run", "resume", "info", "plot", "bench", "presets", "average"}
    for parser in verbs.values():
        assert parser.description
        for example in parser.epilog.splitlines()[1:]:
            words = example.split()
            assert words[:3] == ["python", "-m", "train"]
            line.parser.parse_args(words[3:])


def start(config: Path, runs: Path) -> subprocess.Popen[str]:
    """`python -m train run` as another program would start it."""
    return subprocess.Popen(
        [
            *[sys.executable, "-m", "train", "run", "--config", str(config)],
            *["--runs", str(runs), "--progress", "json"],
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for_checkpoint(run: Path, process: subprocess.Popen[str]) -> None:
    while not checkpoint_folders(run):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def long_config(pack: Path) -> TrainConfig:
    """Checkpoints so often that a kill is likely to come while one is being written."""
    return tiny_config(pack, images=480, checkpoint_every_images=24, threads=1)


def test_a_killed_run_goes_on_and_ends_as_the_uninterrupted_one(pack: Path, tmp_path: Path) -> None:
    config = long_config(pack)
    file = write_toml(tmp_path / "long.toml", config)
    run = tmp_path / "killed" / "test"
    process = start(file, run.parent)
    wait_for_checkpoint(run, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    train(config, run.parent)
    whole = train(config, tmp_path / "whole").run
    assert_same(run, whole)
    assert figures(run) == figures(whole)


def test_a_stopped_run_exits_130_with_a_checkpoint_and_json_progress(
    pack: Path, tmp_path: Path
) -> None:
    file = write_toml(tmp_path / "long.toml", long_config(pack))
    process = start(file, tmp_path)
    wait_for_checkpoint(tmp_path / "test", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    shown = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert shown[-1]["title"] == "train"
    assert shown[-1]["total"] == 480
    assert shown[-1]["final"]
    assert err.splitlines()[-1].startswith("error: interrupted")
