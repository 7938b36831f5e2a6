"""What the rank screen says of a class: how far it is, its top list, the strip of its scores."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from curate_app.contests import Contest
from curate_app.desk import catalog, keep_rule
from curate_app.ranker import HeldOut, Outlook, Standing
from curate_app.standing import wanted_of
from curate_app.tiles import Tile, tiles_of
from curate_app.top_k import limit_of

# Half of a 95 % interval, in standard deviations.
MARGIN = 1.96
# The list shows this many places from the top, before the cut and after it.
_SHOWN_FIRST, _SHOWN_BEFORE, _SHOWN_AFTER = 24, 24, 24
_STRIP_SIDE = 40
_STRIP_STEP, _STRIP_HEIGHT = 10, 100
# From this probability on a picture counts as surely in the top; from the opposite as out of it.
_SURE = 0.8
_NOTABLE_BIAS = 0.1  # log-odds: 52 or 53 of 100


# What the votes say of a place: surely in the top, near the cut, there for want of votes, or ""
# (out of it).
Certainty = Literal["sure", "open", "unproven", ""]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a class is; `done` runs from 0 (nothing known) to 1 (settled), `limit` is the
    number of wrong places at which the top is settled."""

    label: str
    contenders: int
    top: int
    votes: int
    people: int
    expected_wrong: float
    limit: float
    settled: bool
    fresh: bool
    done: float
    line: str
    sure: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """One row of the top list: `gap` places left out, the `cut`, or a picture."""

    gap: int = 0
    cut: bool = False
    place: int = 0
    tile: Tile | None = None
    score: float = 0.0
    margin: float = 0.0
    votes: int = 0
    probability: float = 0.0
    tied: bool = False
    certainty: Certainty = ""
    inside: bool = False

    @property
    def chance(self) -> str:
        """Found by drawing lots, so it is never quite 0 or 1."""
        return f"{percent(min(max(self.probability, 1e-6), 1 - 1e-6))} in"

    def as_json(self) -> dict[str, Any]:
        """Without what only the page needs; of a picture alone."""
        assert self.tile is not None
        facts = {key: getattr(self, key) for key in ("place", "score", "margin", "votes")}
        return {**self.tile.as_json(), **facts, "probability": self.probability, "tied": self.tied}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One picture in the strip: its place across, its score and interval down, in its units."""

    x: float
    y: float
    low: float
    high: float
    inside: bool
    certainty: Certainty
    title: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The scores around the cut, drawn: `cut` is where the line stands, None without one."""

    width: float
    height: float
    marks: list[Mark]
    cut: float | None
    caption: str


