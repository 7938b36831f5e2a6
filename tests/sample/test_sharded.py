"""One drawing by two processes that torchrun starts: the same pictures, said and listed once."""

import json
import os
from pathlib import Path

import pytest

from sample.draw import DrawConfig, draw
from sample.sharded import Turns, cpu_workers
from tests.train.torchrun import errors, torchrun
from train.checkpoint import load_checkpoint
from train.distributed import ALONE
from train.drawing import Sampling
from train.guidance import Guidance

QUICK = Sampling(steps=2, guidance=Guidance(scale=2.0))


def command(run: Path, out: Path, *more: str) -> list[str]:
    asked = ["--count", "11", "--steps", "2", "--batch", "1", "--device", "cpu"]
    return ["sample", "draw", str(run), "--out", str(out), *asked, *more]


@pytest.mark.slow
def test_two_processes_draw_what_one_draws(run: Path, tmp_path: Path) -> None:
    config = DrawConfig(sampling=QUICK, count=11, device="cpu")
    draw(load_checkpoint(run), config, tmp_path / "one")
    done = torchrun(2, *command(run, tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("11 of 11 pictures drawn") == 1
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two


@pytest.mark.slow
def test_two_processes_go_on_and_draw_only_what_is_missing(run: Path, tmp_path: Path) -> None:
    draw(load_checkpoint(run), DrawConfig(sampling=QUICK, count=11, device="cpu"), tmp_path)
    kept = (tmp_path / "00004.png").stat().st_mtime_ns
    for name in ("00003.png", "00007.png", "manifest.json"):
        (tmp_path / name).unlink()
    done = torchrun(2, *command(run, tmp_path, "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"folder": str(tmp_path), "pictures": 11, "drawn": 2}
    assert (tmp_path / "00004.png").stat().st_mtime_ns == kept
    listed = json.loads((tmp_path / "manifest.json").read_text())["pictures"]
    assert [entry["seed"] for entry in listed] == list(range(11))


@pytest.mark.slow
def test_what_stops_both_is_said_once(run: Path, tmp_path: Path) -> None:
    done = torchrun(2, *command(run, tmp_path, "--label", "blok"))
    assert done.returncode != 0
    (line,) = errors(done.stderr)
    assert "did you mean block" in line
    assert list(tmp_path.iterdir()) == []


def test_alone_all_parts_are_one_s_own() -> None:
    turns = Turns(ALONE)
    assert list(turns.taken(3)) == [0, 1, 2]
    assert [turns.add(4), turns.add(0), turns.add(2)] == [4, 4, 6]
    assert turns.finish(5) == 5


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert cpu_workers() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert cpu_workers() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert cpu_workers() == 1
