"""The cuts that hold: those of a preset, and those that a person set instead."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from dataset.config import load_config
from dataset.errors import ConfigError
from dataset.quality.measures import MEASURES
from dataset.quality.presets import PRESETS, Rule

Preset = Literal["photo", "logo"]
# "auto": the one that suits most pictures of the catalogue.
PresetWish = Literal["auto", "photo", "logo"]
PRESET_WISHES: tuple[PresetWish, ...] = get_args(PresetWish)
# Cuts in the data folder that hold for every command and for the app.
CUTS_FILE = "quality.toml"
_ISSUES = tuple(dict.fromkeys(rule.issue for rules in PRESETS.values() for rule in rules))


@dataclass(frozen=True, kw_only=True)
class QualityCuts:
    """Which preset, and by issue the cuts that hold instead of its own, in units of the measure.

    A cut for an issue that only another preset looks for makes this one look for it as well.
    """

    preset: PresetWish = "auto"
    cut: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for issue, cut in self.cut.items():
            if issue not in _ISSUES:
                raise ConfigError(f"cut.{issue}: no such issue; there are {', '.join(_ISSUES)}")
            if not math.isfinite(cut):
                raise ConfigError(f"cut.{issue} is {cut}; it must be a finite number")


def read_cuts(
    data: Path,
    file: Path | None = None,
    assignments: Sequence[str] = (),
    preset: PresetWish | None = None,
) -> QualityCuts:
    """The cuts of `file`, else of quality.toml in the data folder, else none; then `--set`, and
    last `preset` unless it is None. Raises ConfigError for what is no cut."""
    if file is None and (data / CUTS_FILE).is_file():
        file = data / CUTS_FILE
    cuts = load_config(QualityCuts, file, assignments, origin="the quality cuts")
    return cuts if preset is None else replace(cuts, preset=preset)


def rules_of(cuts: QualityCuts, preset: Preset) -> tuple[Rule, ...]:
    """The rules of `preset` with the cuts that were set; ConfigError when one is out of range."""
    own = {rule.issue: rule for rule in PRESETS[preset]}
    others = {rule.issue: rule for rules in PRESETS.values() for rule in rules}
    rules = {
        **own,
        **{issue: own.get(issue, others[issue]) for issue in _ISSUES if issue in cuts.cut},
    }
    return tuple(_with_cut(rule, cuts.cut.get(rule.issue, rule.cut)) for rule in rules.values())


def _with_cut(rule: Rule, cut: float) -> Rule:
    measure = MEASURES[rule.measure]
    if not measure.low <= cut <= measure.high:
        raise ConfigError(
            f"cut.{rule.issue} is {cut:g}; {measure.name} goes from {measure.low:g} to "
            f"{measure.high:g}"
        )
    return replace(rule, cut=cut)
