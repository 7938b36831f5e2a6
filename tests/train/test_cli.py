import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset.config import to_mapping
from tests.train.drawn_pack import tiny_config
from tests.train.test_loop import assert_same, figures
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


@pytest.mark.parametrize("preset", preset_names())
def test_a_dry_run_of_a_preset_prints_its_costs(
    preset: str, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", preset, "--packed", str(pack), "--dry-run"]) == 0
    out = capsys.readouterr().out
    for word in ("parameters: ", "training_mflop_per_image: ", "memory_mib: ", "pictures: 40"):
        assert word in out


def test_presets_are_listed_with_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == set(preset_names())
    assert main(["presets"]) == 0
    assert "tiny: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--config", "tiny"], 2, "--packed"),
        (["run", "--config", "tiny", "--dry-run"], 2, "--packed"),
        (["run", "--config", "absent.toml", "--packed", "p.h5"], 2, "absent.toml"),
        (["run", "--config", "giant", "--packed", "p.h5"], 2, "presets: tiny"),
        (["run", "--packed", "absent.h5"], 2, "absent.h5"),
        (["run", "--packed", "p.h5", "--set", "unet.bloks=2"], 2, "did you mean blocks"),
        (["run", "--packed", "p.h5", "--name", "a/b"], 2, "name"),
        (["info", "absent"], 2, "absent"),
    ],
)
def test_what_a_person_gets_wrong_is_one_line(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err.strip()
    assert said in error
    assert error.startswith("error: ")
    assert "\n" not in error


def test_every_verb_has_help_and_an_example_that_parses() -> None:
    line = command_line()
    actions = line.parser._subparsers._group_actions  # type: ignore[union-attr]
    verbs = actions[0].choices
    assert isinstance(verbs, dict)
    assert verbs.keys() == {"run", "info", "presets"}
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
