"""Batches that say the same of many pictures, and batches that nothing has touched since: written
down and taken back as sets of rows."""

import sqlite3
from collections.abc import Sequence

from dataset.catalog.connection import now
from dataset.catalog.contenders import listed
from dataset.errors import DataError
from dataset.records import JUDGED_FIELDS, Change, JudgedField, Wish

_FEWEST = 32  # fewer are as quick one by one
_INTO_EVENT = (
    "INSERT INTO event (batch, at, who, verb, image_id, field, before, after, reason_before, "
    "reason_after, undoes) "
)


class UniformBatches:
    """The same events in the same order as one by one; asked within the batch's transaction."""

    def __init__(self, connection: sqlite3.Connection, fewest: int = _FEWEST) -> None:
        self._db, self.fewest = connection, fewest

    def append(self, changes: Sequence[Wish], *, batch: int, who: str, verb: str) -> bool:
        """Write `changes` down and carry them out, if all of them say the same; whether they do.

        Raises DataError as one by one: for a picture that is not there, for an impossible value.
        """
        first = _common(changes) if len(changes) >= self.fewest else None
        if first is None:
            return False
        ids = listed(dict.fromkeys(c.image_id for c in changes if isinstance(c, Change)))
        self._check(ids)
        field, of_status = first.field, first.field == "status"
        cursor = self._db.execute(
            f"{_INTO_EVENT} SELECT ?1, ?2, ?3, ?4, image.id, '{field}', image.{field}, ?5, "
            f"{'image.reason' if of_status else repr('')}, ?6, NULL "
            "FROM json_each(?7) AS wanted JOIN image ON image.id = wanted.value "
            f"WHERE image.{field} IS NOT ?5 {'OR image.reason IS NOT ?6' if of_status else ''} "
            "ORDER BY wanted.key",
            (batch, now(), who, verb, first.value, first.reason if of_status else "", ids),
        )
        if cursor.rowcount:
            self._carry_out(field, batch, "after")
        return True

    def take_back(self, undone: int, *, batch: int, who: str) -> bool:
        """Write down the way back from the events of `undone` and go it, if they are many and
        nothing was judged since of the same pictures; whether that is so."""
        count, fields = self._db.execute(
            "SELECT count(*), group_concat(DISTINCT field) FROM event WHERE batch = ?", (undone,)
        ).fetchone()
        if count < max(self.fewest, 1) or self._moved_on(undone):
            return False
        self._db.execute(
            f"{_INTO_EVENT} SELECT ?1, ?2, ?3, 'undo', image_id, field, after, before, "
            "reason_after, reason_before, ?4 FROM event WHERE batch = ?4 ORDER BY id DESC",
            (batch, now(), who, undone),
        )
        for field in fields.split(","):
            self._carry_out(field, undone, "before")
        return True

    def _moved_on(self, undone: int) -> bool:
        """Whether any event of the batch is followed by another of the same picture and field."""
        row = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM event AS own CROSS JOIN event AS later "
            "ON later.image_id = own.image_id AND later.id > own.id AND later.field = own.field "
            "WHERE own.batch = ?)",
            (undone,),
        ).fetchone()
        return bool(row[0])

    def _carry_out(self, field: str, batch: int, side: str) -> None:
        """Set the pictures of a batch's events to the side `before` or `after` of them."""
        reason = f", reason = event.reason_{side}" if field == "status" else ""
        sql = (
            f"UPDATE image SET {field} = event.{side}{reason} FROM event "
            "WHERE event.batch = ?1 AND event.field = ?2 AND image.id = event.image_id"
        )
        try:
            self._db.execute(sql, (batch, field))
        except sqlite3.IntegrityError as error:
            row = self._db.execute(
                f"SELECT image_id, {side} FROM event WHERE batch = ? ORDER BY id", (batch,)
            ).fetchone()
            raise DataError(f"{field} of picture {row[0]} cannot be {row[1]!r}") from error

    def _check(self, ids: str) -> None:
        row = self._db.execute(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM image) LIMIT 1",
            (ids,),
        ).fetchone()
        if row is not None:
            raise DataError(f"there is no picture {row[0]} in this catalogue")


def _common(changes: Sequence[Wish]) -> Change | None:
    """The first of the changes if all say what it says."""
    first = changes[0] if changes else None
    if not isinstance(first, Change) or first.field not in JUDGED_FIELDS:
        return None
    if type(first.value) is not _kind_of(first.field):
        return None
    said = (first.field, first.value, first.reason)
    same = all(
        isinstance(c, Change)
        and (c.field, c.value, c.reason) == said
        and type(c.value) is type(first.value)
        for c in changes
    )
    return first if same else None


def _kind_of(field: JudgedField) -> type[int] | type[str]:
    return int if field == "stars" else str
