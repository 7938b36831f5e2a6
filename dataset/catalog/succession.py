"""What follows from a judgement for the duplicates: none is lost, none of two that differ goes."""

import logging
import sqlite3
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from dataset.catalog.contenders import listed, read_contenders
from dataset.catalog.pair_decisions import PairDecisions
from dataset.errors import ConfigError
from dataset.keep_rule import KeepRule, Ranking, read_rule
from dataset.records import Change
from dataset.star_cover import Settlement

log = logging.getLogger(__name__)

# The pictures `?` and all that stand behind them.
_FAMILY = """
WITH RECURSIVE
family (id) AS (
    SELECT value FROM json_each(?)
    UNION SELECT image.id FROM family JOIN image ON image.duplicate_of = family.id)"""

# Of the pictures `?` and of all that stand behind them: those whose keepers, up to the last one,
# are all rejected, or a circle; and who keeps each.
_LOST = f"""
{_FAMILY},
chain (start, at) AS (
    SELECT image.id, duplicate_of FROM family JOIN image ON image.id = family.id
    WHERE duplicate_of IS NOT NULL
    UNION SELECT start, duplicate_of FROM chain JOIN image ON image.id = at
    WHERE duplicate_of IS NOT NULL)
SELECT id, duplicate_of FROM image
WHERE id IN (SELECT start FROM chain) AND id NOT IN
    (SELECT start FROM chain JOIN image AS last ON last.id = at WHERE last.status <> 'reject')
ORDER BY sha256"""


class Succession:
    """Asked after every batch, within its transaction, with that batch's decisions written down.

    The keep rule of the data `folder` says who stands in; the default one where that is broken.
    """

    def __init__(
        self, connection: sqlite3.Connection, folder: Path, decided: Collection[int]
    ) -> None:
        """`decided` are the pictures that the batch said something of in pairs."""
        self._db, self._folder, self._decided = connection, folder, decided
        self._touched: set[int] = {*decided}

    def next_changes(self, rejected: Collection[int]) -> list[Change]:
        """What has to change now that `rejected` are rejected and something was said of pairs; to
        be carried out, and asked for again until nothing is left.

        Duplicates whose keeper went for a reason of its own are undecided again, but for those
        that a person called the same: of them only the best. So are those that stand in a circle,
        and those told apart from any picture that they are rejected for.
        """
        self._touched.update(rejected)
        lost = self._lost(rejected) if rejected else {}
        gone = [keeper for keeper in dict.fromkeys(lost.values()) if keeper not in lost]
        if gone:
            return [change for keeper in gone for change in self._stand_ins(keeper)]
        if lost:
            return [_undecided(one) for one in lost if one in rejected] or [
                _undecided(one) for one in lost
            ]
        return self._told_apart() if self._decided or self._duplicates_among(rejected) else []

    def _lost(self, rejected: Collection[int]) -> dict[int, int]:
        """Keepers by duplicate, of those with nobody left at the end."""
        return {row[0]: row[1] for row in self._db.execute(_LOST, (listed(rejected),))}

    def _duplicates_among(self, image_ids: Collection[int]) -> dict[int, int]:
        """The pictures that each of them was rejected for, in the order of their content."""
        rows = self._db.execute(
            "SELECT id, duplicate_of FROM image WHERE duplicate_of IS NOT NULL "
            "AND id IN (SELECT value FROM json_each(?)) ORDER BY sha256",
            (listed(image_ids),),
        )
        return {row[0]: row[1] for row in rows}

    def _stand_ins(self, keeper: int) -> list[Change]:
        losers = [
            row[0]
            for row in self._db.execute("SELECT id FROM image WHERE duplicate_of = ?", (keeper,))
        ]
        contenders = read_contenders(self._db, self._rule.measures, losers)
        best: dict[int, int] = {}
        changes = []
        for image_id in contenders.ids[Ranking(self._rule, contenders).order].tolist():
            same = self._settlement.same
            heir = best.setdefault(same.find(image_id) if image_id in same else image_id, image_id)
            changes.append(
                _undecided(image_id)
                if heir == image_id
                else Change(
                    image_id=image_id,
                    field="status",
                    value="reject",
                    reason=f"duplicate of #{heir}",
                )
            )
        return changes

    def _told_apart(self) -> list[Change]:
        """Those told apart from a keeper of theirs, as far as they stand nearest to the last."""
        settlement = self._settlement
        members = [
            member
            for name, those in settlement.same.all().items()
            for member in (those if settlement.apart.get(name) else ())
        ]
        found: dict[int, list[int]] = {}
        for member, keeper in self._duplicates_among(members).items():
            chain: list[int] = []
            at: int | None = keeper
            while at is not None and at not in chain:
                chain.append(at)
                at = self._duplicates_among([at]).get(at)
            if any(settlement.are_apart(member, keeper) for keeper in chain):
                found.setdefault(len(chain), []).append(member)
        return [_undecided(member) for member in found[min(found)]] if found else []

    @cached_property
    def _settlement(self) -> Settlement:
        family = self._db.execute(f"{_FAMILY} SELECT id FROM family", (listed(self._touched),))
        return PairDecisions(self._db).settled(row[0] for row in family)

    @cached_property
    def _rule(self) -> KeepRule:
        try:
            return read_rule(self._folder)
        except ConfigError as error:
            log.warning("%s; until it is edited, the default rule says who stands in", error)
            return KeepRule()


def _undecided(image_id: int) -> Change:
    return Change(image_id=image_id, field="status", value="undecided")
