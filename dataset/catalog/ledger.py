"""The ledger: every address that was ever named, what came of it, and why."""

import dataclasses
import sqlite3
from collections.abc import Collection, Sequence

from dataset.catalog.connection import now, transaction
from dataset.records import AddressRecord, AddressState, Candidate, CrawlRun

_FIELDS = [field.name for field in dataclasses.fields(AddressRecord) if field.name != "id"]
_COLUMNS = f"id, {', '.join(_FIELDS)}"
_INSERT = (
    f"INSERT INTO address ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))}) "
    "ON CONFLICT (url) DO "
)
_UPDATE = "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS[1:])
# SQLite uses the partial index `address_due` only when these words stand in the query.
_IS_OPEN = "state IN ('new', 'retry')"


class Ledger:
    """One row per canonical address, and one per source and page that named it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def get(self, url: str) -> AddressRecord | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM address WHERE url = ?", (url,)).fetchone()
        return None if row is None else AddressRecord(**row)

    def put(self, record: AddressRecord) -> None:
        """Write the newest outcome of an address over the one before; forget who named it once
        its picture is there."""
        stamped = dataclasses.replace(record, updated_at=record.updated_at or now())
        with transaction(self._db):
            self._db.execute(_INSERT + _UPDATE, [getattr(stamped, name) for name in _FIELDS])
            if record.state == "fetched":
                self._db.execute(
                    "DELETE FROM candidate WHERE address_id = "
                    "(SELECT id FROM address WHERE url = ?)",
                    (record.url,),
                )

    def name(self, url: str, host: str, candidate: Candidate) -> AddressRecord:
        """Note that `candidate` named `url`, new or known; returns the address as it stands."""
        record = self.get(url)
        if record is None:
            fresh = AddressRecord(url=url, host=host, state="new", reason="", attempts=0)
            fresh = dataclasses.replace(fresh, updated_at=now())
            values = [getattr(fresh, name) for name in _FIELDS]
            cursor = self._db.execute(_INSERT + "NOTHING", values)
            record = dataclasses.replace(fresh, id=int(cursor.lastrowid or 0))
        if record.state != "fetched":
            self.add_candidate(record.id, candidate)
        return record

    def add_candidate(self, address_id: int, candidate: Candidate) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO candidate (address_id, source, page_url, query, facts) "
            "VALUES (?, ?, ?, ?, ?)",
            (
                address_id,
                candidate.source,
                candidate.page_url,
                candidate.query,
                candidate.facts,
            ),
        )

    def candidates(self, address_ids: Sequence[int]) -> dict[int, list[Candidate]]:
        """Who named these addresses, first naming first."""
        found: dict[int, list[Candidate]] = {}
        for start in range(0, len(address_ids), 500):
            part = address_ids[start : start + 500]
            marks = ", ".join("?" * len(part))
            rows = self._db.execute(
                "SELECT address_id, source, page_url, query, facts FROM candidate "
                f"WHERE address_id IN ({marks}) ORDER BY id",
                list(part),
            )
            for row in rows:
                candidate = Candidate(
                    source=row["source"],
                    page_url=row["page_url"],
                    query=row["query"],
                    facts=row["facts"],
                )
                found.setdefault(row["address_id"], []).append(candidate)
        return found

    def next_host(self, after: str, skip: Collection[str] = ()) -> str | None:
        """The next host in order of name that has open addresses, or None at the end."""
        host: str | None = after
        while host is not None:
            row = self._db.execute(
                f"SELECT host FROM address INDEXED BY address_due WHERE {_IS_OPEN} AND host > ? "
                "ORDER BY host LIMIT 1",
                (host,),
            ).fetchone()
            host = None if row is None else str(row["host"])
            if host is not None and host not in skip:
                return host
        return None

    def open_addresses(
        self, host: str, sources: Sequence[str], at: str, *, after: int = 0, limit: int = 64
    ) -> list[AddressRecord]:
        """Up to `limit` addresses of `host` that `sources` named and that are new or whose time to
        be tried again has come by `at`, with an id over `after`, in order of id."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM address INDEXED BY address_due "
            f"WHERE {_IS_OPEN} AND host = ? AND id > ? "
            "AND next_try_at <= ? AND EXISTS (SELECT 1 FROM candidate WHERE address_id = address.id"
            f" AND source IN ({', '.join('?' * len(sources))})) ORDER BY id LIMIT ?",
            (host, after, at, *sources, limit),
        )
        return [AddressRecord(**row) for row in rows]

    def open_count(self, sources: Sequence[str]) -> dict[str, int]:
        """Addresses still to be had, by the source that named them."""
        rows = self._db.execute(
            "SELECT source, count(DISTINCT address_id) AS n FROM candidate JOIN address "
            f"ON address.id = address_id WHERE {_IS_OPEN} "
            f"AND source IN ({', '.join('?' * len(sources))}) GROUP BY source",
            list(sources),
        )
        return {row["source"]: int(row["n"]) for row in rows}

    def open_total(self) -> int:
        """Addresses still to be had, whoever named them."""
        row = self._db.execute(f"SELECT count(*) FROM address WHERE {_IS_OPEN}").fetchone()
        return int(row[0])

    def closed_count(self, reason: str, sources: Sequence[str]) -> int:
        """How many addresses `reopen` would open again."""
        row = self._db.execute(
            f"SELECT count(*) FROM address WHERE {_closed(sources)}", [reason, *sources]
        ).fetchone()
        return int(row[0])

    def reopen(self, reason: str, sources: Sequence[str]) -> int:
        """Let every address of `sources` that came to nothing for this reason be asked again; how
        many they are."""
        with transaction(self._db):
            cursor = self._db.execute(
                "UPDATE address SET state = 'new', next_try_at = '', attempts = 0, updated_at = ? "
                f"WHERE {_closed(sources)}",
                [now(), reason, *sources],
            )
        return int(cursor.rowcount)

    def counts(self) -> dict[tuple[AddressState, str], int]:
        """Addresses by (state, reason)."""
        rows = self._db.execute(
            "SELECT state, reason, count(*) AS n FROM address GROUP BY state, reason "
            "ORDER BY state, n DESC, reason"
        )
        return {(row["state"], row["reason"]): int(row["n"]) for row in rows}

    def rest_host(self, host: str, awake_at: str, reason: str) -> None:
        """Remember that a host wants to be left alone until `awake_at`; "" forgets it."""
        with transaction(self._db):
            self._db.execute("DELETE FROM host WHERE name = ?", (host,))
            if awake_at:
                self._db.execute("INSERT INTO host VALUES (?, ?, ?)", (host, awake_at, reason))

    def resting_hosts(self, at: str = "") -> dict[str, tuple[str, str]]:
        """(awake_at, reason) of the hosts that are to be left alone `at` a time, or now."""
        rows = self._db.execute(
            "SELECT * FROM host WHERE awake_at > ? ORDER BY name", (at or now(),)
        )
        return {row["name"]: (row["awake_at"], row["reason"]) for row in rows}

    def begin_run(self, config: str) -> int:
        with transaction(self._db):
            cursor = self._db.execute(
                "INSERT INTO crawl_run (started_at, ended_at, config, report) "
                "VALUES (?, '', ?, '')",
                (now(), config),
            )
        return int(cursor.lastrowid or 0)

    def end_run(self, run_id: int, report: str) -> None:
        with transaction(self._db):
            self._db.execute(
                "UPDATE crawl_run SET ended_at = ?, report = ? WHERE id = ?",
                (now(), report, run_id),
            )

    def last_run(self) -> CrawlRun | None:
        row = self._db.execute("SELECT * FROM crawl_run ORDER BY id DESC LIMIT 1").fetchone()
        return None if row is None else CrawlRun(**row)


def _closed(sources: Sequence[str]) -> str:
    """Addresses with a reason, named by `sources`, that are neither new nor fetched."""
    return (
        "reason = ? AND state IN ('rejected', 'retry', 'failed', 'refused') AND EXISTS "
        "(SELECT 1 FROM candidate WHERE address_id = address.id "
        f"AND source IN ({', '.join('?' * len(sources))}))"
    )
