"""A catalogue from elsewhere: copied as files, its schema and soundness checked, only then opened.

The file itself is never opened by SQLite, so nothing beside it appears or changes.
"""

import errno
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dataset.catalog import Catalog
from dataset.catalog.connection import explained, migrations
from dataset.errors import DataError, WorldError

# What makes up one state of an SQLite database.
_PARTS = ("", "-wal", "-journal")
_TRIES = 5
_PAUSE_S = 0.3
# No text or blob of a catalogue is longer; SQLite refuses to read one that is.
_LONGEST_VALUE = 16 << 20


@contextmanager
def guest_catalog(path: Path, folder: Path) -> Iterator[Catalog]:
    """Open a copy, made in the empty `folder`, of the catalogue at `path`, at the newest schema.

    Text that is no UTF-8 is read with marks of replacement. Raises DataError when the file is
    damaged, no catalogue, a newer one, or has a schema that no Pedigree made; WorldError when it
    is written to all the time.
    """
    copy = folder / "guest.sqlite"
    _copy_settled(path, copy)
    with explained(path):
        with closing(sqlite3.connect(copy)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            connection.execute("PRAGMA trusted_schema = OFF")
            _check(connection, path)
        with Catalog(copy, create=False) as catalog:
            catalog.path = path  # what error lines name
            opened = catalog._connection
            opened.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            opened.text_factory = lambda value: value.decode("utf-8", "replace")
            yield catalog


def _copy_settled(path: Path, copy: Path) -> None:
    """Copy the database as it stands at one moment: nothing of it may change meanwhile."""
    for attempt in range(_TRIES):
        before = _states(path)
        if before[0] is None:
            raise DataError(f"no catalogue at {path}; check the path")
        for part in _PARTS:
            Path(f"{copy}{part}").unlink(missing_ok=True)
        for part, state in zip(_PARTS, before, strict=True):
            if state is not None:
                _copy_file(Path(f"{path}{part}"), Path(f"{copy}{part}"))
        if _states(path) == before:
            return
        time.sleep(_PAUSE_S * (attempt + 1))
    raise WorldError(
        f"catalogue {path} is being written to; stop the other program and run the command again"
    )


def _states(path: Path) -> list[tuple[int, int] | None]:
    """Size and time of the last change of each part, None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for part in _PARTS:
        try:
            facts = Path(f"{path}{part}").stat()
        except FileNotFoundError:
            found.append(None)
            continue
        if not stat.S_ISREG(facts.st_mode):
            raise DataError(f"{path}{part} is no plain file; check the folder")
        found.append((facts.st_size, facts.st_mtime_ns))
    return found


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return  # gone since it was seen: the copy is made again
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise DataError(
            f"{source} cannot be read ({os.strerror(errno.EIO)}); check the disk"
        ) from error


def _check(connection: sqlite3.Connection, path: Path) -> None:
    steps = migrations()
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    newest = steps[-1][0]
    if version > newest:
        raise DataError(
            f"catalogue {path} has schema {version}, this Pedigree knows up to {newest}; update it"
        )
    with closing(sqlite3.connect(":memory:")) as fresh:
        for step, sql in steps:
            if step <= version:
                fresh.executescript(sql)
        if version < 1 or _schema(connection) != _schema(fresh):
            raise DataError(
                f"{path} is an SQLite file but its tables are not those of a Pedigree catalogue; "
                "nothing was taken from it"
            )
    verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(verdict.split())[:200])


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Everything that the database consists of: no view or trigger of others is ever run.

    Spaces and quotes are left out: versions of SQLite differ in them where a table was renamed.
    """
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^'"
    )
    return {
        (str(kind), str(name), "".join(str(sql).replace('"', "").split()))
        for kind, name, sql in rows
    }
