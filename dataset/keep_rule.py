"""Which of several pictures of the same stays: a rule that can be read, edited and explained."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dataset.config import load_config
from dataset.errors import ConfigError
from dataset.quality import MEASURES, PRESETS

Criterion = Literal[
    "judged",  # kept before an undecided one
    "stars",  # more stars
    "licence",  # the better one of `licences`
    "issues",  # fewer faults: frames, letters laid over it
    "resolution",  # shortest side without borders x share of it that is real detail
    "compression",  # less of it
    "size",  # more bytes
    "sharpness",
    "age",  # longer in the catalogue
]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
# A rule in the data folder that holds for every command and for the app.
RULE_FILE = "keep.toml"
_LICENCES = (
    "CC0 | PDM | PDDL | no-known-copyright | us-government-work | copyrighted-free-use",
    "CC-BY | CC-BY-SA | CC-SA | attribution",
    "CC-BY-ND | CC-BY-NC",
    "*",
    "all-rights-reserved | copyright | © | (c)",
)
# What one copy of a picture may have and another not, with the cuts for photographs.
_FAULTS = ("border", "collage", "text", "watermark")
_ISSUES = {rule.measure: rule.cut for rule in PRESETS["photo"] if rule.measure in _FAULTS}
_UNKNOWN = ("", "unknown")
_RESERVED = "all-rights-reserved"
# A narrower step is none: classes by it could not be told from the values themselves.
_NARROWEST = 1e-6
_MOST_DAYS = 36_525
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class KeepRule:
    """The criteria in order: the first on which two pictures clearly differ decides.

    A step is what counts as clear: values are sorted into classes of that width (a share of the
    value, or units), so that the order is the same whichever two are compared first; 0: any
    difference decides. The last word has the content hash, so no two pictures are ever equal.
    """

    order: tuple[Criterion, ...] = CRITERIA
    # Best first, each entry a class of beginnings of names; "*" is any other that is known.
    licences: tuple[str, ...] = _LICENCES
    # A picture has a fault when its score is over the one here.
    issues: dict[str, float] = field(default_factory=lambda: dict(_ISSUES))
    resolution_step: float = 0.05
    sharpness_step: float = 0.1
    size_step: float = 0.05
    compression_step: int = 5  # of 100
    age_step_days: int = 1
    # How surely two pictures must show the same (0..1) where one is marked unseen.
    sure: float = 0.8
    # What a picture without the score counts as.
    unmeasured_detail: float = 1.0
    unmeasured_sharpness: float = 0.5
    unmeasured_compression: float = 85.0

    def __post_init__(self) -> None:
        if len(set(self.order)) < len(self.order):
            raise ConfigError("order names a criterion twice")
        for name in ("resolution_step", "sharpness_step", "size_step"):
            share = getattr(self, name)
            if share != 0 and not _NARROWEST <= share <= 1:
                raise ConfigError(f"{name} is {share}; it is 0 or a share, {_NARROWEST:g} to 1")
        if not 0 <= self.compression_step <= 100:
            raise ConfigError("compression_step must be 0 to 100")
        if not 0 <= self.sure <= 1:
            raise ConfigError(f"sure is {self.sure}; it must be 0 to 1")
        if not 0 <= self.age_step_days <= _MOST_DAYS:
            raise ConfigError(f"age_step_days must be 0 to {_MOST_DAYS}")
        self._check_scores()
        names = [name for entry in self.licences for name in _names(entry)]
        if len(set(names)) < len(names) or "" in names:
            raise ConfigError("licences holds a name twice or an empty one")

    def _check_scores(self) -> None:
        for name in ("detail", "sharpness", "compression"):
            value, most = getattr(self, f"unmeasured_{name}"), MEASURES[name].high
            if not 0 <= value <= most:
                raise ConfigError(f"unmeasured_{name} is {value}; it must be 0 to {most:g}")
        known = sorted(name for name, measure in MEASURES.items() if measure.bad == "high")
        for name, cut in self.issues.items():
            if name not in known:
                raise ConfigError(f"issues: {name!r} is no fault; known: {', '.join(known)}")
            if not math.isfinite(cut):
                raise ConfigError(f"issues: the cut of {name} is {cut}; it must be a number")

    @cached_property
    def named_licences(self) -> tuple[tuple[str, int], ...]:
        """Every name of a licence with its class, 1 for the worst; the longest first, "*" last."""
        classes = [
            (name, len(self.licences) - place)
            for place, entry in enumerate(self.licences)
            for name in _names(entry)
        ]
        return tuple(sorted(classes, key=lambda pair: (pair[0] == "*", -len(pair[0]))))

    @property
    def measures(self) -> tuple[str, ...]:
        """The quality scores that the rule asks for."""
        return tuple(sorted({"content", "detail", "sharpness", "compression", *self.issues}))


@dataclass(frozen=True)
class Contenders:
    """Pictures to choose from, as columns (N,); `scores` are by measure, NaN where there is none.

    `side` is the shortest side in pixels, `added` the day of intake, YYYY-MM-DD.
    """

    ids: NDArray[np.int64]
    sha256: Sequence[str]
    kept: NDArray[np.bool_]
    stars: NDArray[np.int64]
    side: NDArray[np.int64]
    byte_count: NDArray[np.int64]
    added: Sequence[str]
    licences: Sequence[Sequence[str]]
    scores: dict[str, Numbers]

    def __len__(self) -> int:
        return len(self.ids)


def read_rule(data: Path, file: Path | None = None, assignments: Sequence[str] = ()) -> KeepRule:
    """The rule of `file`, else of keep.toml in the data folder, else the default; then `--set`."""
    if file is None and (data / RULE_FILE).is_file():
        file = data / RULE_FILE
    return load_config(KeepRule, file, assignments, origin="the keep rule")


class Ranking:
    """`contenders` put in order by `rule`: a strict total order that no order of intake changes."""

    def __init__(self, rule: KeepRule, contenders: Contenders) -> None:
        self.rule, self.contenders = rule, contenders
        self._classes = {name: _CLASSES[name](rule, contenders) for name in rule.order}
        self._numbers = {name: read(rule, contenders) for name, (_, _, read) in _NUMBERS.items()}
        columns = [-self._classes[name] for name in reversed(rule.order)]
        # Places of `contenders`, best first (N,).
        self.order = np.lexsort((np.array(contenders.sha256, "S64"), *columns))

    def reason(self, best: int, other: int) -> str:
        """Why the contender at place `best` goes before that at `other`, with both values."""
        for name in self.rule.order:
            if self._classes[name][best] != self._classes[name][other]:
                return self._reason(name, best, other)
        return "alike in everything, either would do"

    def _reason(self, name: Criterion, best: int, other: int) -> str:
        if name in _WORDS:
            return _WORDS[name](self.rule, self.contenders, best, other)
        start, unit, _ = _NUMBERS[name]
        mine, others = (_told(float(self._numbers[name][i])) + unit for i in (best, other))
        return f"{start} {mine} against {others}"


def true_side(rule: KeepRule, contenders: Contenders) -> Numbers:
    """The shortest side that the detail fills, in pixels: a frame adds nothing to it, an
    enlargement little."""
    content = _score(contenders, "content", np.inf)
    sides: Numbers = np.minimum(contenders.side, content)
    sides = sides * _score(contenders, "detail", rule.unmeasured_detail)
    return sides


def faults(rule: KeepRule, contenders: Contenders, place: int) -> list[str]:
    """The faults of one contender by name."""
    return [
        name
        for name in sorted(rule.issues)
        if name in contenders.scores and contenders.scores[name][place] > rule.issues[name]
    ]


def best_licence(rule: KeepRule, licences: Sequence[str]) -> str:
    """The one of a picture's licences that the rule likes best."""
    return max(sorted(licences), key=lambda name: licence_class(rule, name), default="unknown")


