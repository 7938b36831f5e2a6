"""Right and wrong answers counted: recall, precision, and how sure they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.same_pictures import SAME, UNSURE

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """`copies` that should be found, how many were, and pairs found that show two things."""

    copies: int = 0
    found: int = 0
    false: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(self.copies + other.copies, self.found + other.found, self.false + other.false)

    @property
    def recall(self) -> float:
        return self.found / self.copies if self.copies else math.nan

    @property
    def precision(self) -> float:
        pairs = self.found + self.false
        return self.found / pairs if pairs else math.nan

    @property
    def recall_interval(self) -> tuple[float, float]:
        return wilson(self.found, self.copies)

    @property
    def precision_interval(self) -> tuple[float, float]:
        return wilson(self.found, self.found + self.false)


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): bounds within 0..1."""
    if not trials:
        return 0.0, 1.0
    share, square = hits / trials, z * z / trials
    middle = share + square / 2
    spread = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, (middle - spread) / (1 + square)), min(1.0, (middle + spread) / (1 + square))


class Truth:
    """What is what in a list of files: first the originals, each once, then copies of them.

    `names` are the originals', `sources` says for every copy which original it was made of.
    With `differs`, a copy shows something else than its original.
    """

    def __init__(self, names: Sequence[str], sources: Sequence[int], *, differs: bool) -> None:
        self.names = list(names)
        self._source = np.array([*range(len(names)), *sources], np.int64)
        self._differs = differs
        place = {name: n for n, name in enumerate(names)}
        excused = [(a, b) for a, b in SAME | UNSURE if a in place and b in place]
        self._excused = np.array(
            [min(place[a], place[b]) * len(names) + max(place[a], place[b]) for a, b in excused],
            np.int64,
        )

    def score(self, pairs: Pairs) -> Score:
        right, wrong = self._judged(pairs)
        copies = 0 if self._differs else len(self._source) - len(self.names)
        return Score(copies=copies, found=len(right), false=len(wrong))

    def missed(self, pairs: Pairs) -> list[str]:
        """Originals whose copy was not found."""
        right, _wrong = self._judged(pairs)
        found = set(right[:, 1].tolist())
        places = range(len(self.names), len(self._source))
        return [self.names[self._source[p]] for p in places if p not in found]

    def wrong(self, pairs: Pairs) -> list[tuple[str, str]]:
        """Names of the pairs that show two things; that of a copy ends in an asterisk."""
        _right, wrong = self._judged(pairs)
        return [(self._label(i), self._label(j)) for i, j in wrong.tolist()]

    def _judged(self, pairs: Pairs) -> tuple[Pairs, Pairs]:
        low = np.minimum(self._source[pairs[:, 0]], self._source[pairs[:, 1]])
        high = np.maximum(self._source[pairs[:, 0]], self._source[pairs[:, 1]])
        one = low == high
        excused = np.isin(low * len(self.names) + high, self._excused)
        if self._differs:
            return pairs[:0], pairs[~excused]
        return pairs[one], pairs[~one & ~excused]

    def _label(self, place: int) -> str:
        name = self.names[self._source[place]]
        return name if place < len(self.names) else f"{name}*"
