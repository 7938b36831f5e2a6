"""The order in which new pictures were first laid out, held while somebody reads on: what is judged
meanwhile moves nothing from one page to another."""

import hashlib
import threading
from collections import OrderedDict

import numpy as np
from flask import current_app

from curate_app.overview import Rows

# What is held in all, 4 bytes a picture.
_MOST_LINES, _MOST_PICTURES = 64, 4_000_000


class Lineups:
    """The lines of one app by name, those read last; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: OrderedDict[str, Rows] = OrderedDict()

    def keep(self, rows: Rows) -> str:
        """Hold pictures (N,) in this order; the name under which they are found again."""
        name = hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest()
        with self._lock:
            self._lines.setdefault(name, rows)
            self._lines.move_to_end(name)
            while len(self._lines) > 1 and (
                len(self._lines) > _MOST_LINES
                or sum(map(len, self._lines.values())) > _MOST_PICTURES
            ):
                self._lines.popitem(last=False)
        return name

    def page(
        self, name: str, place: int, waiting: Rows, size: int
    ) -> tuple[Rows, int | None] | None:
        """Up to `size` pictures of a line from `place` on that are `waiting` still (M,), and the
        place of the next page, None at the end. What waits but came since goes to the end of the
        line. None for a line that is not held any more."""
        with self._lock:
            line = self._lines.get(name)
            if line is None:
                return None
            line = np.concatenate([line, waiting[~np.isin(waiting, line)]])
            self._lines[name] = line
            self._lines.move_to_end(name)
        places = place + np.flatnonzero(np.isin(line[place:], waiting))
        shown = places[:size]
        return line[shown], int(shown[-1]) + 1 if len(places) > size else None


def lineups() -> Lineups:
    """Those of the present app."""
    found = current_app.extensions.setdefault("lineups", Lineups())
    assert isinstance(found, Lineups)
    return found
