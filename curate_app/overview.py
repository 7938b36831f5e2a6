"""All pictures as columns in memory: filters, facet counts and sorted pages in milliseconds.

Brought up to date from the log of events and the newest rows at every reading. About 60 bytes a
picture, and 8 for every column that was sorted by lately.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from flask import Flask, current_app
from numpy.typing import NDArray

from curate_app.filters import OWN_COLUMNS, BadFilter, Filter
from curate_app.tags import Tags
from dataset.catalog import Catalog
from dataset.catalog.columns import Marks, PictureBlock
from dataset.catalog.ratings import RatingKind
from dataset.progress import Progress
from dataset.records import STATUSES

Rows = NDArray[np.int32]
Mask = NDArray[np.bool_]

_MOST_COLUMNS = 5  # quality measures held at a time
_MOST_TEXTS = 8
_SOON_READ = 200_000  # so many pictures are read in a second
_RATINGS: dict[str, RatingKind] = {"score": "ranked", "predicted": "predicted", "worth": "worth"}


class Overview:
    """One app's columns; used by one thread at a time, within `reading`.

    `ids` (N,) ascend; `status` is the place in STATUSES, `label` the place in `labels`, which a
    picture's row number finds. Columns are float32, NaN where nothing is known.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None
        self._marks = Marks(picture=0, event=0, origin=0)  # of what is in the columns
        self.labels: list[str] = []
        self._label_codes: dict[str, int] = {}
        self.ids = np.zeros(0, dtype=np.int64)
        self.status = np.zeros(0, dtype=np.int8)
        self.stars = np.zeros(0, dtype=np.int8)
        self.label = np.zeros(0, dtype=np.int32)
        self._fixed = {name: np.zeros(0, dtype=np.float32) for name in ("pixels", "bytes")}
        self._tags = {"source": Tags(), "licence": Tags()}
        self._columns: OrderedDict[str, tuple[str, NDArray[np.float32]]] = OrderedDict()
        self._orders: OrderedDict[str, tuple[str, Rows]] = OrderedDict()
        self._texts: OrderedDict[str, tuple[Marks, Rows]] = OrderedDict()
        self._measures: list[str] = []
        self.on_rows: Callable[[int], None] | None = None  # told of rows as they are read

    @contextmanager
    def reading(self, catalog: Catalog) -> Iterator["Overview"]:
        """The columns as `catalog` has them now; other threads wait."""
        with self._lock, catalog.snapshot():
            outer, self._catalog = self._catalog, catalog
            try:
                self._refresh(catalog)
                yield self
            finally:
                self._catalog = outer

    def __len__(self) -> int:
        return len(self.ids)

    def names(self) -> list[str]:
        """Every column that can be sorted by or cut at."""
        return [*OWN_COLUMNS, *self._measures]

    def stamp(self) -> str:
        """Changes with every picture, judgement, origin and measuring."""
        marks = self._marks
        return f"{marks.picture}-{marks.event}-{marks.origin}-{marks.scores}"

    def rows_of(self, ids: Sequence[int] | NDArray[np.int64]) -> Rows:
        """The row numbers of those of the pictures that are there."""
        wanted = np.asarray(ids, dtype=np.int64)
        rows = np.searchsorted(self.ids, wanted)
        inside = rows < len(self.ids)
        found: NDArray[np.intp] = rows[inside][self.ids[rows[inside]] == wanted[inside]]
        return found.astype(np.int32)

    def column(self, name: str) -> NDArray[np.float32]:
        """(N,) float32, NaN where unknown. Raises BadFilter for a name that nothing has."""
        if name == "stars":
            return self.stars.astype(np.float32)
        if name in self._fixed:
            return self._fixed[name]
        if name not in self.names():
            raise BadFilter(
                f"there is no score {name[:40]!r}; known: {', '.join(['id', *self.names()])}"
            )
        stamp = self._column_stamp(name)
        held = self._columns.get(name)
        if held is None or held[0] != stamp:
            held = (stamp, self._read_column(name))
            self._columns[name] = held
        self._columns.move_to_end(name)
        while len(self._columns) > _MOST_COLUMNS:
            dropped, _column = self._columns.popitem(last=False)
            self._orders.pop(dropped, None)
        return held[1]

    def order(self, name: str) -> Rows:
        """Row numbers by ascending column, then id; rows without a value come last."""
        column = self.column(name)
        stamp = self._column_stamp(name)
        held = self._orders.get(name)
        if held is None or held[0] != stamp:
            held = (stamp, np.argsort(column, kind="stable").astype(np.int32))
            self._orders[name] = held
            while len(self._orders) > _MOST_COLUMNS:
                self._orders.popitem(last=False)
        return held[1]

    def parts(self, where: Filter) -> dict[str, Mask | None]:
        """What each field of a filter says of each picture; None where it says nothing."""
        low, high = where.star_span()
        tags = {
            key: None
            if (value := getattr(where, key)) is None
            else self._tags[key].mask(value, len(self.ids))
            for key in self._tags
        }
        wanted = None if where.status is None else [str(name) for name in STATUSES]
        status = None if wanted is None else self.status == wanted.index(str(where.status))
        return {
            "status": None if status is None else np.asarray(status),
            "label": None if where.label is None else self.label == self._code(where.label),
            **tags,
            "text": self._text_mask(where.text) if where.text else None,
            "stars": (self.stars >= low) & (self.stars <= high) if where.stars else None,
            "between": self._range_mask(where) if where.between else None,
        }

    def mask(self, where: Filter) -> Mask:
        """(N,) whether each picture fits. Raises BadFilter for an unknown column."""
        return self.combined(self.parts(where))

    def combined(self, parts: Mapping[str, Mask | None], without: str = "") -> Mask:
        """Where all parts hold, or all but one."""
        found = np.ones(len(self.ids), dtype=bool)
        for name, part in parts.items():
            if part is not None and name != without:
                found &= part
        return found

    def counts(self, facet: str, mask: Mask) -> dict[str, int]:
        """How many of the pictures in `mask` have each value of status, label, stars, source or
        licence; values that none has are left out."""
        if facet in self._tags:
            return self._tags[facet].counts(None if mask.all() else mask)
        if facet == "label":
            return _counted(self.label[mask], self.labels)
        if facet == "stars":
            return _counted(self.stars[mask], [str(stars) for stars in range(6)])
        return _counted(self.status[mask], list(STATUSES))

    # ------------------------------------------------------------ keeping up with the catalogue

    def _refresh(self, catalog: Catalog) -> None:
        columns, held = catalog.columns, self._marks
        marks = columns.marks()
        if marks == held:
            return
        seen = len(self.ids)
        # A step that fails is repeated at the next reading, those before it are not; a snapshot
        # from before the last reading takes nothing away.
        if marks.picture > held.picture:
            self._append(columns.pictures(held.picture))
            self._marks = replace(self._marks, picture=marks.picture)
            self._measures = columns.measures()
        if marks.event > held.event:
            for block in columns.pictures_of(columns.judged_since(held.event) if seen else ()):
                self._put(block)
            self._marks = replace(self._marks, event=marks.event)
        if marks.origin > held.origin:
            self._tag(columns.origins(held.origin))
            self._marks = replace(self._marks, origin=marks.origin)
        if marks.scores > held.scores:
            self._measures = columns.measures()
        self._marks = replace(
            self._marks,
            caption=max(marks.caption, held.caption),
            scores=max(marks.scores, held.scores),
        )

    def _append(self, blocks: Iterator[PictureBlock]) -> None:
        label, ids, status, stars = [self.label], [self.ids], [self.status], [self.stars]
        fixed = {name: [column] for name, column in self._fixed.items()}
        for block in blocks:  # a block's texts are let go before the next one is read
            self._tell(len(block.id))
            label.append(self._codes(block.label))
            ids.append(block.id)
            status.append(block.status)
            stars.append(block.stars)
            fixed["pixels"].append(block.pixels)
            fixed["bytes"].append(block.bytes)
        self.label, self.ids = np.concatenate(label), np.concatenate(ids)
        self.status, self.stars = np.concatenate(status), np.concatenate(stars)
        self._fixed = {name: np.concatenate(columns) for name, columns in fixed.items()}

    def _tag(self, blocks: Iterator[tuple[NDArray[np.int64], list[str], list[str]]]) -> None:
        found: dict[str, list[NDArray[np.int64]]] = {"source": [], "licence": []}
        for pictures, sources, licences in blocks:
            self._tell(len(pictures))
            rows = self.rows_of(pictures)
            found["source"].append(self._tags["source"].keys(rows, sources))
            found["licence"].append(self._tags["licence"].keys(rows, licences))
        for name, keys in found.items():
            self._tags[name].put(keys)

    def _tell(self, rows: int) -> None:
        if self.on_rows is not None:
            self.on_rows(rows)

    def _put(self, block: PictureBlock) -> None:
        rows = self.rows_of(block.id)
        self.status[rows], self.stars[rows] = block.status, block.stars
        self.label[rows] = self._codes(block.label)

    def _codes(self, labels: Sequence[str]) -> NDArray[np.int32]:
        for label in labels:
            if label not in self._label_codes:
                self._label_codes[label] = len(self.labels)
                self.labels.append(label)
        return np.array([self._label_codes[label] for label in labels], dtype=np.int32)

    def _code(self, label: str) -> int:
        return self._label_codes.get(label, -1)

    # ------------------------------------------------------------ columns and texts

    def _column_stamp(self, name: str) -> str:
        if name in _RATINGS:
            return f"{len(self.ids)} {self._open.ratings.stamp(_RATINGS[name])}"
        if name == "stars":
            return f"{len(self.ids)} {self._marks.event}"
        return f"{len(self.ids)} {self._marks.scores}"

    def _read_column(self, name: str) -> NDArray[np.float32]:
        column = np.full(len(self.ids), np.nan, dtype=np.float32)
        if name in _RATINGS:
            ids, scores, _deviations = self._open.ratings.of(_RATINGS[name])
            column[self.rows_of(ids)] = scores
            return column
        for ids, scores in self._open.columns.quality(name):
            column[self.rows_of(ids)] = scores
        return column

    def _text_mask(self, text: str) -> Mask:
        held = self._texts.get(text)
        if held is None or held[0] != self._marks:
            held = (self._marks, self.rows_of(self._open.columns.with_text(text)))
            self._texts[text] = held
            while len(self._texts) > _MOST_TEXTS:
                self._texts.popitem(last=False)
        found = np.zeros(len(self.ids), dtype=bool)
        found[held[1]] = True
        return found

    def _range_mask(self, where: Filter) -> Mask:
        found = np.ones(len(self.ids), dtype=bool)
        for span in where.ranges():
            column = self.column(span.name)
            with np.errstate(over="ignore"):  # a bound beyond float32 is infinite
                if span.low is not None:
                    found &= column >= np.float32(span.low)
                if span.high is not None:
                    found &= column <= np.float32(span.high)
        return found

    @property
    def _open(self) -> Catalog:
        assert self._catalog is not None, "columns are read within `reading`"
        return self._catalog


def overview() -> Overview:
    """The overview of the running app."""
    found = current_app.extensions["overview"]
    assert isinstance(found, Overview)
    return found


def warm_up(app: Flask) -> None:
    """Read the columns of a large catalogue before the first page is asked for, with progress."""
    with app.app_context(), Catalog(app.extensions["desk"].catalog_path, create=False) as catalog:
        total = catalog.images.count()
        if total < _SOON_READ:
            return
        marks = catalog.columns.marks()
        with Progress("reading the catalogue", marks.picture + marks.origin, "rows") as progress:
            view = overview()
            view.on_rows = progress.advance
            with view.reading(catalog):
                view.on_rows = None


def _counted(codes: NDArray[np.int32] | NDArray[np.int8], names: Sequence[str]) -> dict[str, int]:
    counted = np.bincount(codes, minlength=len(names)).tolist()
    return {name: int(n) for name, n in zip(names, counted, strict=True) if n}
