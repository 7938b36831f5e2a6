"""What a pack would hold if it were made now, in numbers, and what speaks against making it yet."""

import dataclasses
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from curate_app.overview import Overview, overview
from curate_app.pack_counts import UNKNOWN, PackColumns, PackCounts
from curate_app.shortfall import targets_of
from dataset.catalog import Catalog
from dataset.config import to_mapping
from dataset.fingerprint import FINGERPRINT
from dataset.likeness import LIKENESS
from dataset.pack_selection import PackConfig
from dataset.provenance import SPLITS
from dataset.records import STATUSES

_FEW = 20
_MOST_KEPT = 8
# How the pictures are drawn into the pack changes nothing of which they are.
_APPEARANCE = (
    *("name", "size", "channels", "fit", "background", "resample", "linear_light", "sharpness"),
    *("originals", "embeddings"),
)


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """One class in a pack: pictures by split, and how many it shall have (0: nobody said)."""

    label: str
    splits: dict[str, int]
    target: int = 0

    @property
    def count(self) -> int:
        return sum(self.splits.values())

    @property
    def most(self) -> int:
        """How long its bar is: what there is, or what there shall be."""
        return max(self.count, self.target)

    @property
    def short(self) -> int:
        return max(0, self.target - self.count)


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One reason to look again before packing; `about` says which screen helps."""

    about: Literal[
        "nothing", "split", "short", "few", "label", "licence", "undecided", "alike", "compare"
    ]
    line: str


@dataclass(frozen=True, kw_only=True)
class PackPlan:
    """Counts of what `pack` would take now; `licences` most frequent first."""

    count: int
    splits: dict[str, int]
    classes: tuple[ClassCount, ...]
    licences: tuple[tuple[str, int], ...]
    doubts: tuple[Doubt, ...]

    def as_json(self) -> dict[str, Any]:
        classes = [
            {**to_mapping(one), "count": one.count, "short": one.short} for one in self.classes
        ]
        return {**to_mapping(self), "classes": classes, "licences": dict(self.licences)}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The classes and the licences that any picture has, by name."""

    labels: tuple[str, ...]
    licences: tuple[str, ...]


class Plans:
    """Plans that were made, until the catalogue has changed; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns = PackColumns()
        self._made: OrderedDict[str, PackPlan] = OrderedDict()

    def choices(self, catalog: Catalog) -> Choices:
        """What can be chosen among now."""
        with overview().reading(catalog) as view:
            labels, licences = (
                sorted(view.counts(facet, np.ones(len(view), bool)))
                for facet in ("label", "licence")
            )
        return Choices(labels=tuple(filter(None, labels)), licences=tuple(licences))

    def of(self, catalog: Catalog, config: PackConfig) -> PackPlan:
        """The plan of one state of the catalogue. Raises ConfigError as `select` does."""
        with self._lock:
            self._columns.read_on(catalog, config.seed)
            with overview().reading(catalog) as view:
                key = _state(catalog, config)
                plan = self._made.pop(key, None)
                if plan is None:
                    counts = self._columns.counts(view, catalog, config)
                    plan = _plan(view, catalog, counts, config)
            self._made[key] = plan
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        return plan


def _state(catalog: Catalog, config: PackConfig) -> str:
    marks = dataclasses.asdict(catalog.columns.marks())
    decided = (catalog.judgements.pairs.last_id(), catalog.settings.last_id())
    compared = (catalog.edges.stamp(), catalog.edges.has_unjoined(FINGERPRINT, LIKENESS))
    chosen = {k: v for k, v in to_mapping(config).items() if k not in _APPEARANCE}
    return json.dumps([marks, decided, compared, chosen], sort_keys=True)


def _plan(view: Overview, catalog: Catalog, counts: PackCounts, config: PackConfig) -> PackPlan:
    wanted = {label: n for label, n in targets_of(catalog.settings.all()).items() if n}
    classes = _classes(counts, wanted, config)
    licences = sorted(counts.licences.items(), key=lambda item: (-item[1], item[0]))
    return PackPlan(
        count=counts.pictures,
        splits=counts.splits,
        classes=tuple(classes),
        licences=tuple(licences),
        doubts=tuple(_doubts(view, catalog, counts, classes)),
    )


def _classes(counts: PackCounts, wanted: Mapping[str, int], config: PackConfig) -> list[ClassCount]:
    """The classes of the pack and those that shall be in it, by name, "" last."""
    asked = [label for label in wanted if not config.labels or label in config.labels]
    labels = sorted({*counts.classes, *asked}, key=lambda label: (not label, label))
    none = {str(split): 0 for split in SPLITS}
    return [
        ClassCount(label=label, splits=counts.classes.get(label, none), target=wanted.get(label, 0))
        for label in labels
    ]


def _doubts(
    view: Overview, catalog: Catalog, counts: PackCounts, classes: list[ClassCount]
) -> list[Doubt]:
    pictures, found = counts.pictures, []
    if not pictures:
        found.append(Doubt(about="nothing", line="Nothing is kept yet that fits: judge first"))
    if counts.empty:
        line = f"Too few pictures for split {' and '.join(counts.empty)}: no pack can be made"
        found.append(Doubt(about="split", line=line))
    short = [one for one in classes if one.short]
    if short:
        names = _listed([f"{one.label or '(no label)'} by {one.short:,}" for one in short])
        found.append(Doubt(about="short", line=f"Short of their target: {names}"))
    few = [one for one in classes if 0 < one.count < _FEW and not one.short]
    if few:
        names = _listed([f"{one.label or '(no label)'} ({one.count})" for one in few])
        found.append(Doubt(about="few", line=f"Fewer than {_FEW} pictures: {names}"))
    bare = next((one.count for one in classes if not one.label), 0)
    if bare and bare < pictures:
        found.append(Doubt(about="label", line=f"{_pictures(bare)} without a class"))
    if counts.licences.get(UNKNOWN):
        line = f"{_pictures(counts.licences[UNKNOWN])} under an unknown licence"
        found.append(Doubt(about="licence", line=line))
    if counts.alike:
        line = (
            f"{_pictures(counts.alike)} perhaps the same as another one; a split never parts them"
        )
        found.append(Doubt(about="alike", line=line))
    waiting = int(np.count_nonzero(view.status == STATUSES.index("undecided")))
    if waiting:
        found.append(Doubt(about="undecided", line=f"{_pictures(waiting)} still undecided"))
    if catalog.edges.has_unjoined(FINGERPRINT, LIKENESS):
        line = "New pictures were not compared yet: packing does so first, and splits may move"
        found.append(Doubt(about="compare", line=line))
    return found


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"
