"""A disk that fills up while a run is saved: one line, nothing lost, and it goes on from there."""

import json
from pathlib import Path

import pytest

from dataset.config import to_mapping
from tests.train.drawn_pack import tiny_config
from tests.train.kept_run import files_no_larger_than
from train.checkpoint import checkpoint_folders, load_checkpoint
from train.cli import main
from train.loop import train


def test_the_command_says_so_in_one_line_and_the_run_goes_on_when_there_is_space(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(pack, images=48, decay="constant")
    run = train(config, tmp_path / "runs").run
    capsys.readouterr()
    more = ["resume", str(run), "--set", "images=96"]
    with files_no_larger_than(30_000):
        assert main(more) == 4
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if "could not be written" in line]
    assert line.endswith("see to the disk, then run the same command again to go on")
    assert said.out == ""
    assert "Traceback" not in said.err
    assert [folder.name for folder in checkpoint_folders(run)] == ["000000024", "000000048"]
    assert list((run / "checkpoints").glob(".*")) == []
    assert main(more) == 0
    assert load_checkpoint(run).images_seen == 96
    whole = train(tiny_config(pack, images=96, decay="constant"), tmp_path / "whole").run
    manifests = [
        json.loads((load_checkpoint(each).path / "checkpoint.json").read_text())
        for each in (run, whole)
    ]
    assert manifests[0]["files"] == manifests[1]["files"]
    assert manifests[0]["config"] == to_mapping(tiny_config(pack, images=96, decay="constant"))
