"""Whether two pictures show the same: the doubts of all witnesses add up to odds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dataset.candidates import Candidates
from dataset.fingerprint import ON_BLACK, ON_WHITE, OPAQUE, Fingerprints, Numbers
from dataset.views import WARPS
from dataset.witnesses import WITNESSES, compare

Values = NDArray[np.float64]

# The score from which on two pictures show the same: the odds are even there.
SAME = 0.5

# How much doubt each witness brings, as a weight of evidence (log-odds). The weights were fitted
# by logistic regression to copies of photographs and logos under fourteen alterations, against
# other pictures with near hashes, drawings from one stencil and simple shapes; `tests.bench
# likeness` measures what they are worth.
_CONFIDENCE = 8.7  # when there is no doubt at all
_CORRELATION, _WORST, _GAIN, _SHIFT = 4.2, 2.74, 4.84, 0.863
_CHROMA, _CHROMA_CELL = 5.6, 0.187
_STRETCH, _EXACT_STRETCH, _UNSEEN = 13.4, 7.0, 9.56
# And how much more where there are few tones: plain shapes fit into each other easily.
_PLAIN_WORST, _PLAIN_SHIFT, _PLAIN_CHROMA, _PLAIN_TURN = 3.5, 0.22, 0.75, 0.85
# A picture that has not moved at all may be lighter or darker; turns, cuts, parts not seen and
# stretches by which it counts as moved.
_STILL_GAIN = 0.5
_MOVED_TURN, _MOVED_CUT, _MOVED_UNSEEN, _MOVED_STRETCH = 0.01, 0.03, 0.02, 0.02
# Entropy of tones up to which a shape is plain, and from which on a picture is not at all.
_FEW_TONES, _ALL_TONES = 2.0, 4.0
# Beyond these nothing is a copy: share that is covered, logarithms of area and contrast, radians.
_LEAST_OVERLAP, _MOST_CUT, _MOST_GAIN = 0.6, 0.55, 1.0
# Nor beyond these, of plain shapes and of pictures with many tones.
_MOST_TURN, _MOST_STRANGE, _MOST_WORST = (0.035, 0.2), (0.07, 0.16), (0.8, 1.4)
_MOST_ASTRAY = (0.06, 0.1)  # what the correlation lacks
# A picture whose chroma is weaker than this has hardly any (levels).
_FAINT_CHROMA = 14.0
# A copy in grey has no chroma, and every tone of a picture that has many.
_GREY_CHROMA, _GREY_SHIFT, _GREY_GAIN = 3.0, 4.0, 0.06
# A picture of many tones that fits in all else may have been squeezed into another shape.
_EXACT_CORRELATION, _EXACT_STRANGE, _EXACT_WORST, _MANY_TONES = 0.99, 0.01, 0.2, 3.0
# What is hardly seen on a ground decides nothing there (contrast in levels).
_HARDLY_SEEN = 14.0
# And on the second ground so much more doubt is allowed.
_LENIENCE = 1.4
_HOPELESS = 9.0


@dataclass(frozen=True)
class Verdicts:
    """Pairs of pictures a < b that have candidates, with how they lie best over each other.

    `score` (N,) is how surely they show the same, 0..1; `way` their candidates, `witnesses`
    (N, len(WITNESSES)) and `warps` (N, 6) what the comparison found.
    """

    a: Numbers
    b: Numbers
    score: Values
    way: Candidates
    witnesses: Values
    warps: Values

    def chosen(self, which: NDArray[np.bool_] | Numbers) -> "Verdicts":
        return Verdicts(
            self.a[which],
            self.b[which],
            self.score[which],
            self.way.chosen(which),
            self.witnesses[which],
            self.warps[which],
        )

    def same(self) -> "Verdicts":
        """Those that show the same."""
        return self.chosen(self.score >= SAME)


def judge(
    prints: Fingerprints,
    ways: Candidates,
    *,
    threads: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Verdicts:
    """The verdict on every pair of pictures that `ways` are given for, in order of (a, b).

    One way that fits is enough, but two pictures that can both be seen through must look the
    same on white and on black.
    """
    witnesses, warps = compare(
        prints.looks,
        ways.first,
        ways.second,
        WARPS[ways.view],
        threads=threads,
        advance=advance,
    )
    misfit = misfits(prints, ways, witnesses)
    one, other = prints.owners[ways.first], prints.owners[ways.second]
    a, b = np.minimum(one, other), np.maximum(one, other)
    ground = np.maximum(prints.looks["ground"][ways.first], prints.looks["ground"][ways.second])
    order = np.lexsort((misfit, ground, b, a))  # stable: of equal ways the first
    best = order[_starts(a[order], b[order], ground[order])]
    pairs = best[_starts(a[best], b[best])]
    place = np.cumsum(_starts(a[best], b[best])) - 1  # of each of `best`, its pair
    by_ground = np.full((len(pairs), 3), np.inf)
    by_ground[place, ground[best]] = misfit[best]
    chosen = _best_way(pairs, place, misfit, best)
    total = by_ground.min(axis=1)
    found = Verdicts(
        a[pairs], b[pairs], total, ways.chosen(chosen), witnesses[chosen], warps[chosen]
    )
    _ask_other_ground(prints, found, by_ground, total, threads)
    return replace(found, score=1 / (1 + np.exp(_CONFIDENCE * (total - 1))))


def misfits(prints: Fingerprints, ways: Candidates, witnesses: Values) -> Values:
    """The doubt that all witnesses together leave of each way, (C,), in shares of what is too
    much: 0 for the very same, 1 where the odds are even."""
    w = {name: witnesses[:, column] for column, name in enumerate(WITNESSES)}
    plain = 1 - np.clip((w["tones"] - _FEW_TONES) / (_ALL_TONES - _FEW_TONES), 0, 1)
    gain = np.abs(np.log(np.maximum(w["gain"], 1e-6)))
    cut = np.abs(np.log(np.maximum(w["scale_x"] * w["scale_y"], 1e-6)))
    strongest = np.maximum(w["chroma_first"], w["chroma_second"])
    chroma = w["chroma_rest"] / np.maximum(strongest, _FAINT_CHROMA)
    colours = (_CHROMA + _PLAIN_CHROMA * plain) * chroma + _CHROMA_CELL * w["chroma_worst"]
    stretch, unseen = _stretch(prints, ways, w), 1 - w["overlap"]
    squeeze = np.where(_is_exact(w), _EXACT_STRETCH, _STRETCH)
    moved = 1 - np.exp(
        -w["turn"] / _MOVED_TURN
        - cut / _MOVED_CUT
        - unseen / _MOVED_UNSEEN
        - stretch / _MOVED_STRETCH
    )
    doubt = (
        _CORRELATION * (1 - w["correlation"])
        + (_WORST + _PLAIN_WORST * plain) * np.sqrt(w["worst"])
        + (_SHIFT + _PLAIN_SHIFT * plain) * np.sqrt(np.abs(w["shift"])) * moved
        + _GAIN * gain * (_STILL_GAIN + (1 - _STILL_GAIN) * moved)
        + np.where(_is_grey_copy(w), 0.0, colours)
        + _PLAIN_TURN * plain * np.sqrt(w["turn"])
        + _UNSEEN * np.sqrt(unseen)
        + squeeze * np.sqrt(stretch)
    )

    def most(limits: tuple[float, float]) -> Values:
        return limits[0] + (limits[1] - limits[0]) * np.clip(1.5 - 2 * plain, 0, 1)

    # What has not moved may have been stamped.
    patience = 1 + np.maximum(0, 1 - 2 * moved)
    impossible = (
        (w["overlap"] < _LEAST_OVERLAP)
        | (cut > _MOST_CUT)
        | (gain > _MOST_GAIN)
        | (1 - w["correlation"] > most(_MOST_ASTRAY))
        | (w["turn"] > most(_MOST_TURN))
        | (w["strange"] > most(_MOST_STRANGE) * patience)
        | (w["worst"] > most(_MOST_WORST) * patience)
        | ~np.isfinite(doubt)
    )
    misfit: Values = np.where(impossible, _HOPELESS, np.minimum(doubt / _CONFIDENCE, _HOPELESS))
    return misfit


def reasons(prints: Fingerprints, verdicts: Verdicts) -> list[str]:
    """How one picture of each pair became the other, such as "mirrored, resized"."""
    w = {name: verdicts.witnesses[:, column] for column, name in enumerate(WITNESSES)}
    mine, theirs = (prints.looks[place] for place in (verdicts.way.first, verdicts.way.second))
    warps = verdicts.warps
    area = w["scale_x"] * w["scale_y"]
    size = mine["width"] * w["scale_x"] / theirs["width"]
    chroma = np.sort(np.stack([w["chroma_first"], w["chroma_second"]]), axis=0)
    told: dict[str, NDArray[np.bool_]] = {
        "mirrored": warps[:, 0] * warps[:, 4] < 0,
        "turned": w["turn"] > 0.015,
        "framed": mine["frame"] != theirs["frame"],
        "cropped": np.abs(np.log(np.maximum(area, 1e-6))) > 0.06,
        "stretched": _stretch(prints, verdicts.way, w) > 0.05,
        "flattened": (mine["ground"] == OPAQUE) != (theirs["ground"] == OPAQUE),
        "resized": np.abs(np.log(np.maximum(size, 1e-6))) > 0.04,
        "grey": (chroma[0] < _GREY_CHROMA) & (chroma[1] > _FAINT_CHROMA),
        "toned": (np.abs(np.log(np.maximum(w["gain"], 1e-6))) > 0.1) | (np.abs(w["shift"]) > 6),
        "retouched": (w["worst"] > 0.35) | (w["strange"] > 0.03),
    }
    names = [[name for name in told if told[name][k]] for k in range(len(verdicts.a))]
    return [", ".join(some) or "same" for some in names]


def _is_grey_copy(w: dict[str, Values]) -> NDArray[np.bool_]:
    least = np.minimum(w["chroma_first"], w["chroma_second"])
    gain = np.abs(np.log(np.maximum(w["gain"], 1e-6)))
    is_copy: NDArray[np.bool_] = (
        (least < _GREY_CHROMA)
        & (w["correlation"] > _EXACT_CORRELATION)
        & (np.abs(w["shift"]) < _GREY_SHIFT)
        & (gain < _GREY_GAIN)
        & (w["tones"] > _MANY_TONES)
    )
    return is_copy


def _is_exact(w: dict[str, Values]) -> NDArray[np.bool_]:
    """Whether nothing at all is strange about two pictures with much to compare."""
    is_exact: NDArray[np.bool_] = (
        (w["correlation"] > _EXACT_CORRELATION)
        & (w["strange"] < _EXACT_STRANGE)
        & (w["worst"] < _EXACT_WORST)
        & (w["tones"] > _MANY_TONES)
    )
    return is_exact


def _stretch(prints: Fingerprints, ways: Candidates, w: dict[str, Values]) -> Values:
    """How far the aspect of the second is from that of the part of the first that it shows, as a
    logarithm, beyond what rounding to whole pixels explains."""
    width, height = (prints.looks[side].astype(np.float64) for side in ("width", "height"))
    shown_width = width[ways.first] * np.maximum(w["scale_x"], 1e-6)
    shown_height = height[ways.first] * np.maximum(w["scale_y"], 1e-6)
    aspect = width[ways.second] / height[ways.second]
    least = np.minimum(
        np.minimum(width, height)[ways.first], np.minimum(width, height)[ways.second]
    )
    stretch: Values = np.abs(np.log(aspect * shown_height / shown_width)) - 1 / least
    return np.maximum(0, stretch)


def _starts(*columns: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where a new combination begins in sorted columns."""
    starts = np.ones(len(columns[0]), np.bool_)
    starts[1:] = np.logical_or.reduce([np.diff(column.astype(np.int64)) != 0 for column in columns])
    return starts


