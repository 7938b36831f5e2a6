"""What is wrong with a picture: cuts through the scores, one set of them for each domain.

Logos are flat, bright and often a name by nature; the same score means another thing there. The
cuts were set on one half of a labelled set; `tests.bench quality` measures them on the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dataset.quality.collage import COLLAGE_SCORE


@dataclass(frozen=True)
class Rule:
    """A picture has `issue` when `measure` lies on the bad side of `cut`."""

    issue: str
    measure: str
    bad: Literal["low", "high"]
    cut: float

    def is_met(self, score: float) -> bool:
        return score < self.cut if self.bad == "low" else score > self.cut


@dataclass(frozen=True)
class Issue:
    """Something wrong with a picture, the score that says so, and the cut that it crossed."""

    name: str
    measure: str
    score: float
    cut: float


PRESETS: dict[str, tuple[Rule, ...]] = {
    "photo": (
        Rule("blur", "sharpness", "low", 0.50),
        Rule("dark", "dark", "high", 0.70),
        Rule("bright", "bright", "high", 0.25),
        Rule("low-information", "flatness", "high", 0.85),
        Rule("odd-aspect", "aspect", "high", 2.5),
        Rule("too-small", "side", "low", 96.0),
        Rule("text-heavy", "text", "high", 0.65),
        Rule("watermark", "watermark", "high", 0.20),
        Rule("border", "border", "high", 0.60),
        Rule("upscaled", "upscaled", "high", 0.36),
        Rule("collage", "collage", "high", COLLAGE_SCORE),
    ),
    # No logo is over-exposed, and none of them carries the mark of another.
    "logo": (
        Rule("blur", "sharpness", "low", 0.30),
        Rule("dark", "dark", "high", 0.70),
        Rule("low-information", "contrast", "low", 8.0),
        Rule("odd-aspect", "aspect", "high", 6.0),
        Rule("too-small", "side", "low", 32.0),
        Rule("text-heavy", "text", "high", 0.30),
        Rule("border", "border", "high", 0.75),
        Rule("upscaled", "upscaled", "high", 0.60),
        Rule("collage", "collage", "high", 0.95),
    ),
}


def issues_of(scores: Mapping[str, float], rules: Sequence[Rule]) -> list[Issue]:
    """What is wrong by `rules` (those of a preset, or of `rules_of`), in their order.

    A score that is missing, because the picture was too small or too empty to tell, is no issue.
    """
    return [
        Issue(rule.issue, rule.measure, scores[rule.measure], rule.cut)
        for rule in rules
        if rule.measure in scores and rule.is_met(scores[rule.measure])
    ]
