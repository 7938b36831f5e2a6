"""The studios of the app: a drawing process a run, as many at once as the memory may hold."""

import threading

from flask import Flask, abort, current_app

from curate_app.drawing_form import DrawForm
from curate_app.runs import Run
from curate_app.studio import Studio

_MOST_AT_WORK = 2  # with a child, which holds a model and an index


class Studios:
    """The studios of one app."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._studios: dict[str, Studio] = {}
        self._uses = 0
        self._closed = False

    def of(self, run: str) -> Studio:
        with self._lock:
            return self._studios.setdefault(run, Studio(run))

    def draw(self, run: Run, form: DrawForm) -> int:
        """As `Studio.draw`; makes room by ending the child that was used longest ago."""
        studio = self.of(run.name)
        with self._lock:
            if self._closed:
                abort(409, "the app is about to end; start it again first")
            others = [one for one in self._studios.values() if one.is_at_work and one is not studio]
            if len(others) >= _MOST_AT_WORK:
                idle = [one for one in others if not one.waiting]
                if not idle:
                    abort(409, f"{len(others)} other runs draw already; let one of them end")
                min(idle, key=lambda one: one.used).end()
            self._uses += 1
            studio.used = self._uses
            return studio.draw(run, form)

    def close(self) -> None:
        """End with the app: no child outlives it."""
        with self._lock:
            self._closed = True
            left = list(self._studios.values())
        for studio in left:
            studio.close()


def install(app: Flask) -> None:
    app.extensions["studios"] = Studios()


def studios() -> Studios:
    """The studios of this request's app."""
    return studios_of(current_app)


def studios_of(app: Flask) -> Studios:
    found = app.extensions["studios"]
    assert isinstance(found, Studios)
    return found
