"""The self-audit of a novelty report: are copies planted on purpose found, and new pictures spared?

Run with every report, so that its verdicts are read with their measured error rates.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.novelty import NoveltyChecker, Scores
from sample.novelty_index import pack_pictures
from sample.significance import wilson_interval
from sample.views import View, apply_view, mirror

Damage = Callable[[Pixels, np.random.Generator], Pixels]  # one (H, W, 3) uint8 picture


def _noise(picture: Pixels, chance: np.random.Generator) -> Pixels:
    noise = chance.normal(0.0, chance.uniform(2.0, 10.0), picture.shape)
    return _levels(picture + noise)


def _flip(picture: Pixels, chance: np.random.Generator) -> Pixels:
    return cast(Pixels, mirror(picture[None])[0])


def _shift(picture: Pixels, chance: np.random.Generator) -> Pixels:
    unit = 3.0 * 2.0 / 32.0  # up to three pixels of 32, in shares of half the side
    right, down = chance.uniform(-unit, unit, 2)
    return _seen(picture, View(name="", right=right, down=down))


def _crop(picture: Pixels, chance: np.random.Generator, least: float = 0.8) -> Pixels:
    zoom = float(chance.uniform(least, 0.95))
    right, down = chance.uniform(zoom - 1.0, 1.0 - zoom, 2)
    return _seen(picture, View(name="", zoom=zoom, right=right, down=down))


def _turn(picture: Pixels, chance: np.random.Generator) -> Pixels:
    return _seen(picture, View(name="", degrees=float(chance.uniform(-8, 8))))


def _jpeg(picture: Pixels, chance: np.random.Generator) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(chance.integers(40, 91)))
    return np.array(Image.open(buffer).convert("RGB"))


def _brightness(picture: Pixels, chance: np.random.Generator) -> Pixels:
    gain, bias = chance.uniform(0.7, 1.3), chance.uniform(-25.0, 25.0)
    return _levels(picture * gain + bias)


def _several(picture: Pixels, chance: np.random.Generator) -> Pixels:
    cropped = _crop(_flip(picture, chance), chance, least=0.88)
    return _brightness(_jpeg(cropped, chance), chance)


def _seen(picture: Pixels, view: View) -> Pixels:
    return cast(Pixels, apply_view(picture[None], view)[0])


def _levels(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


# What a copy may have gone through; every strength is drawn at random.
DAMAGES: dict[str, Damage] = {
    "noise": _noise,
    "mirrored": _flip,
    "shifted up to 3/32": _shift,
    "cropped to 80-95%": _crop,
    "turned up to 8°": _turn,
    "JPEG quality 40-90": _jpeg,
    "brightness": _brightness,
    "mirrored, cropped, JPEG, brightness": _several,
}


@dataclass(frozen=True)
class AuditRow:
    """How many of `trials` pictures were called a copy, and how many at least close."""

    name: str
    trials: int
    copies: int
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
    """Detection on planted copies, by damage, and false alarms on the untouched test split."""

    planted: list[AuditRow]
    new: AuditRow

    @property
    def all_planted(self) -> AuditRow:
        """All damages together."""
        return AuditRow(
            "all planted copies",
            sum(row.trials for row in self.planted),
            sum(row.copies for row in self.planted),
            sum(row.flagged for row in self.planted),
        )


def audit(checker: NoveltyChecker) -> Audit:
    """Plant damaged copies of training pictures, and score test pictures, exactly like samples."""
    planted = [
        _row(name, checker, checker.score(pictures, f"auditing: {name}"))
        for name, pictures in plant_copies(checker).items()
    ]
    unseen = checker.pack.rows("test")[: checker.config.audit * len(DAMAGES)]
    new = checker.score(pack_pictures(checker.pack, unseen), "auditing: new pictures")
    return Audit(planted, _row("new pictures (test split)", checker, new))


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


def _row(name: str, checker: NoveltyChecker, scores: Scores) -> AuditRow:
    """Count verdicts, each picture judged on its own; what is too simple to judge is left out."""
    testable = checker.testable(scores)
    copies = [found.verdict == "copy" for found in checker.judge(scores)]
    found = np.asarray(copies, dtype=np.bool_) & testable
    flagged = (checker.flagged(scores) | found) & testable
    return AuditRow(name, int(testable.sum()), int(found.sum()), int(flagged.sum()))
