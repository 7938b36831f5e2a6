"""A page of a sorted, filtered overview: by key, so that nothing is skipped while others judge."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate_app.filters import BadFilter
from curate_app.overview import Mask, Overview, Rows

_CURSOR = re.compile(
    r"(?:(?P<value>none|-?\d{1,20}(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?):)?(?P<id>\d{1,19})", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class Sort:
    """By column `name`, or by "id"; pictures without a value come last either way."""

    name: str = "id"
    descending: bool = False

    @classmethod
    def read(cls, text: str) -> "Sort":
        """From "sharpness" or "-sharpness"."""
        return cls(name=text.removeprefix("-") or "id", descending=text.startswith("-"))

    def __str__(self) -> str:
        return ("-" if self.descending else "") + self.name


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place between pictures: after the one with this value and id. `value` is None where the
    picture has none, or where ids alone sort."""

    value: float | None
    id: int

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises BadFilter for what `str` of a cursor never is."""
        parts = _CURSOR.fullmatch(text)
        if parts is None or int(parts["id"]) >= 2**63:
            raise BadFilter(f"{text[:40]!r} is no place in the grid; go back to its start")
        given = parts["value"]
        return cls(value=None if given in (None, "none") else float(given), id=int(parts["id"]))


@dataclass(frozen=True, kw_only=True)
class Page:
    """Pictures in order; `first` is the place of the first one among `total`, from 0. `before`
    and `after` are the cursors of the pages around it, "" at an end."""

    ids: list[int]
    first: int
    total: int
    before: str
    after: str


class Sorted:
    """The pictures of a mask in the order of a sort."""

    def __init__(self, view: Overview, mask: Mask, sort: Sort) -> None:
        """Raises BadFilter for an unknown column."""
        self._view, self._sort = view, sort
        self._key: NDArray[np.float32] | None = None
        self.rows: Rows = np.flatnonzero(mask).astype(np.int32)
        if sort.name == "id":
            self.rows = self.rows[::-1] if sort.descending else self.rows
            return
        column = view.column(sort.name)
        order = view.order(sort.name)
        rows = order[mask[order]]
        if sort.descending:
            rows = _reversed(rows, column)
        self.rows = rows
        key = -column[rows] if sort.descending else column[rows]
        self._key = np.where(np.isnan(key), np.inf, key)

    def __len__(self) -> int:
        return len(self.rows)

    def page(self, first: int, limit: int) -> Page:
        """Up to `limit` pictures from the place `first` on, or fewer at the end."""
        first = min(first, len(self.rows))
        last = min(first + limit, len(self.rows))
        return Page(
            ids=self._view.ids[self.rows[first:last]].tolist(),
            first=first,
            total=len(self.rows),
            before=self._cursor(first - limit - 1) if first > limit else ("0" if first else ""),
            after=self._cursor(last - 1) if last < len(self.rows) else "",
        )

    def place_after(self, cursor: Cursor) -> int:
        """How many pictures come up to and including the cursor."""
        ids = self._view.ids
        if cursor.id == 0 and cursor.value is None:
            return 0
        if self._key is None:
            own = ids[self.rows]
            if self._sort.descending:
                return int(np.searchsorted(-own, -cursor.id, "right"))
            return int(np.searchsorted(own, cursor.id, "right"))
        with np.errstate(over="ignore"):
            value = np.inf if cursor.value is None else np.float32(cursor.value)
        if cursor.value is not None and self._sort.descending:
            value = -value
        low = int(np.searchsorted(self._key, value, "left"))
        high = int(np.searchsorted(self._key, value, "right"))
        return low + int(np.searchsorted(ids[self.rows[low:high]], cursor.id, "right"))

    def around(self, image_id: int) -> tuple[int | None, int | None]:
        """The pictures before and after this one, which need not fit the filter itself."""
        if not len(self._view.rows_of([image_id])):
            return None, None
        ids, (start, end) = self._view.ids, self._span(image_id)
        return (
            int(ids[self.rows[start - 1]]) if start > 0 else None,
            int(ids[self.rows[end]]) if end < len(self.rows) else None,
        )

    def place_of(self, image_id: int) -> int:
        """Where this picture is, or would be if it fitted, from 0; 0 for one that is not there."""
        return self._span(image_id)[0]

    def _span(self, image_id: int) -> tuple[int, int]:
        """The places at which this picture begins and ends: the same where it does not fit."""
        row = self._view.rows_of([image_id])
        if not len(row):
            return 0, 0
        end = self.place_after(Cursor(value=self._value(int(row[0])), id=image_id))
        here = end > 0 and self._view.ids[self.rows[end - 1]] == image_id
        return end - int(here), end

    def _value(self, row: int) -> float | None:
        if self._key is None:
            return None
        value = float(self._view.column(self._sort.name)[row])
        return None if np.isnan(value) else value

    def _cursor(self, place: int) -> str:
        row = int(self.rows[place])
        image_id = int(self._view.ids[row])
        if self._key is None:
            return str(image_id)
        value = self._value(row)
        return f"{'none' if value is None else repr(value)}:{image_id}"


def _reversed(rows: Rows, column: NDArray[np.float32]) -> Rows:
    """From ascending to descending values; ids still ascend within a value, NaN stays last."""
    known = int(np.count_nonzero(~np.isnan(column[rows])))
    values = column[rows[:known]]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if known else np.zeros(0, int)
    lengths = np.diff(np.r_[starts, known])
    # Runs of one value are laid down from the last to the first, each in its own order.
    turned = np.repeat((starts - np.r_[0, np.cumsum(lengths[::-1])[:-1]][::-1]), lengths)
    places = np.arange(known) - turned
    found = rows.copy()
    found[places] = rows[:known]
    return found
