"""The groups of duplicates at every radius, held in memory: a page reads them in milliseconds.

What a judgement touches is grouped again at once; new pictures are compared behind the page.
"""

import logging
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from flask import current_app
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dataset.catalog import Catalog
from dataset.duplicates import RADII, Comparison
from dataset.errors import PipelineError
from dataset.fingerprint import FINGERPRINT
from dataset.keep_rule import KeepRule
from dataset.likeness import LIKENESS, refresh_edges
from dataset.star_cover import Integers, Settlement

log = logging.getLogger(__name__)

# A catalogue of up to so many pictures is compared while the page waits, a larger one behind it.
SMALL = 5_000
_PATIENCE_S, _LONG_PATIENCE_S = 0.25, 120.0
# After a comparison behind the page, rest so many times as long as it took.
_REST = 5.0
# More judgements than this are not followed one by one.
_MOST_FOLLOWED = 2_000
_UNDECIDED, _KEPT, _GONE = 0, 1, 2
_BROKEN = (
    "comparing pictures stopped by a fault of the app itself: what it shows of duplicates is not "
    "all; read the last lines in its terminal, and start it again"
)


@dataclass(frozen=True)
class Stamp:
    """Which state of the catalogue was grouped: the pairs, the last judgement, the last decision
    on a pair, and the rule by which the keeper is chosen."""

    edges: tuple[int, ...]
    event: int
    decision: int
    rule: KeepRule


@dataclass(frozen=True)
class RadiusLine:
    """What the slider says of a radius: groups, undecided pictures that would go, groups in which
    something is undecided."""

    radius: int
    groups: int
    would_go: int
    to_decide: int


@dataclass(frozen=True)
class GroupPage:
    """Some groups of one radius in order of their keepers' identity, and how many there are.

    `pending` new pictures are not compared yet; `busy` while something is grouped behind the page;
    `failure` is a line on why that did not work out. `state` changes when groups may have changed
    behind the page.
    """

    groups: list[tuple[int, ...]]
    more: bool
    table: list[RadiusLine]
    pending: int
    busy: bool
    failure: str
    state: int


