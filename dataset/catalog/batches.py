"""The numbered batches of judgements: one row each, which says whether the batch still stands."""

import sqlite3

from dataset.catalog.connection import now


class Batches:
    """What was done together and is undone together, over all tables of the log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def last(self) -> int:
        """The number of the newest batch, 0 before the first."""
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM batch").fetchone()[0])

    def newest_standing(self, who: str | None) -> tuple[int, str, str] | None:
        """(number, who, verb) of the newest batch, of `who` or of anybody, that is not undone."""
        if who is None:
            sql = "FROM batch INDEXED BY batch_standing WHERE stands = 1"
        else:
            sql = "FROM batch INDEXED BY batch_standing_of WHERE stands = 1 AND who = ?"
        row = self._db.execute(
            f"SELECT id, who, verb {sql} ORDER BY id DESC LIMIT 1", () if who is None else (who,)
        ).fetchone()
        return None if row is None else (int(row["id"]), row["who"], row["verb"])

    def write(
        self, batch: int, *, who: str, verb: str, votes: int, undoes: int | None = None
    ) -> None:
        """Close a batch: from now on it stands, or what it undoes no longer does."""
        self._db.execute(
            "INSERT INTO batch (id, at, who, verb, votes, undoes, stands) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (batch, now(), who, verb, votes, undoes, int(undoes is None)),
        )
        if undoes is not None:
            self._db.execute("UPDATE batch SET stands = 0 WHERE id = ?", (undoes,))
