"""What predictions are made from: looks, sizes and scores in blocks, and what was judged."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.contenders import listed
from dataset.fingerprint import FINGERPRINT, LOOK, Looks

Numbers = NDArray[np.int64]

_BLOCK = 1024
_FETCHED = 20_000
# The plus sign keeps SQLite from going by an index that has another order.
_WHOLE = "+f.version = ? AND length(f.value) >= ?"
_PRINT = FINGERPRINT, LOOK.itemsize


@dataclass(frozen=True, kw_only=True)
class AppearanceBlock:
    """B pictures: their whole look (that on white of a picture with transparency) (B,), sizes in
    pixels and bytes (B,), scores (B, M), NaN where a picture has none."""

    ids: Numbers
    looks: Looks
    width: Numbers
    height: Numbers
    byte_count: Numbers
    has_alpha: NDArray[np.bool_]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    sha256: tuple[str, ...]
    undecided: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class JudgedColumns:
    """The pictures with a judgement, in order of id: `status` 1 keep, 2 reject, 0 neither; stars
    0..5; whether one was rejected only as the duplicate of another."""

    ids: Numbers
    status: NDArray[np.int8]
    stars: NDArray[np.int8]
    is_duplicate: NDArray[np.bool_]


class Appearances:
    """Reads the fingerprinted pictures in order of id; those hashed by older versions are left
    out. Nothing is kept: a million pictures pass in a few megabytes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def ids(self) -> Numbers:
        """All pictures that there is an appearance of, ascending."""
        sql = f"SELECT f.image_id FROM fingerprint AS f WHERE {_WHOLE} ORDER BY f.image_id"
        return _columns(self._db.execute(sql, _PRINT), 1)[0]

    def blocks(self, measures: Sequence[str]) -> Iterator[AppearanceBlock]:
        """All of them, about a thousand at a time, with the quality scores named."""
        after = -(2**63)
        while rows := self._rows("f.image_id > ?", (after,)):
            after = int(rows[-1][0])
            where = "image_id BETWEEN ? AND ?", (int(rows[0][0]), after)
            yield self._block(rows, measures, *where)

    def of(self, ids: Sequence[int], measures: Sequence[str]) -> Iterator[AppearanceBlock]:
        """Those of `ids` that there are, in order of id."""
        wanted = sorted({int(image_id) for image_id in ids})
        for start in range(0, len(wanted), _BLOCK):
            among = "IN (SELECT value FROM json_each(?))", listed(wanted[start : start + _BLOCK])
            rows = self._rows(f"f.image_id {among[0]}", (among[1],))
            if rows:
                yield self._block(rows, measures, f"image_id {among[0]}", (among[1],))

    def judged(self) -> JudgedColumns:
        """What was judged so far, by status or by stars."""
        cursor = self._db.execute(
            "SELECT id, CASE status WHEN 'keep' THEN 1 WHEN 'reject' THEN 2 ELSE 0 END, stars, "
            "duplicate_of IS NOT NULL FROM image WHERE status <> 'undecided' "
            "UNION ALL SELECT id, 0, stars, 0 FROM image WHERE status = 'undecided' AND stars > 0 "
            "ORDER BY id"
        )
        table = _columns(cursor, 4)
        return JudgedColumns(
            ids=table[0],
            status=table[1].astype(np.int8),
            stars=table[2].astype(np.int8),
            is_duplicate=table[3].astype(np.bool_),
        )

    def joined(self) -> tuple[Numbers, Numbers]:
        """The stored pairs a < b of pictures that look alike: a (E,), b (E,)."""
        a, b = _columns(self._db.execute("SELECT a, b FROM edge"), 2)
        return a, b

    def judged_since(self, event: int) -> int:
        """How many pictures were kept, rejected or rated after the event, or had that undone."""
        row = self._db.execute(
            "SELECT count(DISTINCT image_id) FROM event "
            "WHERE id > ? AND field IN ('status', 'stars')",
            (event,),
        ).fetchone()
        return int(row[0])

    def _rows(self, where: str, values: Sequence[object]) -> list[sqlite3.Row]:
        return self._db.execute(
            "SELECT f.image_id, i.width, i.height, i.byte_count, i.has_alpha, "
            "i.status = 'undecided', i.label, i.sha256, substr(f.value, 1, ?) "
            f"FROM fingerprint AS f JOIN image AS i ON i.id = f.image_id WHERE {where} "
            f"AND {_WHOLE} ORDER BY f.image_id LIMIT {_BLOCK}",
            (LOOK.itemsize, *values, *_PRINT),
        ).fetchall()

    def _block(
        self,
        rows: Sequence[sqlite3.Row],
        measures: Sequence[str],
        where: str,
        values: Sequence[object],
    ) -> AppearanceBlock:
        ids, width, height, byte_count, has_alpha, undecided, labels, names, looks = zip(
            *rows, strict=True
        )
        numbers = np.array(ids, np.int64)
        scores = np.full((len(numbers), len(measures)), np.nan, np.float32)
        for column, measure in enumerate(measures):
            found = self._db.execute(
                f"SELECT image_id, score FROM quality WHERE measure = ? AND {where} "
                "ORDER BY image_id",
                (measure, *values),
            ).fetchall()
            if found:
                some, score = zip(*found, strict=True)
                places = np.searchsorted(numbers, np.array(some, np.int64))
                there = np.minimum(places, len(numbers) - 1)
                mine = numbers[there] == np.array(some, np.int64)
                scores[there[mine], column] = np.array(score, np.float32)[mine]
        return AppearanceBlock(
            ids=numbers,
            looks=np.frombuffer(b"".join(looks), LOOK),
            width=np.array(width, np.int64),
            height=np.array(height, np.int64),
            byte_count=np.array(byte_count, np.int64),
            has_alpha=np.array(has_alpha, np.bool_),
            scores=scores,
            labels=labels,
            sha256=names,
            undecided=np.array(undecided, np.bool_),
        )


def _columns(cursor: sqlite3.Cursor, count: int) -> list[Numbers]:
    """All rows of a query as columns of whole numbers, with few Python objects at a time."""
    parts = [np.empty((0, count), np.int64)]
    while rows := cursor.fetchmany(_FETCHED):
        parts.append(np.array([tuple(row) for row in rows], np.int64).reshape(-1, count))
    table = np.concatenate(parts)
    return [np.ascontiguousarray(table[:, column]) for column in range(count)]