def licence_class(rule: KeepRule, licence: str) -> int:
    """How good a licence is, 0 for unknown; the longest beginning that fits decides.

    Blanks are as good as hyphens. What says anywhere that all rights are reserved says just that.
    """
    return _licence_class(rule.named_licences, licence)


@lru_cache(maxsize=4096)
def _licence_class(named: tuple[tuple[str, int], ...], licence: str) -> int:
    text = _plain(licence)
    if text in _UNKNOWN:
        return 0
    if _RESERVED in text:
        text = _RESERVED
    return next((found for name, found in named if name == "*" or _begins(text, name)), 0)


def _begins(text: str, name: str) -> bool:
    """Whether `text` begins with the whole word(s) `name`."""
    cut = name[-1].isalnum() and text[len(name) : len(name) + 1].isalnum()
    return text.startswith(name) and not cut


def _names(entry: str) -> list[str]:
    return [_plain(name) for name in entry.split("|")]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


def _score(contenders: Contenders, measure: str, unmeasured: float) -> Numbers:
    scores = contenders.scores.get(measure)
    if scores is None:
        return np.full(len(contenders), unmeasured)
    filled: Numbers = np.where(np.isnan(scores), unmeasured, scores)
    return filled


def _sharp(rule: KeepRule, those: Contenders) -> Numbers:
    return _score(those, "sharpness", rule.unmeasured_sharpness)


