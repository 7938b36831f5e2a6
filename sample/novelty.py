"""The novelty verdict: how near is a picture to the training set, and is that nearer than chance?

Score: distance to the nearest training picture over the mean distance to the next ones, so that
simple drawings, near to everything, are not accused for their simplicity. Significance: the same
score of pictures that the model never saw (the pack's cal split).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.embed import contrast
from sample.novelty_index import Neighbours, NoveltyIndex, pack_pictures
from sample.significance import Numbers, benjamini_hochberg, conformal_p
from sample.views import mirror

# Gravest first; the order of the report.
Verdict = Literal["copy", "near copy", "close", "cannot say", "too simple to judge", "novel"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, kw_only=True)
class NoveltyConfig:
    """The thresholds of a verdict, each with its reason."""

    # Nearest distinct originals shown beside a picture.
    k: int = 3
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
    # Copies planted per kind of damage, and test pictures scored, in the report's audit of itself.
    audit: int = 60
    seed: int = 0
    # Memory for the index; views that do not fit are left out, and the report says how many.
    index_mb: int = 2000

    def __post_init__(self) -> None:
        for name in ("k", "cards", "reference", "least_reference", "audit", "index_mb"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
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
    nearest training picture or its mirror image, in 0..255 levels.
    """

    contrast: NDArray[np.float32]
    ratio: Numbers
    levels: Numbers
    neighbours: Neighbours


@dataclass(frozen=True)
class NoveltyVerdict:
    """The verdict on one picture; p and q are None where it was not put to the test."""

    verdict: Verdict
    p: float | None
    q: float | None


class NoveltyChecker:
    """Scores pictures against a pack's training split and judges them by its cal split."""

    def __init__(self, pack: PackedDataset, index: NoveltyIndex, config: NoveltyConfig) -> None:
        self.pack, self.index, self.config = pack, index, config
        held_out = self.score(pack_pictures(pack, pack.rows("cal")), "scoring calibration pictures")
        fit = self.testable(held_out)
        self.calibration: Numbers = np.sort(held_out.ratio[fit])  # (n,)

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that this many calibration pictures can give."""
        return 1.0 / (len(self.calibration) + 1)

    @property
    def calibrated(self) -> bool:
        """Whether any finding is possible at the configured level."""
        return self.smallest_p <= self.config.level

    def score(self, pictures: Pixels, title: str) -> Scores:
        """Measure (B, H, W, 3) uint8 pictures of the pack's size, with a progress bar."""
        depth = max(self.config.k, 1 + self.config.reference)
        with Progress(title, len(pictures), "pictures") as progress:
            neighbours = self.index.search(pictures, depth, progress)
        return Scores(
            contrast=contrast(pictures),
            ratio=self._ratios(neighbours),
            levels=self._pixel_differences(pictures, neighbours),
            neighbours=neighbours,
        )

    def judge(self, scores: Scores) -> list[NoveltyVerdict]:
        """The verdicts on one batch; q-values are over the batch's testable pictures."""
        fit = self.testable(scores)
        p, q = np.ones(len(fit)), np.ones(len(fit))
        p[fit] = conformal_p(scores.ratio[fit], self.calibration)
        q[fit] = benjamini_hochberg(p[fit])
        return [
            NoveltyVerdict(
                self._verdict(scores, i, float(p[i]), float(q[i])),
                float(p[i]) if fit[i] else None,
                float(q[i]) if fit[i] else None,
            )
            for i in range(len(fit))
        ]

    def flagged(self, scores: Scores) -> NDArray[np.bool_]:
        """Which pictures are nearer than the level allows, each on its own (close or worse)."""
        fit = self.testable(scores)
        near = np.zeros(len(fit), dtype=np.bool_)
        near[fit] = conformal_p(scores.ratio[fit], self.calibration) <= self.config.level
        return near

    def _verdict(self, scores: Scores, i: int, p: float, q: float) -> Verdict:
        config = self.config
        if scores.contrast[i] < config.least_contrast:
            return "too simple to judge"
        if scores.levels[i] <= config.identical_levels:
            return "copy"
        if np.isnan(scores.ratio[i]) or not self.calibrated:
            return "cannot say"
        rare = min(config.level, max(config.copy_level, 2 * self.smallest_p))
        if p <= rare and scores.ratio[i] <= config.copy_ratio:
            return "copy"
        if q <= config.level:
            return "near copy"
        return "close" if p <= config.level else "novel"

    def testable(self, scores: Scores) -> NDArray[np.bool_]:
        """Which pictures have contrast enough, and neighbours enough, for a p-value."""
        enough = scores.contrast >= self.config.least_contrast
        return np.asarray(enough & ~np.isnan(scores.ratio), dtype=np.bool_)

    def _ratios(self, neighbours: Neighbours) -> Numbers:
        """Distance to the nearest over the mean to the next `reference`, (B,), NaN if too few."""
        following = neighbours.distances[:, 1 : 1 + self.config.reference]
        there = np.isfinite(following)
        count = there.sum(axis=1)
        total = np.where(there, following, 0.0).sum(axis=1)
        enough = (count >= self.config.least_reference) & (total > 0)
        ratio = np.full(len(following), np.nan)
        ratio[enough] = neighbours.distances[enough, 0] * count[enough] / total[enough]
        return ratio

    def _pixel_differences(self, pictures: Pixels, neighbours: Neighbours) -> Numbers:
        nearest = pack_pictures(self.pack, neighbours.rows[:, 0]).astype(np.float64)
        apart = [
            np.sqrt(np.square(nearest - seen).mean(axis=(1, 2, 3)))
            for seen in (pictures, mirror(pictures))
        ]
        return np.asarray(np.minimum(*apart), dtype=np.float64)


def verdict_counts(verdicts: Sequence[NoveltyVerdict]) -> dict[str, int]:
    """How many pictures got each verdict, gravest first, zeros included."""
    counts = Counter(found.verdict for found in verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS}
