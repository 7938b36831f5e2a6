"""The pictures that look most like one: by stored pairs first, then by the bits of the pHash."""

import threading
from dataclasses import dataclass, field

import numpy as np
from flask import current_app
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.phash import PHASH
from dataset.records import Edge


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A picture near another: `bits` of 64 differ; `edge` is the stored pair, if there is one."""

    id: int
    bits: int
    edge: Edge | None = None


@dataclass
class Codes:
    """All pHashes in memory, 16 bytes a picture; read on from the newest picture when asked, and
    all of them again once pictures were hashed anew."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    codes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    picture: int = 0
    scores: int = 0

    def refresh(self, catalog: Catalog) -> None:
        with catalog.snapshot():
            marks = catalog.columns.marks()
            if marks.scores > self.scores:
                self.ids, self.codes, self.picture = self.ids[:0], self.codes[:0], 0
            if marks.picture > self.picture:
                blocks = list(catalog.columns.hashes(PHASH, self.picture))
                self.ids = np.concatenate([self.ids, *(ids for ids, _codes in blocks)])
                self.codes = np.concatenate([self.codes, *(codes for _ids, codes in blocks)])
                self.picture, self.scores = marks.picture, max(marks.scores, self.scores)


def nearest(catalog: Catalog, image_id: int, count: int = 12) -> list[Neighbour]:
    """The `count` nearest pictures, the most alike first."""
    pairs = {e.b if e.a == image_id else e.a: e for e in catalog.edges.of_image(image_id)}
    found = [Neighbour(id=i, bits=e.phash_bits, edge=e) for i, e in pairs.items()][:count]
    held = current_app.extensions.setdefault("codes", Codes())
    assert isinstance(held, Codes)
    with held.lock:
        held.refresh(catalog)
        ids, codes = held.ids, held.codes
    row = int(np.searchsorted(ids, image_id))
    if row == len(ids) or ids[row] != image_id:
        return found
    bits = np.bitwise_count(codes ^ codes[row])
    most = min(count + len(pairs) + 1, len(ids))
    rows = np.argpartition(bits, most - 1)[:most]
    rows = rows[np.lexsort((ids[rows], bits[rows]))]
    known = {image_id, *pairs}
    others = [
        Neighbour(id=int(ids[r]), bits=int(bits[r])) for r in rows if int(ids[r]) not in known
    ]
    return [*found, *others][:count]
