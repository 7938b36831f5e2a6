"""What choosing for a pack reads of every picture: a few facts each, in one pass."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dataset.records import Status

UNKNOWN_LICENCES = ("", "unknown")


class Packable(NamedTuple):
    """A picture as far as it matters whether a pack takes it."""

    id: int
    sha256: str
    label: str
    stars: int


class Packables:
    """Narrow questions about all pictures at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def all(self, statuses: Sequence[Status]) -> list[Packable]:
        """The pictures judged so, in order of their SHA-256."""
        rows = self._read(
            "SELECT id, sha256, label, stars FROM image WHERE status IN "
            "(SELECT value FROM json_each(?))",
            statuses,
        )
        return sorted(map(Packable._make, rows), key=lambda one: one.sha256)

    def licensed(self, licences: Iterable[str]) -> set[int]:
        """The pictures that were found under one of these licences, anywhere."""
        return {
            row[0]
            for row in self._read(
                "SELECT DISTINCT image_id FROM origin WHERE licence IN "
                "(SELECT value FROM json_each(?))",
                licences,
            )
        }

    def licences(self) -> dict[int, str]:
        """The licence of each picture: the first known one of its origins. A picture without a
        known one is left out."""
        # With a single min(), SQLite takes the other columns from the row that has it.
        rows = self._read(
            "SELECT image_id, licence, min(id) FROM origin "
            "WHERE licence NOT IN (SELECT value FROM json_each(?)) GROUP BY image_id",
            UNKNOWN_LICENCES,
        )
        return {row[0]: row[1] for row in rows}

    def _read(self, sql: str, values: Iterable[str]) -> Iterable[tuple[Any, ...]]:
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, (json.dumps(list(values)),))
