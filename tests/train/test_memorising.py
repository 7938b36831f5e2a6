"""What the watch found out is told in the training's own places."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from train.config import TrainConfig
from train.figures import Figures
from train.memorising import LINES, novelty_lines, novelty_note
from train.metrics import Metrics, Work
from train.run_folder import RunFolder

LINE: dict[str, Any] = {"images": 48_000, "judged": 64, "flagged": 1, "copies": 0}


def write(run: Path, *lines: object) -> Path:
    run.mkdir(exist_ok=True)
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (run / LINES).write_text("\n".join(text) + "\n")
    return run


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (LINE, "1 flagged among 64 at image 48,000"),
        ({**LINE, "flagged": 2, "copies": 1}, "1 copy among 64 at image 48,000"),
        ({**LINE, "flagged": 3, "copies": 3}, "3 copies among 64 at image 48,000"),
        ({**LINE, "judged": 0}, ""),
        ({"images": 5}, ""),
        ({**LINE, "copies": "many", "flagged": None}, "0 flagged among 64 at image 48,000"),
    ],
)
def test_note_says_the_newest_line_in_a_few_words(
    line: dict[str, Any], note: str, tmp_path: Path
) -> None:
    assert novelty_note(write(tmp_path / "run", {"images": 1, "judged": 9}, line)) == note


def test_lines_that_are_none_are_left_out(tmp_path: Path) -> None:
    run = write(tmp_path / "run", LINE, "[" * 3000, "null", {"images": "7"}, '{"images": 1')
    assert novelty_lines(run) == [LINE]
    assert novelty_lines(tmp_path / "none") == []
    assert novelty_note(tmp_path / "none") == ""


def test_live_line_of_a_training_tells_what_the_watch_found(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    write(folder.path, LINE)
    figures = Figures(loss=0.5, grad_norm=1.0, skipped=0, worst_streak=0)
    with Metrics(folder, TrainConfig(name="run"), Work(flops=0.0), 0) as metrics:
        assert metrics.note is None
        metrics.write(figures, 800, 1e-3, math.nan)
        assert metrics.note == "loss 0.5000, 1 flagged among 64 at image 48,000"


def test_run_that_is_asked_for_its_lock_can_be_taken_at_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    assert not folder.is_held()
    with folder.locked():
        assert folder.is_held()
    assert not folder.is_held()
    with folder.locked():
        pass
