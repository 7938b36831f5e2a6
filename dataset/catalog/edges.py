"""The stored list of pairs that look alike, and small facts about the catalogue."""

import sqlite3
from collections.abc import Iterable

from dataset.catalog.connection import transaction
from dataset.records import Edge


class Edges:
    """Pairs found at the largest radius offered; every smaller radius is a filter on them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def replace(self, edges: Iterable[Edge], computed_from: str) -> None:
        """Store `edges` instead of the present ones; `computed_from` names their input."""
        with transaction(self._db):
            self._db.execute("DELETE FROM edge")
            self._db.executemany(
                "INSERT INTO edge (a, b, phash_bits, dhash_bits, fine_bits, colour_levels, score,"
                " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(e.a, e.b, e.phash_bits, e.dhash_bits, e.fine_bits),
                        *(e.colour_levels, e.score, e.reason),
                    )
                    for e in edges
                ),
            )
            self._db.execute(
                "INSERT OR REPLACE INTO fact (name, value) VALUES ('edges', ?)", (computed_from,)
            )

    def computed_from(self) -> str | None:
        """What the stored edges were computed from, or None when there are none yet."""
        row = self._db.execute("SELECT value FROM fact WHERE name = 'edges'").fetchone()
        return None if row is None else str(row[0])

    def all(self) -> list[Edge]:
        rows = self._db.execute("SELECT * FROM edge ORDER BY a, b")
        return [Edge(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
