"""The narrow facts of all pictures as columns, in blocks: what overviews are made of."""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.contenders import listed

_BLOCK = 20_000
_PICTURE = (
    "id, CASE status WHEN 'undecided' THEN 0 WHEN 'keep' THEN 1 ELSE 2 END, stars, label, "
    "width * height, byte_count"
)
# Scripts that are written without spaces: their words cannot be looked up, only found as letters.
_NO_SPACES = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"[^\W_]+")  # as the index of the captions has it
_DIACRITICS = re.compile("[\u0300-\u036f]")
_LATIN_WITH_MARKS = re.compile("([a-z])[\u0300-\u036f]+")


@dataclass(frozen=True, kw_only=True)
class Marks:
    """How far the catalogue has come: a new picture, event, origin or caption has a higher number,
    and so has each time that stored pictures were measured anew (`scores`)."""

    picture: int
    event: int
    origin: int
    caption: int = 0
    scores: int = 0


@dataclass(frozen=True, kw_only=True)
class PictureBlock:
    """Some pictures, by ascending id; (N,) each. `status` is the place in STATUSES, `label` the
    text itself, `pixels` width times height."""

    id: NDArray[np.int64]
    status: NDArray[np.int8]
    stars: NDArray[np.int8]
    label: list[str]
    pixels: NDArray[np.float32]
    bytes: NDArray[np.float32]


