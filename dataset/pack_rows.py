"""The rows of a pack in order, read from the catalogue a block at a time."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.catalog.packables import PackedFacts
from dataset.pack_selection import Selection
from dataset.provenance import SPLITS, Provenance
from dataset.records import Caption, Origin, best_caption, filled
from dataset.split_keys import places_of

T = TypeVar("T", Caption, Origin)
_NO_ORIGIN = Origin(url="")
_BLOCK = 4096
_MOST_BYTES = 32 << 20  # of originals in a block


@dataclass(frozen=True)
class RowBlock:
    """Rows that follow one another. `also_at` are the pages, by SHA-256, where other files of the
    same picture were found: the origin in the row is that of the file that is packed."""

    facts: list[Provenance]
    captions: list[list[Caption]]
    also_at: dict[str, list[str]]


class PackRows:
    """Selected pictures as rows: a fixed shuffle inside each split, training rows first and
    held-out rows last. Reads within the caller's snapshot of the catalogue."""

    def __init__(
        self, catalog: Catalog, selection: Selection, seed: int, licences: Sequence[str] = ()
    ) -> None:
        self._catalog, self.selection, self._licences = catalog, selection, licences
        shuffled = np.random.default_rng(seed).permutation(len(selection))
        by_split = np.argsort(selection.split[shuffled], kind="stable")
        self.order: NDArray[np.int64] = shuffled[by_split]  # (n,) places in the selection
        self._ids = np.sort(selection.id)
        self._keepers = catalog.packables.keepers()
        self._voted, self._votes = catalog.packables.votes()

    def __len__(self) -> int:
        return len(self.order)

    def cuts(self, rows: int, *, with_originals: bool = False) -> list[tuple[int, int]]:
        """(start, stop) of blocks of at most so many rows, and of originals of at most 32 MB."""
        if not with_originals:
            return [(s, min(s + rows, len(self))) for s in range(0, len(self), rows)]
        cuts, start, total = [], 0, 0
        for row, size in enumerate(self.selection.byte_count[self.order].tolist()):
            if row > start and (row - start == rows or total + size > _MOST_BYTES):
                cuts.append((start, row))
                start, total = row, 0
            total += size
        return [*cuts, (start, len(self))]

    def read(self, start: int, stop: int) -> RowBlock:
        """The rows from `start` up to `stop`."""
        places = self.order[start:stop]
        ids = self.selection.id[places]
        number = ids.tolist()
        found = self._catalog.packables.facts_of(number, self._licences)
        captions = [facts.captions for facts in found]
        also_at = self._hand_over(ids, places, captions)
        votes = np.zeros(len(ids), np.int64)
        voted, at = places_of(self._voted, ids)
        votes[voted] = self._votes[at]
        columns = zip(
            *(range(start, stop), number, self.selection.label[places].tolist()),
            *(self._digests(places), self.selection.group[places].tolist()),
            *(self.selection.split[places].tolist(), votes.tolist(), found, captions),
            strict=True,
        )
        return RowBlock([_provenance(*row) for row in columns], captions, also_at)

    def blocks(self) -> Iterator[RowBlock]:
        for start, stop in self.cuts(_BLOCK):
            yield self.read(start, stop)

    def _digests(self, places: NDArray[np.int64]) -> list[str]:
        text = self.selection.sha256[places].tobytes().hex()
        return [text[start : start + 64] for start in range(0, len(text), 64)]

    def _hand_over(
        self, ids: NDArray[np.int64], places: NDArray[np.int64], captions: list[list[Caption]]
    ) -> dict[str, list[str]]:
        """Add the captions that duplicates hand over, each picture's own first; returns the pages
        where those were found."""
        rows = np.flatnonzero(places_of(self._keepers, ids)[0])
        keepers = ids[rows].tolist()
        if not keepers:
            return {}
        row_of = dict(zip(keepers, rows.tolist(), strict=True))
        handover = self._catalog.handover
        for image_id, texts in self._handed(handover.captions_of(keepers)).items():
            captions[row_of[image_id]].extend(texts)
        digests = dict(zip(keepers, self._digests(places[rows]), strict=True))
        return {
            digests[image_id]: sorted({origin.page_url or origin.url for origin in origins})
            for image_id, origins in self._handed(handover.origins_of(keepers)).items()
        }

    def _handed(self, found: Mapping[int, Sequence[tuple[int, T]]]) -> dict[int, list[T]]:
        """What duplicates hand over, but for those that are packed and have a row of their own."""
        givers = {giver for handed in found.values() for giver, _fact in handed}
        asked = np.array(sorted(givers), np.int64)
        packed = set(asked[places_of(self._ids, asked)[0]].tolist())
        kept = {
            image_id: [fact for giver, fact in handed if giver not in packed]
            for image_id, handed in found.items()
        }
        return {image_id: facts for image_id, facts in kept.items() if facts}


class SelectionHash:
    """What a pack is made from, as one SHA-256: of the rows in order, and what goes before them."""

    def __init__(self, before: Any) -> None:
        self._digest = hashlib.sha256(json.dumps(before, sort_keys=True).encode())

    def update(self, block: RowBlock) -> None:
        for fact, captions in zip(block.facts, block.captions, strict=True):
            texts = [(caption.text, caption.origin) for caption in captions]
            row = (*vars(fact).values(), texts, block.also_at.get(fact.sha256))
            self._digest.update(repr(row).encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _provenance(
    row: int,
    image_id: int,
    label: int,
    sha256: str,
    group: int,
    split: int,
    votes: int,
    facts: PackedFacts,
    captions: Sequence[Caption],
) -> Provenance:
    origin = facts.origin or _NO_ORIGIN
    fields = {
        "row": row,
        "image_id": image_id,
        "label": label,
        "caption": best_caption(captions) if captions else "",
        **vars(origin),
        "sha256": sha256,
        "phash": facts.phash,
        "original_format": facts.format,
        "original_width": facts.width,
        "original_height": facts.height,
        "stars": facts.stars,
        "rating": facts.rating,
        "rating_deviation": facts.rating_deviation,
        "votes": votes,
        "group": group,
        "split": SPLITS[split],
    }
    return filled(Provenance, fields)
