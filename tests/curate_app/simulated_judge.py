"""A judge who is asked about pairs and answers by true scores and logistic noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from curate_app.pairing import Choice, Pool, choose_pairs
from curate_app.ranking import Fit, Votes, fit
from curate_app.top_k import top_of

Floats = NDArray[np.float64]
Asker = Callable[[Pool, int, np.random.Generator], list[Choice]]

NO_VOTES = Votes.of(*(np.zeros(0, np.int64),) * 3)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it: the share of the true top that was found, of the true scores that lie in
    their 90 % interval, and the share that the fit itself expected to be wrong."""

    found: float
    covered: float
    expected_wrong: float


def random_votes(
    items: int, count: int, seed: int = 0, spread: float = 1.5, bias: float = 0.0
) -> tuple[Floats, Votes]:
    """True scores and that many votes on pairs drawn by lot."""
    dice = np.random.default_rng(seed)
    truth = dice.normal(0, spread, items)
    left = dice.integers(0, items, count)
    right = (left + dice.integers(1, items, count)) % items
    return truth, answered(truth, left, right, dice, bias)


def answered(
    truth: Floats,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    dice: np.random.Generator,
    bias: float = 0.0,
) -> Votes:
    won = dice.random(len(left)) < expit(truth[left] - truth[right] + bias)
    return Votes.of(left, right, np.where(won, 1, -1))


def ask_by_lot(pool: Pool, count: int, dice: np.random.Generator) -> list[Choice]:
    pairs = (dice.choice(len(pool), 2, replace=False).tolist() for _ in range(count))
    return [Choice(left=a, right=b) for a, b in pairs]


def ask_neighbours(pool: Pool, count: int, dice: np.random.Generator) -> list[Choice]:
    """As in a Swiss tournament: neighbours in an order drawn from what is known."""
    order = np.argsort(-dice.normal(pool.scores, pool.deviations)).tolist()
    pairs = list(zip(order[::2], order[1::2], strict=False))
    return [Choice(left=pairs[i][0], right=pairs[i][1]) for i in dice.permutation(len(pairs))]


def judged(
    seed: int,
    ask: Asker = choose_pairs,
    *,
    items: int = 200,
    spread: float = 1.5,
    per_item: int = 10,
    batch: int = 10,
) -> Outcome:
    """Let a judge vote `per_item` times for each item, fitted anew after every `batch`."""
    dice = np.random.default_rng(seed)
    truth, k = dice.normal(0, spread, items), items // 10
    votes, aside, found = NO_VOTES, np.zeros(0, np.bool_), fit(items, NO_VOTES)
    while len(votes) < items * per_item // 2:
        voted = np.stack([votes.left, votes.right], axis=1)
        pool = Pool(scores=found.scores, deviations=found.deviations, k=k, voted=voted)
        asked = ask(pool, batch, dice)
        left, right = (np.array([getattr(one, side) for one in asked]) for side in SIDES)
        votes = joined(votes, answered(truth, left, right, dice))
        aside = np.append(aside, [one.aside for one in asked])
        found = fit(items, votes.chosen(~aside), start=found)
    return _outcome(truth, found, k)


SIDES = ("left", "right")


def joined(older: Votes, newer: Votes) -> Votes:
    return Votes(
        left=np.append(older.left, newer.left),
        right=np.append(older.right, newer.right),
        outcome=np.append(older.outcome, newer.outcome),
    )


def _outcome(truth: Floats, found: Fit, k: int) -> Outcome:
    top = top_of(found.scores, found.deviations, k)
    best = np.argsort(-truth)[:k]
    return Outcome(
        found=float(top.inside[best].mean()),
        covered=float((np.abs(found.scores - truth) < 1.6449 * found.deviations).mean()),
        expected_wrong=top.expected_wrong / k,
    )