class Columns:
    """Reads blocks of columns; keeps nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def marks(self) -> Marks:
        row = self._db.execute(
            "SELECT (SELECT ifnull(max(id), 0) FROM image), "
            "(SELECT ifnull(max(id), 0) FROM event), (SELECT ifnull(max(id), 0) FROM origin), "
            "(SELECT ifnull(max(id), 0) FROM caption), "
            "ifnull((SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'scores'), 0)"
        ).fetchone()
        return Marks(picture=row[0], event=row[1], origin=row[2], caption=row[3], scores=row[4])

    def pictures(self, after: int = 0) -> Iterator[PictureBlock]:
        """All pictures with an id greater than `after`."""
        return self._pictures(f"SELECT {_PICTURE} FROM image WHERE id > ? ORDER BY id", (after,))

    def pictures_of(self, ids: Iterable[int]) -> Iterator[PictureBlock]:
        """Those of the pictures that are there."""
        return self._pictures(
            f"SELECT {_PICTURE} FROM image WHERE id IN (SELECT value FROM json_each(?)) "
            "ORDER BY id",
            (listed(ids),),
        )

    def contents(self, after: int = 0) -> Iterator[list[str]]:
        """The SHA-256 of all pictures with an id greater than `after`, by ascending id, in
        blocks."""
        for rows in self._blocks("SELECT sha256 FROM image WHERE id > ? ORDER BY id", (after,)):
            yield [row[0] for row in rows]

    def judged_since(self, event: int) -> list[int]:
        """The pictures that events after this one are about."""
        # The plus keeps SQLite from walking a whole index in the order of the pictures.
        rows = self._db.execute("SELECT DISTINCT +image_id FROM event WHERE id > ?", (event,))
        return [row[0] for row in rows]

    def origins(self, after: int = 0) -> Iterator[tuple[NDArray[np.int64], list[str], list[str]]]:
        """(pictures, their sources, their licences) of the origins with an id greater than
        `after`, in blocks."""
        for rows in self._blocks(
            "SELECT image_id, source, licence FROM origin WHERE id > ? ORDER BY id", (after,)
        ):
            pictures, sources, licences = zip(*rows, strict=True)
            yield np.array(pictures, dtype=np.int64), list(sources), list(licences)

    def quality(
        self, measure: str, after: int = 0
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """(pictures, scores) of one measure, for pictures with an id greater than `after`."""
        sql = (
            "SELECT image_id, score FROM quality WHERE measure = ? AND image_id > ? "
            "ORDER BY image_id"
        )
        for rows in self._blocks(sql, (measure, after)):
            pictures, scores = zip(*rows, strict=True)
            yield np.array(pictures, dtype=np.int64), np.array(scores, dtype=np.float32)

    def hashes(
        self, algorithm: str, after: int = 0
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
        """(pictures, 64-bit hashes) of one algorithm, for pictures with an id over `after`."""
        sql = (
            "SELECT image_id, value FROM image_hash WHERE algorithm = ? AND image_id > ? "
            "ORDER BY image_id"
        )
        for rows in self._blocks(sql, (algorithm, after)):
            pictures, texts = zip(*rows, strict=True)
            codes = np.array([int(text, 16) for text in texts], dtype=np.uint64)
            yield np.array(pictures, dtype=np.int64), codes

    def measures(self) -> list[str]:
        """The names of all quality measures that are stored, found by skipping through the key."""
        rows = self._db.execute(
            "WITH RECURSIVE name (m) AS (SELECT min(measure) FROM quality UNION ALL "
            "SELECT (SELECT min(measure) FROM quality WHERE measure > m) FROM name "
            "WHERE m IS NOT NULL) SELECT m FROM name WHERE m IS NOT NULL"
        )
        return [row[0] for row in rows]

    def with_text(self, text: str) -> NDArray[np.int64]:
        """The pictures whose captions hold every word of `text`, or words that begin so; ids in
        no order. A text without words, or in a script without spaces, is looked for as it is."""
        words = _WORD.findall(_DIACRITICS.sub("", unicodedata.normalize("NFC", text)))
        if not words or _NO_SPACES.search(text):
            return self._with_letters(text)
        query = " ".join(f'"{word}"*' for word in words)
        found = self._ids(
            "SELECT DISTINCT image_id FROM caption WHERE id IN "
            "(SELECT rowid FROM caption_words WHERE caption_words MATCH ?)",
            (query,),
        )
        # What people wrote themselves is little: looked through word by word.
        wanted = [_plain(word) for word in words]
        judged = self._db.execute("SELECT id, caption FROM image WHERE caption <> ''")
        own = [row[0] for row in judged if _has_words(row[1], wanted)]
        return np.union1d(found, np.array(own, dtype=np.int64))

    def _with_letters(self, text: str) -> NDArray[np.int64]:
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return self._ids(
            "SELECT image_id FROM caption WHERE text LIKE ?1 ESCAPE '\\' UNION "
            "SELECT id FROM image WHERE caption <> '' AND caption LIKE ?1 ESCAPE '\\'",
            (f"%{pattern}%",),
        )

    def _ids(self, sql: str, values: Sequence[str]) -> NDArray[np.int64]:
        blocks = [np.array(rows, dtype=np.int64)[:, 0] for rows in self._blocks(sql, values)]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int64)

    def _pictures(self, sql: str, values: Sequence[int | str]) -> Iterator[PictureBlock]:
        for rows in self._blocks(sql, values):
            ids, status, stars, labels, pixels, sizes = zip(*rows, strict=True)
            yield PictureBlock(
                id=np.array(ids, dtype=np.int64),
                status=np.array(status, dtype=np.int8),
                stars=np.array(stars, dtype=np.int8),
                label=list(labels),
                pixels=np.array(pixels, dtype=np.float32),
                bytes=np.array(sizes, dtype=np.float32),
            )

    def _blocks(self, sql: str, values: Sequence[int | str]) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._db.cursor()
        cursor.row_factory = None
        cursor.execute(sql, values)
        while rows := cursor.fetchmany(_BLOCK):
            yield rows


def _plain(text: str) -> str:
    """Without case, and Latin letters without accents: as the index of the captions folds it."""
    plain = _LATIN_WITH_MARKS.sub(r"\1", unicodedata.normalize("NFD", text.casefold()))
    return _DIACRITICS.sub("", unicodedata.normalize("NFC", plain))


def _has_words(text: str, wanted: Sequence[str]) -> bool:
    words = _WORD.findall(_plain(text))
    return all(any(word.startswith(start) for word in words) for start in wanted)
