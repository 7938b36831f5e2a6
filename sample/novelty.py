"""The novelty verdict: how near is a picture to the training set, and is that nearer than chance?

Score: distance to the nearest training picture over the mean distance to the next ones, so that
simple drawings, near to everything, are not accused for their simplicity. Significance: the same
score of pictures that the model never saw (the pack's cal split), among those as intricate.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.alignment import Alignment
from sample.embed import contrast
from sample.nearness import measure
from sample.novelty_index import Neighbours, NoveltyIndex, pack_pictures
from sample.significance import Numbers, benjamini_hochberg
from sample.strata import MOST_STRATA, Calibration, Stratum, calibrate, complexity
from sample.views import mirror

# Gravest first; the order of the report.
Verdict = Literal["copy", "near copy", "close", "cannot say", "too simple to judge", "novel"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_BATCH = 256
CAL = "cal"  # the set of the calibration pictures among those that a checker remembers
_COUNTS = (
    *("k", "aligned", "cards", "reference", "least_reference", "strata", "least_stratum"),
    *("audit", "index_mb"),
)


@dataclass(frozen=True, kw_only=True)
class NoveltyConfig:
    """The thresholds of a verdict, each with its reason."""

    # Nearest distinct originals shown beside a picture.
    k: int = 3
    # Nearest distinct originals that are aligned with a picture before the ratio is taken.
    aligned: int = 5
    # Pictures shown in the report, the most suspicious first; the table holds all.
    cards: int = 500
    # The ratio's denominator: the mean distance to this many originals after the nearest. Carlini
    # et al. 2023 take 50; a smaller pack takes what it has.
    reference: int = 50
    # With fewer originals than this there is no scale to measure nearness by: "cannot say".
    least_reference: int = 10
    # Promise of "close" (share of new pictures so named) and of "near copy" (share of those named
    # that are new). Also the p-value that the cal split must be able to reach at all.
    level: float = 0.05
    # A "copy" must be nearer than all but this share of the calibration pictures, or than all but
    # one: with none excepted, a single duplicate that slipped into the cal split would hide every
    # copy. Its ratio must be below `copy_ratio`, too: of 1,455 logos and animal photographs held
    # out, 5 are below 0.35; they are the same picture twice, the same drawing in another colour,
    # and an empty canvas.
    copy_level: float = 0.01
    copy_ratio: float = 0.35
    # Root mean square difference, in 0..255 levels, up to which two pictures are the same to the
    # eye: a copy by itself, whatever the calibration.
    identical_levels: float = 2.0
    # Standard deviation in 0..255 levels under which nothing is drawn that could be compared.
    # 3 of 1,855 logos and none of 10,000 animal photographs are flatter.
    least_contrast: float = 6.0
    # Calibration pictures are cut into so many strata of complexity, none smaller than this (nor
    # so small that no p-value in it could reach the level): a p of `copy_level` must be possible,
    # and the ratio hardly depends on complexity by itself.
    strata: int = 3
    least_stratum: int = 100
    # Rows of the cal split that a person knows to be in the training set, too (the report shows the
    # nearest ones): they take no part in the calibration.
    duplicates: tuple[int, ...] = ()
    # Copies planted per kind of damage, and test pictures scored, in the report's audit of itself.
    audit: int = 60
    seed: int = 0
    # The descriptor: "" is the built-in one; else a space such as dinov2=FOLDER (see evaluate).
    encoder: str = ""
    # What searches: faiss where it is installed, else torch; the verdicts are the same.
    backend: Literal["auto", "faiss", "torch"] = "auto"
    # Memory for the index; views that do not fit are left out, and the report says how many.
    index_mb: int = 2000

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.strata > MOST_STRATA:
            raise ConfigError(f"strata is {self.strata}; it must be from 1 to {MOST_STRATA}")
        for name in ("level", "copy_level"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")
        if not 0.0 <= self.copy_ratio <= 1.0:
            raise ConfigError(f"copy_ratio is {self.copy_ratio}; it must be from 0 to 1")
        if self.identical_levels < 0 or self.least_contrast < 0:
            raise ConfigError("identical_levels and least_contrast must be at least 0")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it must be at least 0")


@dataclass(frozen=True)
class Scores:
    """What was measured on B pictures; every array is (B,) but `neighbours`.

    `ratio` is NaN where it is undefined; `levels` is the root mean square difference to the
    nearest training picture or its mirror image, in 0..255 levels; `complexity` in bits a value.
    `alignments` has one entry for each of a picture's first few neighbours.
    """

    contrast: NDArray[np.float32]
    complexity: Numbers
    ratio: Numbers
    levels: Numbers
    neighbours: Neighbours
    alignments: list[list[Alignment]]

    def part(self, which: slice | NDArray[np.intp]) -> "Scores":
        """Those of some of the pictures."""
        near, places = self.neighbours, np.arange(len(self.ratio))[which]
        return Scores(
            self.contrast[which],
            self.complexity[which],
            self.ratio[which],
            self.levels[which],
            Neighbours(
                near.rows[which], near.distances[which], near.views[which], near.mirrored[which]
            ),
            [self.alignments[place] for place in places.tolist()],
        )


@dataclass(frozen=True)
class HeldOut:
    """The calibration pictures, (n,) each: their rows in the pack, those of what they are nearest
    to, and their scores. `known` more were in the training set, too."""

    rows: NDArray[np.int64]
    near_rows: NDArray[np.int64]
    ratios: Numbers
    complexities: Numbers
    known: int


@dataclass(frozen=True)
class NoveltyVerdict:
    """The verdict on one picture; p and q are None where it was not put to the test."""

    verdict: Verdict
    p: float | None
    q: float | None


class NoveltyChecker:
    """Scores pictures against a pack's training split and judges them by its cal split."""

    def __init__(
        self,
        pack: PackedDataset,
        index: NoveltyIndex,
        config: NoveltyConfig,
        remembered: Mapping[str, Scores] | None = None,
    ) -> None:
        """Scores the cal split, which takes as long as so many samples, unless it is `remembered`:
        the scores of the cal split and of the audit's pictures, by name."""
        self.pack, self.index, self.config = pack, index, config
        self.remembered: dict[str, Scores] = dict(remembered or {})
        rows = pack.rows("cal")
        if CAL not in self.remembered:
            pictures = pack_pictures(pack, rows)
            self.remembered[CAL] = self.score(pictures, "scoring calibration pictures")
        scores = self.remembered[CAL]
        # What is in the training set is not new. The same holds for samples: identical ones are
        # copies whatever their p, so leaving these out does not favour the others.
        known = (scores.levels <= config.identical_levels) | np.isin(rows, config.duplicates)
        fit = self.testable(scores) & ~known
        self.held_out = HeldOut(
            rows[fit],
            scores.neighbours.rows[fit, 0],
            scores.ratio[fit],
            scores.complexity[fit],
            int(known.sum()),
        )
        self.calibration: Calibration = calibrate(
            self.held_out.ratios,
            self.held_out.complexities,
            most=config.strata,
            least=max(config.least_stratum, math.ceil(1 / config.level) - 1),
        )

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that a picture of any stratum can reach."""
        return self.calibration.smallest_p

    @property
    def calibrated(self) -> bool:
        """Whether any finding is possible at the configured level."""
        return self.smallest_p <= self.config.level

    def score(self, pictures: Pixels, title: str) -> Scores:
        """Measure (B, H, W, 3) uint8 pictures of the pack's size, with a progress bar.

        Raises DataError for pictures of another shape or type.
        """
        self._require(pictures)
        config = self.config
        with Progress(title, len(pictures), "pictures") as progress:
            near = measure(
                pictures,
                self.index,
                self.pack,
                depth=config.aligned,  # not k: how many are shown must not move a verdict
                reference=config.reference,
                least_reference=config.least_reference,
                progress=progress,
            )
        return Scores(
            contrast=contrast(pictures),
            complexity=complexity(pictures),
            ratio=near.ratio,
            levels=self._pixel_differences(pictures, near.neighbours),
            neighbours=near.neighbours,
            alignments=near.alignments,
        )

    def acquitting(self, scores: Scores, innocent: NDArray[np.bool_]) -> "NoveltyChecker":
        """The same checker with pictures in its calibration that a person holds to be new,
        `innocent` (B,).

        What is picked for being near lowers the bar for all as near: fewer findings, never more.
        """
        new = innocent & self.testable(scores) & (scores.levels > self.config.identical_levels)
        other = copy(self)
        other.calibration = self.calibration.joined(scores.ratio[new], scores.complexity[new])
        return other

    def judge(self, scores: Scores) -> list[NoveltyVerdict]:
        """The verdicts on one batch; q-values are over the batch's testable pictures."""
        fit = self.testable(scores)
        p, q = self.p_values(scores), np.ones(len(fit))
        q[fit] = benjamini_hochberg(p[fit])
        return [
            NoveltyVerdict(
                self._verdict(scores, i, float(p[i]), float(q[i])),
                float(p[i]) if fit[i] else None,
                float(q[i]) if fit[i] else None,
            )
            for i in range(len(fit))
        ]

    def p_values(self, scores: Scores) -> Numbers:
        """(B,), 1 where a picture cannot be put to the test."""
        fit = self.testable(scores)
        p = np.ones(len(fit))
        p[fit] = self.calibration.p_values(scores.ratio[fit], scores.complexity[fit])
        return p

    def flagged(self, scores: Scores) -> NDArray[np.bool_]:
        """Which pictures are nearer than the level allows, each on its own (close or worse)."""
        return np.asarray(self.p_values(scores) <= self.config.level, dtype=np.bool_)

    def rare(self, scores: Scores) -> NDArray[np.bool_]:
        """Which pictures are as near as hardly a new one, each on its own: nearer than all but
        `copy_level` of the calibration pictures (or all but one), or the same to the eye."""
        near = self.p_values(scores) <= self._rare_p(scores)
        same = scores.levels <= self.config.identical_levels
        return np.asarray(near | (same & self.testable(scores)), dtype=np.bool_)

    def rare_rank(self, stratum: Stratum) -> int:
        """The place among the stratum's calibration ratios of the border of `rare`."""
        return stratum.rank(self._rare(stratum.smallest_p))

    def _rare(self, smallest_p: float) -> float:
        return min(self.config.level, max(self.config.copy_level, 2 * smallest_p))

    def _rare_p(self, scores: Scores) -> Numbers:
        return np.array([self._rare(p) for p in self.calibration.smallest(scores.complexity)])

    def _verdict(self, scores: Scores, i: int, p: float, q: float) -> Verdict:
        config = self.config
        if scores.contrast[i] < config.least_contrast:
            return "too simple to judge"
        if scores.levels[i] <= config.identical_levels:
            return "copy"
        if np.isnan(scores.ratio[i]) or not self.calibrated:
            return "cannot say"
        (smallest,) = self.calibration.smallest(scores.complexity[i : i + 1])
        if p <= self._rare(float(smallest)) and scores.ratio[i] <= config.copy_ratio:
            return "copy"
        if q <= config.level:
            return "near copy"
        return "close" if p <= config.level else "novel"

    def testable(self, scores: Scores) -> NDArray[np.bool_]:
        """Which pictures have contrast enough, and neighbours enough, for a p-value."""
        enough = scores.contrast >= self.config.least_contrast
        return np.asarray(enough & ~np.isnan(scores.ratio), dtype=np.bool_)

    def _require(self, pictures: Pixels) -> None:
        wanted = (self.pack.height, self.pack.width, 3)
        if pictures.dtype != np.uint8 or pictures.shape[1:] != wanted:
            raise DataError(
                f"pictures of {pictures.dtype} {pictures.shape[1:]} cannot be compared with a pack"
                f" of uint8 {wanted}; bring them to its size and type first"
            )

    def _pixel_differences(self, pictures: Pixels, neighbours: Neighbours) -> Numbers:
        levels = np.empty(len(pictures))
        for start in range(0, len(pictures), _BATCH):
            part = slice(start, start + _BATCH)
            nearest = pack_pictures(self.pack, neighbours.rows[part, 0]).astype(np.float32)
            apart = [
                np.sqrt(np.square(nearest - seen).mean(axis=(1, 2, 3)))
                for seen in (pictures[part], mirror(pictures[part]))
            ]
            levels[part] = np.minimum(*apart)
        return levels


def verdict_counts(verdicts: Sequence[NoveltyVerdict]) -> dict[str, int]:
    """How many pictures got each verdict, gravest first, zeros included."""
    counts = Counter(found.verdict for found in verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS}