def _best_way(pairs: Numbers, place: Numbers, misfit: Values, best: Numbers) -> Numbers:
    """For each pair the way, of any ground, that fits best."""
    order = np.lexsort((misfit[best], place))
    return best[order[_starts(place[order])]]


def _ask_other_ground(
    prints: Fingerprints, found: Verdicts, by_ground: Values, total: Values, threads: int
) -> None:
    """Raise `total` of pairs of transparent pictures to the worse of their grounds."""
    first_look = np.searchsorted(prints.owners, np.arange(prints.owners.max(initial=0) + 2))
    transparent = prints.looks["ground"][first_look[:-1]] != OPAQUE
    both = np.nonzero(transparent[found.a] & transparent[found.b] & (total <= 1))[0]
    asked: list[tuple[int, int, int, int]] = []  # pair, ground, look, look
    for pair in both.tolist():
        owners = prints.owners[[found.way.first[pair], found.way.second[pair]]]
        spans = [slice(first_look[owner], first_look[owner + 1]) for owner in owners]
        best = int(by_ground[pair].argmin())
        for ground in {ON_WHITE, ON_BLACK} - {best}:
            mine, theirs = (_telling(prints, span, ground) for span in spans)
            if not _is_seen(prints, mine + theirs):
                by_ground[pair, ground] = 0.0
            elif np.isinf(by_ground[pair, ground]):
                if not (mine and theirs):
                    by_ground[pair, ground] = _HOPELESS
                asked += [(pair, ground, x, y) for x in mine for y in theirs]
    if asked:
        _answer(prints, found, np.array(asked), by_ground, threads)
    grounds = np.where(np.isfinite(by_ground), by_ground, 0.0)
    total[both] = np.maximum(total[both], grounds[both].max(axis=1) / _LENIENCE)


