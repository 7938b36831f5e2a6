"""Scores that say what is wrong with a picture, and which cuts suit logos or photographs."""

from dataset.quality.collage import COLLAGE_SCORE
from dataset.quality.cuts import (
    CUTS_FILE,
    PRESET_WISHES,
    Preset,
    PresetWish,
    QualityCuts,
    read_cuts,
    rules_of,
)
from dataset.quality.measures import MEASURES, Measure
from dataset.quality.presets import PRESETS, Issue, Rule, issues_of
from dataset.quality.scores import quality_scores

# Below this contrast a picture counts as blank.
BLANK_CONTRAST = 3.0

__all__ = [
    "BLANK_CONTRAST",
    "COLLAGE_SCORE",
    "CUTS_FILE",
    "MEASURES",
    "PRESETS",
    "PRESET_WISHES",
    "Issue",
    "Measure",
    "Preset",
    "PresetWish",
    "QualityCuts",
    "Rule",
    "issues_of",
    "quality_scores",
    "read_cuts",
    "rules_of",
]
