"""The pictures that a pack would take, counted over columns that stay in memory: by the same rules
as `select`, which reads them anew."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curate_app.filters import Filter
from curate_app.overview import Overview
from dataset.catalog import Catalog
from dataset.catalog.packables import UNKNOWN_LICENCES
from dataset.errors import ConfigError
from dataset.pack_selection import PackConfig, tied_pairs
from dataset.provenance import SPLITS
from dataset.records import STATUSES
from dataset.split_keys import licence_codes, split_keys
from dataset.splits import assign_splits, components, draw, empty_splits, joined_by, within_limits

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]  # the first 8 bytes of a hash, which order as the hashes do
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class PackCounts:
    """Pictures by class and split and by licence; `alike` are those beyond the first that shows
    the same, `empty` the splits that were asked for and came to nothing."""

    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    licences: dict[str, int] = field(default_factory=dict)
    alike: int = 0
    empty: tuple[str, ...] = ()

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
        self._keys: tuple[object, Words] | None = None  # what splits go by, and when it was read

    def counts(self, view: Overview, catalog: Catalog, config: PackConfig) -> PackCounts:
        """Raises ConfigError for a label that no picture has, as `select`."""
        self.read_on(catalog, config.seed)
        self._read_licences(view, catalog)
        rows = self._wanted(view, config)
        if not len(rows):
            return PackCounts()
        root = self._roots(view, catalog, config.radius, rows)
        split = self._splits(view, catalog, root, rows, config)
        places = view.label[rows].astype(np.int64) * len(SPLITS) + split
        table = np.bincount(places, minlength=len(view.labels) * len(SPLITS))
        by_label = table.reshape(-1, len(SPLITS))
        codes, names = self._licence[rows], self._names
        if config.licences:  # which of them stands in the pack
            codes, names = licence_codes(catalog, np.sort(view.ids[rows]), config.licences)
        licences = np.bincount(codes, minlength=len(names)).tolist()
        return PackCounts(
            classes={
                view.labels[code]: dict(zip(SPLITS, by_label[code].tolist(), strict=True))
                for code in np.flatnonzero(by_label.any(axis=1)).tolist()
            },
            licences={name: n for name, n in zip(names, licences, strict=True) if n},
            alike=int(np.count_nonzero(root != np.arange(len(rows)))),
            empty=empty_splits(split, cal=config.cal, test=config.test),
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
        """The rows that the config asks for (n,), in order of SHA-256."""
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
        rows = rows[np.argsort(self._sha256[rows], kind="stable")]
        kept = within_limits(
            _ranks(view)[view.label[rows]],
            view.stars[rows],
            most=config.per_class,
            least=config.min_per_class,
            level=config.balance == "smallest",
        )
        return rows[kept]

    def _roots(self, view: Overview, catalog: Catalog, radius: int, rows: Integers) -> Integers:
        """The first place of each picture's group (n,)."""
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
        return components(len(rows), a, b)

    def _read_ties(self, view: Overview, catalog: Catalog, radius: int) -> _Ties:
        decided = catalog.judgements.pairs
        stamp = (catalog.edges.stamp(), decided.last_id(), radius)
        if self._ties is not None and self._ties.stamp == stamp:
            return self._ties
        settled = decided.settled()
        near = tied_pairs(catalog, radius)
        same = [(one, name) for name, those in settled.same.all().items() for one in those]
        ids, set_of = np.array(same, np.int64).reshape(-1, 2).T
        a, b, rows = (np.searchsorted(view.ids, each) for each in (*near, ids))
        self._ties = _Ties(stamp, a, b, rows, set_of)
        return self._ties

    def _splits(
        self, view: Overview, catalog: Catalog, root: Integers, rows: Integers, config: PackConfig
    ) -> NDArray[np.uint8]:
        """The split of each picture (n,), as its place in SPLITS."""
        by_class = config.split_by == "group"
        if not by_class:
            root = joined_by(root, self._read_keys(view, catalog, config)[rows])
        label = _ranks(view)[view.label[rows]]
        lots = self._draw[rows]
        return assign_splits(root, label, lots, cal=config.cal, test=config.test, by_class=by_class)

    def _read_keys(self, view: Overview, catalog: Catalog, config: PackConfig) -> Words:
        """What no split parts, a number for every row; of a large catalogue read in seconds."""
        stamp = (config.split_by, config.licences, len(view), catalog.columns.marks())
        if self._keys is None or self._keys[0] != stamp:
            keys = split_keys(catalog, config.split_by, view.ids, config.licences)
            self._keys = (stamp, keys)
        return self._keys[1]


def _ranks(view: Overview) -> NDArray[np.int32]:
    """The place of each label among all by name, -1 for none, by its code."""
    place = {name: n for n, name in enumerate(sorted(filter(None, view.labels)))}
    return np.array([place.get(name, -1) for name in view.labels] or [-1], np.int32)


def _words(hashes: list[bytes]) -> Words:
    return np.frombuffer(b"".join(one[:8] for one in hashes), ">u8").astype(np.uint64)
