"""What was judged: an append-only log of events; the state of a picture is their replay."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dataset.catalog.connection import now, transaction
from dataset.errors import DataError
from dataset.records import JUDGED_FIELDS, Change, Event


class Judgements:
    """Applies changes as batches of events, and takes batches back by inverse batches."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def apply(self, changes: Iterable[Change], *, who: str, verb: str) -> int | None:
        """Carry out `changes` as one batch, committed before it returns.

        Changes that alter nothing make no event. Returns the batch's number, or None when nothing
        changed. Raises DataError for a picture that is not there; then nothing is changed.
        """
        with transaction(self._db):
            return self._append(changes, who=who, verb=verb, undoes=None)

    def undo(self, *, who: str | None = None) -> tuple[int, list[Event]] | None:
        """Take back the newest batch that is not taken back yet, of `who` or of anybody.

        What somebody else has judged anew since then stays as they judged it. Returns (the batch
        taken back, the inverse events), or None when nothing is left.
        """
        with transaction(self._db):
            row = self._db.execute(
                "SELECT max(batch) FROM event e WHERE undoes IS NULL AND (? IS NULL OR who = ?) "
                "AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.batch)",
                (who, who),
            ).fetchone()
            if row[0] is None:
                return None
            undone = int(row[0])
            events = self.of_batch(undone)
            inverse = (self._inverse(event) for event in reversed(events))
            name = who or events[0].who
            batch = self._append(inverse, who=name, verb="undo", undoes=undone, always=True)
            assert batch is not None
            return undone, self.of_batch(batch)

    def _inverse(self, event: Event) -> Change:
        """The change that takes `event` back, or one to the present state if that moved on."""
        back = Change(
            image_id=event.image_id,
            field=event.field,
            value=event.before,
            reason=event.reason_before,
        )
        value, reason = self._state(back)
        if (value, reason) == (event.after, event.reason_after):
            return back
        return replace(back, value=value, reason=reason)

    def _append(
        self,
        changes: Iterable[Change],
        *,
        who: str,
        verb: str,
        undoes: int | None,
        always: bool = False,
    ) -> int | None:
        batch = 1 + self.last_batch()
        appended = False
        for change in changes:
            before = self._state(change)
            after = (change.value, change.reason if change.field == "status" else "")
            if before == after and not always:
                continue
            self._db.execute(
                "INSERT INTO event (batch, at, who, verb, image_id, field, before, after, "
                "reason_before, reason_after, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(batch, now(), who, verb, change.image_id, change.field),
                    *(before[0], after[0], before[1], after[1], undoes),
                ),
            )
            self._set(change.image_id, change.field, after)
            appended = True
        return batch if appended else None

    def _state(self, change: Change) -> tuple[str | int, str]:
        if change.field not in JUDGED_FIELDS:
            raise DataError(f"{change.field!r} cannot be judged; it is one of {JUDGED_FIELDS}")
        row = self._db.execute(
            f"SELECT {change.field}, reason FROM image WHERE id = ?", (change.image_id,)
        ).fetchone()
        if row is None:
            raise DataError(f"there is no picture {change.image_id} in this catalogue")
        return row[0], row[1] if change.field == "status" else ""

    def _set(self, image_id: int, field: str, after: tuple[str | int, str]) -> None:
        try:
            self._db.execute(f"UPDATE image SET {field} = ? WHERE id = ?", (after[0], image_id))
        except sqlite3.IntegrityError as error:
            raise DataError(f"{field} of picture {image_id} cannot be {after[0]!r}") from error
        if field == "status":
            self._db.execute("UPDATE image SET reason = ? WHERE id = ?", (after[1], image_id))

    def last_batch(self) -> int:
        return int(self._db.execute("SELECT ifnull(max(batch), 0) FROM event").fetchone()[0])

    def last_event_id(self) -> int:
        """The number of the newest event: names the state of all judgements."""
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM event").fetchone()[0])

    def of_batch(self, batch: int) -> list[Event]:
        return self._events("SELECT * FROM event WHERE batch = ? ORDER BY id", (batch,))

    def of_image(self, image_id: int) -> list[Event]:
        return self._events("SELECT * FROM event WHERE image_id = ? ORDER BY id", (image_id,))

    def latest(self, limit: int = 50) -> list[Event]:
        """The newest events, newest first."""
        return self._events("SELECT * FROM event ORDER BY id DESC LIMIT ?", (limit,))

    def _events(self, sql: str, values: Sequence[int]) -> list[Event]:
        rows = self._db.execute(sql, values)
        return [Event(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
