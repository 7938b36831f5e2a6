"""Where a cut through a quality score lies: the stops of its slider, exact counts at each, and the
pictures on both sides of it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dataset.quality import MEASURES, PRESETS, Rule

# The width of a step of the slider by the measure's unit; measures without an end go by ratios.
_STEPS = {"share": 0.002, "evidence": 0.002, "levels": 0.25, "bits": 0.02, "IJG": 0.5}
_RATIOS = 400
_BARS = 100
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """One bar of the histogram: place, width and height, all in percent."""

    x: float
    width: float
    height: float
    count: int


class Cutting:
    """The scores (N,) of some pictures, ids alike, and everything that a cut does to them.

    Scores and cuts are compared as float32, as the scores are held: both have four decimals.
    """

    def __init__(self, rule: Rule, ids: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        known = ~np.isnan(scores)
        order = np.argsort(scores[known], kind="stable")
        self.rule, self.unknown = rule, len(ids) - int(known.sum())
        self._ids, self._scores = ids[known][order], scores[known][order]

    def __len__(self) -> int:
        return len(self._ids)

    def stops(self, *also: float) -> list[float]:
        """Every place of the slider, ascending, at most four decimals; those of `also`, too."""
        measure = MEASURES[self.rule.measure]
        if np.isfinite(measure.high):
            steps = round((measure.high - measure.low) / _STEPS[measure.unit])
            places: Numbers = np.linspace(measure.low, measure.high, steps + 1)
        else:
            most = max(float(self._scores[-1]) if len(self) else 0.0, 2 * self.rule.cut, *also)
            places = np.geomspace(max(measure.low, 1.0), max(most, 2.0), _RATIOS)
            places = np.ceil(places) if measure.unit == "pixels" else np.ceil(places * 100) / 100
        found: list[float] = np.unique(np.round(np.append(places, also), 4)).tolist()
        return found

    def bad(self, cuts: list[float]) -> list[int]:
        """How many pictures lie on the bad side of each cut."""
        low = self.rule.bad == "low"
        under = np.searchsorted(
            self._scores, np.asarray(cuts, np.float32), "left" if low else "right"
        )
        counts: list[int] = (under if low else len(self) - under).tolist()
        return counts

    def bad_ids(self, cut: float) -> list[int]:
        """The pictures on the bad side, the worst first."""
        [count] = self.bad([cut])
        ids: list[int] = self._from_worst()[:count].tolist()
        return ids

    def around(self, cut: float, count: int) -> tuple[list[int], list[int], list[int]]:
        """Up to `count` pictures each: just on the bad side and just on the good side, nearest
        first, and the worst that are not among them."""
        [bad] = self.bad([cut])
        ids = self._from_worst()
        near = max(0, bad - count)
        return (
            ids[near:bad][::-1].tolist(),
            ids[bad : bad + count].tolist(),
            ids[: min(count, near)].tolist(),
        )

    def scores_of(self, ids: list[int]) -> dict[int, float]:
        places = np.flatnonzero(np.isin(self._ids, ids))
        scores = np.round(self._scores[places].astype(np.float64), 4)
        return dict(zip(self._ids[places].tolist(), scores.tolist(), strict=True))

    def bars(self, stops: list[float], *, log_counts: bool) -> list[Bar]:
        """The histogram between the stops; x goes by their places, as the slider does."""
        ends = np.unique(np.round(np.linspace(0, len(stops) - 1, _BARS + 1)).astype(int))
        below = np.searchsorted(self._scores, np.asarray(stops, np.float32)[ends], "left")
        below[-1] = len(self)  # the last bar has the highest score of all
        counts = np.diff(below)
        heights = np.log1p(counts) if log_counts else counts.astype(np.float64)
        heights = 100 * heights / max(1e-9, heights.max(initial=0))
        x = 100 * ends / max(1, len(stops) - 1)
        rows = zip(
            x[:-1].tolist(), np.diff(x).tolist(), heights.tolist(), counts.tolist(), strict=True
        )
        return [Bar(round(a, 3), round(b, 3), round(c, 2), int(d)) for a, b, c, d in rows]

    def _from_worst(self) -> NDArray[np.int64]:
        return self._ids if self.rule.bad == "low" else self._ids[::-1]


def rules_to_cut(rules: tuple[Rule, ...]) -> list[Rule]:
    """The rules, and one for each other measure that has a bad end; where no preset has a cut of
    that, it spares everything."""
    found, issues = list(rules), {rule.issue for rule in rules}
    seen = {rule.measure for rule in rules}
    usual = {rule.measure: rule for preset in PRESETS.values() for rule in preset}
    for measure in MEASURES.values():
        if measure.name in seen or measure.bad == "neither":
            continue
        end = measure.low if measure.bad == "low" else min(measure.high, 1000.0)
        name = f"{measure.bad} {measure.name}"
        rule = usual.get(measure.name, Rule(name, measure.name, measure.bad, end))
        found.append(replace(rule, issue=name) if rule.issue in issues else rule)
    return found
