"""The app's ranking: fits kept up to date with the votes, the next pairs, and how things stand.

One `Ranker` serves all requests of an app (`ranker()`); the command line makes one of its own.
"""

import threading
import time
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from dataclasses import field as made

import numpy as np
from flask import current_app
from numpy.typing import NDArray

from curate_app.field import Field, before_votes, carried, fitted_to, is_same
from curate_app.overview import Overview, overview
from curate_app.pairing import Pair, Pool, choose_fours, choose_pairs
from curate_app.ranking import Fit, Votes
from curate_app.standing import HeldOut, Standing, standing_of
from dataset.catalog import Catalog
from dataset.catalog.votes import VoteColumns
from dataset.duplicates import DEFAULT_RADIUS, connected_pairs
from dataset.records import STATUSES

__all__ = ["Four", "HeldOut", "Pairing", "Ranker", "Standing", "ranker"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A fit of so many votes takes a few hundredths of a second: nobody waits for it, it waits for
# nobody. Above that it is made in the background.
_MOST_INLINE = 5_000
# A first fit has nothing older to show meanwhile: up to here it is waited for.
_MOST_FIRST = 100_000
_MANY, _LARGEST_TABLE = 1_000, 4_000_000
_EDGE_CHECK = 30.0  # seconds between looks for new near duplicates
_REJECT = STATUSES.index("reject")


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Two pictures to be compared, by id, as they are to be shown; pass `aside` on to the vote."""

    left: int
    right: int
    aside: bool = False


@dataclass(frozen=True, kw_only=True)
class Four:
    """Four different pictures of which the best is chosen (and then, perhaps, the worst)."""

    ids: tuple[int, int, int, int]


@dataclass
class _Class:
    """What is known of a class: the field at `stamp`, and the fit of the field `fitted`."""

    stamp: str
    field: Field
    fit: Fit
    fitted: str = ""
    busy: bool = False
    standings: dict[int, Standing] = made(default_factory=dict)


class Ranker:
    """The fits of all classes; a label of None is all pictures, "" those without one.

    `background` false waits for every fit, however long it takes. Not to be asked from within
    `Overview.reading`, which it enters itself.
    """

    def __init__(self, view: Overview | None = None, *, background: bool = True) -> None:
        self._view = view or Overview()
        self._background = background
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._classes: dict[str | None, _Class] = {}
        self._votes: tuple[str, VoteColumns] | None = None
        self._alike: tuple[float, tuple[int, int], list[Pair]] | None = None

    def next_pairs(
        self,
        catalog: Catalog,
        label: str | None = None,
        count: int = 1,
        exclude_pairs: Collection[tuple[int, int]] = (),
    ) -> list[Pairing]:
        """Up to `count` different pairs worth a vote, most useful first; fewer or none when there
        are too few contenders. `exclude_pairs` (either way round) are not given out: those that
        lie on screens already."""
        ids, pool, dice = self._pool(catalog, label, exclude_pairs)
        return [
            Pairing(left=int(ids[one.left]), right=int(ids[one.right]), aside=one.aside)
            for one in choose_pairs(pool, count, dice)
        ]

    def next_fours(
        self,
        catalog: Catalog,
        label: str | None = None,
        count: int = 1,
        exclude_pairs: Collection[tuple[int, int]] = (),
    ) -> list[Four]:
        """Up to `count` groups of four, as `next_pairs`; no picture is in two of them."""
        ids, pool, dice = self._pool(catalog, label, exclude_pairs)
        groups = [ids[list(group)].tolist() for group in choose_fours(pool, count, dice)]
        return [Four(ids=(a, b, c, d)) for a, b, c, d in groups]

    def standing(
        self, catalog: Catalog, label: str | None = None, k: int | None = None
    ) -> Standing:
        """How the class stands; `k` None is the class's target, else 10 % of the contenders."""
        with self._lock:
            held = self._current(catalog, label)
            wanted = _wanted(catalog, label, held.field, k)
            if wanted not in held.standings:
                fresh = held.fitted == held.stamp
                found = standing_of(label, held.field, held.fit, wanted, fresh=fresh)
                held.standings[wanted] = found
            return held.standings[wanted]

    def scored(self, catalog: Catalog) -> tuple[Integers, Floats, Floats]:
        """(ids ascending, scores, deviations) of every picture with a vote or stars, each within
        its class, by the newest fits that there are."""
        parts: list[tuple[Integers, Floats, Floats]] = []
        for label in self._labels(catalog):
            with self._lock:
                held = self._current(catalog, label)
                among = held.field
                known = (among.votes.counts(len(among.ids)) > 0) | (among.stars > 0)
                parts.append((among.ids[known], held.fit.scores[known], held.fit.deviations[known]))
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        ids, scores, deviations = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(ids)
        return ids[order], scores[order], deviations[order]

    def save(self, catalog: Catalog) -> int:
        """Store what `scored` gives as the catalogue's "ranked" scores, unless that is there
        already; returns how many are stored. It writes: the app holds its writer lock."""
        stamp = self._stamp(catalog)
        ids, scores, deviations = self.scored(catalog)
        if catalog.ratings.stamp("ranked") != stamp:
            columns = ids, scores.astype(np.float32), deviations.astype(np.float32)
            catalog.ratings.put("ranked", *columns, stamp)
        return len(ids)

    def wait(self) -> None:
        """Until no fit is under way."""
        with self._idle:
            self._idle.wait_for(lambda: not any(held.busy for held in self._classes.values()))

    # ------------------------------------------------------------ keeping up with the votes

    def _stamp(self, catalog: Catalog) -> str:
        with self._view.reading(catalog) as view:
            return f"{catalog.votes.stamp()} {view.stamp()}"

    def _labels(self, catalog: Catalog) -> list[str]:
        with self._view.reading(catalog) as view:
            return sorted(view.counts("label", np.ones(len(view), np.bool_)))

    def _current(self, catalog: Catalog, label: str | None) -> _Class:
        """The class with the field of this moment; its fit may be older, then a newer one is under
        way. Holds the lock."""
        stamp = self._stamp(catalog)
        held = self._classes.get(label)
        if held is None or held.stamp != stamp:
            among = self._read(catalog, label)
            if held is None:
                held = _Class(stamp=stamp, field=among, fit=before_votes(among))
                self._classes[label] = held
            elif not is_same(held.field, among):
                held.fit, held.fitted = carried(held.fit, held.field, among), ""
                held.field = among
                held.standings.clear()
            elif held.fitted == held.stamp:
                held.fitted = stamp
            held.stamp = stamp
        if held.fitted != held.stamp:
            self._refit(label, held)
        return held

    def _refit(self, label: str | None, held: _Class) -> None:
        votes = len(held.field.votes)
        most = _MOST_INLINE if held.fit.steps else _MOST_FIRST
        if not self._background or (votes <= most and not held.busy):
            held.fit, held.fitted = fitted_to(held.field, held.fit), held.stamp
            held.standings.clear()
        elif not held.busy:
            held.busy = True
            arguments = label, held.field, held.fit
            threading.Thread(target=self._work, args=arguments, daemon=True).start()

    def _work(self, label: str | None, among: Field, start: Fit) -> None:
        """Fit in the background; what has changed meanwhile is fitted at the next question."""
        found: Fit | None = None
        try:
            found = fitted_to(among, start)
        finally:
            with self._idle:
                held = self._classes[label]
                held.busy = False
                if found is not None:
                    held.fit = carried(found, among, held.field)
                    held.fitted = held.stamp if held.field is among else ""
                    held.standings.clear()
                self._idle.notify_all()

    def _read(self, catalog: Catalog, label: str | None) -> Field:
        """The class as the catalogue has it: those not rejected, and rejected ones with votes,
        which still tell of those that they met."""
        columns = self._columns(catalog)
        with self._view.reading(catalog) as view:
            ids, stars, rejected = view.ids, view.stars, view.status == _REJECT
            mask = np.ones(len(ids), np.bool_)
            if label is not None:
                code = view.labels.index(label) if label in view.labels else -1
                mask = view.label == code
        voted = np.zeros(len(ids), np.bool_)
        for places, found in (_places(ids, columns.left), _places(ids, columns.right)):
            voted[places[found]] = True
        chosen = mask & (~rejected | voted)
        left, with_left = _places(ids[chosen], columns.left)
        right, with_right = _places(ids[chosen], columns.right)
        inside = with_left & with_right
        left, right = left[inside], right[inside]
        return Field(
            ids=ids[chosen],
            stars=stars[chosen],
            contender=~rejected[chosen],
            votes=Votes(left=left, right=right, outcome=columns.outcome[inside]),
            aside=columns.aside[inside],
            who=np.array(columns.who, np.object_)[inside],
        )

    def _columns(self, catalog: Catalog) -> VoteColumns:
        """All votes that count; only new ones are read as long as none was undone."""
        stamp = catalog.votes.stamp()
        if self._votes and self._votes[0] == stamp:
            return self._votes[1]
        held = self._votes
        if held and len(held[1]) and held[0].split("-")[1] == stamp.split("-")[1]:
            found = _joined(held[1], catalog.votes.standing(int(held[1].id[-1])))
        else:
            found = catalog.votes.standing()
        self._votes = stamp, found
        return found

    # ------------------------------------------------------------ choosing

    def _pool(
        self, catalog: Catalog, label: str | None, excluded: Iterable[tuple[int, int]]
    ) -> tuple[Integers, Pool, np.random.Generator]:
        with self._lock:
            held = self._current(catalog, label)
            among, known = held.field, held.fit
            k = _wanted(catalog, label, among, None)
            alike = self._near_duplicates(catalog)
        places = np.cumsum(among.contender) - 1
        met = among.contender[among.votes.left] & among.contender[among.votes.right]
        voted = np.stack([places[among.votes.left[met]], places[among.votes.right[met]]], axis=1)
        ids = among.ids[among.contender]
        barred, found = _places(ids, np.array([*alike, *excluded], np.int64).reshape(-1, 2))
        pool = Pool(
            scores=known.scores[among.contender],
            deviations=known.deviations[among.contender],
            k=k,
            voted=voted,
            barred=[(a, b) for a, b in barred[found.all(axis=1)].tolist()],
        )
        name = zlib.crc32((label or "").encode()) + (label is None)
        return ids, pool, np.random.default_rng([name, len(among.votes)])

    def _near_duplicates(self, catalog: Catalog) -> list[Pair]:
        """Pairs of pictures that show the same; looked up anew when there are others."""
        now = time.monotonic()
        if self._alike and now - self._alike[0] < _EDGE_CHECK:
            return self._alike[2]
        state = catalog.edges.count(), catalog.judgements.pairs.last_id()
        if self._alike and self._alike[1] == state:
            pairs = self._alike[2]
        else:
            pairs = connected_pairs(catalog, DEFAULT_RADIUS)
        self._alike = now, state, pairs
        return pairs


def ranker() -> Ranker:
    """The running app's ranker, made at first use."""
    found = current_app.extensions.get("ranker")
    if found is None:
        found = current_app.extensions.setdefault("ranker", Ranker(overview()))
    assert isinstance(found, Ranker)
    return found


def _wanted(catalog: Catalog, label: str | None, among: Field, k: int | None) -> int:
    """How many of a class are wanted: `k`, else what somebody has said, else 10 %."""
    contenders = int(among.contender.sum())
    text = "" if label is None else catalog.settings.get(f"target:{label}")
    said = int(text) if text.isascii() and text.isdigit() else 0
    return min(k or said or max(round(0.1 * contenders), 1), contenders)


def _places(ids: Integers, wanted: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Where each of `wanted` stands in the ascending `ids`, and whether it is there at all."""
    if not len(ids):
        return np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, np.bool_)
    if (
        wanted.size > _MANY and max(ids[-1], wanted.max()) < _LARGEST_TABLE
    ):  # a table is ten times as fast
        table = np.zeros(max(int(ids[-1]), int(wanted.max())) + 1, np.int64)
        table[ids] = np.arange(len(ids))
        places = table[wanted]
    else:
        places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return places, ids[places] == wanted


def _joined(older: VoteColumns, newer: VoteColumns) -> VoteColumns:
    return VoteColumns(
        id=np.append(older.id, newer.id),
        left=np.append(older.left, newer.left),
        right=np.append(older.right, newer.right),
        outcome=np.append(older.outcome, newer.outcome),
        aside=np.append(older.aside, newer.aside),
        who=older.who + newer.who,
    )
