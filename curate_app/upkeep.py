"""What follows from the votes and nobody waits for: stored scores, and how the other classes stand.

A thread that is there only while something has changed does both, in short rounds with pauses.
"""

import threading
import time
from pathlib import Path

from flask import current_app

from curate_app.desk import desk
from curate_app.ranker import Ranker, ranker
from dataset.catalog import Catalog

# Before a round, and as a multiple of how long the last one took: one part in twenty is work.
PAUSE_S = 3.0
_REST = 20.0


class Upkeep:
    """The rounds of one app over the catalogue at `path`; `writing` is its lock for that."""

    def __init__(
        self, ranked: Ranker, path: Path, writing: threading.Lock, pause_s: float = PAUSE_S
    ) -> None:
        self._ranker, self._path, self._writing = ranked, path, writing
        self._shortest = self._pause = pause_s
        self._lock = threading.Lock()
        self._due = False
        self._at_work = False

    def stir(self) -> None:
        """Something may have changed: a round will follow."""
        with self._lock:
            self._due = True
            if not self._at_work:
                self._at_work = True
                threading.Thread(target=self._work, daemon=True, name="upkeep").start()

    @property
    def is_at_work(self) -> bool:
        with self._lock:
            return self._at_work

    def round(self) -> None:
        """Bring everything up to date now."""
        with Catalog(self._path, create=False) as catalog:
            self._ranker.save(catalog, self._writing)
            self._ranker.look_around(catalog)

    def _work(self) -> None:
        goes_on = True
        try:
            while goes_on:
                time.sleep(self._pause)
                with self._lock:
                    self._due = False
                start = time.monotonic()
                self.round()
                self._pause = max(self._shortest, _REST * (time.monotonic() - start))
                with self._lock:
                    goes_on = self._at_work = self._due
        finally:  # a round that failed is told of, and the next change begins anew
            if goes_on:
                with self._lock:
                    self._at_work = False


def upkeep() -> Upkeep:
    """That of the running app, made at first use."""
    found = current_app.extensions.get("upkeep")
    if found is None:
        made = Upkeep(ranker(), desk().catalog_path, desk().writing)
        found = current_app.extensions.setdefault("upkeep", made)
    assert isinstance(found, Upkeep)
    return found


def stir() -> None:
    """Have a round follow, but for an app under test, which asks for its rounds."""
    if not current_app.testing:
        upkeep().stir()
