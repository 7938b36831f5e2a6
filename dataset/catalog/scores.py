"""The quality scores of all pictures at once: how many lie beyond a cut, and which."""

import sqlite3
from typing import Literal

from dataset.quality import Rule

# From the worst on, from the cut on into the bad, from the cut on into the good.
Place = Literal["worst", "over", "under"]
_OF_THE_STANDING = (
    "FROM quality JOIN image ON image.id = image_id "
    "WHERE status <> 'reject' AND measure = ? AND score"
)


class Scores:
    """Questions to the table of scores about all pictures that are not rejected."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def count(self, rule: Rule) -> int:
        """How many pictures have the issue."""
        sql = f"SELECT count(*) {_OF_THE_STANDING} {_side(rule)} ?"
        return int(self._db.execute(sql, (rule.measure, rule.cut)).fetchone()[0])

    def note_measured(self) -> None:
        """Tell whoever holds scores in memory that those of stored pictures have changed; within
        the caller's transaction."""
        self._db.execute(
            "INSERT INTO fact (name, value) VALUES ('scores', '1') ON CONFLICT (name) DO UPDATE "
            "SET value = CAST(value AS INTEGER) + 1"
        )

    def listed(self, rule: Rule, place: Place, limit: int) -> list[tuple[int, float]]:
        """Up to `limit` (id, score): those with the issue, the worst first; the same, those
        nearest to the cut first ("over"); or those without it, nearest first ("under")."""
        rising = (rule.bad == "low") == (place != "over")
        sql = (
            f"SELECT image_id, score {_OF_THE_STANDING} {_side(rule, good=place == 'under')} ? "
            f"ORDER BY score {'ASC' if rising else 'DESC'}, image_id LIMIT ?"
        )
        rows = self._db.execute(sql, (rule.measure, rule.cut, limit))
        return [(row[0], float(row[1])) for row in rows]

    def sampled(self, measure: str, limit: int) -> list[tuple[bool, float | None]]:
        """(has alpha, score or None) of the `limit` pictures with the first content hashes: a
        draw by lot that no order of intake and no judgement changes."""
        rows = self._db.execute(
            "SELECT has_alpha, (SELECT score FROM quality WHERE image_id = image.id "
            "AND measure = ?) FROM image ORDER BY sha256 LIMIT ?",
            (measure, limit),
        )
        return [(bool(row[0]), row[1]) for row in rows]


def _side(rule: Rule, good: bool = False) -> str:
    if rule.bad == "low":
        return ">=" if good else "<"
    return "<=" if good else ">"