def _quality(rule: KeepRule, those: Contenders) -> Numbers:
    return _score(those, "compression", rule.unmeasured_compression)


def _shares(values: Numbers, step: float) -> Numbers:
    """Classes of values >= 0, each `step` of its value wide."""
    if step == 0:
        return values
    classes: Numbers = np.floor(np.log(np.maximum(values, 1e-9)) / np.log1p(step) + 1e-9)
    return classes


def _units(values: Numbers, step: int) -> Numbers:
    classes: Numbers = values if step == 0 else np.floor(values / step)
    return classes


def _judged(rule: KeepRule, those: Contenders) -> Numbers:
    return those.kept.astype(np.float64)


def _stars(rule: KeepRule, those: Contenders) -> Numbers:
    return those.stars.astype(np.float64)


def _licence(rule: KeepRule, those: Contenders) -> Numbers:
    known = {name for names in those.licences for name in names}
    classes = {name: licence_class(rule, name) for name in known}
    best = (max((classes[name] for name in names), default=0) for names in those.licences)
    return np.fromiter(best, np.float64, len(those))


def _told(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.3g}"


def _resolution(rule: KeepRule, those: Contenders) -> Numbers:
    return _shares(true_side(rule, those), rule.resolution_step)


def _sharpness(rule: KeepRule, those: Contenders) -> Numbers:
    return _shares(_sharp(rule, those), rule.sharpness_step)


def _compression(rule: KeepRule, those: Contenders) -> Numbers:
    return _units(_quality(rule, those), rule.compression_step)


def _issues(rule: KeepRule, those: Contenders) -> Numbers:
    count = np.zeros(len(those))
    for measure, cut in rule.issues.items():
        count -= _score(those, measure, -np.inf) > cut
    return count


def _size(rule: KeepRule, those: Contenders) -> Numbers:
    return _shares(those.byte_count.astype(np.float64), rule.size_step)


def _age(rule: KeepRule, those: Contenders) -> Numbers:
    days = np.array(those.added, "datetime64[D]").astype(np.float64)
    return -_units(days, rule.age_step_days)


_CLASSES: dict[Criterion, Callable[[KeepRule, Contenders], Numbers]] = {
    "judged": _judged,
    "stars": _stars,
    "licence": _licence,
    "resolution": _resolution,
    "sharpness": _sharpness,
    "compression": _compression,
    "issues": _issues,
    "size": _size,
    "age": _age,
}


def _licences_differ(rule: KeepRule, those: Contenders, best: int, other: int) -> str:
    mine, other_ = (best_licence(rule, those.licences[place]) for place in (best, other))
    return f"better licence: {mine} against {other_}"


def _faults_differ(rule: KeepRule, those: Contenders, best: int, other: int) -> str:
    mine, other_ = (", ".join(faults(rule, those, i)) or "none" for i in (best, other))
    return f"fewer faults: {mine} against {other_}"


def _days_differ(rule: KeepRule, those: Contenders, best: int, other: int) -> str:
    return f"longer here: since {those.added[best]} against {those.added[other]}"


_WORDS: dict[Criterion, Callable[[KeepRule, Contenders, int, int], str]] = {
    "judged": lambda *_: "kept already, the other undecided",
    "licence": _licences_differ,
    "issues": _faults_differ,
    "age": _days_differ,
}
# Criteria that are told by two numbers: how the reason begins, and the unit.
_NUMBERS: dict[Criterion, tuple[str, str, Callable[[KeepRule, Contenders], Any]]] = {
    "stars": ("more stars:", "", lambda _, those: those.stars),
    "resolution": ("more true resolution:", " px", true_side),
    "sharpness": ("sharper:", "", _sharp),
    "compression": ("less compressed: quality", "", _quality),
    "size": ("larger file:", " kB", lambda _, those: those.byte_count / 1000),
}
