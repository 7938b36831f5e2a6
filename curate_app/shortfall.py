"""How far each class is from its target: columns in, numbers out; nothing here asks a catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.records import SettingChange

# Settings that begin so hold how many pictures a class shall have.
TARGET = "target:"
MOST_WANTED = 10_000_000
_UNDECIDED, _KEPT, _REJECTED = 0, 1, 2
Scores = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ClassNeed:
    """One class: pictures by judgement and the target, None where there is none. Of the `waiting`
    (undecided) ones `repeats` are duplicates of kept pictures."""

    label: str
    target: int | None = None
    kept: int = 0
    waiting: int = 0
    rejected: int = 0
    repeats: int = 0

    @property
    def short(self) -> int:
        """How many kept pictures are missing."""
        return max((self.target or 0) - self.kept, 0)

    @property
    def surplus(self) -> int:
        """How many are kept beyond the target; 0 without one."""
        return 0 if self.target is None else max(self.kept - self.target, 0)

    @property
    def fresh(self) -> int:
        """Waiting pictures that are no duplicates of kept ones."""
        return self.waiting - self.repeats

    @property
    def share(self) -> float:
        """The part of the target that is missing, 0 to 1."""
        return self.short / self.target if self.target else 0.0

    @property
    def pictures(self) -> int:
        return self.kept + self.waiting + self.rejected

    def as_json(self) -> dict[str, str | int | None]:
        names = ("label", "target", "kept", "waiting", "rejected", "repeats")
        return {name: getattr(self, name) for name in (*names, "short", "surplus")}


def targets_of(settings: Mapping[str, str]) -> dict[str, int]:
    """The targets by label; a setting that is no whole number is none."""
    return {
        name.removeprefix(TARGET): int(value)
        for name, value in settings.items()
        if name.startswith(TARGET) and value.isascii() and value.isdigit() and len(value) < 10
    }


def target_change(label: str, target: int | None) -> SettingChange:
    return SettingChange(name=TARGET + label, value="" if target is None else str(target))


def needs_of(
    labels: Sequence[str],
    codes: NDArray[np.int32],
    status: NDArray[np.int8],
    targets: Mapping[str, int],
    repeated: NDArray[np.bool_] | None = None,
) -> list[ClassNeed]:
    """Every class that has pictures or a target, the largest gap first, then by name.

    `codes` (N,) are places in `labels`, `status` (N,) is 0 undecided, 1 keep, 2 reject; `repeated`
    (N,) marks the duplicates of kept pictures.
    """
    counts = np.bincount(codes.astype(np.int64) * 3 + status, minlength=3 * len(labels))
    table = counts.reshape(-1, 3)
    doubles = np.zeros(len(labels), np.int64)
    if repeated is not None:
        doubles = np.bincount(codes[repeated & (status == _UNDECIDED)], minlength=len(labels))
    needs = [
        ClassNeed(
            label=label,
            target=targets.get(label),
            kept=int(row[_KEPT]),
            waiting=int(row[_UNDECIDED]),
            rejected=int(row[_REJECTED]),
            repeats=int(double),
        )
        for label, row, double in zip(labels, table, doubles, strict=True)
        if row.any() or label in targets
    ]
    known = {need.label for need in needs}
    needs += [ClassNeed(label=label, target=targets[label]) for label in {*targets} - known]
    return sorted(needs, key=lambda need: (-need.short, need.label == "", need.label))


def totals(needs: Iterable[ClassNeed]) -> ClassNeed:
    """All classes as one; its target is the sum of the targets."""
    rows = list(needs)
    wanted = [need.target for need in rows if need.target is not None]
    return ClassNeed(
        label="",
        target=sum(wanted) if wanted else None,
        kept=sum(need.kept for need in rows),
        waiting=sum(need.waiting for need in rows),
        rejected=sum(need.rejected for need in rows),
        repeats=sum(need.repeats for need in rows),
    )


def standing(values: Scores) -> Scores:
    """Where each value stands among all, 0 (lowest) to 1; equal ones alike, 0.5 where unknown."""
    known = ~np.isnan(values)
    found = np.full(len(values), 0.5, np.float32)
    if known.any():
        _, place, count = np.unique(values[known], return_inverse=True, return_counts=True)
        below = np.cumsum(count) - count
        found[known] = ((below + (count - 1) / 2 + 0.5) / known.sum())[place]
    return found


def merit(predicted: Scores, measures: Sequence[Scores]) -> Scores:
    """How good each picture probably is, 0 to 1: by the predicted score, and where there is none by
    the mean standing of what was measured."""
    plain = np.mean([standing(column) for column in measures], axis=0, dtype=np.float32)
    found: Scores = np.where(np.isnan(predicted), plain, standing(predicted)).astype(np.float32)
    return found


def usefulness(needs: Iterable[ClassNeed], labels: Sequence[str], codes: NDArray[np.int32],
               merits: Scores) -> Scores:  # fmt: skip
    """What each picture would do for the short classes (N,): the missing part of its class's
    target times its merit."""
    share = {need.label: need.share for need in needs}
    shares = np.array([share.get(label, 0.0) for label in labels], np.float32)
    found: Scores = shares[codes] * merits
    return found
