"""Plots of a run: its curves in loss.png, its noise schedule in schedule.png.

python -m train plot runs/tiny
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.atomic_file import atomic_path
from dataset.errors import ConfigError, WorldError
from train.config import TrainConfig, config_of_run
from train.noise_schedule import NoiseSchedule
from train.objective import sampled_sigmas
from train.parameterisation import loss_weights
from train.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SMOOTHING = 0.03  # width of the running mean, as a share of the curve
_FEW = 2 / _SMOOTHING
_LEVELS, _BINS = 65_536, 60  # drawn to show which noise levels are learnt, counted in so many bins
_SOFT, _STRONG, _OTHER, _GRID = "#b8cbe0", "#1f5fa8", "#c2571a", "#e4e4e4"


def plot_run(run: Path) -> list[Path]:
    """Write `run`/loss.png and, for a diffusion model, `run`/schedule.png; their paths.

    Raises ConfigError when there is no run or when it has no figures yet, WorldError when
    matplotlib is not installed.
    """
    config = config_of_run(run)
    stats = RunFolder(run.parent, run.name).read_stats()
    if not stats:
        raise ConfigError(f"{run} has no figures in stats.jsonl yet; let it train for a while")
    drawn = {"loss.png": loss_figure(stats, f"{run.name}: {config.kind}")}
    if config.kind == "diffusion":
        drawn["schedule.png"] = schedule_figure(config)
    paths = []
    for name, figure in drawn.items():
        with atomic_path(run / name) as partial:
            figure.savefig(partial, format="png", dpi=120)
        paths.append(run / name)
    return paths


def loss_figure(stats: Sequence[Mapping[str, Any]], title: str) -> "Figure":
    """Loss with its running mean and validation, learning rate, and speed over images seen."""
    figure = _empty_figure(8.0, 8.0)
    loss, rate, speed = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1, 1])
    seen, values = curve(stats, "loss")
    if len(values) < _FEW:  # a mean over hardly more than one value would only hide them
        loss.plot(seen, values, ".-", color=_STRONG, label="loss")
    else:
        loss.plot(seen, values, color=_SOFT, linewidth=0.8, label="loss")
        loss.plot(seen, smoothed(values), color=_STRONG, label="running mean")
    seen, values = curve(stats, "validation")
    if len(seen):
        loss.plot(seen, values, "o-", color=_OTHER, markersize=4, label="validation")
    if min((line.get_ydata().min(initial=np.inf) for line in loss.lines), default=0.0) > 0:
        _log_axis(loss)
    loss.set(title=title, ylabel="loss")
    loss.legend(frameon=False)
    for axes, key, name in ((rate, "lr", "learning rate"), (speed, "images_per_s", "images/s")):
        seen, values = curve(stats, key)
        axes.plot(seen, values, color=_STRONG)
        axes.set(ylabel=name, ylim=_from_zero(values))
    speed.set(xlabel="images seen")
    speed.xaxis.set_major_formatter("{x:,.0f}")
    _plain([loss, rate, speed])
    return figure


def schedule_figure(config: TrainConfig) -> "Figure":
    """The table of noise levels, how often each level is learnt, and how its errors weigh."""
    schedule = NoiseSchedule(config.diffusion)
    figure = _empty_figure(8.0, 9.0)
    table, learnt, weight = figure.subplots(3, 1)
    table.plot(np.arange(schedule.steps), schedule.sigmas.numpy(), color=_STRONG)
    table.set(title=f"schedule {config.diffusion.schedule}", xlabel="t", ylabel="sigma")
    table.set_yscale("log")
    levels = sampled_sigmas(schedule, 0, _LEVELS, config.seed)
    low, high = (np.log(10.0) * end for end in _ends(schedule))
    bins = np.linspace(low, high, _BINS + 1)
    counts, _ = np.histogram(levels.log().numpy(), bins)  # some may lie beyond what is drawn from
    learnt.stairs(counts / (_LEVELS * np.diff(bins)), bins, fill=True, color=_STRONG)
    learnt.set(title=f"levels learnt: {config.diffusion.levels}", ylabel="density")
    sigmas = torch.logspace(*_ends(schedule), 200)
    weights = loss_weights(config.diffusion, sigmas).double().numpy()
    weight.plot(sigmas.log().numpy(), weights, color=_STRONG)
    weight.set(title=f"weight of the error of {config.diffusion.prediction}", ylabel="weight")
    weight.set_ylim(_from_zero(weights))
    for axes in (learnt, weight):
        axes.set(xlabel="ln sigma", xlim=[np.log(10.0) * end for end in _ends(schedule)])
    _plain([table, learnt, weight])
    return figure


def curve(
    stats: Sequence[Mapping[str, Any]], key: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The images seen and the values of `key` where it was noted and is finite: (n,) and (n,)."""
    noted = [(line["images"], line[key]) for line in stats if line.get(key) is not None]
    points = [(seen, value) for seen, value in noted if math.isfinite(value)]
    table = np.array(points, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def smoothed(values: NDArray[np.float64], width: float = _SMOOTHING) -> NDArray[np.float64]:
    """The running mean (n,) of `values` (n,), exponential, over about `width` of all of them.

    It starts at the first value, not at zero.
    """
    keep = 1.0 - 1.0 / max(width * len(values), 1.0)
    means, total, weight = np.empty_like(values), 0.0, 0.0
    for i, value in enumerate(values):
        total, weight = keep * total + value, keep * weight + 1.0
        means[i] = total / weight
    return means


def _ends(schedule: NoiseSchedule) -> tuple[float, float]:
    """log10 of the least and the largest level."""
    return float(np.log10(schedule.sigma_min)), float(np.log10(schedule.sigma_max))


def _log_axis(axes: "Axes") -> None:
    """Values on a logarithmic axis with plain numbers at 1, 2 and 5, where enough of those show."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 4 * low:
        axes.set_yscale("linear")
        return
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _plain(panels: Sequence["Axes"]) -> None:
    """A light grid to read values by, and no box around."""
    for axes in panels:
        axes.grid(color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)


def _from_zero(values: NDArray[np.float64]) -> tuple[float, float]:
    """An axis from 0 to a little above all `values`."""
    return 0.0, 1.1 * (float(values.max(initial=0.0)) or 1.0)


def _empty_figure(width: float, height: float) -> "Figure":
    """A figure that needs no screen; raises WorldError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise WorldError(
            "plots need matplotlib, which is not installed; pip install matplotlib"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
