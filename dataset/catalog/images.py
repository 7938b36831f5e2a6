"""Pictures, their origins, captions, hashes and quality scores."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.connection import now, transaction
from dataset.fingerprint import FINGERPRINT
from dataset.records import (
    JUDGED_CAPTION,
    Caption,
    ImageFilter,
    ImageRecord,
    NewImage,
    Origin,
    Status,
    found_caption,
)

_COLUMNS = (
    "id, sha256, pixel_sha256, format, width, height, byte_count, has_alpha, label, status, "
    "reason, stars, caption, added_at"
)
_FACETS = {"status": "status", "label": "label", "format": "format", "reason": "reason"}
_ORIGIN_COLUMNS = tuple(Origin.__dataclass_fields__)
_ORIGIN_FACETS = {"source": "source", "licence": "licence", "query": "query"}


class Images:
    """The table of distinct pictures and what hangs on it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(
        self, image: NewImage, origin: Origin, captions: Iterable[Caption] = ()
    ) -> tuple[int, bool]:
        """Add a picture with one origin; the same bytes or pixels again only add the origin.

        Returns (id, whether the picture was new). Captions that are already there are not doubled.
        """
        with transaction(self._db):
            row = self._db.execute(
                "SELECT id FROM image WHERE sha256 = ? UNION ALL "
                "SELECT id FROM image WHERE pixel_sha256 = ? LIMIT 1",
                (image.sha256, image.pixel_sha256),
            ).fetchone()
            image_id = self._insert(image) if row is None else int(row["id"])
            self.add_origin(image_id, origin)
            for caption in captions:
                self.add_caption(image_id, caption)
        return image_id, row is None

    def _insert(self, image: NewImage) -> int:
        cursor = self._db.execute(
            "INSERT INTO image (sha256, pixel_sha256, format, width, height, byte_count, has_alpha,"
            " first_label, label, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                image.sha256,
                image.pixel_sha256,
                image.format,
                image.width,
                image.height,
                image.byte_count,
                int(image.has_alpha),
                image.label,
                image.label,
                now(),
            ),
        )
        image_id = int(cursor.lastrowid or 0)
        self.set_hashes(image_id, image.hashes)
        self.set_quality(image_id, image.quality)
        if image.fingerprint:
            self.set_fingerprint(image_id, FINGERPRINT, image.fingerprint)
        return image_id

    def add_origin(self, image_id: int, origin: Origin) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO origin (image_id, url, page_url, source, query, author,"
            " author_url, licence, licence_url, attribution, fetched_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                image_id,
                origin.url,
                origin.page_url,
                origin.source,
                origin.query,
                origin.author,
                origin.author_url,
                origin.licence,
                origin.licence_url,
                origin.attribution,
                origin.fetched_at or now(),
            ),
        )

    def add_caption(self, image_id: int, caption: Caption) -> None:
        if caption.text.strip():
            self._db.execute(
                "INSERT OR IGNORE INTO caption (image_id, text, origin, added_at) "
                "VALUES (?, ?, ?, ?)",
                (image_id, caption.text, found_caption(caption).origin, caption.added_at or now()),
            )

    def set_hashes(self, image_id: int, hashes: Mapping[str, str]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO image_hash (image_id, algorithm, value) VALUES (?, ?, ?)",
            [(image_id, algorithm, value) for algorithm, value in hashes.items()],
        )

    def set_fingerprint(self, image_id: int, version: str, value: bytes) -> None:
        """What the picture is compared by from now on; its pairs are to be found again."""
        self._db.execute("DELETE FROM edge WHERE a = ? OR b = ?", (image_id, image_id))
        self._db.execute(
            "INSERT OR REPLACE INTO fingerprint (image_id, version, value, joined) "
            "VALUES (?, ?, ?, '')",
            (image_id, version, value),
        )

    def drop_hashes(self, present: Collection[str]) -> None:
        """Forget the hashes of every algorithm and version but the `present` ones."""
        names = ", ".join("?" * len(present))
        self._db.execute(f"DELETE FROM image_hash WHERE algorithm NOT IN ({names})", [*present])

    def set_pixels(self, image_id: int, pixel_sha256: str) -> None:
        self._db.execute("UPDATE image SET pixel_sha256 = ? WHERE id = ?", (pixel_sha256, image_id))

    def set_quality(self, image_id: int, scores: Mapping[str, float]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO quality (image_id, measure, score) VALUES (?, ?, ?)",
            [(image_id, measure, float(score)) for measure, score in scores.items()],
        )

    def get(self, image_id: int) -> ImageRecord | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM image WHERE id = ?", (image_id,)).fetchone()
        return None if row is None else _record(row)

    def records(self, image_ids: Sequence[int]) -> dict[int, ImageRecord]:
        """Those of the pictures that are there, by id."""
        rows = self._of(f"SELECT {_COLUMNS} FROM image WHERE id IN ({{}})", image_ids)
        return {row["id"]: _record(row) for row in rows}

    def by_sha256(self, sha256: str) -> ImageRecord | None:
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM image WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return None if row is None else _record(row)

    def at_address(self, url: str) -> list[ImageRecord]:
        """The pictures that were found at `url`, oldest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM image WHERE id IN "
            "(SELECT image_id FROM origin WHERE url = ?) ORDER BY id",
            (url,),
        )
        return [_record(row) for row in rows]

    def page(
        self, where: ImageFilter | None = None, *, after: int = 0, limit: int = 200
    ) -> list[ImageRecord]:
        """Up to `limit` pictures with an id greater than `after`, in order of id."""
        clause, values = _where(where or ImageFilter())
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM image WHERE id > ? AND {clause} ORDER BY id LIMIT ?",
            (after, *values, limit),
        )
        return [_record(row) for row in rows]

    def neighbours(
        self, image_id: int, where: ImageFilter | None = None
    ) -> tuple[int | None, int | None]:
        """The ids before and after `image_id` among the pictures that fit, or None at an end."""
        clause, values = _where(where or ImageFilter())
        row = self._db.execute(
            f"SELECT (SELECT max(id) FROM image WHERE id < ? AND {clause}), "
            f"(SELECT min(id) FROM image WHERE id > ? AND {clause})",
            (image_id, *values, image_id, *values),
        ).fetchone()
        return row[0], row[1]

    def all(self, where: ImageFilter | None = None) -> Iterator[ImageRecord]:
        """Every picture that fits, page by page, in order of id."""
        after = 0
        while records := self.page(where, after=after, limit=1000):
            yield from records
            after = records[-1].id

    def count(self, where: ImageFilter | None = None) -> int:
        clause, values = _where(where or ImageFilter())
        row = self._db.execute(f"SELECT count(*) FROM image WHERE {clause}", values).fetchone()
        return int(row[0])

    def counts(self, facet: str, where: ImageFilter | None = None) -> dict[str, int]:
        """Pictures per value of a facet: status, label, format, reason, source, licence, query."""
        clause, values = _where(where or ImageFilter())
        if facet in _FACETS:
            sql = f"SELECT {_FACETS[facet]} AS value, count(*) AS n FROM image WHERE {clause}"
        else:
            sql = (
                f"SELECT origin.{_ORIGIN_FACETS[facet]} AS value, count(DISTINCT image_id) AS n "
                f"FROM origin JOIN image ON image.id = origin.image_id WHERE {clause}"
            )
        rows = self._db.execute(f"{sql} GROUP BY value ORDER BY value", values)
        return {str(row["value"]): int(row["n"]) for row in rows}

    def class_balance(self) -> dict[tuple[str, Status], int]:
        rows = self._db.execute(
            "SELECT label, status, count(*) AS n FROM image GROUP BY label, status"
        )
        return {(row["label"], row["status"]): int(row["n"]) for row in rows}

    def origins(self, image_id: int) -> list[Origin]:
        """Where a picture was found, first find first."""
        return self.origins_of([image_id]).get(image_id, [])

    def origins_of(self, image_ids: Sequence[int]) -> dict[int, list[Origin]]:
        columns = ", ".join(("image_id", *_ORIGIN_COLUMNS))
        asked = f"SELECT {columns} FROM origin WHERE image_id IN ({{}}) ORDER BY id"
        found: dict[int, list[Origin]] = {}
        for image_id, *values in self._of(asked, image_ids):
            facts = dict(zip(_ORIGIN_COLUMNS, values, strict=True))
            found.setdefault(image_id, []).append(Origin(**facts))
        return found

    def repeated(
        self, least: int, *, examples: int = 3, most: int = 100
    ) -> list[tuple[int, int, tuple[str, ...]]]:
        """(id, distinct hosts, some of them) of the pictures found at `least` hosts or more, most
        hosts first. The host, with its port, is the page's, or the picture's without a page."""
        rest = "CASE WHEN page_url <> '' THEN page_url ELSE url END"
        rest = f"substr({rest}, instr({rest}, '://') + 3)"
        host = f"substr({rest}, 1, instr({rest} || '/', '/') - 1)"
        rows = self._db.execute(
            f"SELECT image_id, count(DISTINCT {host}) AS hosts FROM origin "
            "WHERE page_url LIKE 'http%' OR url LIKE 'http%' "
            "GROUP BY image_id HAVING hosts >= ? ORDER BY hosts DESC, image_id LIMIT ?",
            (least, most),
        ).fetchall()
        named = f"SELECT {host} AS host FROM origin WHERE image_id = ? GROUP BY host"
        return [
            (
                row["image_id"],
                row["hosts"],
                tuple(
                    found["host"]
                    for found in self._db.execute(
                        f"{named} ORDER BY min(id) LIMIT ?", (row["image_id"], examples)
                    )
                ),
            )
            for row in rows
        ]

    def captions(self, image_id: int) -> list[Caption]:
        """Every version of a picture's text: what a person wrote first, then the oldest."""
        return self.captions_of([image_id]).get(image_id, [])

    def captions_of(self, image_ids: Sequence[int]) -> dict[int, list[Caption]]:
        """Every version of the pictures' texts: what a person wrote first, then the oldest."""
        found: dict[int, list[Caption]] = {}
        written = "SELECT id, caption FROM image WHERE caption <> '' AND id IN ({})"
        for row in self._of(written, image_ids):
            found[row["id"]] = [Caption(text=row["caption"], origin=JUDGED_CAPTION)]
        rows = self._of("SELECT * FROM caption WHERE image_id IN ({}) ORDER BY id", image_ids)
        for row in rows:
            caption = Caption(text=row["text"], origin=row["origin"], added_at=row["added_at"])
            found.setdefault(row["image_id"], []).append(found_caption(caption))
        return found

    def quality(self, image_id: int) -> dict[str, float]:
        rows = self._by_name("quality", "measure", "score", image_id)
        return {name: float(score) for name, score in rows}

    def scores(self, measure: str) -> dict[int, float]:
        """One quality measure of all pictures, by id."""
        rows = self._db.execute("SELECT * FROM quality WHERE measure = ?", (measure,))
        return {row["image_id"]: float(row["score"]) for row in rows}

    def hashes(self, algorithm: str) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """All 64-bit hashes of one algorithm: ids (N,) ascending and values (N,)."""
        rows = self._db.execute(
            "SELECT image_id, value FROM image_hash WHERE algorithm = ? ORDER BY image_id",
            (algorithm,),
        ).fetchall()
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        return ids, np.array([int(row[1], 16) for row in rows], dtype=np.uint64)

    def without_fingerprint(self, version: str) -> dict[int, str]:
        """The SHA-256 of every picture that has no fingerprint of this version, by id."""
        rows = self._db.execute(
            "SELECT id, sha256 FROM image WHERE NOT EXISTS "
            "(SELECT 1 FROM fingerprint WHERE image_id = image.id AND version = ?) ORDER BY id",
            (version,),
        )
        return {row["id"]: row["sha256"] for row in rows}

    def hashes_of(self, image_id: int) -> dict[str, str]:
        """Every hash of one picture as hexadecimal text, by algorithm."""
        return dict(self._by_name("image_hash", "algorithm", "value", image_id))

    def hash_texts(self, algorithm: str) -> dict[int, str]:
        """All hashes of one algorithm as hexadecimal text, by id."""
        rows = self._db.execute(
            "SELECT image_id, value FROM image_hash WHERE algorithm = ?", (algorithm,)
        )
        return {row[0]: row[1] for row in rows}

    def _by_name(self, table: str, name: str, value: str, image_id: int) -> list[tuple[str, Any]]:
        """(name, value) of one picture in a table whose key begins with the name: one look each."""
        rows = self._db.execute(
            f"WITH RECURSIVE known (n) AS (SELECT min({name}) FROM {table} UNION ALL "
            f"SELECT (SELECT min({name}) FROM {table} WHERE {name} > n) FROM known "
            f"WHERE n IS NOT NULL) SELECT {name}, {value} FROM known "
            f"CROSS JOIN {table} ON {name} = n AND image_id = ?",
            (image_id,),
        )
        return [tuple(row) for row in rows]

    def _of(self, sql: str, image_ids: Sequence[int]) -> Iterator[sqlite3.Row]:
        for start in range(0, len(image_ids), 500):
            part = [int(image_id) for image_id in image_ids[start : start + 500]]
            yield from self._db.execute(sql.format(", ".join("?" * len(part))), part)


def _where(wanted: ImageFilter) -> tuple[str, list[str]]:
    clauses, values = ["1"], []
    for column in ("status", "label"):
        value = getattr(wanted, column)
        if value is not None:
            clauses.append(f"image.{column} = ?")
            values.append(value)
    for column in ("source", "licence"):
        value = getattr(wanted, column)
        if value is not None:
            clauses.append(f"image.id IN (SELECT image_id FROM origin o WHERE o.{column} = ?)")
            values.append(value)
    if wanted.text:
        clauses.append("image.id IN (SELECT image_id FROM caption WHERE text LIKE ? ESCAPE '\\')")
        pattern = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values.append(f"%{pattern}%")
    return " AND ".join(clauses), values


def _record(row: sqlite3.Row) -> ImageRecord:
    return ImageRecord(**dict(row) | {"has_alpha": bool(row["has_alpha"])})