class Cover:
    """Every picture of any pair as a row, ascending by id, and its keeper's row at each radius.

    Pictures with a chain of pairs between them are one component: what is judged inside changes
    nothing outside.
    """

    def __init__(self, catalog: Catalog, stamp: Stamp) -> None:
        self.stamp = stamp
        self.settled: Settlement = catalog.judgements.pairs.settled()
        pairs, links = catalog.comparisons.pairs(), _links(self.settled)
        a = np.concatenate([pairs.a, links[:, 0]])
        b = np.concatenate([pairs.b, links[:, 1]])
        self.ids: Integers = np.unique(np.concatenate([a, b]))
        size = len(self.ids)
        places = (np.searchsorted(self.ids, a), np.searchsorted(self.ids, b))
        graph = coo_array((np.ones(len(a), np.int8), places), shape=(size, size))
        self._component: NDArray[np.int32] = (
            connected_components(graph, directed=False)[1] if size else np.zeros(0, np.int32)
        )
        self._status = np.full(size, _GONE, np.int8)
        # The row of each one's keeper, by radius (R, P).
        self._keeper = np.tile(np.arange(size, dtype=np.int32), (len(RADII), 1))
        self._counts = np.zeros((len(RADII), 3), np.int64)  # groups, would go, to decide
        self._group(catalog, np.arange(size), None)

    def follow(self, catalog: Catalog, now: Stamp) -> bool:
        """Take in what was judged since; False when it is too much or of other pairs."""
        events, decisions = now.event - self.stamp.event, now.decision - self.stamp.decision
        if events + decisions > _MOST_FOLLOWED or min(events, decisions) < 0:
            return False
        said = catalog.judgements.pairs.latest(decisions) if decisions else []
        ends = np.array([(one.a, one.b) for one in said], np.int64).reshape(-1, 2)
        rows = self._rows(ends.ravel())
        if (rows < 0).any():
            return False
        if decisions:
            self.settled = catalog.judgements.pairs.settled()
            for a, b in rows.reshape(-1, 2).tolist():
                self._component[self._component == self._component[b]] = self._component[a]
        judged = catalog.judgements.latest(events) if events else []
        told = [event.image_id for event in judged if event.field in ("status", "stars")]
        met = self._rows(np.array(told, np.int64))
        touched = np.concatenate([rows, met[met >= 0]])
        if len(touched):
            inside = np.isin(self._component, self._component[touched])
            self._group(catalog, np.flatnonzero(inside), self.ids[inside].tolist())
        self.stamp = replace(now, edges=self.stamp.edges)
        return True

    def page(
        self, radius: int, after: int, limit: int, *, show_all: bool
    ) -> tuple[list[tuple[int, ...]], bool]:
        """Up to `limit` groups with a keeper after the identity `after`, members as ids; whether
        there are more."""
        keeper = self._keeper[radius]
        lost = np.flatnonzero(keeper != np.arange(len(keeper)))
        heads = np.unique(keeper[lost])
        if not show_all:
            heads = heads[self._open(radius, lost, heads)[heads]]
        heads = heads[self.ids[heads] > after]
        shown = heads[:limit]
        members: dict[int, list[int]] = {row: [row] for row in shown.tolist()}
        for row in lost[np.isin(keeper[lost], shown)].tolist():
            members[int(keeper[row])].append(row)
        groups = [tuple(self.ids[rows].tolist()) for rows in members.values()]
        return groups, len(heads) > limit

    def table(self) -> list[RadiusLine]:
        return [
            RadiusLine(radius, *row)
            for radius, row in zip(RADII, self._counts.tolist(), strict=True)
        ]

    def _group(self, catalog: Catalog, rows: Integers, among: list[int] | None) -> None:
        """Group the pictures of `rows`, whole components, anew; `among` are their ids, or None
        for all."""
        comparison = Comparison(catalog, self.stamp.rule, among=among, settled=self.settled)
        self._counts -= self._counted(rows)
        contenders = comparison.contenders
        self._status[rows] = _GONE
        # Pictures of decisions that were undone stand for something, but in no pair.
        standing = self._rows(contenders.ids)
        status = np.where(contenders.kept, _KEPT, _UNDECIDED)
        self._status[standing[standing >= 0]] = status[standing >= 0]
        ranked = self._rows(np.asarray(comparison.ids))
        paired = ranked >= 0
        self._keeper[:, rows] = rows
        for radius in RADII:
            keepers = ranked[comparison.ties.cover(radius)]
            self._keeper[radius, ranked[paired]] = keepers[paired]
        self._counts += self._counted(rows)

    def _counted(self, rows: Integers) -> NDArray[np.int64]:
        """The columns of the table that `rows`, whole components, give (radii, 3)."""
        counts = np.zeros_like(self._counts)
        for radius in RADII:
            lost = rows[self._keeper[radius, rows] != rows]
            heads = np.unique(self._keeper[radius, lost])
            open_ = self._open(radius, lost, heads)
            would_go = int((self._status[lost] == _UNDECIDED).sum())
            counts[radius] = len(heads), would_go, int(open_.sum())
        return counts

    def _open(self, radius: int, lost: Integers, heads: Integers) -> NDArray[np.bool_]:
        """Which rows are keepers of a group in which something is undecided (P,)."""
        undecided = self._status == _UNDECIDED
        open_ = np.zeros(len(self.ids), bool)
        open_[self._keeper[radius, lost[undecided[lost]]]] = True
        open_[heads[undecided[heads]]] = True
        return open_

    def _rows(self, ids: Integers) -> Integers:
        """The row of each id, -1 for a picture that is in no pair."""
        if not len(self.ids):
            return np.full(len(ids), -1)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, places, -1)


