"""What grouping reads, as columns: the stored pairs, and what speaks for the pictures in them."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dataset.keep_rule import Contenders
from dataset.star_cover import Pairs

_PAIRED = (
    "SELECT a FROM edge UNION SELECT b FROM edge "
    "UNION SELECT a FROM pair_decision UNION SELECT b FROM pair_decision"
)
_LISTED = "SELECT value FROM json_each(?)"


def listed(ids: Iterable[int]) -> str:
    """Any number of ids as one value of a query, for json_each."""
    return json.dumps([int(image_id) for image_id in ids])


class Comparisons:
    """The columns of the whole catalogue; read once, they answer for every radius."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def pairs(self, among: Iterable[int] | None = None) -> Pairs:
        """The stored edges, or those `among` pictures, by ids a < b, in order of the pair."""
        return read_pairs(self._db, among)

    def contenders(
        self,
        measures: Sequence[str],
        among: Iterable[int] | None = None,
        *,
        standing: bool = True,
    ) -> Contenders:
        """The pictures of any pair, or those `among`, in order of id; those that are not rejected,
        or all."""
        return read_contenders(self._db, measures, among, standing=standing)


def read_pairs(db: sqlite3.Connection, ids: Iterable[int] | None = None) -> Pairs:
    """The stored edges, or those among `ids`, by ids a < b, in order of the pair."""
    among, values = "", []
    if ids is not None:
        among, values = f" WHERE a IN ({_LISTED}) AND b IN ({_LISTED})", 2 * [listed(ids)]
    sql = f"SELECT a, b, phash_bits, score FROM edge{among} ORDER BY a, b"
    rows = db.execute(sql, values).fetchall()
    a, b, bits, score = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Pairs(
        np.array(a, np.int64),
        np.array(b, np.int64),
        np.array(bits, np.int64),
        np.array(score, np.float64),
    )


def read_contenders(
    db: sqlite3.Connection,
    measures: Sequence[str],
    ids: Iterable[int] | None = None,
    *,
    standing: bool = False,
) -> Contenders:
    """The pictures `ids`, or those of any pair, in order of id; only those `standing` (not
    rejected) if asked.

    A handful of queries, however many there are; `measures` are the quality scores wanted.
    """
    chosen, values = _PAIRED, []
    if ids is not None:
        chosen, values = _LISTED, [listed(ids)]
    wanted = "status <> 'reject'" if standing else "1"
    rows = db.execute(
        "SELECT id, sha256, status = 'keep', stars, min(width, height), byte_count, "
        f"substr(added_at, 1, 10) FROM image WHERE {wanted} AND id IN ({chosen}) ORDER BY id",
        values,
    ).fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 7
    place = {image_id: i for i, image_id in enumerate(columns[0])}
    of_them = f"IN ({_LISTED})", listed(columns[0])
    return Contenders(
        ids=np.array(columns[0], np.int64),
        sha256=columns[1],
        kept=np.array(columns[2], bool),
        stars=np.array(columns[3], np.int64),
        side=np.array(columns[4], np.int64),
        byte_count=np.array(columns[5], np.int64),
        added=columns[6],
        licences=_licences(db, *of_them, place),
        scores={name: _scores(db, name, *of_them, place) for name in measures},
    )


def _licences(
    db: sqlite3.Connection, among: str, ids: str, place: Mapping[int, int]
) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()] * len(place)
    rows = db.execute(
        f"SELECT DISTINCT image_id, licence FROM origin WHERE image_id {among} "
        "ORDER BY image_id, licence",
        (ids,),
    )
    for image_id, licence in rows:
        found[place[image_id]] += (licence,)
    return found


def _scores(
    db: sqlite3.Connection, measure: str, among: str, ids: str, place: Mapping[int, int]
) -> NDArray[np.float64]:
    scores = np.full(len(place), np.nan)
    sql = f"SELECT image_id, score FROM quality WHERE measure = ? AND image_id {among}"
    for image_id, score in db.execute(sql, (measure, ids)):
        scores[place[image_id]] = score
    return scores
