"""The evaluation as a plot: a panel for each figure, real pictures as a band to measure by."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.atomic_file import atomic_path
from dataset.errors import WorldError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by colour-blind readers, too (Okabe & Ito 2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5a5a5a")
_MARKS = "osD^vPX"
_REAL, _BAND, _GRID = "#7d7d7d", "#c9c9c9", "#e4e4e4"
_MOST_ACROSS = 3
_ASIDE = 0.012  # of the axis

Row = Mapping[str, Any]


def plot_evaluation(record: Mapping[str, Any], path: Path) -> None:
    """Write a PNG of evaluation.json's content; raises WorldError without matplotlib.

    Sets of several checkpoints of one run are drawn over the images seen, others one under another.
    """
    figure = evaluation_figure(record)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def evaluation_figure(record: Mapping[str, Any]) -> "Figure":
    """The plot, not yet written."""
    drawn = [one for one in record["sets"] if not one["real"]]
    lines = _is_progress(drawn)
    across = max(min(len(space["metrics"]), _MOST_ACROSS) for space in record["spaces"])
    down = [max(1, math.ceil(len(space["metrics"]) / across)) for space in record["spaces"]]
    height = 2.7 if lines else 0.8 + 0.27 * len(record["sets"])
    figure = _empty_figure(1.0 + 2.9 * across, 0.9 + (height + 0.5) * sum(down))
    figure.suptitle(f"{record['n']} pictures against {record['reference']}, 95 % intervals")
    panels = figure.subplots(sum(down), across, squeeze=False)
    row = 0
    for space, rows in zip(record["spaces"], down, strict=True):
        grid = panels[row : row + rows].ravel()
        for place, metric in enumerate(space["metrics"]):
            _panel(grid[place], record["sets"], space, metric, lines)
            if not lines and place % across:
                grid[place].set_yticklabels([])
        for spare in grid[len(space["metrics"]) :]:
            spare.set_axis_off()
        row += rows
    if lines:
        handles, names = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _panel(axes: "Axes", sets: Sequence[Row], space: Row, metric: str, lines: bool) -> None:
    title = space["titles"][metric]
    arrow = "more is better" if title["more_is_better"] else "less is better"
    name = f"{title['name']} in {space['encoder'].split(' ')[0]}"
    axes.set_title(f"{name}\n{arrow}", fontsize=9)
    axes.tick_params(labelsize=8)
    found = [(one, one["figures"][space["space"]].get(metric)) for one in sets]
    times = title["times"]
    _band(axes, found, times, lines)
    if lines:
        _curves(axes, [pair for pair in found if not pair[0]["real"]], times)
    else:
        _dots(axes, found, times)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _band(axes: "Axes", found: Sequence[tuple[Row, Any]], times: float, lines: bool) -> None:
    """The first real set: what cannot be beaten but by copying."""
    real = next((f for one, f in found if one["real"] and f is not None), None)
    if real is None:
        return
    low, middle, high = (real[key] * times for key in ("low", "value", "high"))
    span, line = (axes.axhspan, axes.axhline) if lines else (axes.axvspan, axes.axvline)
    if math.isfinite(low) and math.isfinite(high):
        span(low, high, color=_BAND, alpha=0.5, linewidth=0)
    line(middle, color=_REAL, linewidth=1.0, linestyle="--", label="real against real")


def _curves(axes: "Axes", drawn: Sequence[tuple[Row, Any]], times: float) -> None:
    series: dict[str, list[tuple[int, Any]]] = {}
    for one, figure in drawn:
        if figure is not None:
            series.setdefault(series_of(one), []).append((one["facts"]["images_seen"], figure))
    most = max((seen for points in series.values() for seen, _ in points), default=0)
    for place, (name, points) in enumerate(series.items()):
        points.sort(key=lambda point: point[0])
        # A little to the right of the one before, so that no interval hides another.
        aside = _ASIDE * most * (place - (len(series) - 1) / 2)
        axes.errorbar(
            [seen + aside for seen, _ in points],
            [figure["value"] * times for _, figure in points],
            yerr=_arms([figure for _, figure in points], times),
            label=name,
            color=_COLOURS[place % len(_COLOURS)],
            marker=_MARKS[place % len(_MARKS)],
            markersize=4,
            capsize=2,
            linewidth=1.2,
        )
    axes.set_xlabel("images seen", fontsize=8)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=4)


def _dots(axes: "Axes", found: Sequence[tuple[Row, Any]], times: float) -> None:
    """One under another, the first on top; real pictures in grey."""
    first = sum(bool(one["real"]) for one, _ in found)
    for place, (one, figure) in enumerate(found):
        if figure is not None:
            axes.errorbar(
                [figure["value"] * times],
                [place],
                xerr=_arms([figure], times),
                color=_REAL if one["real"] else _COLOURS[(place - first) % len(_COLOURS)],
                marker="|" if one["real"] else _MARKS[(place - first) % len(_MARKS)],
                markersize=5,
                capsize=2,
            )
    axes.set_yticks(range(len(found)), [_cut(one["name"]) for one, _ in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.xaxis.set_major_formatter("{x:,.10g}")  # no power of ten on its own in a corner
    axes.locator_params(axis="x", nbins=4)


def _arms(figures: Sequence[Mapping[str, float]], times: float) -> list[list[float]]:
    """How far the intervals reach below and above, never without end."""
    below = [(figure["value"] - figure["low"]) * times for figure in figures]
    above = [(figure["high"] - figure["value"]) * times for figure in figures]
    return [[arm if math.isfinite(arm) else 0.0 for arm in arms] for arms in (below, above)]


def series_of(one: Row) -> str:
    """The name of a set without the images seen: what its points have in common."""
    seen = str(one["facts"].get("images_seen"))
    return " ".join(part for part in str(one["name"]).split(" ") if part != seen)


def _is_progress(drawn: Sequence[Row]) -> bool:
    """Whether all sets say how many images were seen, and some series has more than one point."""
    if any(not isinstance(one["facts"].get("images_seen"), int) for one in drawn):
        return False
    names = [series_of(one) for one in drawn]
    seen = {(series_of(one), one["facts"]["images_seen"]) for one in drawn}
    return len(seen) == len(drawn) and len(set(names)) < len(names)


def _cut(name: str) -> str:
    return name if len(name) <= 30 else f"…{name[-29:]}"


def _empty_figure(width: float, height: float) -> "Figure":
    """A figure that needs no screen; raises WorldError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except (ImportError, RuntimeError) as error:
        raise WorldError(
            "plots need matplotlib, which is not installed; pip install -e '.[train]'"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
