"""The ledger: what came of every address that was ever asked for, and why."""

import dataclasses
import sqlite3

from dataset.catalog.connection import now
from dataset.records import AddressRecord

_FIELDS = [field.name for field in dataclasses.fields(AddressRecord)]


class Ledger:
    """One row per canonical address."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def get(self, url: str) -> AddressRecord | None:
        row = self._db.execute("SELECT * FROM address WHERE url = ?", (url,)).fetchone()
        return None if row is None else AddressRecord(**{name: row[name] for name in _FIELDS})

    def put(self, record: AddressRecord) -> None:
        """Write the newest outcome of an address over the one before."""
        stamped = dataclasses.replace(record, updated_at=record.updated_at or now())
        self._db.execute(
            f"INSERT OR REPLACE INTO address ({', '.join(_FIELDS)}) "
            f"VALUES ({', '.join('?' * len(_FIELDS))})",
            [getattr(stamped, name) for name in _FIELDS],
        )

    def counts(self) -> dict[tuple[str, str], int]:
        """Addresses by (state, reason)."""
        rows = self._db.execute(
            "SELECT state, reason, count(*) AS n FROM address GROUP BY state, reason "
            "ORDER BY state, n DESC, reason"
        )
        return {(row["state"], row["reason"]): int(row["n"]) for row in rows}

    def in_state(self, state: str, reason: str | None = None) -> list[AddressRecord]:
        rows = self._db.execute(
            "SELECT * FROM address WHERE state = ? AND (? IS NULL OR reason = ?) ORDER BY url",
            (state, reason, reason),
        )
        return [AddressRecord(**{name: row[name] for name in _FIELDS}) for row in rows]
