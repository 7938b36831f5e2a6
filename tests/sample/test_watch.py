"""The watch over a run: each checkpoint is judged once, copies are called memorisation."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.errors import ConfigError
from sample.calibration_file import calibration_path
from sample.cli import main
from sample.inspection import inspect_folder
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.studio_check import INDEX, checker_of_run
from sample.watch import FOLDER, Sighting, Watch, WatchConfig, sighting_of
from tests.sample.drawings import drawing, save_pictures, write_drawn_pack
from tests.train.drawn_pack import tiny_config
from train.checkpoint import checkpoint_folders, load_checkpoint
from train.loop import train
from train.memorising import LINES, novelty_lines
from train.run_folder import RunFolder

NOVELTY = NoveltyConfig(audit=1, k=1, aligned=1)
CONFIG = WatchConfig(count=4, steps=2, every_s=0.1, device="cpu", novelty=NOVELTY)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two checkpoints that learnt from 25 drawings of 16 px, 40 to judge by."""
    folder = tmp_path_factory.mktemp("watched")
    pack = write_drawn_pack(folder / "pack.h5", train=25, cal=40, test=4, side=16)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        config = tiny_config(pack, images=16, checkpoint_every_images=8, warmup_images=0)
        outcome = train(config, folder / "runs")
    torch.set_num_threads(threads)
    return outcome.run


@pytest.fixture(scope="session")
def checker(trained: Path) -> NoveltyChecker:
    """Of the run's pack; its index lies in the run's folder from now on."""
    return checker_of_run(load_checkpoint(trained), None, NOVELTY)


@pytest.fixture
def run(trained: Path, checker: NoveltyChecker, tmp_path: Path) -> Path:
    assert checker.calibrated
    return shutil.copytree(trained, tmp_path / "runs" / "test")


def enough(_seconds: float) -> bool:
    return False


@contextmanager
def in_training(run: Path) -> Iterator[None]:
    with RunFolder(run.parent, run.name).locked():
        yield


def test_every_checkpoint_is_judged_once_and_leaves_pictures_report_and_line(run: Path) -> None:
    found = list(Watch(run, None, CONFIG).sightings(enough))
    assert [one.images for one in found] == [8, 16]
    assert [line["images"] for line in novelty_lines(run)] == [8, 16]
    for one in found:
        assert (one.pictures, sum(one.verdicts.values())) == (4, 4)
        assert {path.name for path in (run / one.folder).iterdir()} >= {
            "00003.png",
            "manifest.json",
            "novelty.json",
            "report.html",
        }
    names = [f"{FOLDER}/000000008", f"{FOLDER}/000000016"]
    assert [one.folder for one in found] == names
    seeds = [
        [
            picture["seed"]
            for picture in json.loads((run / name / "manifest.json").read_text())["pictures"]
        ]
        for name in names
    ]
    assert seeds[0] == seeds[1] == [0, 1, 2, 3]
    assert list(Watch(run, None, CONFIG).sightings(enough)) == []


def test_the_next_watch_and_the_next_check_score_neither_calibration_nor_audit_anew(
    run: Path,
) -> None:
    list(Watch(run, None, CONFIG).sightings(enough))
    path = calibration_path(run / INDEX)
    written = path.stat().st_mtime_ns
    checkpoint = load_checkpoint(run)
    assert len(checker_of_run(checkpoint, None, NOVELTY).remembered) > 2
    other = replace(NOVELTY, audit=2)  # as of a studio, which makes no audit
    assert list(checker_of_run(checkpoint, None, other).remembered) == ["cal"]
    assert path.stat().st_mtime_ns == written


def test_weights_that_are_new_at_an_old_count_are_judged_anew(run: Path) -> None:
    list(Watch(run, None, CONFIG).sightings(enough))
    lines = (run / LINES).read_text().splitlines()
    other = json.loads(lines[1]) | {"fingerprint": "0" * 64}  # as a run gone back leaves it
    (run / LINES).write_text(lines[0] + "\n" + json.dumps(other) + "\n" + '{"images": 3')
    assert [one.images for one in Watch(run, None, CONFIG).sightings(enough)] == [16]
    assert [line["images"] for line in novelty_lines(run)] == [8, 16, 16]


