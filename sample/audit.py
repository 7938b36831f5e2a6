"""The self-audit of a novelty report: are copies planted on purpose found, and new pictures spared?

Run with every report, so that its verdicts are read with their measured error rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.copied_share import Chances, CopiedShare, copied_share, false_alarm_chances
from sample.damages import DAMAGES, blurred
from sample.novelty import NoveltyChecker, Scores
from sample.novelty_index import pack_pictures
from sample.significance import wilson_interval

# Weighs as much as a kind of damage in the estimate of the share: a copy that is none the worse.
_UNDAMAGED = "undamaged"

_NEW, _SOFT = "new pictures", "new pictures, blurred"  # beside the kinds of damage


@dataclass(frozen=True)
class AuditRow:
    """How many of `trials` pictures were called a copy, how many were as near as hardly a new one,
    and how many at least close."""

    name: str
    trials: int
    copies: int
    rare: int
    flagged: int

    @property
    def copy_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate of `copies`."""
        return wilson_interval(self.copies, self.trials)

    @property
    def flagged_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate of `flagged`."""
        return wilson_interval(self.flagged, self.trials)


@dataclass(frozen=True)
class Audit:
    """Detection on planted copies, by damage, and false alarms on the untouched test split.

    `new_by_stratum` are the test pictures by complexity; `soft` the same pictures blurred a
    little, as a model may draw.
    """

    planted: list[AuditRow]
    new: AuditRow
    new_by_stratum: list[AuditRow]
    soft: AuditRow

    @property
    def all_planted(self) -> AuditRow:
        """All damages together."""
        return AuditRow(
            "all planted copies",
            sum(row.trials for row in self.planted),
            sum(row.copies for row in self.planted),
            sum(row.rare for row in self.planted),
            sum(row.flagged for row in self.planted),
        )


def audit(checker: NoveltyChecker) -> Audit:
    """Plant damaged copies of training pictures, and score test pictures, exactly like samples.

    A checker is audited once: what was scored is kept for its next report.
    """
    scores = checker.remembered
    if not {*DAMAGES, _NEW, _SOFT} <= scores.keys():
        scores.update(_rehearsed(checker))
    places = checker.calibration.place(scores[_NEW].complexity)
    return Audit(
        [_row(name, checker, scores[name]) for name in DAMAGES],
        _row("new pictures (test split)", checker, scores[_NEW]),
        [
            _row(stratum.name, checker, scores[_NEW], places == number)
            for number, stratum in enumerate(checker.calibration.strata)
        ],
        _row("the same, blurred", checker, scores[_SOFT]),
    )


def _rehearsed(checker: NoveltyChecker) -> dict[str, Scores]:
    """The scores of the planted copies by damage, and of new pictures."""
    unseen = checker.pack.rows("test")[: checker.config.audit * len(DAMAGES)]
    new = pack_pictures(checker.pack, unseen)
    sets = {**plant_copies(checker), _NEW: new, _SOFT: blurred(new)}
    together = checker.score(np.concatenate(list(sets.values())), "auditing the verdicts")
    ends = np.cumsum([len(pictures) for pictures in sets.values()]).tolist()
    starts = [0, *ends[:-1]]
    return {
        name: together.part(slice(start, end))
        for name, start, end in zip(sets, starts, ends, strict=True)
    }


def plant_copies(checker: NoveltyChecker) -> dict[str, Pixels]:
    """For each damage, `audit` training pictures drawn at random and damaged: (n, H, W, 3)."""
    chance = np.random.default_rng(checker.config.seed)
    rows = checker.pack.rows("train")
    count = min(checker.config.audit, len(rows))
    planted: dict[str, Pixels] = {}
    with Progress("planting copies", count * len(DAMAGES), "pictures") as progress:
        for name, damage in DAMAGES.items():
            chosen = np.sort(chance.choice(rows, count, replace=False))
            originals = pack_pictures(checker.pack, chosen)
            planted[name] = np.stack([damage(picture, chance) for picture in originals])
            progress.advance(count)
    return planted


def share_of_copies(
    checker: NoveltyChecker, scores: Scores, audited: Audit, acquitted: NDArray[np.bool_]
) -> CopiedShare:
    """How many of the testable pictures are copies, in the light of the audit.

    `acquitted` (B,) are counted as new, whatever was found.
    """
    judged = int(checker.testable(scores).sum())
    counted = int((checker.rare(scores) & ~acquitted).sum())
    rates = _false_alarms(checker, scores, audited) if checker.calibrated else []
    planted = audited.all_planted
    return copied_share(judged, counted, rates, planted.rare, planted.trials)


def _false_alarms(
    checker: NoveltyChecker, scores: Scores, audited: Audit
) -> Sequence[tuple[float, Chances]]:
    """The rate of false alarms by stratum, with the strata's weights in this set."""
    places = checker.calibration.place(scores.complexity[checker.testable(scores)])
    rates = []
    for number, (stratum, new) in enumerate(
        zip(checker.calibration.strata, audited.new_by_stratum, strict=True)
    ):
        if weight := int((places == number).sum()):
            rank = checker.rare_rank(stratum)
            rate = false_alarm_chances(rank, len(stratum.ratios), new.rare, new.trials)
            rates.append((weight / len(places), rate))
    return rates


def _row(
    name: str, checker: NoveltyChecker, scores: Scores, within: NDArray[np.bool_] | None = None
) -> AuditRow:
    """Count verdicts, each picture judged on its own; what is too simple to judge is left out."""
    testable = checker.testable(scores)
    if within is not None:
        testable &= within
    copies = [found.verdict == "copy" for found in checker.judge(scores)]
    found = np.asarray(copies, dtype=np.bool_) & testable
    rare = checker.rare(scores) & testable
    flagged = (checker.flagged(scores) | found) & testable
    return AuditRow(
        name, int(testable.sum()), int(found.sum()), int(rare.sum()), int(flagged.sum())
    )