class Grouping:
    """The cover of one app's catalogue, shared by its threads and kept up to date."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # of everything below
        self._cover: Cover | None = None
        self._worker: threading.Thread | None = None
        self._rest_until = 0.0
        self._failure = ""
        self._state = 0

    def page(
        self,
        catalog: Catalog,
        rule: KeepRule,
        radius: int,
        *,
        after: int = 0,
        limit: int = 50,
        show_all: bool = False,
    ) -> GroupPage:
        """Groups at `radius` as they are now, but for pictures and pairs that are too many to
        compare while somebody waits."""
        pending = catalog.edges.unjoined_count(FINGERPRINT, LIKENESS)
        if pending or not self._is_current(catalog, rule):
            self._bring_up_to_date(catalog, rule)
            pending = catalog.edges.unjoined_count(FINGERPRINT, LIKENESS)
        with self._lock:
            busy = self._worker is not None
            if self._cover is None:
                return GroupPage([], False, [], pending, busy, self._failure, self._state)
            groups, more = self._cover.page(radius, after, limit, show_all=show_all)
            table = self._cover.table()
            return GroupPage(groups, more, table, pending, busy, self._failure, self._state)

    @property
    def settled(self) -> Settlement | None:
        """What the decisions come to, as far as they were grouped by."""
        with self._lock:
            return self._cover.settled if self._cover else None

    def _is_current(self, catalog: Catalog, rule: KeepRule) -> bool:
        """Whether the groups hold, once what was judged since is taken in."""
        with self._lock, catalog.snapshot():
            now, cover = _stamp(catalog, rule), self._cover
            if cover is None or (cover.stamp.edges, cover.stamp.rule) != (now.edges, rule):
                return False
            return cover.stamp == now or cover.follow(catalog, now)

    def _bring_up_to_date(self, catalog: Catalog, rule: KeepRule) -> None:
        """Start the work behind the page; wait for it where that is quick."""
        small = catalog.images.count() <= SMALL
        with self._lock:
            waiting = self._cover is None or small
            if self._worker is None and (waiting or time.monotonic() > self._rest_until):
                work = threading.Thread(
                    target=self._work, args=(rule,), name="grouping", daemon=True
                )
                self._worker = work
                work.start()
            worker = self._worker
        if worker is not None and waiting:
            worker.join(_LONG_PATIENCE_S if small else _PATIENCE_S)

    def _work(self, rule: KeepRule) -> None:
        # Whatever is no error of this project ends the thread and goes to the log as it is.
        start, failure, cover = time.monotonic(), _BROKEN, None
        try:
            with Catalog(self._path, create=False) as catalog:
                refresh_edges(catalog)
                with catalog.snapshot():
                    cover = Cover(catalog, _stamp(catalog, rule))
            failure = ""
        except PipelineError as error:
            failure = " ".join(str(error).split())
            log.error("comparing pictures: %s", error)
        finally:
            with self._lock:
                self._cover = cover or self._cover
                self._failure = failure
                self._state += 1
                self._worker = None
                self._rest_until = time.monotonic() + _REST * (time.monotonic() - start)


def grouping(path: Path) -> Grouping:
    """The one grouping of the present app, made at first use; its catalogue is at `path`."""
    found = current_app.extensions.setdefault("grouping", Grouping(path))
    assert isinstance(found, Grouping)
    return found


def parts(comparison: Comparison, members: Collection[int], radius: int) -> list[list[int]]:
    """`members` of a chain, best first, in parts whose pictures are all tied to each other.

    Each joins the first part that it fits into; pictures that are all alike are one part.
    """
    pairs = comparison.ties.known.within(radius)
    ids = comparison.ids.tolist()
    tied = {
        frozenset((ids[a], ids[b])) for a, b in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)
    }
    rank = {image_id: place for place, image_id in enumerate(ids)}

    def fits(one: int, part: Iterable[int]) -> bool:
        return all(
            frozenset((one, other)) in tied or comparison.ties.are_same(rank[one], rank[other])
            for other in part
        )

    found: list[list[int]] = []
    for member in members:
        home = next((part for part in found if fits(member, part)), None)
        if home is None:
            found.append(home := [])
        home.append(member)
    return found


def _stamp(catalog: Catalog, rule: KeepRule) -> Stamp:
    judgements = catalog.judgements
    return Stamp(
        edges=catalog.edges.stamp(),
        event=judgements.last_event_id(),
        decision=judgements.pairs.last_id(),
        rule=rule,
    )


def _links(settled: Settlement) -> Integers:
    """Pairs of ids that decisions tie to each other, whatever was decided (M, 2)."""
    same = [(those[0], other) for those in settled.same.all().values() for other in those[1:]]
    apart = [(name, other) for name, others in settled.apart.items() for other in others]
    overruled = [(pair.a, pair.b) for pair in settled.overruled]
    return np.array(same + apart + overruled, np.int64).reshape(-1, 2)
