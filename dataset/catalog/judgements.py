"""What was judged: an append-only log of events; the state of a picture is their replay."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dataset.catalog.connection import now, transaction
from dataset.catalog.handover import Handover
from dataset.catalog.pair_decisions import PairDecisions
from dataset.errors import DataError
from dataset.records import (
    JUDGED_FIELDS,
    Change,
    Event,
    PairChange,
    PairDecision,
    UndoneBatch,
)


class Judgements:
    """Applies changes as batches of events, and takes batches back by inverse batches.

    Decisions on pairs stand in a table of their own under the same numbers of batches.
    """

    def __init__(self, connection: sqlite3.Connection, handover: Handover) -> None:
        self._db = connection
        self.pairs = PairDecisions(connection)
        self._handover = handover

    def apply(self, changes: Iterable[Change | PairChange], *, who: str, verb: str) -> int | None:
        """Carry out `changes` as one batch, committed before it returns.

        Changes that alter nothing make no event. When a picture goes that duplicates were rejected
        for, or a person says that a duplicate is none, the best of them are undecided again, in
        the same batch. Returns the batch's number, or None when nothing changed. Raises DataError
        for a picture that is not there; then nothing is changed.
        """
        with transaction(self._db):
            batch = 1 + self.last_batch()
            appended = False
            for change in changes:
                if isinstance(change, PairChange):
                    done = self.pairs.append(change, batch=batch, who=who, verb=verb)
                else:
                    done = self._append(change, batch=batch, who=who, verb=verb)
                if done:
                    appended = True
                    for follower in self._followers(change):
                        self._append(follower, batch=batch, who=who, verb=verb)
            return batch if appended else None

    def undo(self, *, who: str | None = None) -> UndoneBatch | None:
        """Take back the newest batch that is not taken back yet, of `who` or of anybody.

        What somebody else has judged anew since then stays as they judged it. Returns None when
        nothing is left.
        """
        with transaction(self._db):
            undone = self._newest(who)
            if undone is None:
                return None
            events, pairs = self.of_batch(undone), self.pairs.of_batch(undone)
            first: Event | PairDecision = events[0] if events else pairs[0]
            name = who or first.who
            batch = 1 + self.last_batch()
            for event in reversed(events):
                self._append(
                    self._inverse(event), batch=batch, who=name, verb="undo", undoes=undone
                )
            for decision in reversed(pairs):
                self.pairs.take_back(decision, batch=batch, who=name)
            return UndoneBatch(
                batch=undone,
                verb=first.verb,
                who=first.who,
                events=tuple(self.of_batch(batch)),
                pairs=tuple(self.pairs.of_batch(batch)),
            )

    def _newest(self, who: str | None) -> int | None:
        """The newest batch that stands."""
        rows = [
            self._db.execute(
                f"SELECT max(batch) FROM {table} e WHERE undoes IS NULL "
                "AND (? IS NULL OR who = ?) "
                "AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.batch) "
                "AND NOT EXISTS (SELECT 1 FROM pair_decision u WHERE u.undoes = e.batch)",
                (who, who),
            ).fetchone()
            for table in ("event", "pair_decision")
        ]
        return max((int(row[0]) for row in rows if row[0] is not None), default=None)

    def _followers(self, change: Change | PairChange) -> list[Change]:
        """What has to change with it, for the duplicates that were rejected for a picture."""
        if isinstance(change, Change):
            gone = change.field == "status" and change.value == "reject"
            if gone and self._handover.keeper_of(change.image_id) is None:
                return self._handover.stand_ins(change.image_id)
        elif change.verdict == "different":
            keeper_of = self._handover.keeper_of
            return [
                Change(image_id=one, field="status", value="undecided")
                for one, other in ((change.a, change.b), (change.b, change.a))
                if keeper_of(one) == other
            ]
        return []

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
        self, change: Change, *, batch: int, who: str, verb: str, undoes: int | None = None
    ) -> bool:
        """Write one change down and carry it out; one of an undo even if it alters nothing."""
        before = self._state(change)
        after = (change.value, change.reason if change.field == "status" else "")
        if before == after and undoes is None:
            return False
        self._db.execute(
            "INSERT INTO event (batch, at, who, verb, image_id, field, before, after, "
            "reason_before, reason_after, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(batch, now(), who, verb, change.image_id, change.field),
                *(before[0], after[0], before[1], after[1], undoes),
            ),
        )
        self._set(change.image_id, change.field, after)
        return True

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
        row = self._db.execute(
            "SELECT max((SELECT ifnull(max(batch), 0) FROM event), "
            "(SELECT ifnull(max(batch), 0) FROM pair_decision))"
        ).fetchone()
        return int(row[0])

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

    def log(self, limit: int = 50) -> list[Event | PairDecision]:
        """The newest events and decisions on pairs, newest batch first."""
        both: list[Event | PairDecision] = [*self.latest(limit), *self.pairs.latest(limit)]
        return sorted(both, key=lambda entry: -entry.batch)[:limit]

    def _events(self, sql: str, values: Sequence[int]) -> list[Event]:
        rows = self._db.execute(sql, values)
        return [Event(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
