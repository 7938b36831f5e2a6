"""What packing reads: a few facts of every picture in one pass, all facts of some of them."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.contenders import listed
from dataset.phash import PHASH
from dataset.records import JUDGED_CAPTION, Caption, Origin, Status, filled, found_caption

UNKNOWN_LICENCES = ("", "unknown")
Integers = NDArray[np.int64]

_BLOCK = 20_000
_ORIGIN_COLUMNS = tuple(Origin.__dataclass_fields__)
_AMONG = "(SELECT value FROM json_each(?))"


@dataclass(frozen=True, kw_only=True)
class PackableBlock:
    """Some pictures as far as it matters whether a pack takes them; (n,) each, `sha256` (n, 32)
    bytes, `label` the text itself."""

    id: Integers
    sha256: NDArray[np.uint8]
    label: Sequence[str]
    stars: NDArray[np.int8]
    byte_count: Integers


class PackedFacts(NamedTuple):
    """What a pack tells of a picture beside its content, class and split; `origin` is the first
    one under a licence that was asked for, or a known one, else the first, or None."""

    format: str
    width: int
    height: int
    stars: int
    phash: str
    rating: float | None
    rating_deviation: float | None
    origin: Origin | None
    captions: list[Caption]


def _is_preferred(licence: str, licences: Collection[str]) -> bool:
    """Whether an origin under this licence goes before others: one of `licences`, if any."""
    return licence in licences if licences else licence not in UNKNOWN_LICENCES


class Packables:
    """Narrow questions about all pictures at once, answered in blocks, and wide ones about few."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def blocks(self, statuses: Sequence[Status]) -> Iterator[PackableBlock]:
        """The pictures judged so, in order of id."""
        # The plus keeps SQLite from looking up every row by the index of the judgements.
        rows_of = self._blocks(
            "SELECT id, sha256, label, stars, byte_count FROM image "
            f"WHERE +status IN {_AMONG} ORDER BY id",
            (json.dumps(list(statuses)),),
        )
        for rows in rows_of:
            ids, contents, labels, stars, sizes = zip(*rows, strict=True)
            yield PackableBlock(
                id=np.array(ids, np.int64),
                sha256=np.frombuffer(bytes.fromhex("".join(contents)), np.uint8).reshape(-1, 32),
                label=labels,
                stars=np.array(stars, np.int8),
                byte_count=np.array(sizes, np.int64),
            )

    def licensed(self, licences: Iterable[str]) -> Integers:
        """The pictures that were found under one of these licences, anywhere; ids ascending."""
        found = self._numbers(
            f"SELECT image_id FROM origin WHERE licence IN {_AMONG}",
            (json.dumps(list(licences)),),
            1,
        )
        return np.unique(found[:, 0])

    def licences(self) -> dict[int, str]:
        """The licence of each picture: the first known one of its origins. A picture without a
        known one is left out."""
        # With a single min(), SQLite takes the other columns from the row that has it.
        rows = self._read(
            "SELECT image_id, licence, min(id) FROM origin "
            f"WHERE licence NOT IN {_AMONG} GROUP BY image_id",
            (json.dumps(UNKNOWN_LICENCES),),
        )
        return {row[0]: row[1] for row in rows}

    def near(self, radius: int) -> tuple[Integers, Integers]:
        """The stored pairs (P,), (P,) within a radius, by ids a < b, in order of the pair."""
        found = self._numbers(
            "SELECT a, b FROM edge WHERE phash_bits <= ? ORDER BY a, b", (radius,), 2
        )
        return found[:, 0].copy(), found[:, 1].copy()

    def origin_texts(
        self, column: str, licences: Collection[str] = ()
    ) -> Iterator[tuple[Integers, list[bool], Sequence[str]]]:
        """(pictures, whether the licence is one of `licences`, or known where none are named,
        `column`) of all origins, oldest first."""
        assert column in _ORIGIN_COLUMNS
        rows_of = self._blocks(
            f"SELECT image_id, licence, {column} AS text FROM origin ORDER BY id", ()
        )
        for rows in rows_of:
            pictures, found, texts = zip(*rows, strict=True)
            preferred = [_is_preferred(licence, licences) for licence in found]
            yield np.array(pictures, np.int64), preferred, texts

    def caption_texts(self) -> Iterator[tuple[Integers, Sequence[str], bool]]:
        """(pictures, texts, whether a person wrote them here) of all captions, oldest first."""
        queries = (
            ("SELECT image_id, text FROM caption ORDER BY id", False),
            ("SELECT id, caption FROM image WHERE caption <> '' ORDER BY id", True),
        )
        for sql, judged in queries:
            for rows in self._blocks(sql, ()):
                pictures, texts = zip(*rows, strict=True)
                yield np.array(pictures, np.int64), texts, judged

    def votes(self) -> tuple[Integers, Integers]:
        """(pictures ascending, the votes that count and were fitted to) of all that have any."""
        found = self._numbers(
            "WITH standing AS (SELECT left_id, right_id FROM vote JOIN batch "
            "ON batch.id = vote.batch WHERE stands = 1 AND aside = 0) "
            "SELECT id, count(*) FROM (SELECT left_id AS id FROM standing UNION ALL "
            "SELECT right_id FROM standing) GROUP BY id ORDER BY id",
            (),
            2,
        )
        return found[:, 0].copy(), found[:, 1].copy()

    def keepers(self) -> Integers:
        """The pictures that any other was rejected as a duplicate of; ids ascending."""
        found = self._numbers(
            "SELECT DISTINCT duplicate_of FROM image WHERE duplicate_of IS NOT NULL "
            "ORDER BY duplicate_of",
            (),
            1,
        )
        return found[:, 0].copy()

    def facts_of(self, ids: Sequence[int], licences: Collection[str] = ()) -> list[PackedFacts]:
        """All facts of these pictures, in this order; some thousands at a time. Of each the first
        origin under one of `licences` counts, where any are named."""
        asked = listed(ids)
        origins, captions = self._best_origins(asked, licences), self._captions(asked)
        rows = self._read(
            "SELECT image.id, format, width, height, stars, hash.value, score, deviation, caption "
            "FROM json_each(?) AS asked CROSS JOIN image ON image.id = asked.value "
            "LEFT JOIN image_hash AS hash ON algorithm = ? AND hash.image_id = image.id "
            "LEFT JOIN rating ON kind = 'ranked' AND rating.image_id = image.id "
            "ORDER BY asked.key",
            (asked, PHASH),
        )
        found = []
        for image_id, format_, width, height, stars, phash, score, deviation, written in rows:
            texts = captions.get(image_id, [])
            if written:
                texts = [Caption(text=written, origin=JUDGED_CAPTION), *texts]
            found.append(
                PackedFacts(
                    format=format_,
                    width=width,
                    height=height,
                    stars=stars,
                    phash=phash or "",
                    rating=score,
                    rating_deviation=deviation,
                    origin=origins.get(image_id),
                    captions=texts,
                )
            )
        return found

    def _best_origins(self, asked: str, licences: Collection[str]) -> dict[int, Origin]:
        place = _ORIGIN_COLUMNS.index("licence")
        best: dict[int, Sequence[Any]] = {}
        for row in self._read(
            f"SELECT {', '.join(_ORIGIN_COLUMNS)}, image_id FROM origin "
            f"WHERE image_id IN {_AMONG} ORDER BY id",
            (asked,),
        ):
            held = best.get(row[-1])
            if held is None or (
                _is_preferred(row[place], licences) and not _is_preferred(held[place], licences)
            ):
                best[row[-1]] = row
        return {
            image_id: filled(Origin, dict(zip(_ORIGIN_COLUMNS, row, strict=False)))
            for image_id, row in best.items()
        }

    def _captions(self, asked: str) -> dict[int, list[Caption]]:
        found: dict[int, list[Caption]] = {}
        for image_id, text, origin in self._read(
            f"SELECT image_id, text, origin FROM caption WHERE image_id IN {_AMONG} ORDER BY id",
            (asked,),
        ):
            caption = found_caption(Caption(text=text, origin=origin))
            found.setdefault(image_id, []).append(caption)
        return found

    def _numbers(self, sql: str, values: Sequence[Any], width: int) -> Integers:
        """All rows of a query for whole numbers, (n, width)."""
        blocks = [np.array(rows, np.int64) for rows in self._blocks(sql, values)]
        return np.concatenate(blocks) if blocks else np.zeros((0, width), np.int64)

    def _blocks(self, sql: str, values: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._read(sql, values)
        while rows := cursor.fetchmany(_BLOCK):
            yield rows

    def _read(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, values)
