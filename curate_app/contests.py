"""The contests of a catalogue: one for each class, its contenders, and who cast how many votes."""

import threading
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from flask import current_app

from curate_app.desk import catalog
from curate_app.overview import Overview, overview
from dataset.catalog import Catalog
from dataset.catalog.votes import VoteColumns
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
    """Votes by class and person; new ones are added as long as none was undone or moved."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._basis = ""
        self._newest = 0
        self._counted: dict[str, Counter[str]] = {}

    def by_class(self, opened: Catalog, view: Overview) -> dict[str, Counter[str]]:
        with self._lock:
            _newest, _dash, undone = opened.votes.stamp().partition("-")
            basis = f"{undone} {view.stamp()}"
            if basis != self._basis:
                self._basis, self._newest, self._counted = basis, 0, {}
            self._add(opened.votes.standing(self._newest), view)
            return self._counted

    def _add(self, votes: VoteColumns, view: Overview) -> None:
        if not len(votes):
            return
        self._newest = int(votes.id[-1])
        # A vote is on the class of its left picture: both are of one when it is cast.
        codes = view.label[view.rows_of(votes.left)].tolist()
        for (code, who), count in Counter(zip(codes, votes.who, strict=True)).items():
            self._counted.setdefault(view.labels[code], Counter())[who] += count


def _tally() -> _Tally:
    found = current_app.extensions.setdefault("tally", _Tally())
    assert isinstance(found, _Tally)
    return found
