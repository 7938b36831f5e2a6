"""What predictions were learned from and how good they are: kept with the scores as JSON text."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from dataset.catalog import Catalog

BINS = 20


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured accuracy. `value` is None, and `missing` says what lacks, while nothing can be
    said yet; `chance` is what guessing gives."""

    name: str
    meaning: str
    chance: float
    count: int
    value: float | None = None
    low: float = 0.0
    high: float = 0.0
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What was learned, in short: kept with the scores as their stamp.

    `event` and `vote` are the last ones known then, `votes` the stamp of the votes; `judged` is how
    many pictures there were examples of. `kept` and `rejected` count pictures by predicted chance,
    in 20 bins, as predicted unseen; `shares` says how much comes from what.
    """

    at: str
    event: int
    vote: int
    votes: str
    pictures: int
    judged: int
    voted: int
    figures: list[Figure]
    shares: dict[str, float]
    kept: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    embeddings: bool = False

    def as_text(self) -> str:
        return json.dumps(asdict(self))


def read_lesson(text: str) -> Lesson | None:
    """The lesson of a stamp, None for "" and for what an older version wrote."""
    try:
        table: dict[str, Any] = json.loads(text) if text else {}
        figures = [Figure(**figure) for figure in table.pop("figures")]
        return Lesson(**table, figures=figures)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def lesson_of(catalog: Catalog) -> Lesson | None:
    """What the predictions in the catalogue were learned from; None while there are none."""
    return read_lesson(catalog.ratings.stamp("predicted"))


def judged_since(catalog: Catalog, lesson: Lesson) -> int:
    """How many judgements and votes there are that the predictions do not know yet."""
    judged = catalog.appearances.judged_since(lesson.event)
    if catalog.votes.stamp() == lesson.votes:
        return judged
    return judged + max(1, len(catalog.votes.standing(after=lesson.vote)))
