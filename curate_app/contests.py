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
    """Votes by class and person, counted anew when votes or classes have changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp = ""
        self._counted: dict[str, Counter[str]] = {}

    def by_class(self, opened: Catalog, view: Overview) -> dict[str, Counter[str]]:
        with self._lock:
            stamp = f"{opened.votes.stamp()} {view.stamp()}"
            if stamp != self._stamp:
                self._counted, self._stamp = self._count(opened, view), stamp
            return self._counted

    @staticmethod
    def _count(opened: Catalog, view: Overview) -> dict[str, Counter[str]]:
        votes = opened.votes.standing()
        # A vote is on the class of its left picture: both are of one when it is cast.
        codes = view.label[view.rows_of(votes.left)]
        counted: dict[str, Counter[str]] = {}
        for (code, who), count in Counter(zip(codes.tolist(), votes.who, strict=True)).items():
            counted.setdefault(view.labels[code], Counter())[who] += count
        return counted


def _tally() -> _Tally:
    found = current_app.extensions.setdefault("tally", _Tally())
    assert isinstance(found, _Tally)
    return found
