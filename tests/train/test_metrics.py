import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.train.drawn_pack import CLASSES, tiny_config
from train.figures import Figures
from train.metrics import Metrics, Work, work_of
from train.run_folder import RunFolder
from train.subject import Subject

PACK = Path("pack.h5")
SUBJECT = Subject.of_pictures((3, 8, 8), CLASSES)


def figures(loss: float = 0.5, skipped: int = 0) -> Figures:
    return Figures(loss=loss, grad_norm=2.0, skipped=skipped, worst_streak=0, parts={"kl": 0.1})


def metrics(tmp_path: Path, work: Work | None = None) -> Metrics:
    folder = RunFolder(tmp_path, "run")
    folder.path.mkdir(exist_ok=True)
    return Metrics(folder, tiny_config(PACK), work or Work(flops=0), 0)


def test_a_line_holds_the_figures_of_its_window(tmp_path: Path) -> None:
    with metrics(tmp_path, Work(flops=1e9, peak=1e12)) as told:
        told.write(figures(), 16, 1e-3, validation=0.75)
    (line,) = told.folder.read_stats()
    assert (line["images"], line["loss"], line["lr"], line["grad_norm"]) == (16, 0.5, 1e-3, 2.0)
    assert (line["kl"], line["validation"], line["skipped"]) == (0.1, 0.75, 0)
    assert line["gflops"] == pytest.approx(line["images_per_s"], rel=1e-2)
    assert line["mfu"] == pytest.approx(line["gflops"] / 1e3, abs=1e-4)


def test_what_is_not_a_number_is_null_in_the_file(tmp_path: Path) -> None:
    with metrics(tmp_path) as told:
        told.write(figures(loss=math.nan), 16, 1e-3, validation=math.inf)
    (line,) = told.folder.read_stats()
    assert line["loss"] is None
    assert line["validation"] is None
    assert "gflops" not in line
    assert told.note is None


def test_the_bar_is_told_of_the_share_of_the_peak_where_that_is_known(tmp_path: Path) -> None:
    with metrics(tmp_path, Work(flops=1e9, peak=1e15)) as known:
        known.write(figures(skipped=3), 16, 1e-3, validation=0.25)
    with metrics(tmp_path, Work(flops=1e9)) as unknown:
        unknown.write(figures(), 16, 1e-3)
    assert known.note is not None
    assert unknown.note is not None
    assert "loss 0.5000, validation 0.2500" in known.note
    assert "% MFU, 3 batches skipped" in known.note
    assert "GFLOP/s" in unknown.note


def test_nothing_is_told_before_the_first_window(tmp_path: Path) -> None:
    with metrics(tmp_path) as told:
        assert told.note is None
        assert told.steps(24) == 3
        told.restart(16)
        assert told.steps(24) == 1


def test_event_files_hold_numbers_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    with metrics(tmp_path) as told:
        told.write(figures(), 16, 1e-3)
        told.picture(Image.fromarray(np.zeros((8, 8, 3), np.uint8)), 16)
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    content = events.read_bytes()
    assert all(name in content for name in (b"loss", b"grad_norm", b"images_per_s", b"preview"))


def test_going_back_takes_back_what_was_told_of_later_steps(tmp_path: Path) -> None:
    with metrics(tmp_path) as told:
        for images in (16, 32, 48):
            told.write(figures(), images, 1e-3)
        told.go_back(16)
        assert told.steps(24) == 1
        told.write(figures(), 32, 5e-4)
    lines = [(line["images"], line["lr"]) for line in told.folder.read_stats()]
    assert lines == [(16, 1e-3), (32, 5e-4)]
    if importlib.util.find_spec("tensorboardX"):
        assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 2


def test_a_silent_process_writes_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    with Metrics(folder, tiny_config(PACK), Work(flops=0), 0, silent=True) as told:
        told.write(figures(), 16, 1e-3)
    assert not folder.path.exists()
    assert told.note == "loss 0.5000"


def test_without_tensorboardx_the_figures_are_written_all_the_same(tmp_path: Path) -> None:
    script = f"""
import sys
sys.modules["tensorboardX"] = None  # as if it were not installed
from pathlib import Path
from tests.train.drawn_pack import tiny_config
from tests.train.test_metrics import figures, metrics
with metrics(Path({str(tmp_path)!r})) as told:
    told.write(figures(), 16, 1e-3)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
    assert len(RunFolder(tmp_path, "run").read_stats()) == 1
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_work_is_that_of_the_network_whatever_the_budget() -> None:
    cpu = torch.device("cpu")
    small = work_of(tiny_config(PACK), SUBJECT, cpu)
    assert small.flops > 1e6
    assert small.peak is None
    assert work_of(tiny_config(PACK, images=96, lr=0.1), SUBJECT, cpu) == small
    wide = work_of(tiny_config(PACK, unet={"base_channels": 16}), SUBJECT, cpu)
    assert wide.flops > 2 * small.flops
