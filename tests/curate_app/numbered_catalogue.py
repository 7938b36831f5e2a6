"""Catalogues of pictures without files, and what a plain loop over their records says of them."""

import re
from dataclasses import dataclass

import numpy as np

from curate_app.filters import Filter
from dataset.catalog import Catalog
from dataset.catalog.ratings import RatingKind
from dataset.records import STATUSES, Caption, ImageRecord, Origin
from tests.dataset.test_catalog import new_image

KINDS: dict[str, RatingKind] = {"score": "ranked", "predicted": "predicted", "worth": "worth"}


def add_numbered(
    catalog: Catalog,
    *,
    label: str = "",
    source: str = "s",
    licence: str = "unknown",
    caption: str = "",
    quality: dict[str, float] | None = None,
    width: int = 32,
) -> int:
    n = catalog.images.count() + 1
    image = new_image(
        n, label=label, width=width, byte_count=10 * n % 70 + 1, quality=quality or {}
    )
    captions = [Caption(text=caption, origin="card")] if caption else []
    origin = Origin(url=f"u{n}", source=source, licence=licence)
    return catalog.images.add(image, origin, captions)[0]


def put_ratings(catalog: Catalog, kind: RatingKind, scores: dict[int, float], stamp: str) -> None:
    values = np.array(list(scores.values()), dtype=np.float32)
    ids = np.array(list(scores), dtype=np.int64)
    catalog.ratings.put(kind, ids, values, values, stamp)


@dataclass(frozen=True)
class Known:
    """Everything that one picture can be filtered and sorted by."""

    record: ImageRecord
    sources: set[str]
    licences: set[str]
    captions: list[str]
    values: dict[str, float]

    def fits(self, where: Filter) -> bool:
        low, high = where.star_span()
        return (
            where.status in (None, self.record.status)
            and where.label in (None, self.record.label)
            and (where.source is None or where.source in self.sources)
            and (where.licence is None or where.licence in self.licences)
            and low <= self.record.stars <= high
            and (not where.text or any(_has(caption, where.text) for caption in self.captions))
            and all(self._within(span.name, span.low, span.high) for span in where.ranges())
        )

    def _within(self, name: str, low: float | None, high: float | None) -> bool:
        value = self.values.get(name)
        return (
            value is not None
            and (low is None or value >= float(np.float32(low)))
            and (high is None or value <= float(np.float32(high)))
        )

    def facet(self, name: str) -> set[str]:
        own = {"source": self.sources, "licence": self.licences}
        return own[name] if name in own else {str(getattr(self.record, name))}


def known(catalog: Catalog) -> list[Known]:
    """All pictures, one by one, by ascending id."""
    ratings = {
        name: dict(zip(*(column.tolist() for column in catalog.ratings.of(kind)[:2]), strict=True))
        for name, kind in KINDS.items()
    }
    found = []
    for record in catalog.images.all():
        origins = catalog.images.origins(record.id)
        quality = catalog.images.quality(record.id)
        values = {name: float(np.float32(value)) for name, value in quality.items()}
        values |= {n: scores[record.id] for n, scores in ratings.items() if record.id in scores}
        values |= {
            "stars": record.stars,
            "pixels": record.width * record.height,
            "bytes": record.byte_count,
        }
        found.append(
            Known(
                record=record,
                sources={origin.source for origin in origins},
                licences={origin.licence for origin in origins},
                captions=[caption.text for caption in catalog.images.captions(record.id)],
                values=values,
            )
        )
    return found


def ordered(pictures: list[Known], name: str, descending: bool) -> list[int]:
    """Ids by column, then by id; those without a value last, either way."""
    if name == "id":
        ids = [picture.record.id for picture in pictures]
        return ids[::-1] if descending else ids
    sign = -1 if descending else 1

    def key(picture: Known) -> tuple[bool, float, int]:
        value = picture.values.get(name)
        return value is None, 0 if value is None else sign * value, picture.record.id

    return [picture.record.id for picture in sorted(pictures, key=key)]


def counted(pictures: list[Known], facet: str) -> dict[str, int]:
    values = [value for picture in pictures for value in picture.facet(facet)]
    return {value: values.count(value) for value in sorted(set(values))}


def status_codes(pictures: list[Known]) -> list[int]:
    return [STATUSES.index(picture.record.status) for picture in pictures]


def _has(caption: str, text: str) -> bool:
    have = re.findall(r"\w+", caption.lower())
    starts = re.findall(r"\w+", text.lower())
    if not starts:
        return text in caption
    return all(any(word.startswith(start) for word in have) for start in starts)