def test_watch_goes_on_while_the_run_is_trained_and_takes_in_what_comes(run: Path) -> None:
    late = run / "checkpoints" / "000000016"
    aside = late.rename(run / "aside")
    looks = []

    def rest(seconds: float) -> bool:
        looks.append(seconds)
        if len(looks) == 2:
            aside.rename(late)
        return len(looks) < 9

    with in_training(run):
        found = [one.images for one in Watch(run, None, CONFIG).sightings(rest)]
    assert found == [8, 16]
    assert looks == [0.1, 0.1]  # and no longer, as the budget is spent


def test_watch_of_a_run_that_nobody_trains_ends(run: Path) -> None:
    shutil.rmtree(run / "checkpoints" / "000000016")

    def rest(_seconds: float) -> bool:
        raise AssertionError("there is nothing to wait for")

    assert [one.images for one in Watch(run, None, CONFIG).sightings(rest)] == [8]


def test_checkpoint_that_the_training_removes_meanwhile_is_left_out(run: Path) -> None:
    watch = Watch(run, None, CONFIG)
    sightings = watch.sightings(enough)
    first, second = checkpoint_folders(run)
    assert next(sightings).images == 8
    shutil.rmtree(second)
    assert list(sightings) == []
    assert load_checkpoint(first).images_seen == 8


def judged(folder: Path, run: Path, checker: NoveltyChecker, rows: list[int], new: int) -> Sighting:
    """A sighting of a folder with these training pictures and `new` ones of nobody's."""
    copied = checker.pack.data[np.array(rows, dtype=np.int64)].transpose(0, 2, 3, 1)
    fresh = [drawing(number, side=16) for number in range(5000, 5000 + new)]
    save_pictures(folder, np.stack([*copied, *fresh]))
    done = inspect_folder(folder, checker.pack.path, NOVELTY, checker=checker)
    return sighting_of(load_checkpoint(run), done)


def test_copies_are_called_memorisation_by_file_and_row(
    tmp_path: Path, trained: Path, checker: NoveltyChecker
) -> None:
    found = judged(tmp_path / "x", trained, checker, [3, 4, 5, 6, 7, 8], new=2)
    assert found.copies == 6
    assert found.interval[0] > 0
    assert "6 of 8 pictures are copies (such as 000.png of row 3)" in found.warning
    assert "% of what is drawn are copies" in found.warning


def test_new_pictures_give_no_warning(
    tmp_path: Path, trained: Path, checker: NoveltyChecker
) -> None:
    found = judged(tmp_path / "x", trained, checker, [], new=8)
    assert (found.copies, found.warning) == (0, "")
    assert found.interval[0] == 0.0


def test_command_prints_lines_and_then_that_all_is_judged(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--once", "--device", "cpu", "--set", "count=2", "--set", "steps=1"]
    options += ["--set", "novelty.audit=1", "--progress", "quiet"]
    assert main(["watch", str(run), *options, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["images"] for line in lines] == [8, 16]
    assert main(["watch", str(run), *options]) == 0
    assert "were judged before" in capsys.readouterr().out


@pytest.mark.parametrize("assignment", ["count=0", "steps=0", "every_s=0", 'sampler="x"', "no=1"])
def test_settings_that_cannot_be_are_refused(assignment: str, run: Path) -> None:
    assert main(["watch", str(run), "--once", "--set", assignment]) == 2


def test_run_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    assert main(["watch", str(tmp_path / "none")]) == 2


def test_pack_that_is_gone_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.h5"):
        list(Watch(run, tmp_path / "gone.h5", CONFIG).sightings(enough))


def test_watch_until_the_end_of_stdin_waits_for_no_run_but_ends_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sample", "watch", str(tmp_path / "none"), "--until-eof"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_watch_that_begins_when_the_training_is_over_judges_what_there_is(run: Path) -> None:
    command = [sys.executable, "-m", "sample", "watch", str(run), "--until-eof", "--json"]
    command += ["--device", "cpu", "--set", "count=2", "--set", "steps=1"]
    command += ["--set", "novelty.audit=1", "--progress", "quiet"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["images"] for line in done.stdout.splitlines()] == [8, 16]


def test_curves_are_written_beside_those_of_the_training(run: Path) -> None:
    pytest.importorskip("tensorboardX")
    list(Watch(run, None, CONFIG).sightings(enough))
    own = list((run / "tensorboard" / "novelty").glob("events*"))
    assert own
