"""The charts of the novelty report as plain coordinates: the histogram and the scatter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample.significance import Numbers

RATIO_LIMIT = 1.2  # larger ratios are counted in the last bin and drawn at the edge
WIDTH, HEIGHT = 600, 250
_BINS = 30
_TICKS = 5
_NAME_WIDTH = 90.0  # what the name of a stratum takes, in chart units


@dataclass(frozen=True)
class Bar:
    """One bar of the histogram in chart units: of which set, `y` its top edge."""

    set: str
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Dots:
    """The dots of one set in the scatter, as a path of strokes without length."""

    set: str
    path: str
    count: int


@dataclass(frozen=True)
class Tick:
    """A number on an axis, and where: in chart units."""

    at: float
    text: str


@dataclass(frozen=True)
class Scatter:
    """Complexity (across) against ratio (upwards), the held-out pictures in the background."""

    dots: list[Dots]
    ticks: list[Tick]
    bounds: list[Tick]  # where one stratum of complexity ends; its name


def histogram_bars(sets: Mapping[str, Sequence[float]]) -> list[Bar]:
    """Bars over 0..limit, the sets stacked in their order, the tallest stack as high as the chart.

    Several calls draw shares of their own total, so that sets of different size compare.
    """
    edges: Numbers = np.linspace(0.0, RATIO_LIMIT, _BINS + 1)
    counts = {
        name: np.histogram(np.clip(ratios, 0.0, RATIO_LIMIT), bins=edges)[0]
        for name, ratios in sets.items()
    }
    stacks = np.sum(list(counts.values()), axis=0)
    scale = HEIGHT / max(1.0, float(np.max(stacks)))
    width = WIDTH / _BINS
    bars, tops = [], np.full(_BINS, float(HEIGHT))
    for name, of_set in counts.items():
        for place in np.flatnonzero(of_set):
            height = float(of_set[place]) * scale
            tops[place] -= height
            title = f"{name}: {of_set[place]} at {edges[place]:.2f} to {edges[place + 1]:.2f}"
            bars.append(Bar(name, place * width, float(tops[place]), width, height, title))
    return bars


def scatter(
    sets: Mapping[str, Sequence[tuple[float, float]]], bounds: Sequence[tuple[float, str]] = ()
) -> Scatter | None:
    """(complexity, ratio) pairs by set, the first set at the back; None when there are none.

    `bounds` are (complexity, name) where strata end. A complexity far above all others is drawn at
    the edge, so that it does not squeeze the rest.
    """
    points = {name: np.array(pairs, dtype=np.float64) for name, pairs in sets.items() if pairs}
    if not points:
        return None
    across = np.concatenate([pairs[:, 0] for pairs in points.values()])
    low, high = float(across.min()), float(np.quantile(across, 0.998))
    reach = max(high - low, 1e-9)

    def place(complexities: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.clip((complexities - low) / reach, 0.0, 1.0) * WIDTH)

    dots = [
        Dots(name, _path(place(pairs[:, 0]), ratio_height(pairs[:, 1])), len(pairs))
        for name, pairs in points.items()
    ]
    digits = 1 if reach > 1 else 2
    ticks = [
        Tick(float(at) * WIDTH, f"{low + at * reach:.{digits}f}")
        for at in np.linspace(0, 1, _TICKS)
    ]
    inside = [(value, name) for value, name in bounds if low < value < high]
    ends: list[Tick] = []
    for value, name in inside:
        at = float(place(np.array([value]))[0])
        has_room = at - (ends[-1].at if ends else 0.0) >= _NAME_WIDTH
        ends.append(Tick(at, name if has_room else ""))
    return Scatter(dots, ticks, ends)


def ratio_height(ratios: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Where ratios lie above the lower edge, in chart units from the top."""
    return np.asarray(HEIGHT * (1.0 - np.clip(ratios, 0.0, RATIO_LIMIT) / RATIO_LIMIT))


def _path(across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    # Equal places are drawn once: ten thousand dots must not weigh ten thousand times as much.
    places = np.unique(np.round(np.stack([across, down], axis=1) * 2).astype(np.int64), axis=0)
    return "".join(f"M{x / 2:g} {y / 2:g}h0" for x, y in places.tolist())