def percent(share: float) -> str:
    """A probability as a person reads it; never a certainty that is none."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")


def count_text(number: float) -> str:
    """An expected number of pictures: <0.01, 0.25, 1, 1.3, 12."""
    if 0 < number < 0.01:
        return "<0.01"
    return f"{number:.0f}" if number >= 9.95 else f"{number:.2g}"


def progress_of(standing: Outlook) -> Progress:
    """How far the class of `standing` is."""
    n, k, wrong = standing.contenders, standing.k, standing.expected_wrong
    settled, limit = standing.settled and n > 0, limit_of(k, n)
    return Progress(
        label=standing.label or "",
        contenders=n,
        top=k,
        votes=standing.votes,
        people=standing.people,
        expected_wrong=wrong,
        limit=limit,
        settled=settled,
        fresh=standing.fresh,
        done=1.0 if settled else _done(n, k, wrong, limit),
        line=_line(n, k, standing.votes, wrong, limit, settled),
        sure=f"{count_text(wrong)} of {k} {_is(wrong)} expected to be wrong.",
    )


def progress_unseen(contest: Contest, target: str) -> Progress:
    """How far a class is that has no votes yet, or none that were looked at; `target` is the text
    of its setting."""
    n = contest.contenders
    top = wanted_of(n, target)
    looked_at = not contest.votes or n < 2 or top >= n
    return Progress(
        label=contest.label,
        contenders=n,
        top=top,
        votes=contest.votes,
        people=len(contest.voters),
        expected_wrong=top * (1 - top / max(n, 1)),
        limit=limit_of(top, n),
        settled=False,
        fresh=looked_at,
        done=0.0,
        line=_line(n, top, 0, 0.0, 0.0, False) if looked_at else f"{contest.votes:,} votes",
        sure="",
    )


def _done(n: int, k: int, wrong: float, limit: float) -> float:
    """How far from knowing nothing to the limit: each halving of the errors is one step."""
    start = k * (1 - k / n) if n else 0.0
    if not 0 < limit < start or wrong <= 0:
        return 0.0
    return min(max(math.log(start / wrong) / math.log(start / limit), 0.0), 0.99)


def _line(n: int, k: int, votes: int, expected: float, limit: float, settled: bool) -> str:
    wrong = count_text(expected)
    if n < 2:
        return "nothing to compare"
    if k >= n:
        return f"all {n} are in the top {k}"
    if settled:
        return f"the top {k} {_are(k)} settled: {wrong} of {k} expected to be wrong"
    if not votes:
        return f"no votes yet; {k} of {n} to find"
    return (
        f"{wrong} of the top {k} expected to be wrong; stop when {count_text(limit)} or fewer are"
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _is(number: float) -> str:
    return "is" if count_text(number) == "1" else "are"


def facts_line(standing: Standing) -> str:
    """Votes, people, what the votes set aside say of the fit, and a bias to one side."""
    votes, people = standing.votes, standing.people
    if not votes:
        return "No votes yet: the order is that of the stars given so far."
    cast = f"{votes:,} vote{'' if votes == 1 else 's'}"
    parts = [f"{cast} by {people} {'person' if people == 1 else 'people'}"]
    parts.append(_held_out_text(standing.heldout, standing.aside_votes))
    bias, deviation = standing.left_bias, standing.left_bias_deviation
    if abs(bias) > max(MARGIN * deviation, _NOTABLE_BIAS):
        side, share = ("left" if bias > 0 else "right"), 1 / (1 + math.exp(-abs(bias)))
        parts.append(f"of two equals the {side} one is chosen {percent(share)} of the time")
    return "; ".join(parts) + "."


def _held_out_text(heldout: HeldOut, aside: int) -> str:
    if not heldout.votes:
        return f"{aside} set aside to measure the fit" if aside else "none set aside yet"
    return (
        f"of {heldout.votes} set aside the scores foretell {percent(heldout.accuracy)} "
        f"(95 % interval {percent(heldout.low)} to {percent(heldout.high)})"
    )


def places_of(standing: Standing) -> list[Place]:
    """The best, those on both sides of the cut, and what lies between as gaps."""
    n, k = standing.contenders, standing.k
    ranges = [(0, min(_SHOWN_FIRST, k)), (max(k - _SHOWN_BEFORE, 0), min(k + _SHOWN_AFTER, n))]
    shown = sorted({row for start, end in ranges for row in range(start, end)})
    tiles = _tiles([int(standing.ids[row]) for row in shown])
    found, before = [], -1
    for row in shown:
        if row - before > 1:
            found.append(Place(gap=row - before - 1))
        if row == k and k:
            found.append(Place(cut=True))
        tile = tiles.get(int(standing.ids[row]))
        if tile is not None:
            found.append(_place(standing, row, tile))
        before = row
    if n - before > 1 and n:
        found.append(Place(gap=n - before - 1))
    return found


def _place(standing: Standing, row: int, tile: Tile) -> Place:
    return Place(
        place=row + 1,
        tile=tile,
        score=float(standing.scores[row]),
        margin=MARGIN * float(standing.deviations[row]),
        votes=int(standing.vote_counts[row]),
        probability=float(standing.probability[row]),
        tied=bool(standing.tied[row]) and standing.votes > 0,
        certainty=certainty_of(standing, row),
        inside=row < standing.k,
    )


def certainty_of(standing: Standing, row: int) -> Certainty:
    """What the votes say of the place `row`, counted from 0."""
    inside, probability = row < standing.k, float(standing.probability[row])
    if inside and probability >= _SURE and standing.votes:
        return "sure"
    proven = bool(standing.vote_counts[row]) and (not inside or bool(standing.tied[row]))
    if proven and (inside or probability > 1 - _SURE):
        return "open"
    return "unproven" if inside else ""


def _tiles(ids: list[int]) -> dict[int, Tile]:
    records = catalog().images.records(ids)
    known = [records[i] for i in ids if i in records]
    return {tile.id: tile for tile in tiles_of(catalog(), known, keep_rule()[0])}


def strip_of(standing: Standing) -> Strip | None:
    """The scores with their intervals near the cut; None when there is nothing to tell."""
    first = max(standing.k - _STRIP_SIDE, 0)
    last = min(standing.k + _STRIP_SIDE, standing.contenders)
    if last - first < 2 or not standing.votes:
        return None
    low = standing.scores - MARGIN * standing.deviations
    high = standing.scores + MARGIN * standing.deviations
    floor, ceiling = float(np.min(low[first:last])), float(np.max(high[first:last]))
    scale = (_STRIP_HEIGHT - 4) / max(ceiling - floor, 1e-9)

    def down(score: float) -> float:
        return round(2 + (ceiling - score) * scale, 2)

    def marks() -> Iterator[Mark]:
        for row in range(first, last):
            place = _mark_title(standing, row)
            yield Mark(
                x=(row - first + 0.5) * _STRIP_STEP,
                y=down(float(standing.scores[row])),
                low=down(float(low[row])),
                high=down(float(high[row])),
                inside=row < standing.k,
                certainty=certainty_of(standing, row),
                title=place,
            )

    cut = (standing.k - first) * _STRIP_STEP if standing.k < standing.contenders else None
    sure = int(np.count_nonzero(standing.probability[: standing.k] >= _SURE))
    caption = f"Places {first + 1} to {last}: scores with 95 % intervals; the line is the cut."
    if cut is not None:
        caption += (
            f" {sure:,} of the top {standing.k:,} {'is' if sure == 1 else 'are'} sure so far."
        )
    width = (last - first) * _STRIP_STEP
    return Strip(width=width, height=_STRIP_HEIGHT, marks=list(marks()), cut=cut, caption=caption)


def _mark_title(standing: Standing, row: int) -> str:
    score, margin = standing.scores[row], MARGIN * standing.deviations[row]
    return (
        f"{row + 1}: #{standing.ids[row]}, {score:+.2f} ± {margin:.2f}, "
        f"{percent(float(standing.probability[row]))} in the top"
    )
