"""What a person said of two pictures: an append-only table; the newest decision of a pair holds."""

import sqlite3
from collections.abc import Sequence

from dataset.catalog.connection import now
from dataset.errors import DataError
from dataset.records import VERDICTS, PairChange, PairDecision, PairVerdict, Verdict
from dataset.star_cover import settle


class PairDecisions:
    """Verdicts by pairs of ids, which no rehash and no new join of hashes ever changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def verdicts(self) -> list[PairVerdict]:
        """What holds at present, for every pair that something holds for, in order of the pair."""
        rows = self._db.execute(
            "SELECT a, b, after, since_after, max(id) FROM pair_decision "
            "GROUP BY a, b ORDER BY a, b"
        )
        return [
            PairVerdict(a=row["a"], b=row["b"], verdict=row["after"], since=row["since_after"])
            for row in rows
            if row["after"]
        ]

    def verdict(self, a: int, b: int) -> PairVerdict:
        """What holds for one pair; a verdict of "" when nothing does."""
        a, b = sorted((a, b))
        row = self._db.execute(
            "SELECT after, since_after FROM pair_decision WHERE a = ? AND b = ? "
            "ORDER BY id DESC LIMIT 1",
            (a, b),
        ).fetchone()
        after, since = ("", 0) if row is None else tuple(row)
        return PairVerdict(a=a, b=b, verdict=after, since=since)

    def of_batch(self, batch: int) -> list[PairDecision]:
        return self._read("WHERE batch = ? ORDER BY id", (batch,))

    def of_image(self, image_id: int) -> list[PairDecision]:
        return self._read("WHERE a = ? OR b = ? ORDER BY id", (image_id, image_id))

    def latest(self, limit: int = 50) -> list[PairDecision]:
        """The newest decisions, newest first."""
        return self._read("ORDER BY id DESC LIMIT ?", (limit,))

    def append(self, change: PairChange, *, batch: int, who: str, verb: str) -> bool:
        """Write one decision down, within the caller's transaction; False if it holds already.

        One that newer decisions on other pairs have overruled does not hold: said again, it does.
        Raises DataError for a picture that is not there, for one picture and for other verdicts.
        """
        present = self.verdict(change.a, change.b)
        self._check(present, change.verdict)
        if present.verdict == change.verdict and present not in settle(self.verdicts()).overruled:
            return False
        self._write(present, change.verdict, batch if change.verdict else 0, batch, who, verb, None)
        return True

    def take_back(self, decision: PairDecision, *, batch: int, who: str) -> None:
        """Write down the inverse of a decision; where somebody moved on, that nothing changes."""
        present = self.verdict(decision.a, decision.b)
        after, since = present.verdict, present.since
        if (after, since) == (decision.after, decision.since_after):
            after, since = decision.before, decision.since_before
        self._write(present, after, since, batch, who, "undo", decision.batch)

    def _check(self, pair: PairVerdict, verdict: str) -> None:
        if verdict not in VERDICTS:
            raise DataError(f"{verdict!r} is no verdict on two pictures; same or different")
        if pair.a == pair.b:
            raise DataError(f"picture {pair.a} cannot be compared with itself")
        for image_id in (pair.a, pair.b):
            if not self._db.execute("SELECT 1 FROM image WHERE id = ?", (image_id,)).fetchone():
                raise DataError(f"there is no picture {image_id} in this catalogue")

    def _write(
        self,
        present: PairVerdict,
        after: Verdict,
        since: int,
        batch: int,
        who: str,
        verb: str,
        undoes: int | None,
    ) -> None:
        self._db.execute(
            "INSERT INTO pair_decision (batch, at, who, verb, a, b, before, after, since_before, "
            "since_after, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(batch, now(), who, verb, present.a, present.b),
                *(present.verdict, after, present.since, since, undoes),
            ),
        )

    def _read(self, clause: str, values: Sequence[int]) -> list[PairDecision]:
        rows = self._db.execute(f"SELECT * FROM pair_decision {clause}", values)
        return [PairDecision(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118
