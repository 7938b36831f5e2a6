"""The pictures that a pack would take, counted over columns: the same as `select` finds, without a
record of each of them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate_app.filters import Filter
from curate_app.overview import Overview
from dataset.catalog import Catalog
from dataset.catalog.packables import UNKNOWN_LICENCES
from dataset.errors import ConfigError
from dataset.pack_selection import PackConfig
from dataset.provenance import SPLITS
from dataset.records import STATUSES
from dataset.splits import draw

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]  # the first 8 bytes of a hash, which order as the hashes do
UNKNOWN = "unknown"
_TRAIN, _CAL, _TEST = (SPLITS.index(name) for name in ("train", "cal", "test"))


@dataclass(frozen=True, kw_only=True)
class PackCounts:
    """Pictures by class and split and by licence; `alike` are those beyond the first that shows
    the same."""

    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    licences: dict[str, int] = field(default_factory=dict)
    alike: int = 0

    @property
    def splits(self) -> dict[str, int]:
        return {name: sum(by[name] for by in self.classes.values()) for name in SPLITS}

    @property
    def pictures(self) -> int:
        return sum(self.splits.values())


@dataclass(frozen=True)
class _Ties:
    """Rows of pairs within a radius that nobody told apart (P,), and the rows of each set of
    pictures that a person called the same (S,), with the number of the set."""

    stamp: tuple[object, ...]
    a: Integers
    b: Integers
    same: Integers
    set_of: Integers


class PackColumns:
    """What the split and the licences ask of every picture, 20 bytes each, read on when asked; used
    within `Overview.reading` and by one thread at a time."""

    def __init__(self) -> None:
        self._seed = self._picture = 0
        self._sha256 = np.zeros(0, np.uint64)
        self._draw = np.zeros(0, np.uint64)
        self._licence = np.zeros(0, np.int32)  # place in `_names`, 0 where none is known
        self._names = [UNKNOWN]
        self._origin = 0
        self._ties: _Ties | None = None

    def counts(self, view: Overview, catalog: Catalog, config: PackConfig) -> PackCounts:
        """Raises ConfigError for a label that no picture has, as `select`."""
        self.read_on(catalog, config.seed)
        self._read_licences(view, catalog)
        rows = self._wanted(view, config)
        if not len(rows):
            return PackCounts()
        group = self._groups(view, catalog, config.radius, rows)
        split = self._splits(view.label[rows], group, rows, config)
        places = view.label[rows].astype(np.int64) * len(SPLITS) + split
        table = np.bincount(places, minlength=len(view.labels) * len(SPLITS))
        by_label = table.reshape(-1, len(SPLITS))
        licences = np.bincount(self._licence[rows], minlength=len(self._names)).tolist()
        return PackCounts(
            classes={
                view.labels[code]: dict(zip(SPLITS, by_label[code].tolist(), strict=True))
                for code in np.flatnonzero(by_label.any(axis=1)).tolist()
            },
            licences={name: n for name, n in zip(self._names, licences, strict=True) if n},
            alike=len(rows) - int(group.max()) - 1,
        )

    def read_on(self, catalog: Catalog, seed: int) -> None:
        """Read the pictures that are new since last time; of a large catalogue once for a second or
        more, better before `Overview.reading`."""
        if seed != self._seed:
            self._seed, self._picture = seed, 0
            self._sha256, self._draw = self._sha256[:0], self._draw[:0]
        with catalog.snapshot():
            newest = catalog.columns.marks().picture
            if newest <= self._picture:
                return
            contents, draws = [self._sha256], [self._draw]
            for block in catalog.columns.contents(self._picture):
                contents.append(_words([bytes.fromhex(sha256) for sha256 in block]))
                draws.append(_words([draw(sha256, seed) for sha256 in block]))
        self._sha256, self._draw = np.concatenate(contents), np.concatenate(draws)
        self._picture = newest

    def _read_licences(self, view: Overview, catalog: Catalog) -> None:
        """Give each picture the first known licence of its origins, as `Packables.licences`."""
        newest = catalog.columns.marks().origin
        if newest <= self._origin and len(self._licence) == len(view):
            return
        number = {name: place for place, name in enumerate(self._names)}
        new = np.zeros(len(view) - len(self._licence), np.int32)
        self._licence = np.concatenate([self._licence, new])
        for pictures, _sources, licences in catalog.columns.origins(self._origin):
            for name in set(licences).difference(UNKNOWN_LICENCES, number):
                number[name] = len(self._names)
                self._names.append(name)
            codes = np.array([number.get(name, 0) for name in licences], np.int32)
            known = codes > 0
            rows, first = np.unique(view.rows_of(pictures[known]), return_index=True)
            open_ = self._licence[rows] == 0
            self._licence[rows[open_]] = codes[known][first[open_]]
        self._origin = newest

    def _wanted(self, view: Overview, config: PackConfig) -> Integers:
        """The rows that the config asks for (n,)."""
        mask = np.isin(view.status, [STATUSES.index(status) for status in config.statuses])
        if config.labels:
            there = view.counts("label", np.ones(len(view), bool))
            unknown = set(config.labels) - set(there)
            if unknown:
                raise ConfigError(f"labels: no picture is labelled {', '.join(sorted(unknown))}")
            codes = [code for code, name in enumerate(view.labels) if name in config.labels]
            mask &= np.isin(view.label, codes)
        if config.licences:
            found = [view.mask(Filter(licence=name)) for name in config.licences]
            mask &= np.logical_or.reduce(found)
        rows = np.flatnonzero(mask[: len(self._sha256)])
        if not config.per_class:
            return rows
        best = rows[np.lexsort((self._sha256[rows], -view.stars[rows], view.label[rows]))]
        return np.sort(best[_place_within(view.label[best]) < config.per_class])

    def _groups(
        self, view: Overview, catalog: Catalog, radius: int, rows: Integers
    ) -> NDArray[np.int32]:
        """The number of each picture's group (n,), from 0."""
        ties = self._read_ties(view, catalog, radius)
        number = np.full(len(view), -1, np.int64)
        number[rows] = np.arange(len(rows))
        a, b = number[ties.a], number[ties.b]
        paired = (a >= 0) & (b >= 0)
        same, set_of = number[ties.same], ties.set_of
        same, set_of = same[same >= 0], set_of[same >= 0]
        linked = set_of[1:] == set_of[:-1]
        a = np.concatenate([a[paired], same[:-1][linked]])
        b = np.concatenate([b[paired], same[1:][linked]])
        graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(rows), len(rows)))
        found: NDArray[np.int32] = connected_components(graph, directed=False)[1]
        return found

    def _read_ties(self, view: Overview, catalog: Catalog, radius: int) -> _Ties:
        decided = catalog.judgements.pairs
        stamp = (catalog.edges.stamp(), decided.last_id(), radius)
        if self._ties is not None and self._ties.stamp == stamp:
            return self._ties
        settled, near = decided.settled(), catalog.comparisons.pairs().within(radius)
        if settled.apart:
            ends = zip(near.a.tolist(), near.b.tolist(), strict=True)
            near = near.where(np.array([not settled.are_apart(a, b) for a, b in ends], bool))
        same = [(one, name) for name, those in settled.same.all().items() for one in those]
        ids, set_of = np.array(same, np.int64).reshape(-1, 2).T
        a, b, rows = (np.searchsorted(view.ids, each) for each in (near.a, near.b, ids))
        self._ties = _Ties(stamp, a, b, rows, set_of)
        return self._ties

    def _splits(
        self, label: NDArray[np.int32], group: NDArray[np.int32], rows: Integers, config: PackConfig
    ) -> Integers:
        """The split of each picture (n,): as `assign_splits` says of its group."""
        order = np.lexsort((self._sha256[rows], group))
        first = order[_place_within(group[order]) == 0]  # of each group, by its number
        kind = label[first]
        drawn = np.lexsort((self._draw[rows[first]], kind))
        sizes = np.bincount(kind)
        n_test = np.array([min(round(config.test * n), n - 1) if n else 0 for n in sizes.tolist()])
        n_cal = np.minimum([round(config.cal * n) for n in sizes.tolist()], sizes - 1 - n_test)
        place, kinds = _place_within(kind[drawn]), kind[drawn]
        split = np.full(len(first), _TRAIN, np.int64)
        split[drawn[place < (n_test + n_cal)[kinds]]] = _CAL
        split[drawn[place < n_test[kinds]]] = _TEST
        found: Integers = split[group]
        return found


def _place_within(sorted_: NDArray[np.int32]) -> Integers:
    """How many of the same value stand before each one (n,)."""
    starts = np.flatnonzero(np.r_[True, sorted_[1:] != sorted_[:-1]])
    return np.arange(len(sorted_)) - np.repeat(starts, np.diff(np.r_[starts, len(sorted_)]))


def _words(hashes: list[bytes]) -> Words:
    return np.frombuffer(b"".join(one[:8] for one in hashes), ">u8").astype(np.uint64)
