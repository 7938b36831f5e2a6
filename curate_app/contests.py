"""The contests of a catalogue: one for each class, its contenders, and who cast how many votes."""

import threading
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from flask import current_app

from curate_app.desk import catalog
from curate_app.overview import Overview, overview
from dataset.catalog import Catalog
from dataset.records import STATUSES

_REJECT = STATUSES.index("reject")


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A class: its pictures that are not rejected, the votes on it, and who cast how many."""

    label: str
    contenders: int
    votes: int
    voters: Counter[str] = field(default_factory=Counter)


def contests() -> dict[str, Contest]:
    """Every class by name, in the order of the names; "" are the pictures without one."""
    with overview().reading(catalog()) as view:
        every = view.counts("label", np.ones(len(view), dtype=bool))
        standing = view.counts("label", view.status != _REJECT)
        voters = _tally().by_class(catalog(), view)
    # Counters are made anew for each state of the votes, so others may count meanwhile.
    return {
        label: Contest(
            label=label,
            contenders=standing.get(label, 0),
            votes=voters.get(label, Counter()).total(),
            voters=voters.get(label, Counter()),
        )
        for label in sorted(every)
    }


def contenders_of(label: str) -> list[int]:
    """The pictures of a class that are not rejected, by id."""
    with overview().reading(catalog()) as view:
        code = view.labels.index(label) if label in view.labels else -1
        found: list[int] = view.ids[(view.label == code) & (view.status != _REJECT)].tolist()
    return found


class _Tally:
    """Votes by class and person; new ones are added as long as none was undone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._undone = ""
        self._newest = 0
        self._people: dict[str, int] = {}
        self._rows = np.zeros(0, np.int32)  # (V,) of the left pictures
        self._who = np.zeros(0, np.int64)  # (V,) places in `people`
        self._counted: tuple[str, dict[str, Counter[str]]] = "", {}

    def by_class(self, opened: Catalog, view: Overview) -> dict[str, Counter[str]]:
        with self._lock:
            votes = opened.votes.stamp()
            stamp = f"{votes} {view.stamp()}"
            if stamp != self._counted[0]:
                self._catch_up(opened, view, votes.partition("-")[2])
                self._counted = stamp, self._count(view)
            return self._counted[1]

    def _catch_up(self, opened: Catalog, view: Overview, undone: str) -> None:
        if undone != self._undone:
            self._undone, self._newest = undone, 0
            self._rows, self._who = self._rows[:0], self._who[:0]
        votes = opened.votes.standing(self._newest)
        if len(votes):
            self._newest = int(votes.id[-1])
            who = [self._people.setdefault(name, len(self._people)) for name in votes.who]
            self._rows = np.append(self._rows, view.rows_of(votes.left))
            self._who = np.append(self._who, np.array(who, np.int64))

    def _count(self, view: Overview) -> dict[str, Counter[str]]:
        # A vote is on the class of its left picture: both are of one when it is cast.
        names, counted = list(self._people), dict[str, Counter[str]]()
        pairs = view.label[self._rows] * np.int64(max(len(names), 1)) + self._who
        for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
            label, who = divmod(int(pair), len(names))
            counted.setdefault(view.labels[label], Counter())[names[who]] = int(count)
        return counted


def _tally() -> _Tally:
    found = current_app.extensions.setdefault("tally", _Tally())
    assert isinstance(found, _Tally)
    return found
