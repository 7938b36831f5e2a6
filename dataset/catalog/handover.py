"""What rejected duplicates hand over to the picture that stays."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from dataset.catalog.contenders import listed
from dataset.catalog.images import Images
from dataset.records import Caption, Origin

T = TypeVar("T", Caption, Origin)


class Handover:
    """Derived from the judgements, never copied: whatever is undone takes its share back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._images = Images(connection)

    def losers_of(self, image_ids: Iterable[int]) -> dict[int, list[int]]:
        """The duplicates that each picture stands for, and theirs in turn, in order of id."""
        rows = self._db.execute(
            "WITH RECURSIVE gone (keeper, id) AS ("
            "SELECT duplicate_of, id FROM image WHERE duplicate_of IN "
            "(SELECT value FROM json_each(?)) "
            "UNION SELECT gone.keeper, image.id FROM image "
            "JOIN gone ON image.duplicate_of = gone.id) "
            "SELECT keeper, id FROM gone WHERE keeper <> id ORDER BY keeper, id",
            (listed(image_ids),),
        )
        found: dict[int, list[int]] = {}
        for keeper, image_id in rows:
            found.setdefault(keeper, []).append(image_id)
        return found

    def keeper_of(self, image_id: int) -> int | None:
        """The picture that this one was rejected as a duplicate of."""
        row = self._db.execute(
            "SELECT duplicate_of FROM image WHERE id = ?", (image_id,)
        ).fetchone()
        return None if row is None else row[0]

    def captions_of(self, image_ids: Sequence[int]) -> dict[int, list[tuple[int, Caption]]]:
        """(giver, caption) of every text that a duplicate has and the picture itself lacks."""
        return self._handed(image_ids, self._images.captions_of, lambda caption: caption.text)

    def origins_of(self, image_ids: Sequence[int]) -> dict[int, list[tuple[int, Origin]]]:
        """(giver, origin) of every further place where the same was found, as another file."""
        return self._handed(
            image_ids, self._images.origins_of, lambda origin: (origin.url, origin.page_url)
        )

    def _handed(
        self,
        image_ids: Sequence[int],
        read: Callable[[Sequence[int]], dict[int, list[T]]],
        key: Callable[[T], Any],
    ) -> dict[int, list[tuple[int, T]]]:
        losers = self.losers_of(image_ids)
        involved = set(losers).union(*losers.values())
        facts = read(sorted(involved))
        found: dict[int, list[tuple[int, T]]] = {}
        for keeper, those in losers.items():
            known = {key(fact) for fact in facts.get(keeper, [])}
            for giver in those:
                for fact in facts.get(giver, []):
                    if key(fact) not in known:
                        known.add(key(fact))
                        found.setdefault(keeper, []).append((giver, fact))
        return found
