"""Which of two pictures somebody liked better: append-only; an undone batch does not count."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.connection import now
from dataset.errors import DataError
from dataset.records import OUTCOMES, Vote, VoteChange

_COLUMNS = "vote.id, batch, vote.at, vote.who, vote.verb, left_id, right_id, outcome, aside"


@dataclass(frozen=True, kw_only=True)
class VoteColumns:
    """Votes as columns, oldest first: (N,) each. `outcome` is 1 where the left picture won, 0 for
    a tie, -1 where the right one won; `aside` marks the votes that no fit may see."""

    id: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    outcome: NDArray[np.int8]
    aside: NDArray[np.bool_]
    who: list[str]

    def __len__(self) -> int:
        return len(self.who)


class Votes:
    """Casts votes and reads those that count; votes of several people all stand."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def stamp(self) -> str:
        """Changes whenever what `standing` gives does; cheap."""
        row = self._db.execute(
            "SELECT (SELECT ifnull(max(id), 0) FROM vote), (SELECT ifnull(max(id), 0) "
            "FROM batch INDEXED BY batch_of_votes_undone WHERE votes > 0 AND undoes IS NOT NULL)"
        ).fetchone()
        return f"{row[0]}-{row[1]}"

    def standing(self, after: int = 0) -> VoteColumns:
        """The votes with an id greater than `after` that count, oldest first."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        rows = cursor.execute(
            "SELECT vote.id, left_id, right_id, CASE outcome WHEN 'left' THEN 1 "
            "WHEN 'right' THEN -1 ELSE 0 END, aside, vote.who FROM vote "
            "JOIN batch ON batch.id = vote.batch WHERE stands = 1 AND vote.id > ? ORDER BY vote.id",
            (after,),
        ).fetchall()
        numbers = np.array([row[:5] for row in rows], dtype=np.int64).reshape(-1, 5)
        return VoteColumns(
            id=numbers[:, 0].copy(),
            left=numbers[:, 1].copy(),
            right=numbers[:, 2].copy(),
            outcome=numbers[:, 3].astype(np.int8),
            aside=numbers[:, 4].astype(bool),
            who=[row[5] for row in rows],
        )

    def of_image(self, image_id: int) -> list[Vote]:
        """The votes on a picture that count, oldest first."""
        return self._read(
            "JOIN batch ON batch.id = vote.batch WHERE stands = 1 "
            "AND (left_id = ? OR right_id = ?) ORDER BY vote.id",
            (image_id, image_id),
        )

    def of_batch(self, batch: int) -> list[Vote]:
        return self._read("WHERE batch = ? ORDER BY vote.id", (batch,))

    def latest(self, limit: int = 50) -> list[Vote]:
        """The newest votes, newest first, undone ones among them."""
        return self._read("ORDER BY vote.id DESC LIMIT ?", (limit,))

    def append(self, votes: Iterable[VoteChange], *, batch: int, who: str, verb: str) -> None:
        """Cast votes within the caller's transaction. Raises DataError for a picture that is not
        there, for one picture against itself and for other outcomes."""
        for vote in votes:
            if vote.outcome not in OUTCOMES:
                raise DataError(f"{vote.outcome!r} is no outcome of a vote; left, right or tie")
            if vote.left == vote.right:
                raise DataError(f"picture {vote.left} cannot be compared with itself")
            try:
                self._db.execute(
                    "INSERT INTO vote (batch, at, who, verb, left_id, right_id, outcome, aside) "
                    "SELECT ?, ?, ?, ?, a.id, b.id, ?, ? FROM image a, image b "
                    "WHERE a.id = ? AND b.id = ? RETURNING id",
                    (
                        *(batch, now(), who, verb, vote.outcome, int(vote.aside)),
                        *(vote.left, vote.right),
                    ),
                ).fetchall()[0]
            except (IndexError, OverflowError) as error:
                raise DataError(
                    f"there is no picture {vote.left} or {vote.right} in this catalogue"
                ) from error

    def _read(self, clause: str, values: Sequence[int]) -> list[Vote]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM vote {clause}", values)
        return [
            Vote(
                **{key: row[key] for key in ("id", "batch", "at", "who", "verb", "outcome")},
                left=row["left_id"],
                right=row["right_id"],
                aside=bool(row["aside"]),
            )
            for row in rows
        ]
