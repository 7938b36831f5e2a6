"""Scores that say what is wrong with a picture, and which cuts suit logos or photographs."""

from dataset.quality.collage import COLLAGE_SCORE
from dataset.quality.measures import MEASURES, Measure
from dataset.quality.presets import PRESETS, Issue, Rule, issues_of
from dataset.quality.scores import quality_scores, reduced_scores

# Below this contrast a picture counts as blank.
BLANK_CONTRAST = 3.0

__all__ = [
    "BLANK_CONTRAST",
    "COLLAGE_SCORE",
    "MEASURES",
    "PRESETS",
    "Issue",
    "Measure",
    "Rule",
    "issues_of",
    "quality_scores",
    "reduced_scores",
]
