"""Learns from the judged pictures what is liked, and says how well that foretells judgements.

Keeping, stars and votes become one scale: 0 is the cut between keep and reject, 1 a kept picture,
-1 a rejected one; a vote says that two pictures lie apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate_app import accuracy
from curate_app.lesson import Figure
from curate_app.regression import Linear, Rows, fit
from dataset.errors import ConfigError

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64]

LEAST_OF_EACH, LEAST_RATED, LEAST_VOTES = 5, 10, 20
# Stars alone say less than a decision; a vote has the noise of two pictures.
_TRUST_DECIDED, _TRUST_RATED, _TRUST_VOTE = 1.0, 0.7, 0.5
_FOLDS, _FOLDS_OF_FEW, _FEW = 5, 10, 150
# The slope of a logistic curve in the scale above while nothing can be measured.
_USUAL_SLOPE = 2.5
_LEAST_SLOPE = 0.05
# Errors of folds hang together, which the textbook's intervals do not know (Bates, Hastie and
# Tibshirani 2023): of labels drawn by lot, those so much wider hold what they promise.
_WIDER = 1.35
_PROBIT = 1.702  # a logistic curve is a normal one of this width


@dataclass(frozen=True, kw_only=True)
class Examples:
    """N pictures with a judgement or a vote, and V votes between them.

    `status` 1 keep, -1 reject, 0 neither; `stars` 0..5; `groups` the same number for pictures that
    look alike (all (N,)); left, right (V,) rows of pictures; outcome (V,) 1 left, 0 tie, -1 right;
    `aside` (V,) votes that are never learned from.
    """

    features: Floats
    status: Numbers
    stars: Numbers
    groups: Numbers
    left: Numbers
    right: Numbers
    outcome: Numbers
    aside: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.status)

    @property
    def is_opinion(self) -> NDArray[np.bool_]:
        """(N,) whether a picture was judged itself, and not only against others."""
        judged: NDArray[np.bool_] = (self.status != 0) | (self.stars > 0)
        return judged


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The chance to be kept by score: a logistic curve (Platt 1999)."""

    slope: float = _USUAL_SLOPE
    offset: float = 0.0

    def chance(self, scores: Doubles | Floats) -> Doubles:
        """0..1 for scores of any shape."""
        level = np.clip(self.slope * np.asarray(scores, np.float64) + self.offset, -30, 30)
        return 1 / (1 + np.exp(-level))

    def deviation(self, scores: Doubles | Floats, deviations: Doubles | Floats) -> Doubles:
        """The standard deviation of the chance, by the curve's slope there."""
        chance = self.chance(scores)
        slope: Doubles = self.slope * chance * (1 - chance)
        return slope * np.asarray(deviations, np.float64)

    def worth(self, scores: Floats, deviations: Floats) -> Doubles:
        """How much a judgement would teach, 0..1 bits: the information gain of a probit classifier
        (Houlsby et al. 2011, BALD). High for what is uncertain and near the cut."""
        level = (self.slope * scores.astype(np.float64) + self.offset) / _PROBIT
        variance = (self.slope * deviations.astype(np.float64) / _PROBIT) ** 2
        # The entropy of a normal distribution function at x is about exp(-x^2 / (pi ln 2)), which
        # has a closed mean over a normal x; 2 width is pi ln 2.
        width = np.pi * np.log(2) / 2
        doubt = np.exp(-(level**2) / (2 * width * (1 + variance)))
        known = np.exp(-(level**2) / (2 * (variance + width))) * np.sqrt(width / (variance + width))
        gain: Doubles = np.clip(doubt - known, 0, 1)
        return gain


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A model, what it says of the examples when it has not seen them (N,), and how good it is."""

    model: Linear
    curve: Curve
    unseen: Doubles
    unseen_deviation: Doubles
    figures: tuple[Figure, ...]


def opinions(status: Numbers, stars: Numbers) -> Doubles:
    """(N,) on the scale: kept pictures lie above 0 and rejected ones below, stars move them; stars
    alone count from -1 (one) to 1 (five). NaN without either."""
    rated = np.where(stars > 0, (stars - 3) / 2, 0.0)
    decided = status + np.where(status > 0, 0.5, 0.25) * rated
    return np.where(status != 0, decided, np.where(stars > 0, rated, np.nan))


def what_lacks(examples: Examples) -> str:
    """What there is too little of to learn from, or ""."""
    kept, rejected = (int((examples.status == sign).sum()) for sign in (1, -1))
    stars = examples.stars[examples.stars > 0]
    votes = int((~examples.aside & (examples.outcome != 0)).sum())
    if min(kept, rejected) >= LEAST_OF_EACH or votes >= LEAST_VOTES:
        return ""
    if len(stars) >= LEAST_RATED and len(np.unique(stars)) > 1:
        return ""
    return (
        f"cannot say yet: {kept} kept, {rejected} rejected, {len(stars)} rated by stars, "
        f"{votes} votes. It takes {LEAST_OF_EACH} kept and {LEAST_OF_EACH} rejected, or "
        f"{LEAST_RATED} with different stars, or {LEAST_VOTES} votes"
    )


def learn(examples: Examples, columns: Mapping[str, slice]) -> Learned:
    """Fit the model and measure it by cross-validation; `columns` names the groups of features.

    Raises ConfigError while there are too few examples.
    """
    lacking = what_lacks(examples)
    if lacking:
        raise ConfigError(f"{lacking}; judge more, then run it again")
    folds = folds_of(examples)
    unseen, deviation = cross_validate(examples, columns, folds)
    curve = calibrate(unseen, examples.status)
    return Learned(
        model=fit(examples.features, rows_of(examples), columns),
        curve=curve,
        unseen=unseen,
        unseen_deviation=deviation,
        figures=measure(examples, unseen),
    )


def rows_of(examples: Examples, without: NDArray[np.bool_] | None = None) -> Rows:
    """What the examples say, but for what concerns the pictures `without` (N,), votes too."""
    out = np.zeros(len(examples), np.bool_) if without is None else without
    points = np.flatnonzero(examples.is_opinion & ~out)
    votes = np.flatnonzero(~examples.aside & ~out[examples.left] & ~out[examples.right])
    value = opinions(examples.status[points], examples.stars[points])
    decided = examples.status[points] != 0
    return Rows(
        plus=np.concatenate([points, examples.left[votes]]),
        minus=np.concatenate([np.full(len(points), -1), examples.right[votes]]),
        value=np.concatenate([value, examples.outcome[votes].astype(np.float64)]),
        weight=np.concatenate(
            [
                np.where(decided, _TRUST_DECIDED, _TRUST_RATED),
                np.full(len(votes), _TRUST_VOTE),
            ]
        ),
    )


def folds_of(examples: Examples, *, seed: int = 0) -> Numbers:
    """The fold of each picture (N,): those that look alike are in one; kept and rejected ones are
    dealt out evenly."""
    names, place, sizes = np.unique(examples.groups, return_inverse=True, return_counts=True)
    kind = np.zeros(len(names))
    np.add.at(kind, place, examples.status)
    rng = np.random.default_rng(seed)
    count = min(_FOLDS if len(examples) > _FEW else _FOLDS_OF_FEW, len(names))
    # The largest first, so that one crowd of copies does not overfill a fold.
    order = np.lexsort((rng.random(len(names)), np.sign(kind), -sizes))
    of_group = np.empty(len(names), np.int64)
    full = np.zeros(count)
    large = int((sizes > max(1, len(examples) // (10 * count))).sum())
    for group in order[:large]:
        of_group[group] = full.argmin()
        full[of_group[group]] += sizes[group]
    of_group[order[large:]] = (np.arange(len(order) - large) + full.argmin()) % count
    return of_group[place]


def cross_validate(
    examples: Examples, columns: Mapping[str, slice], folds: Numbers
) -> tuple[Doubles, Doubles]:
    """Score and deviation of each picture (N,) by a model that knows nothing of its fold: neither
    a judgement nor a vote of any picture in it.

    Raises ValueError when pictures that look alike are in different folds: then what is asked
    would have been learned.
    """
    least, most = _extremes(folds, examples.groups)
    if (least != most).any():
        raise ValueError("pictures that look alike are in different folds: the accuracy would lie")
    scores = np.zeros(len(examples))
    deviations = np.zeros(len(examples))
    middle = 0.0
    for fold in np.unique(folds):
        inside = folds == fold
        known = rows_of(examples, inside)
        if not len(known):
            continue
        model = fit(examples.features, known, columns, seed=int(fold))
        everywhere, spread = model.predict(examples.features)
        # Without its fold a model's mean is lower where the fold's is higher: that says nothing.
        scores[inside] = everywhere[inside] - everywhere.mean()
        deviations[inside] = spread[inside]
        middle += float(everywhere.mean()) * inside.mean()
    return scores + middle, deviations


def _extremes(folds: Numbers, groups: Numbers) -> tuple[Numbers, Numbers]:
    """The smallest and the largest fold of each group."""
    names, place = np.unique(groups, return_inverse=True)
    least, most = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), -1)
    np.minimum.at(least, place, folds)
    np.maximum.at(most, place, folds)
    return least, most


def calibrate(unseen: Doubles, status: Numbers) -> Curve:
    """The curve under which the decisions are likeliest; the usual one without enough of them."""
    decided = status != 0
    kept = status[decided] > 0
    good, bad = int(kept.sum()), int((~kept).sum())
    if min(good, bad) < LEAST_OF_EACH:
        return Curve()
    # Platt's targets: as if there were one more of each.
    target = np.where(kept, (good + 1) / (good + 2), 1 / (bad + 2))
    design = np.stack([unseen[decided], np.ones(good + bad)], axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        weight = np.maximum(chance * (1 - chance), 1e-6)
        step = np.linalg.solve(
            design.T @ (design * weight[:, None]) + 1e-6 * np.eye(2), design.T @ (target - chance)
        )
        found += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    if found[0] >= _LEAST_SLOPE:
        return Curve(slope=float(found[0]), offset=float(found[1]))
    return Curve(slope=_LEAST_SLOPE, offset=float(np.log((good + 1) / (bad + 1))))


def measure(examples: Examples, unseen: Doubles) -> tuple[Figure, ...]:
    """The accuracies of scores that pictures got unseen."""
    decided, rated = examples.status != 0, examples.stars > 0
    groups = examples.groups
    kept, stars = examples.status[decided] > 0, examples.stars[rated].astype(np.float64)
    figures = [
        accuracy.sorting(unseen[decided], kept, groups[decided], _WIDER),
        accuracy.ordering(unseen[rated], stars, groups[rated], _WIDER),
    ]
    for name, meaning, which in (
        ("votes", "the winner of a vote has the higher score", ~examples.aside),
        ("votes by lot", "the same, of pairs drawn by lot", examples.aside),
    ):
        left, right = unseen[examples.left[which]], unseen[examples.right[which]]
        outcome = examples.outcome[which]
        figures.append(accuracy.deciding(name, meaning, left, right, outcome, _WIDER))
    return tuple(figures)
