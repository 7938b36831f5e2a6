"""How the catalogue came to what it holds, in counts: what a dataset card tells of it."""

import sqlite3
from typing import NamedTuple


class Judge(NamedTuple):
    """Somebody who judged: changes and votes of theirs that stand."""

    who: str
    changes: int
    votes: int


class Tallies:
    """Narrow counts over whole tables; keeps nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def rejected(self, most: int) -> list[tuple[str, int]]:
        """(reason, pictures) of what is rejected, the most frequent first; every duplicate under
        "duplicate of another picture", "" where no reason was given."""
        rows = self._db.execute(
            "SELECT CASE WHEN duplicate_of IS NULL THEN reason ELSE 'duplicate of another picture' "
            "END AS why, count(*) AS n FROM image WHERE status = 'reject' "
            "GROUP BY why ORDER BY n DESC, why LIMIT ?",
            (most,),
        )
        return [(str(row["why"]), int(row["n"])) for row in rows]

    def judges(self, most: int) -> list[Judge]:
        """Who judged, the busiest first; what was taken back does not count."""
        rows = self._db.execute(
            "SELECT who, sum(changes) AS c, sum(votes) AS v FROM ("
            "SELECT event.who, count(*) AS changes, 0 AS votes FROM event "
            "JOIN batch ON batch.id = batch WHERE stands = 1 GROUP BY event.who "
            "UNION ALL SELECT vote.who, 0, count(*) FROM vote "
            "JOIN batch ON batch.id = batch WHERE stands = 1 GROUP BY vote.who) "
            "GROUP BY who ORDER BY c + v DESC, who LIMIT ?",
            (most,),
        )
        return [Judge(str(row["who"]), int(row["c"]), int(row["v"])) for row in rows]
