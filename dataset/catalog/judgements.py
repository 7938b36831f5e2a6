"""What was judged: an append-only log of events; the state of a picture is their replay."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from dataset.catalog.batches import Batches
from dataset.catalog.connection import now, transaction
from dataset.catalog.pair_decisions import PairDecisions
from dataset.catalog.replay import standing
from dataset.catalog.settings import Settings
from dataset.catalog.succession import Succession
from dataset.catalog.uniform import UniformBatches
from dataset.catalog.votes import Votes
from dataset.errors import DataError
from dataset.records import (
    JUDGED_FIELDS,
    Change,
    Event,
    JudgedField,
    PairChange,
    PairDecision,
    SettingChange,
    SettingEvent,
    UndoneBatch,
    Vote,
    VoteChange,
    Wish,
)

LogEntry = Event | PairDecision | Vote | SettingEvent


class Judgements:
    """Applies changes as batches of events, and takes batches back by inverse batches.

    Decisions on pairs, votes and settings stand in tables of their own under the same numbers of
    batches.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._db, self._folder = connection, folder
        self.batches = Batches(connection)
        self.pairs = PairDecisions(connection)
        self.votes = Votes(connection)
        self.settings = Settings(connection)
        self.uniform = UniformBatches(connection)

    def apply(self, changes: Iterable[Wish], *, who: str, verb: str) -> int | None:
        """Carry out `changes` as one batch, committed before it returns.

        Changes that alter nothing make no event. When a picture goes that duplicates were rejected
        for, or a person says that a duplicate is none, they are undecided again, in the same
        batch. Returns the batch's number, or None when nothing changed. Raises DataError for a
        picture that is not there; then nothing is changed.
        """
        with transaction(self._db):
            batch = 1 + self.batches.last()
            said: list[PairChange] = []
            votes: list[VoteChange] = []
            settings: list[SettingChange] = []
            changes = list(changes)
            if self.uniform.append(changes, batch=batch, who=who, verb=verb):
                changes = []
            for change in changes:
                if isinstance(change, Change):
                    self._append(change, batch=batch, who=who, verb=verb)
                elif isinstance(change, PairChange):
                    said.append(change)
                elif isinstance(change, VoteChange):
                    votes.append(change)
                else:
                    settings.append(change)
            self.pairs.append(said, batch=batch, who=who, verb=verb)
            self.votes.append(votes, batch=batch, who=who, verb=verb)
            self.settings.append(settings, batch=batch, who=who, verb=verb)
            decided = {i for pair in said for i in (pair.a, pair.b)}
            self._follow(batch, who=who, verb=verb, decided=decided)
            if not self._wrote(batch):
                return None
            self.batches.write(batch, who=who, verb=verb, votes=len(votes))
            return batch

    def undo(self, *, who: str | None = None, most: int | None = None) -> UndoneBatch | None:
        """Take back the newest batch that is not taken back yet, of `who` or of anybody; of the
        events of a large one, the first `most` are told.

        What somebody else has judged anew since then stays as they judged it, and what was undone
        before does not come back; where that would leave duplicates without a picture that stands
        for them, they are undecided. Returns None when nothing is left.
        """
        with transaction(self._db):
            newest = self.batches.newest_standing(who)
            if newest is None:
                return None
            undone, by, verb = newest
            pairs, votes = self.pairs.of_batch(undone), self.votes.of_batch(undone)
            name, batch = who or by, 1 + self.batches.last()
            if not self.uniform.take_back(undone, batch=batch, who=name):
                self._take_back(undone, batch=batch, who=name)
            self.pairs.take_back(undone, batch=batch, who=name)
            self.settings.take_back(undone, batch=batch, who=name)
            decided = {i for pair in pairs for i in (pair.a, pair.b)}
            self._follow(batch, who=name, verb="undo", decided=decided, undoes=undone)
            self.batches.write(batch, who=name, verb="undo", votes=len(votes), undoes=undone)
            return UndoneBatch(
                batch=undone,
                verb=verb,
                who=by,
                events=tuple(self.of_batch(batch, most)),
                pairs=tuple(self.pairs.of_batch(batch)),
                votes=tuple(votes),
                settings=tuple(self.settings.of_batch(batch)),
                pictures=self.picture_count(batch),
            )

    def _wrote(self, batch: int) -> bool:
        tables = ("event", "pair_decision", "vote", "setting_event")
        some = " OR ".join(f"EXISTS (SELECT 1 FROM {t} WHERE batch = {batch:d})" for t in tables)
        return bool(self._db.execute(f"SELECT {some}").fetchone()[0])

    def _follow(
        self,
        batch: int,
        *,
        who: str,
        verb: str,
        decided: Collection[int],
        undoes: int | None = None,
    ) -> None:
        """Add to a batch what follows from it for the duplicates."""
        rows = self._db.execute(
            "SELECT DISTINCT image_id FROM event JOIN image ON image.id = image_id "
            "WHERE batch = ? AND field = 'status' AND status = 'reject'",
            (batch,),
        )
        rejected = {row[0] for row in rows}
        succession = Succession(self._db, self._folder, decided)
        while changes := succession.next_changes(rejected):
            for change in changes:
                self._append(change, batch=batch, who=who, verb=verb, undoes=undoes)

    def _take_back(self, undone: int, *, batch: int, who: str) -> None:
        events = self.of_batch(undone)
        for image_id, field in dict.fromkeys((e.image_id, e.field) for e in reversed(events)):
            back = self._without(undone, image_id, field)
            self._append(back, batch=batch, who=who, verb="undo", undoes=undone)

    def _without(self, undone: int, image_id: int, field: JudgedField) -> Change:
        """The change to what holds without the batch `undone`: none if that has moved on."""
        history = self._events(
            "SELECT * FROM event WHERE image_id = ? AND field = ? ORDER BY id", (image_id, field)
        )
        value, reason = standing(
            ((e.batch, e.undoes, (e.after, e.reason_after)) for e in history),
            (history[0].before, history[0].reason_before),
            without=undone,
        )
        return Change(image_id=image_id, field=field, value=value, reason=reason)

    def _append(
        self, change: Change, *, batch: int, who: str, verb: str, undoes: int | None = None
    ) -> None:
        """Write one change down and carry it out; one of an undo even if it alters nothing."""
        before = self._state(change)
        after = (change.value, change.reason if change.field == "status" else "")
        if before == after and undoes is None:
            return
        self._db.execute(
            "INSERT INTO event (batch, at, who, verb, image_id, field, before, after, "
            "reason_before, reason_after, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(batch, now(), who, verb, change.image_id, change.field),
                *(before[0], after[0], before[1], after[1], undoes),
            ),
        )
        self._set(change.image_id, change.field, after)

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
        return self.batches.last()

    def last_event_id(self) -> int:
        """The number of the newest event: names the state of all judgements."""
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM event").fetchone()[0])

    def of_batch(self, batch: int, most: int | None = None) -> list[Event]:
        """The events of a batch in their order, all or the first `most`."""
        limit = -1 if most is None else most
        sql = "SELECT * FROM event WHERE batch = ? ORDER BY id LIMIT ?"
        return self._events(sql, (batch, limit))

    def picture_count(self, batch: int) -> int:
        """How many pictures the events of a batch are about."""
        sql = "SELECT count(DISTINCT image_id) FROM event WHERE batch = ?"
        return int(self._db.execute(sql, (batch,)).fetchone()[0])

    def reopened(self, batch: int) -> list[int]:
        """The pictures that a batch made undecided again."""
        rows = self._db.execute(
            "SELECT image_id FROM event WHERE batch = ? AND field = 'status' "
            "AND after = 'undecided' ORDER BY id",
            (batch,),
        )
        return [row[0] for row in rows]

    def of_image(self, image_id: int) -> list[Event]:
        return self._events("SELECT * FROM event WHERE image_id = ? ORDER BY id", (image_id,))

    def between(self, after: int, until: int) -> Iterator[Event]:
        """The events numbered above `after` up to `until`, in their order, one at a time."""
        sql = "SELECT * FROM event WHERE id > ? AND id <= ? ORDER BY id"
        for row in self._db.execute(sql, (after, until)):
            yield Event(**{key: row[key] for key in row.keys()})  # noqa: SIM118

    def latest(self, limit: int = 50) -> list[Event]:
        """The newest events, newest first."""
        return self._events("SELECT * FROM event ORDER BY id DESC LIMIT ?", (limit,))

    def log(self, limit: int = 50) -> list[LogEntry]:
        """The newest entries of all kinds, newest batch first."""
        entries: list[LogEntry] = [
            *self.latest(limit),
            *self.pairs.latest(limit),
            *self.votes.latest(limit),
            *self.settings.latest(limit),
        ]
        return sorted(entries, key=lambda entry: -entry.batch)[:limit]

    def _events(self, sql: str, values: Sequence[int | str]) -> list[Event]:
        rows = self._db.execute(sql, values)
        return [Event(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
