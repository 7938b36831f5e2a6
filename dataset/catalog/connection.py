"""The SQLite file itself: opened in WAL mode, brought up to date by ordered migrations."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from dataset.errors import DataError, WorldError

_BUSY_TIMEOUT_S = 30.0


def now() -> str:
    """The present time as the catalogue writes it: ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def migrations() -> list[tuple[int, str]]:
    """The schema's steps in order: (version, SQL)."""
    folder = resources.files("dataset.catalog") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name.split("_")[0]), (folder / name).read_text("utf-8")) for name in names]


def connect(path: Path, *, create: bool = True) -> sqlite3.Connection:
    """Open the catalogue at `path` and migrate it to the newest schema.

    Raises DataError for a file that is no catalogue, is damaged or was made by a newer version;
    WorldError when it cannot be opened or stays locked for 30 s.
    """
    if not create and not path.is_file():
        raise DataError(f"no catalogue at {path}; collect pictures first or check --data")
    if path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return open_read_only(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained(path):
        connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a catalogue that nobody may write to, such as one on a read-only disk.

    Raises DataError as `connect`, and for one that would have to be brought up to date first.
    """
    log = path.with_name(f"{path.name}-wal")
    # Without a log there is nobody who writes, and no file beside the catalogue is asked for.
    kind = "mode=ro" if log.is_file() and log.stat().st_size else "immutable=1"
    with explained(path):
        connection = sqlite3.connect(
            f"file:{quote(str(path.resolve()))}?{kind}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.row_factory = sqlite3.Row
            if _version(connection) != migrations()[-1][0]:
                raise DataError(
                    f"catalogue {path} is of another version and cannot be written here; open it "
                    "once where it can be, with this version of Pedigree"
                )
        except BaseException:
            connection.close()
            raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    steps = migrations()
    newest = steps[-1][0]
    if _version(connection) == newest:
        return
    with transaction(connection):  # whoever waited here finds it done
        _migrate_locked(connection, path, steps)


def _migrate_locked(
    connection: sqlite3.Connection, path: Path, steps: list[tuple[int, str]]
) -> None:
    version, newest = _version(connection), steps[-1][0]
    if version > newest:
        raise DataError(
            f"catalogue {path} has schema {version}, this Pedigree knows up to {newest}; update it"
        )
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise DataError(
            f"{path} is an SQLite file but no Pedigree catalogue; choose another --data"
        )
    for step, sql in steps:
        if step > version:
            for statement in _statements(sql):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {step}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script one by one; executescript would commit before its first."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's failures into the errors of this project, naming the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise WorldError(
                f"catalogue {path} stayed locked for {_BUSY_TIMEOUT_S:.0f} s by another program; "
                "wait for it or stop it"
            ) from error
        if "full" in text:
            raise WorldError(f"no space left for catalogue {path}; free some disk") from error
        if "unable to open" in text or "readonly" in text:
            raise WorldError(
                f"cannot write catalogue {path}: {text}; check who owns it and its disk"
            ) from error
        raise
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise DataError(
            f"catalogue {path} is damaged or no SQLite file ({error}); restore it from a backup "
            "or move it away and collect again (the pictures stay in the store)"
        ) from error


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """One state for everything that is read; takes no lock. Nested uses join the outermost one."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; nested uses join the outermost one."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