def _telling(prints: Fingerprints, span: slice, ground: int) -> list[int]:
    """The look, if any, that shows all that a picture has on this ground."""
    looks = prints.looks[span]
    found = np.nonzero((looks["ground"] == ground) & (looks["is_flat"] == 0))[0]
    return [int(span.start + n) for n in found[-1:]]  # the trimmed look comes last


def _is_seen(prints: Fingerprints, places: list[int]) -> bool:
    contrasts = [float(prints.looks["luma"][place].std()) for place in places]
    return max(contrasts, default=0.0) > _HARDLY_SEEN


def _answer(
    prints: Fingerprints, found: Verdicts, asked: Numbers, by_ground: Values, threads: int
) -> None:
    """Compare the asked looks, lying as they do on the other ground; the best of each counts."""
    pair, ground, first, second = asked.T
    lying = _matrices(found.warps[pair])
    whence = _frames(prints, found.way.second[pair])
    whither = _frames(prints, found.way.first[pair])
    carried = (
        np.linalg.inv(_frames(prints, first))
        @ whither
        @ lying
        @ np.linalg.inv(whence)
        @ _frames(prints, second)
    )
    starts = np.ascontiguousarray(carried[:, :2].reshape(-1, 6))
    ways = Candidates(first, second, np.zeros(len(first), np.int64))
    witnesses, _ = compare(prints.looks, first, second, starts, threads=threads)
    np.minimum.at(by_ground, (pair, ground), misfits(prints, ways, witnesses))


def _matrices(warps: Values) -> Values:
    matrices = np.zeros((len(warps), 3, 3))
    matrices[:, :2] = warps.reshape(-1, 2, 3)
    matrices[:, 2, 2] = 1
    return matrices


def _frames(prints: Fingerprints, places: Numbers) -> Values:
    """From (x, y) in 0..1 of looks to pixels of their pictures, (N, 3, 3)."""
    looks, matrices = prints.looks, np.zeros((len(places), 3, 3))
    matrices[:, 0, 0], matrices[:, 0, 2] = looks["width"][places], looks["left"][places]
    matrices[:, 1, 1], matrices[:, 1, 2] = looks["height"][places], looks["top"][places]
    matrices[:, 2, 2] = 1
    return matrices
