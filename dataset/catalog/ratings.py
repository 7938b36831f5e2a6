"""Scores that were computed from judgements and votes: kept for whoever sorts or packs by them."""

import sqlite3
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.connection import transaction

RatingKind = Literal["ranked", "predicted", "worth"]
_BLOCK = 20_000


class Ratings:
    """Derived data, never events: each kind is replaced as a whole, under a stamp that names what
    it was computed from."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def put(
        self,
        kind: RatingKind,
        ids: NDArray[np.int64],
        scores: NDArray[np.float32],
        deviations: NDArray[np.float32],
        stamp: str,
    ) -> None:
        """Replace all scores of a kind; the arrays are (N,) each."""
        with transaction(self._db):
            self._db.execute("DELETE FROM rating WHERE kind = ?", (kind,))
            self._write(kind, (ids, scores, deviations), stamp)

    def amend(
        self,
        kind: RatingKind,
        ids: NDArray[np.int64],
        scores: NDArray[np.float32],
        deviations: NDArray[np.float32],
        stamp: str,
        *,
        gone: NDArray[np.int64],
        since: str,
    ) -> bool:
        """Write these scores (N,) and leave out the pictures `gone`, all others stay; False, and
        nothing is written, when the stamp is not `since` any more."""
        with transaction(self._db):
            if self.stamp(kind) != since:
                return False
            self._db.executemany(
                "DELETE FROM rating WHERE kind = ? AND image_id = ?",
                ((kind, one) for one in gone.tolist()),
            )
            self._write(kind, (ids, scores, deviations), stamp)
        return True

    def _write(self, kind: RatingKind, columns: Sequence[NDArray[np.generic]], stamp: str) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO rating (kind, image_id, score, deviation) VALUES (?, ?, ?, ?)",
            (
                (kind, *row)
                for start in range(0, len(columns[0]), _BLOCK)
                for row in zip(
                    *(column[start : start + _BLOCK].tolist() for column in columns), strict=True
                )
            ),
        )
        self._db.execute(
            "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (f"rating:{kind}", stamp)
        )

    def of(
        self, kind: RatingKind
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """(ids ascending, scores, standard deviations) of a kind, (N,) each."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        rows: Sequence[tuple[int, float, float]] = cursor.execute(
            "SELECT image_id, score, deviation FROM rating WHERE kind = ? ORDER BY image_id",
            (kind,),
        ).fetchall()
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        scores = np.array([row[1] for row in rows], dtype=np.float32)
        return ids, scores, np.array([row[2] for row in rows], dtype=np.float32)

    def stamp(self, kind: RatingKind) -> str:
        """What the scores of a kind were computed from; "" while there are none."""
        row = self._db.execute(
            "SELECT value FROM fact WHERE name = ?", (f"rating:{kind}",)
        ).fetchone()
        return "" if row is None else str(row["value"])
