"""Small wishes that can be undone, such as how many pictures a class shall have."""

import sqlite3
from collections.abc import Iterable, Sequence

from dataset.catalog.connection import now
from dataset.catalog.replay import standing
from dataset.errors import DataError
from dataset.records import SettingChange, SettingEvent

_LONGEST_NAME, _LONGEST_VALUE = 1000, 10_000


class Settings:
    """Names and values of text; what is not set reads as ""."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def all(self) -> dict[str, str]:
        """Everything that is set, in order of the names."""
        rows = self._db.execute("SELECT name, value FROM setting ORDER BY name")
        return {row["name"]: row["value"] for row in rows}

    def get(self, name: str, default: str = "") -> str:
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row["value"])

    def last_id(self) -> int:
        """The number of the newest change: names the state of all settings."""
        row = self._db.execute("SELECT ifnull(max(id), 0) FROM setting_event").fetchone()
        return int(row[0])

    def of_batch(self, batch: int) -> list[SettingEvent]:
        return self._read("WHERE batch = ? ORDER BY id", (batch,))

    def latest(self, limit: int = 50) -> list[SettingEvent]:
        """The newest changes, newest first."""
        return self._read("ORDER BY id DESC LIMIT ?", (limit,))

    def append(self, changes: Iterable[SettingChange], *, batch: int, who: str, verb: str) -> None:
        """Carry out changes within the caller's transaction; what holds already is left out."""
        for change in changes:
            if not 0 < len(change.name) <= _LONGEST_NAME or len(change.value) > _LONGEST_VALUE:
                raise DataError(f"setting {change.name[:40]!r} has a name or value of bad length")
            before = self.get(change.name)
            if before != change.value:
                self._write(change.name, before, change.value, batch, who, verb, None)

    def take_back(self, undone: int, *, batch: int, who: str) -> None:
        """Set each setting of the batch `undone` to what holds without it."""
        for name in dict.fromkeys(event.name for event in self.of_batch(undone)):
            history = self._read("WHERE name = ? ORDER BY id", (name,))
            after = standing(
                ((event.batch, event.undoes, event.after) for event in history),
                history[0].before,
                without=undone,
            )
            self._write(name, self.get(name), after, batch, who, "undo", undone)

    def _write(
        self,
        name: str,
        before: str,
        after: str,
        batch: int,
        who: str,
        verb: str,
        undoes: int | None,
    ) -> None:
        self._db.execute(
            "INSERT INTO setting_event (batch, at, who, verb, name, before, after, undoes) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (batch, now(), who, verb, name, before, after, undoes),
        )
        if after:
            self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, after))
        else:
            self._db.execute("DELETE FROM setting WHERE name = ?", (name,))

    def _read(self, clause: str, values: Sequence[int | str]) -> list[SettingEvent]:
        rows = self._db.execute(f"SELECT * FROM setting_event {clause}", values)
        return [SettingEvent(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
