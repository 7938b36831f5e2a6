"""The stored list of pairs that look alike, and the fingerprints that it was found from."""

import sqlite3
from collections.abc import Iterable, Iterator

from dataset.catalog.connection import transaction
from dataset.records import Edge


class Edges:
    """Pairs found at the largest radius offered; every smaller radius is a filter on them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def has_unjoined(self, version: str, rule: str) -> bool:
        """Whether there are fingerprints of `version` whose pairs under `rule` are not stored."""
        # Two ranges of the index; an inequality would walk through all that are joined.
        row = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM fingerprint WHERE version = ?1 AND joined < ?2) "
            "OR EXISTS (SELECT 1 FROM fingerprint WHERE version = ?1 AND joined > ?2)",
            (version, rule),
        ).fetchone()
        return bool(row[0])

    def unjoined_count(self, version: str, rule: str) -> int:
        """How many fingerprints of `version` there are whose pairs under `rule` are not stored."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM fingerprint WHERE version = ?1 AND joined < ?2) + "
            "(SELECT count(*) FROM fingerprint WHERE version = ?1 AND joined > ?2)",
            (version, rule),
        ).fetchone()
        return int(row[0])

    def stamp(self) -> tuple[int, int, int]:
        """A value that changes when pairs come or go; cheaper than reading them."""
        row = self._db.execute("SELECT count(*), total(a), total(b) FROM edge").fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def fingerprints(self, version: str, rule: str) -> Iterator[tuple[int, bytes, bool]]:
        """(picture, fingerprint, whether its pairs under `rule` are stored), by their SHA-256."""
        rows = self._db.execute(
            "SELECT image_id, value, joined = ? FROM fingerprint "
            "JOIN image ON image.id = image_id WHERE version = ? ORDER BY sha256",
            (rule, version),
        )
        return ((int(row[0]), bytes(row[1]), bool(row[2])) for row in rows)

    def join(self, edges: Iterable[Edge], found_of: Iterable[tuple[int, bytes]], rule: str) -> None:
        """Store `edges`, which are all pairs under `rule` of the pictures `found_of` with the
        fingerprints that were compared, instead of those stored of them before."""
        with transaction(self._db):
            for image_id, value in found_of:
                marked = self._db.execute(
                    "UPDATE fingerprint SET joined = ? "
                    "WHERE image_id = ? AND value = ? AND joined <> ?",
                    (rule, image_id, value, rule),
                )
                # Somebody else may have joined it meanwhile, with pictures that came later.
                if marked.rowcount:
                    self._db.execute("DELETE FROM edge WHERE a = ? OR b = ?", (image_id, image_id))
            self._db.executemany(
                "INSERT OR REPLACE INTO edge (a, b, phash_bits, dhash_bits, fine_bits,"
                " colour_levels, score, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(e.a, e.b, e.phash_bits, e.dhash_bits, e.fine_bits),
                        *(e.colour_levels, e.score, e.reason),
                    )
                    for e in edges
                ),
            )

    def of_image(self, image_id: int) -> list[Edge]:
        """The stored pairs of a picture, the surest first."""
        rows = self._db.execute(
            "SELECT * FROM edge WHERE a = ?1 UNION ALL SELECT * FROM edge WHERE b = ?1 "
            "ORDER BY score DESC, a, b",
            (image_id,),
        )
        return [Edge(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM edge").fetchone()[0])

    def all(self) -> list[Edge]:
        rows = self._db.execute("SELECT * FROM edge ORDER BY a, b")
        return [Edge(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
