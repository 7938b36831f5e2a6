"""From the judgements of a catalogue to a predicted score for every picture in it.

What was learned, how good it is and from which events is written with the scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate_app.embeddings import Embeddings
from curate_app.feature_space import FeatureSpace, shares_by_name, space_of
from curate_app.features import MEASURES
from curate_app.lesson import BINS, Lesson
from curate_app.prediction import Examples, Learned, learn, what_lacks
from dataset.catalog import Catalog
from dataset.catalog.votes import VoteColumns
from dataset.errors import ConfigError
from dataset.likeness import refresh_edges
from dataset.progress import Progress

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.int64]

# Pictures learned from at most, drawn by lot: more hardly change what is learned.
MOST_EXAMPLES = 8_000
_TARGET = "target:"
# A class that is full, and one without a target where others have one, still teach a little.
_WEIGHT_FULL, _WEIGHT_UNASKED = 0.1, 0.3


def predict(
    catalog: Catalog, embeddings: Embeddings | None = None, *, dry_run: bool = False
) -> Lesson:
    """Learn from all judgements, score every picture and store "predicted" and "worth".

    A dry run stores nothing. Raises ConfigError while too little was judged. Nothing is half
    written: both kinds are replaced at once.
    """
    with catalog.snapshot():
        lacking = what_lacks(_judged_examples(catalog))
    if lacking:
        raise ConfigError(f"{lacking}; judge more, then run it again")
    refresh_edges(catalog)
    with catalog.snapshot():
        ids = catalog.appearances.ids()
        task = _Task(catalog, ids, embeddings)
        learned = learn(task.examples, task.space.groups)
        lesson = task.lesson(learned)
        scores = _Scores.of(catalog, task, learned)
    if not dry_run:
        with catalog.transaction():
            text = lesson.as_text()
            catalog.ratings.put("predicted", *scores.predicted, text)
            catalog.ratings.put("worth", *scores.worth, lesson.at)
    return lesson


def _judged_examples(catalog: Catalog) -> Examples:
    """What was judged, without features: enough to say whether it is enough."""
    judged, votes = catalog.appearances.judged(), catalog.votes.standing()
    own = ~judged.is_duplicate
    nothing = np.zeros(len(votes), np.int64)
    return Examples(
        features=np.zeros((int(own.sum()), 0), np.float32),
        status=_signs(judged.status[own]),
        stars=judged.stars[own].astype(np.int64),
        groups=judged.ids[own],
        left=nothing,
        right=nothing,
        outcome=votes.outcome.astype(np.int64),
        aside=votes.aside,
    )


def _signs(status: NDArray[np.int8]) -> Numbers:
    """1 keep, 2 reject becomes 1 and -1."""
    return np.where(status == 2, -1, status).astype(np.int64)


class _Task:
    """The examples of one state of a catalogue, and the space that they lie in."""

    def __init__(self, catalog: Catalog, ids: Numbers, embeddings: Embeddings | None) -> None:
        self.ids = ids
        self.has_embeddings = embeddings is not None
        self.marks = (
            catalog.judgements.last_event_id(),
            catalog.votes.stamp(),
        )
        votes = catalog.votes.standing()
        self.last_vote = int(votes.id.max()) if len(votes) else 0
        if not len(ids):
            raise ConfigError(
                "no picture has a fingerprint of this version; run: python -m dataset rehash"
            )
        with Progress("learning", 3, "steps") as progress:
            self.space: FeatureSpace = space_of(catalog, ids, embeddings)
            progress.advance()
            self.rows, self.examples = _examples(catalog, self, votes)
            progress.advance(2)

    def lesson(self, learned: Learned) -> Lesson:
        status, chance = self.examples.status, learned.curve.chance(learned.unseen)
        bins = [
            np.histogram(chance[status == sign], BINS, (0.0, 1.0))[0].tolist() for sign in (1, -1)
        ]
        return Lesson(
            at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            event=self.marks[0],
            vote=self.last_vote,
            votes=self.marks[1],
            pictures=len(self.ids),
            judged=int(self.examples.is_opinion.sum()),
            voted=len(self.examples.outcome),
            figures=list(learned.figures),
            shares=shares_by_name(learned.model.shares),
            kept=bins[0],
            rejected=bins[1],
            embeddings=self.has_embeddings,
        )


def _examples(catalog: Catalog, task: _Task, votes: VoteColumns) -> tuple[Numbers, Examples]:
    """The places in all pictures (N,) of the examples, and the examples."""
    judged = catalog.appearances.judged()
    # A worse copy is rejected for the better one, not for its looks.
    own = ~judged.is_duplicate
    involved = np.unique(np.concatenate([judged.ids[own], votes.left, votes.right]))
    involved = involved[_is_in(involved, task.ids)]
    if not len(involved):
        raise ConfigError(
            "no judged picture has a fingerprint of this version; run: python -m dataset rehash"
        )
    if len(involved) > MOST_EXAMPLES:
        some = np.random.default_rng(0).permutation(len(involved))[:MOST_EXAMPLES]
        involved = np.sort(involved[some])
    status, stars = np.zeros((2, len(involved)), np.int64)
    mine = own & _is_in(judged.ids, involved)
    places = np.searchsorted(involved, judged.ids[mine])
    status[places], stars[places] = _signs(judged.status[mine]), judged.stars[mine]
    both = _is_in(votes.left, involved) & _is_in(votes.right, involved)
    blocks = catalog.appearances.of(involved.tolist(), MEASURES)
    rows = np.searchsorted(task.ids, involved)
    return rows, Examples(
        features=np.concatenate([task.space.rows(block) for block in blocks]),
        status=status,
        stars=stars,
        groups=_alike(catalog, task.ids)[rows],
        left=np.searchsorted(involved, votes.left[both]),
        right=np.searchsorted(involved, votes.right[both]),
        outcome=votes.outcome[both].astype(np.int64),
        aside=votes.aside[both],
    )


def _is_in(wanted: Numbers, ids: Numbers) -> NDArray[np.bool_]:
    """Which of `wanted` are among `ids`, which ascend."""
    if not len(ids):
        return np.zeros(len(wanted), np.bool_)
    found: NDArray[np.bool_] = ids[np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)] == wanted
    return found


def _alike(catalog: Catalog, ids: Numbers) -> Numbers:
    """(N,) a number for each of all pictures: the same for those that stored pairs join."""
    a, b = catalog.appearances.joined()
    known = _is_in(a, ids) & _is_in(b, ids)
    a, b = np.searchsorted(ids, a[known]), np.searchsorted(ids, b[known])
    graph = coo_array((np.ones(len(a), np.bool_), (a, b)), shape=(len(ids), len(ids)))
    alike: Numbers = connected_components(graph, directed=False)[1].astype(np.int64)
    return alike


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """(ids, scores, deviations) of all pictures, and of those worth judging."""

    predicted: tuple[Numbers, Floats, Floats]
    worth: tuple[Numbers, Floats, Floats]

    @classmethod
    def of(cls, catalog: Catalog, task: _Task, learned: Learned) -> "_Scores":
        """Score all pictures, block by block; the examples as they were predicted unseen."""
        count = len(task.ids)
        chance, deviation, worth = np.zeros((3, count), np.float32)
        undecided = np.zeros(count, np.bool_)
        wanted = class_weights(catalog)
        done = 0
        with Progress("predicting", count, "pictures") as progress:
            for block in catalog.appearances.blocks(MEASURES):
                here = slice(done, done + len(block))
                score, spread = learned.model.predict(task.space.rows(block))
                chance[here] = learned.curve.chance(score)
                deviation[here] = learned.curve.deviation(score, spread)
                usual = wanted.get(None, 1.0)
                weights = [wanted.get(label, usual) for label in block.labels]
                worth[here] = learned.curve.worth(score, spread) * np.array(weights)
                undecided[here] = block.undecided
                done += len(block)
                progress.advance(len(block))
        chance[task.rows] = learned.curve.chance(learned.unseen)
        deviation[task.rows] = learned.curve.deviation(learned.unseen, learned.unseen_deviation)
        some = np.flatnonzero(undecided)
        nothing = np.zeros(len(some), np.float32)
        return cls(
            predicted=(task.ids, chance, deviation),
            worth=(task.ids[some], worth[some], nothing),
        )


def class_weights(catalog: Catalog) -> Mapping[str | None, float]:
    """How much a class is wanted, 0..1, by label: by how much of its target it lacks; None stands
    for all others. Without any target all are wanted alike."""
    targets = {
        name.removeprefix(_TARGET): int(value)
        for name, value in catalog.settings.all().items()
        if name.startswith(_TARGET) and value.isascii() and value.isdigit() and len(value) < 10
    }
    targets = {label: target for label, target in targets.items() if target > 0}
    if not targets:
        return {None: 1.0}
    balance = catalog.images.class_balance()
    weights: dict[str | None, float] = {None: _WEIGHT_UNASKED}
    for label, target in targets.items():
        short = max(0, target - balance.get((label, "keep"), 0)) / target
        weights[label] = max(_WEIGHT_FULL, short)
    return weights
