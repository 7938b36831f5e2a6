"""A catalogue of pictures without files, and pairs of them as a join of hashes would store them."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from dataset.catalog import Catalog
from dataset.records import Caption, Change, Origin
from tests.dataset.test_catalog import new_image


def content_of(name: str) -> str:
    """The SHA-256 of the picture called `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


def add_named(
    catalog: Catalog, name: str, *, caption: str = "", licence: str = "unknown", **facts: Any
) -> int:
    image = new_image(
        0, **{"sha256": content_of(name), "pixel_sha256": content_of(f"{name} pixels"), **facts}
    )
    origin = Origin(url=f"http://example.org/{name}", source="drawn", licence=licence)
    captions = [Caption(text=caption, origin="card")] if caption else []
    return catalog.images.add(image, origin, captions)[0]


def store_pairs(catalog: Catalog, pairs: Iterable[tuple[int, int, int]]) -> None:
    """Store (id, id, bits) as edges, in the order given."""
    other = sqlite3.connect(catalog.path)
    with other:
        other.executemany(
            "INSERT INTO edge (a, b, phash_bits, dhash_bits, fine_bits, colour_levels, score, "
            "reason) VALUES (?, ?, ?, ?, 0, 0.5, ?, 'same')",
            [(min(a, b), max(a, b), bits, bits, 1 - bits / 64) for a, b, bits in pairs],
        )
    other.close()


def judge(catalog: Catalog, image_id: int, status: str, reason: str = "", who: str = "ada") -> None:
    change = Change(image_id=image_id, field="status", value=status, reason=reason)
    catalog.judgements.apply([change], who=who, verb=status)


def judged(catalog: Catalog) -> Mapping[int, tuple[str, str]]:
    return {record.id: (record.status, record.reason) for record in catalog.images.all()}
