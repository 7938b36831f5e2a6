import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataset.config import to_mapping
from dataset.errors import ConfigError, DataError
from tests.train.drawn_pack import tiny_config
from train.cli import main
from train.plotting import curve, loss_figure, plot_run, schedule_figure, smoothed


def stats_of(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"images": 8 * i, "loss": 1.0 / i, "lr": 1e-3, "images_per_s": 100.0, **more}
        for i in range(1, count + 1)
    ]


@pytest.fixture
def run(tmp_path: Path, pack: Path) -> Path:
    """A run's folder as a training leaves it, as far as plots read it."""
    folder = tmp_path / "runs" / "test"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(to_mapping(tiny_config(pack))))
    lines = [json.dumps(line) for line in stats_of(30)]
    (folder / "stats.jsonl").write_text("\n".join(lines) + '\n{"images": 24')
    return folder


def test_a_run_gets_two_pictures_though_its_last_line_is_torn(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(run)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(run / "loss.png"),
        str(run / "schedule.png"),
    ]
    for name in ("loss.png", "schedule.png"):
        with Image.open(run / name) as picture:
            assert picture.format == "PNG"
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 5


def test_plotting_again_replaces_the_pictures_and_leaves_nothing_else(run: Path) -> None:
    before = {path.name for path in run.iterdir()}
    first = [path.read_bytes() for path in plot_run(run)]
    assert [path.read_bytes() for path in plot_run(run)] == first
    assert {path.name for path in run.iterdir()} == before | {"loss.png", "schedule.png"}


def test_an_autoencoder_has_no_noise_schedule_to_show(run: Path, pack: Path) -> None:
    (run / "config.json").write_text(json.dumps(to_mapping(tiny_config(pack, kind="vae"))))
    assert [path.name for path in plot_run(run)] == ["loss.png"]


def test_validation_is_shown_where_it_was_measured() -> None:
    stats = stats_of(100)
    stats.insert(4, {"images": 36, "validation": 0.5})
    loss = loss_figure(stats, "a run").axes[0]
    labels = {line.get_label(): line for line in loss.lines}
    assert labels.keys() == {"loss", "running mean", "validation"}
    assert np.asarray(labels["validation"].get_ydata()).tolist() == [0.5]
    assert len(np.asarray(labels["loss"].get_xdata())) == 100


def test_a_short_curve_is_not_hidden_under_its_mean() -> None:
    (loss,) = loss_figure(stats_of(8), "a run").axes[0].lines
    assert loss.get_label() == "loss"
    assert loss.get_marker() == "."


def test_the_loss_stands_at_plain_numbers() -> None:
    figure = loss_figure(stats_of(100), "a run")
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    ticks = figure.axes[0].yaxis.get_major_ticks()
    shown = [t.label1.get_text() for t in ticks if low <= t.get_loc() <= high]
    assert shown == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]


def test_a_loss_that_hardly_changes_has_a_plain_axis() -> None:
    stats = [line | {"loss": 0.03 + 1e-4 * i} for i, line in enumerate(stats_of(9))]
    assert loss_figure(stats, "a run").axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_loss_that_is_not_positive_is_drawn_on_a_plain_axis(value: float) -> None:
    stats = [*stats_of(3), {"images": 40, "loss": value, "lr": 0.0, "images_per_s": 0.0}]
    assert loss_figure(stats, "a run").axes[0].get_yscale() == "linear"
    assert loss_figure(stats_of(9), "a run").axes[0].get_yscale() == "log"


def test_figures_without_any_loss_are_still_a_picture() -> None:
    figure = loss_figure([{"images": 8, "loss": None, "lr": 1e-3, "images_per_s": 1.0}], "bad")
    figure.canvas.draw()


@pytest.mark.parametrize("levels", ["uniform", "lognormal"])
@pytest.mark.parametrize(
    ("schedule", "prediction"), [("linear", "eps"), ("cosine", "v"), ("edm", "edm")]
)
def test_every_schedule_can_be_drawn(
    schedule: str, prediction: str, levels: str, pack: Path
) -> None:
    diffusion = {"schedule": schedule, "prediction": prediction, "levels": levels}
    figure = schedule_figure(tiny_config(pack, diffusion=diffusion))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == f"schedule {schedule}"
    assert titles[1] == f"levels learnt: {levels}"
    figure.canvas.draw()


def test_the_running_mean_of_a_constant_is_the_constant_from_its_first_value_on() -> None:
    np.testing.assert_allclose(smoothed(np.full(50, 3.0)), 3.0)


def test_the_running_mean_forgets_with_the_width_asked_for() -> None:
    steps = np.concatenate([np.zeros(100), np.ones(100)])
    means = smoothed(steps, width=0.05)  # over about ten values
    assert means[99] == 0.0
    assert means[110] == pytest.approx(1 - 0.9**11, abs=1e-3)
    assert smoothed(np.array([1.0, 5.0])).tolist() == [1.0, 5.0]
    assert len(smoothed(np.array([]))) == 0


def test_a_curve_leaves_out_what_was_not_noted() -> None:
    stats: list[dict[str, Any]] = [
        {"images": 1, "loss": 2.0},
        {"images": 2, "loss": None},
        {"images": 3},
    ]
    seen, values = curve(stats, "loss")
    assert (seen.tolist(), values.tolist()) == ([1.0], [2.0])


def test_what_is_not_finite_is_left_out_of_a_plot() -> None:
    stats = [
        {"images": 16, "loss": math.inf, "lr": 1e-3, "images_per_s": math.nan},
        {"images": 32, "loss": 1.0, "lr": math.nan, "images_per_s": 5.0},
    ]
    assert curve(stats, "loss")[0].tolist() == [32.0]
    loss_figure(stats, "test").canvas.draw()


def test_what_is_no_run_is_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="no run's folder"):
        plot_run(tmp_path / "absent")
    (run / "stats.jsonl").unlink()
    with pytest.raises(ConfigError, match="no figures"):
        plot_run(run)
    (run / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json is damaged"):
        plot_run(run)


def test_without_matplotlib_one_line_says_what_to_install(run: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None;"
        "from train.cli import main; raise SystemExit(main(['plot', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "error: plots need matplotlib, which is not installed; pip install matplotlib"
    ]
