"""How much one set of pictures is preferred to another, and when that is settled.

A vote is 1, 1/2 (about equal) or 0 for the first of two sets. Wilson's interval (1927) holds for a
number of votes that was fixed beforehand. Whoever stops as soon as the answer is plain needs one
that holds at every moment at once: the set of all p at which the mixture likelihood ratio

    M_n(p) = B(a + c, b + c) / (B(c, c) p^a (1 - p)^b),    a, b: votes for the first, the second

stays below 1/alpha. M_n(p) is a nonnegative martingale with mean 1 when each vote has the mean p
given the past (Ville 1939, Robbins 1970), a supermartingale when votes may be halves: the bet
x -> (q/p)^x ((1-q)/(1-p))^(1-x) is convex in x.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate_app.ranking import Votes, fit

Interval = tuple[float, float]
State = Literal["open", "first", "second", "equal"]
Floats = NDArray[np.float64]

LEVEL = 0.05
# Sets whose preference surely lies within 40 to 60 % are about equal.
EQUAL_MARGIN = 0.1
_CONFIDENT = 1.959964  # deviations to either side that hold 95 %
# The mixing Beta(c, c): of 0.5 to 20 this one ends soonest where 60 of 100 prefer one set (half of
# the time within 174 votes), and costs little where nearly all do (19) or nobody (282).
_SHAPE = 8.0
_PRIOR = 2 * math.lgamma(_SHAPE) - math.lgamma(2 * _SHAPE)


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Two sets by number. `share` is the first one's part of the votes, ties as halves (1/2 without
    any); `wilson` its 95 % interval at a number of votes fixed beforehand, `always` the one that
    may be looked at after every vote. `state` says whether it is settled, `settled_after` how many
    votes that took."""

    first: int
    second: int
    wins: int
    losses: int
    ties: int
    share: float
    wilson: Interval
    always: Interval
    state: State
    settled_after: int | None

    @property
    def votes(self) -> int:
        return self.wins + self.losses + self.ties


def wilson(successes: float, trials: float) -> Interval:
    """The 95 % interval of a share (Wilson 1927); (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share, z = successes / trials, _CONFIDENT**2 / trials
    middle = (share + z / 2) / (1 + z)
    half = _CONFIDENT * math.sqrt(share * (1 - share) / trials + z / (4 * trials)) / (1 + z)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def log_evidence(wins: float, losses: float, share: float) -> float:
    """log M_n at `share` (0 < share < 1): how much speaks against that preference."""
    mixed = math.lgamma(wins + _SHAPE) + math.lgamma(losses + _SHAPE)
    mixed -= math.lgamma(wins + losses + 2 * _SHAPE)
    return mixed - _PRIOR - wins * math.log(share) - losses * math.log1p(-share)


def always_valid(wins: float, losses: float, level: float = LEVEL) -> Interval:
    """The interval of the preference that holds at every number of votes with 1 - `level`."""
    trials, limit = wins + losses, math.log(1 / level)
    if not trials:
        return 0.0, 1.0
    low = _crossing(wins, losses, limit, 0.0) if wins else 0.0
    high = _crossing(wins, losses, limit, 1.0) if losses else 1.0
    return low, high


def _crossing(wins: float, losses: float, limit: float, end: float) -> float:
    """Where the evidence reaches the limit between the share of the votes and an `end`."""
    inside, outside = wins / (wins + losses), end
    for _ in range(50):
        middle = (inside + outside) / 2
        if log_evidence(wins, losses, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def preference_of(first: int, second: int, votes: Sequence[float], level: float) -> Preference:
    """How the votes (1, 1/2 or 0 for the first set, in the order of voting) stand.

    Settled once is settled for ever: the guarantee is of the first moment that it was.
    """
    wins, losses, ties = votes.count(1.0), votes.count(0.0), votes.count(0.5)
    total = wins + ties / 2
    state, after = _settled(tuple(votes), level)
    return Preference(
        first=first,
        second=second,
        wins=wins,
        losses=losses,
        ties=ties,
        share=total / len(votes) if votes else 0.5,
        wilson=wilson(total, len(votes)),
        always=always_valid(total, len(votes) - total, level),
        state=state,
        settled_after=after,
    )


@lru_cache(maxsize=256)
def _settled(votes: tuple[float, ...], level: float) -> tuple[State, int | None]:
    limit, wins = math.log(1 / level), 0.0
    for count, vote in enumerate(votes, 1):
        wins += vote
        state = _state(wins, count - wins, limit)
        if state != "open":
            return state, count
    return "open", None


def _state(wins: float, losses: float, limit: float) -> State:
    if log_evidence(wins, losses, 0.5) >= limit:
        return "first" if wins > losses else "second"
    share, low, high = wins / (wins + losses), 0.5 - EQUAL_MARGIN, 0.5 + EQUAL_MARGIN
    inside = low < share < high
    if inside and all(log_evidence(wins, losses, edge) >= limit for edge in (low, high)):
        return "equal"
    return "open"


@dataclass(frozen=True, kw_only=True)
class Strength:
    """A set's Bradley-Terry score against the mean of all sets, in log-odds: one that lies 1.0
    higher is preferred 73 times of 100. `margin` to either side holds 95 %."""

    number: int
    score: float
    margin: float


def strengths(sets: int, votes: Iterable[tuple[int, int, float]]) -> list[Strength]:
    """Every set's score from votes (first, second, 1, 1/2 or 0 for the first), best first.

    Bradley and Terry (1952) with ties as halves; the margins are Laplace's, of the curvature at the
    mode, less what all scores have in common.
    """
    cast = list(votes)
    columns = Votes.of(
        np.array([first for first, _, _ in cast], np.int64),
        np.array([second for _, second, _ in cast], np.int64),
        np.array([round(2 * vote - 1) for _, _, vote in cast], np.int64),
    )
    found = fit(sets, columns, with_bias=False)
    scores = found.mode - found.mode.mean()
    deviations = _deviations(found.mode, columns, found.spread)
    order = np.argsort(-scores, kind="stable").tolist()
    margins = _CONFIDENT * deviations
    return [
        Strength(number=one, score=float(scores[one]), margin=float(margins[one])) for one in order
    ]


def _deviations(mode: Floats, votes: Votes, spread: float) -> Floats:
    """Standard deviations (S,) of the scores less their mean."""
    sets = len(mode)
    curvature = np.eye(sets) / spread**2  # (S, S)
    chance = 1 / (1 + np.exp(mode[votes.right] - mode[votes.left]))
    for left, right, p in zip(votes.left, votes.right, chance, strict=True):
        weight = p * (1 - p)
        curvature[[left, right], [left, right]] += weight
        curvature[[left, right], [right, left]] -= weight
    centring = np.eye(sets) - 1 / sets
    found: Floats = np.sqrt(np.diag(centring @ np.linalg.inv(curvature) @ centring))
    return found
