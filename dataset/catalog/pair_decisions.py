"""What a person said of two pictures: an append-only table; the newest decision of a pair holds."""

import sqlite3
from collections.abc import Iterable, Sequence

from dataset.catalog.connection import now
from dataset.catalog.contenders import listed
from dataset.catalog.replay import standing
from dataset.errors import DataError
from dataset.records import VERDICTS, PairChange, PairDecision, PairVerdict, Verdict
from dataset.star_cover import Settlement, settle

# Identities are SQLite integers: 64 bits with a sign.
_LARGEST_ID = 2**63 - 1


# All pictures that decisions, whatever they said, connect with some.
_CONNECTED = """
WITH RECURSIVE met (id) AS (
    SELECT value FROM json_each(?)
    UNION SELECT b FROM met JOIN pair_decision ON a = met.id
    UNION SELECT a FROM met JOIN pair_decision ON b = met.id)
SELECT id FROM met"""


class PairDecisions:
    """Verdicts by pairs of ids, which no rehash and no new join of hashes ever changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def verdicts(self, among: Iterable[int] | None = None) -> list[PairVerdict]:
        """What holds at present, for every pair that something holds for, in order of the pair;
        with `among` only of pairs that decisions connect with these pictures."""
        where, values = _connected(among)
        rows = self._db.execute(
            f"SELECT a, b, after, since_after, max(id) FROM pair_decision {where} "
            "GROUP BY a, b ORDER BY a, b",
            values,
        )
        return [
            PairVerdict(a=row["a"], b=row["b"], verdict=row["after"], since=row["since_after"])
            for row in rows
            if row["after"]
        ]

    def settled(self, among: Iterable[int] | None = None) -> Settlement:
        """The verdicts without contradiction, whatever the order of intake; with `among` only what
        can have to do with these pictures, which is quick."""
        verdicts = self.verdicts(among)
        names = self._db.execute(
            "SELECT id, sha256 FROM image WHERE id IN (SELECT value FROM json_each(?))",
            (listed({i for verdict in verdicts for i in (verdict.a, verdict.b)}),),
        )
        return settle(verdicts, {row["id"]: row["sha256"] for row in names})

    def last_id(self) -> int:
        """The number of the newest decision: names the state of all of them."""
        row = self._db.execute("SELECT ifnull(max(id), 0) FROM pair_decision").fetchone()
        return int(row[0])

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

    def append(self, changes: Sequence[PairChange], *, batch: int, who: str, verb: str) -> None:
        """Write decisions down, within the caller's transaction; what holds already is left out.

        What newer decisions on other pairs have overruled does not hold: said again, it does, and
        with it all that is said at once. Raises DataError for a picture that is not there, for
        one picture and for other verdicts.
        """
        self._check(changes)
        repeated = []
        for change in changes:
            present = self.verdict(change.a, change.b)
            if present.verdict != change.verdict:
                since = batch if change.verdict else 0
                self._write(present, change.verdict, since, batch, who, verb, None)
            elif present.since != batch and change.verdict:
                repeated.append(present)
        named = {i for change in changes for i in (change.a, change.b)}
        if repeated and not set(repeated).isdisjoint(self.settled(named).overruled):
            for present in repeated:
                if self.verdict(present.a, present.b) == present:
                    self._write(present, present.verdict, batch, batch, who, verb, None)

    def take_back(self, undone: int, *, batch: int, who: str) -> None:
        """Write down, for each pair that the batch `undone` decided on, what holds without it;
        where somebody moved on, that nothing changes."""
        for a, b in dict.fromkeys((decision.a, decision.b) for decision in self.of_batch(undone)):
            history = self._read("WHERE a = ? AND b = ? ORDER BY id", (a, b))
            after, since = standing(
                ((d.batch, d.undoes, (d.after, d.since_after)) for d in history),
                (history[0].before, history[0].since_before),
                without=undone,
            )
            self._write(self.verdict(a, b), after, since, batch, who, "undo", undone)

    def _check(self, changes: Sequence[PairChange]) -> None:
        for change in changes:
            if change.verdict not in VERDICTS:
                raise DataError(
                    f"{change.verdict!r} is no verdict on two pictures; same or different"
                )
            if change.a == change.b:
                raise DataError(f"picture {change.a} cannot be compared with itself")
        for image_id in dict.fromkeys(i for change in changes for i in (change.a, change.b)):
            known = abs(image_id) <= _LARGEST_ID and self._db.execute(
                "SELECT 1 FROM image WHERE id = ?", (image_id,)
            )
            if not known or not known.fetchone():
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


def _connected(among: Iterable[int] | None) -> tuple[str, tuple[str, ...]]:
    if among is None:
        return "", ()
    return f"WHERE a IN ({_CONNECTED})", (listed(among),)
