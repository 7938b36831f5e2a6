"""The app's ranking: fits kept up to date with the votes, the next pairs, and how things stand.

One `Ranker` serves all requests of an app (`ranker()`); the command line makes one of its own.
"""

import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from flask import current_app
from numpy.typing import NDArray

from curate_app.field import Field, Fields, before_votes, carried, fitted_to, is_same
from curate_app.overview import Overview, overview
from curate_app.pairing import Pool, choose_fours, choose_pairs
from curate_app.ranking import Fit
from curate_app.standing import HeldOut, Outlook, Standing, standing_of, wanted_of
from curate_app.stored_scores import StoredScores, places_in
from dataset.catalog import Catalog
from dataset.duplicates import DEFAULT_RADIUS, connected_pairs

__all__ = ["Four", "HeldOut", "Outlook", "Pairing", "Ranker", "Standing", "ranker"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A fit of so many votes takes a hundredth of a second or two: nobody waits for it, it waits for
# nobody. Above that it is made in the background.
_MOST_INLINE = 1_000
# A first fit has nothing older to show meanwhile: up to here it is waited for.
_MOST_FIRST = 100_000
_MOST_STANDINGS = 6
_EDGE_CHECK = 30.0  # seconds between looks for new near duplicates


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


@dataclass(frozen=True, kw_only=True)
class _State:
    """A field and the newest fit that there is, of which `fresh` says whether it is of this field;
    `k` is how many are wanted when nobody says otherwise; `version` numbers the fit."""

    field: Field
    fit: Fit
    fresh: bool
    k: int
    version: int

    @property
    def name(self) -> tuple[int, bool, int]:
        """The same for states of a class that stand alike."""
        return self.version, self.fresh, self.k


@dataclass
class _Class:
    """What is known of a class: the field at `stamp`, and the fit of the field `fitted`."""

    stamp: str
    field: Field
    fit: Fit
    fitted: str = ""
    busy: bool = False
    version: int = 1
    outlook: tuple[tuple[int, bool, int], Outlook] | None = None


class Ranker:
    """The fits of all classes; a label of None is all pictures, "" those without one.

    `background` false waits for every fit. Not to be asked from within `Overview.reading`, which it
    enters itself. Its lock is held for reading and for small fits, never for a standing.
    """

    def __init__(self, view: Overview | None = None, *, background: bool = True) -> None:
        self._fields = Fields(view or Overview())
        self._background = background
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._classes: dict[str | None, _Class] = {}
        self._standings: OrderedDict[
            tuple[str | None, int], tuple[tuple[int, bool, int], Standing]
        ] = OrderedDict()
        self._alike: tuple[float, tuple[int, int], Integers] | None = None
        self._stored = StoredScores()

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
        self,
        catalog: Catalog,
        label: str | None = None,
        k: int | None = None,
        *,
        newest: bool = False,
    ) -> Standing:
        """How the class stands; `k` None is the class's target, else 10 % of the contenders.
        `newest` waits for a fit of all votes."""
        state = self._newest(catalog, label) if newest else self._current(catalog, label)
        key = label, min(k or state.k, int(state.field.contender.sum()))
        with self._lock:
            held = self._standings.get(key)
        if held is None or held[0] != state.name:
            found = standing_of(label, state.field, state.fit, key[1], fresh=state.fresh)
            held = state.name, found
            with self._lock:
                self._standings[key] = held
                self._standings.move_to_end(key)
                while len(self._standings) > _MOST_STANDINGS:
                    self._standings.popitem(last=False)
                if key[1] == state.k:
                    self._classes[label].outlook = state.name, found.outlook()
        return held[1]

    def outlook(self, label: str | None) -> Outlook | None:
        """How the class stood when it was last looked at, at once; None when it never was."""
        with self._lock:
            held = self._classes.get(label)
            return held.outlook[1] if held and held.outlook else None

    def look_around(self, catalog: Catalog) -> None:
        """Bring the outlooks of all classes with votes or stars up to date."""
        for label in self._judged(catalog):
            state = self._newest(catalog, label)
            with self._lock:
                known = self._classes[label].outlook
            if known is None or known[0] != state.name:
                found = standing_of(label, state.field, state.fit, state.k, fresh=state.fresh)
                with self._lock:
                    self._classes[label].outlook = state.name, found.outlook()

    def scored(self, catalog: Catalog) -> tuple[Integers, Floats, Floats]:
        """(ids ascending, scores, deviations) of every picture with a vote or stars, each within
        its class, by fits of all votes."""
        parts: list[tuple[Integers, Floats, Floats]] = []
        for label in self._judged(catalog):
            state = self._newest(catalog, label)
            among, found = state.field, state.fit
            known = (among.votes.counts(len(among.ids)) > 0) | (among.stars > 0)
            parts.append((among.ids[known], found.scores[known], found.deviations[known]))
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        ids, scores, deviations = (np.concatenate(column) for column in zip(*parts, strict=True))
        # A picture that changed its class meanwhile is there twice: once is enough.
        ids, first = np.unique(ids, return_index=True)
        return ids, scores[first], deviations[first]

    def save(self, catalog: Catalog, writing: AbstractContextManager[object] | None = None) -> int:
        """Store what `scored` gives as "ranked" scores, unless that is there already; returns how
        many are stored. It writes: the app gives its lock for that, held for the writing alone."""
        stamp = self.stamp(catalog)
        known = self._stored.known(catalog, stamp)
        if known is not None:
            return known
        ids, scores, deviations = self.scored(catalog)
        found = ids, scores.astype(np.float32), deviations.astype(np.float32)
        self._stored.write(catalog, found, stamp, writing or nullcontext())
        return len(ids)

    def stamp(self, catalog: Catalog) -> str:
        """Changes with every vote and judgement."""
        with self._lock:
            return self._fields.stamp(catalog)

    def wait(self) -> None:
        """Until no fit is under way."""
        with self._idle:
            self._idle.wait_for(lambda: not any(held.busy for held in self._classes.values()))

    # ------------------------------------------------------------ keeping up with the votes

    def _judged(self, catalog: Catalog) -> list[str]:
        with self._lock:
            return self._fields.judged(catalog)

    def _current(self, catalog: Catalog, label: str | None) -> _State:
        """The class at this moment; its fit may be older, then a newer one is under way."""
        with self._lock:
            held = self._class_of(catalog, label)
            if held.fitted != held.stamp:
                self._refit(label, held)
            return self._state(catalog, label, held)

    def _newest(self, catalog: Catalog, label: str | None) -> _State:
        """The class at this moment, or a moment ago, with its own fit."""
        with self._lock:
            state = self._state(catalog, label, self._class_of(catalog, label))
        if state.fresh:
            return state
        found = fitted_to(state.field, state.fit)
        with self._lock:
            held = self._classes[label]
            self._take(label, state.field, found)
            version = held.version if held.fit is found else 0  # 0: of the past
        return replace(state, fit=found, fresh=True, version=version)

    def _state(self, catalog: Catalog, label: str | None, held: _Class) -> _State:
        fresh, k = held.fitted == held.stamp, _wanted(catalog, label, held.field)
        return _State(field=held.field, fit=held.fit, fresh=fresh, k=k, version=held.version)

    def _class_of(self, catalog: Catalog, label: str | None) -> _Class:
        """The class with the field of this moment, fitted or not."""
        held = self._classes.get(label)
        if held is not None and held.stamp == self._fields.stamp(catalog):
            return held
        stamp, among = self._fields.of(catalog, label)
        if held is None:
            held = _Class(stamp=stamp, field=among, fit=before_votes(among))
            self._classes[label] = held
        elif not is_same(held.field, among):
            held.fit, held.fitted = carried(held.fit, held.field, among), ""
            held.field, held.version = among, held.version + 1
        elif held.fitted == held.stamp:
            held.fitted = stamp
        held.stamp = stamp
        return held

    def _refit(self, label: str | None, held: _Class) -> None:
        votes = len(held.field.votes)
        most = _MOST_INLINE if held.fit.steps else _MOST_FIRST
        if not self._background or (votes <= most and not held.busy):
            held.fit, held.fitted = fitted_to(held.field, held.fit), held.stamp
            held.version += 1
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
                self._classes[label].busy = False
                if found is not None:
                    self._take(label, among, found)
                self._idle.notify_all()

    def _take(self, label: str | None, among: Field, found: Fit) -> None:
        """A fit of `among`, unless there is one of the present field."""
        held = self._classes[label]
        if held.fitted != held.stamp:
            held.fit, held.version = carried(found, among, held.field), held.version + 1
            held.fitted = held.stamp if held.field is among else ""

    # ------------------------------------------------------------ choosing

    def _pool(
        self, catalog: Catalog, label: str | None, excluded: Collection[tuple[int, int]]
    ) -> tuple[Integers, Pool, np.random.Generator]:
        state, alike = self._current(catalog, label), self._near_duplicates(catalog)
        among, known = state.field, state.fit
        places = np.cumsum(among.contender) - 1
        met = among.contender[among.votes.left] & among.contender[among.votes.right]
        voted = np.stack([places[among.votes.left[met]], places[among.votes.right[met]]], axis=1)
        ids = among.ids[among.contender]
        pairs = np.concatenate([alike, np.array([*excluded], np.int64).reshape(-1, 2)])
        barred, found = places_in(ids, pairs)
        pool = Pool(
            scores=known.scores[among.contender],
            deviations=known.deviations[among.contender],
            k=state.k,
            voted=voted,
            barred=[(a, b) for a, b in barred[found.all(axis=1)].tolist()],
        )
        name = zlib.crc32((label or "").encode()) + (label is None)
        return ids, pool, np.random.default_rng([name, len(among.votes)])

    def _near_duplicates(self, catalog: Catalog) -> Integers:
        """Pairs (E, 2) of pictures that show the same; looked up anew when there are others."""
        now, held = time.monotonic(), self._alike
        if held and now - held[0] < _EDGE_CHECK:
            return held[2]
        state = catalog.edges.count(), catalog.judgements.pairs.last_id()
        if held and held[1] == state:
            pairs = held[2]
        else:
            found = connected_pairs(catalog, DEFAULT_RADIUS)
            pairs = np.array(found, np.int64).reshape(-1, 2)
        self._alike = now, state, pairs
        return pairs


def ranker() -> Ranker:
    """The running app's ranker, made at first use."""
    found = current_app.extensions.get("ranker")
    if found is None:
        found = current_app.extensions.setdefault("ranker", Ranker(overview()))
    assert isinstance(found, Ranker)
    return found


def _wanted(catalog: Catalog, label: str | None, among: Field) -> int:
    target = "" if label is None else catalog.settings.get(f"target:{label}")
    return wanted_of(int(among.contender.sum()), target)
