"""How a class stands: its pictures by score, how sure the top is, how well the fit foretells."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from curate_app.field import Field
from curate_app.ranking import Fit, Votes
from curate_app.top_k import top_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_LONGEST_TARGET = 9  # digits
_CONFIDENT = 1.959964  # deviations to either side that hold 95 %


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """How many of the votes set aside (without ties) the fit foretells: `low` to `high` is the 95 %
    interval (Wilson 1927); 0 to 1 without any."""

    accuracy: float
    low: float
    high: float
    votes: int


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How far a class is, in a few numbers; see `Standing`."""

    label: str | None
    k: int
    contenders: int
    votes: int
    people: int
    expected_wrong: float
    settled: bool
    fresh: bool = True  # False: newer votes are being fitted at this moment


@dataclass(frozen=True, kw_only=True)
class Standing(Outlook):
    """How a class stands: arrays (N,) of all contenders, best score first.

    Scores are log-odds: a picture beats one that lies 1.0 lower 73 times of 100. `deviations` are
    their standard deviations, `probability` that of being truly among the best `k`; the list's
    first `k` are expected to hold `expected_wrong` pictures that do not belong there, and
    `settled` is when that is few enough to stop (`top_k.limit_of`). `tied` are those which the
    votes can tell from neither side of the cut (probability 5 to 95 %).
    """

    fitted_votes: int
    aside_votes: int
    ids: Integers
    scores: Floats
    deviations: Floats
    vote_counts: Integers
    probability: Floats
    tied: NDArray[np.bool_]
    heldout: HeldOut
    left_bias: float  # log-odds that the left one of two equals is chosen
    left_bias_deviation: float

    def outlook(self) -> Outlook:
        """Without the columns, to be remembered."""
        return Outlook(**{part.name: getattr(self, part.name) for part in fields(Outlook)})


def held_out(fit: Fit, votes: Votes) -> HeldOut:
    """How well a fit foretells votes that it has not seen; a forecast of 1/2 is half right."""
    decided = votes.chosen(votes.outcome != 0)
    n = len(decided)
    if not n:
        return HeldOut(accuracy=0.0, low=0.0, high=1.0, votes=0)
    lean = np.sign(fit.foretold(decided) - 0.5) * decided.outcome
    share = float(((lean + 1) / 2).mean())
    z = _CONFIDENT**2 / n
    middle = (share + z / 2) / (1 + z)
    half = float(np.sqrt(share * (1 - share) * z + z**2 / 4)) / (1 + z)
    return HeldOut(
        accuracy=share, low=max(middle - half, 0.0), high=min(middle + half, 1.0), votes=n
    )


def standing_of(label: str | None, among: Field, fit: Fit, k: int, *, fresh: bool) -> Standing:
    """How the contenders of `field` stand by `fit`, for the best `k` of them."""
    order = np.flatnonzero(among.contender)
    order = order[np.argsort(-fit.scores[order], kind="stable")]
    scores, deviations = fit.scores[order], fit.deviations[order]
    top = top_of(scores, deviations, k)
    return Standing(
        label=label,
        k=top.k,
        contenders=len(order),
        votes=len(among.votes),
        fitted_votes=int((~among.aside).sum()),
        aside_votes=int(among.aside.sum()),
        people=len(set(among.who.tolist())),
        ids=among.ids[order],
        scores=scores,
        deviations=deviations,
        vote_counts=among.votes.counts(len(among.ids))[order],
        probability=top.probability,
        tied=top.tied,
        expected_wrong=top.expected_wrong,
        settled=top.settled,
        heldout=held_out(fit, among.votes.chosen(among.aside)),
        left_bias=fit.bias,
        left_bias_deviation=fit.bias_deviation,
        fresh=fresh,
    )


def target_of(text: str) -> int | None:
    """The number of a setting "target:..."; None for what is none, whoever wrote it."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_TARGET
    return int(text) if is_number and int(text) else None


def wanted_of(contenders: int, target: str) -> int:
    """How many of a class are wanted: what the setting `target` says, else 10 %."""
    return min(target_of(target) or max(round(0.1 * contenders), 1), contenders)
