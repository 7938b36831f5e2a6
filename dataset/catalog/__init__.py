"""The catalogue: one SQLite file that knows every picture, origin, judgement and address."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from dataset.catalog.appearances import Appearances
from dataset.catalog.columns import Columns
from dataset.catalog.connection import connect, explained, snapshot, transaction
from dataset.catalog.contenders import Comparisons
from dataset.catalog.edges import Edges
from dataset.catalog.handover import Handover
from dataset.catalog.images import Images
from dataset.catalog.judgements import Judgements
from dataset.catalog.ledger import Ledger
from dataset.catalog.packables import Packables
from dataset.catalog.ratings import Ratings
from dataset.catalog.scores import Scores
from dataset.catalog.tallies import Tallies

__all__ = ["Catalog"]


class Catalog:
    """An open catalogue; returns records, never rows. A context manager; one thread at a time.

    Raises DataError when the file is damaged, foreign or newer; WorldError when it is locked.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._connection = connect(path, create=create)
        self.images = Images(self._connection)
        self.scores = Scores(self._connection)
        self.handover = Handover(self._connection)
        self.packables = Packables(self._connection)
        self.judgements = Judgements(self._connection, path.parent)
        self.votes, self.settings = self.judgements.votes, self.judgements.settings
        self.ratings = Ratings(self._connection)
        self.columns = Columns(self._connection)
        self.appearances = Appearances(self._connection)
        self.ledger = Ledger(self._connection)
        self.edges = Edges(self._connection)
        self.comparisons = Comparisons(self._connection)
        self.tallies = Tallies(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside at once, or nothing of it."""
        with explained(self.path), transaction(self._connection):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state of the catalogue inside, whoever else writes; nobody has to wait."""
        with explained(self.path), snapshot(self._connection):
            yield

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, sqlite3.Error):
            with explained(self.path):
                raise error
