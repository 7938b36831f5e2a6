"""What changed from one pack to another, and which judgements made it so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.pack_keys import original_keys, picture_keys, text_keys
from dataset.pack_origin import imported_from
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS
from dataset.records import Event

Rows = NDArray[np.int64]
Told = dict[str, Any]
_MOST_EVENTS = 3  # a picture; the batches are told apart in any case
# Of a judgement; what a picture's class is decides in which lot it lies.
_FIELDS_OF = {"label": "label", "caption": "caption", "stars": "stars", "split": "label"}
_DRAWS = {"seed", "cal", "test", "split_by", "radius", "balance"}  # keys that decide splits
_TRAIN, _CAL = SPLITS.index("train"), SPLITS.index("cal")


@dataclass(frozen=True)
class Matching:
    """Rows of two packs that are the same picture: `old[i]` and `new[i]`; `gone` are left over in
    the old pack, `added` in the new one. `by` is what they were matched by."""

    by: str
    old: Rows
    new: Rows
    gone: Rows
    added: Rows


@dataclass(frozen=True)
class Difference:
    """What differs between two packs: rows of each kind of change, and keys of the config.

    `changed` maps label, split, caption, licence, stars and pixels to places in the matching;
    pixels is None when the packs have other shapes, so that all pictures differ.
    """

    old: PackedDataset
    new: PackedDataset
    matching: Matching
    changed: dict[str, Rows | None]
    config: dict[str, tuple[Any, Any]]
    label_names: tuple[list[str], list[str]] = field(default=([], []))

    @property
    def same(self) -> bool:
        """Whether nothing differs that a reader of the packs could see."""
        rows = [self.matching.gone, self.matching.added, *self.changed.values()]
        return all(part is not None and not len(part) for part in rows) and not self.config


def compare(old: PackedDataset, new: PackedDataset) -> Difference:
    """Match the pictures of two packs and tell them apart.

    By the SHA-256 of their original files, where both packs know all of them, else by the ids that
    pictures have in the catalogue, else by their pixels; of several that are the same, in order.
    """
    matching = _match(old, new)
    changed: dict[str, Rows | None] = {}
    for name in ("label", "split", "caption", "licence", "stars"):
        before, after = _values(old, new, name)
        changed[name] = np.flatnonzero(before[matching.old] != after[matching.new])
    if old.shape[1:] != new.shape[1:]:
        changed["pixels"] = None
    elif matching.by == "pixels" or old.content_hash == new.content_hash:
        changed["pixels"] = np.zeros(0, np.int64)
    else:
        before, after = picture_keys(old, "pictures of A"), picture_keys(new, "pictures of B")
        changed["pixels"] = np.flatnonzero(before[matching.old] != after[matching.new])
    keys = sorted({*old.config, *new.config} - {"imported_from"})  # which is no setting
    config = {
        key: (old.config.get(key), new.config.get(key))
        for key in keys
        if key not in old.config or key not in new.config or old.config[key] != new.config[key]
    }
    return Difference(old, new, matching, changed, config, (old.label_names, new.label_names))


def _match(old: PackedDataset, new: PackedDataset) -> Matching:
    kinds: tuple[tuple[str, Callable[[PackedDataset], NDArray[Any]]], ...] = (
        ("sha256", original_keys),
        ("image_id", lambda packed: packed.column("image_id")),
    )
    for name, read in kinds:
        before, after = read(old), read(new)
        if before.all() and after.all():
            return _matched(name, before, after)
    return _matched("pixels", picture_keys(old, "pictures of A"), picture_keys(new, "of B"))


def _matched(by: str, before: NDArray[Any], after: NDArray[Any]) -> Matching:
    """Pair up equal keys, the n-th of a key in the one with the n-th in the other."""
    keys = np.concatenate([before, after])
    _, codes = np.unique(keys, return_inverse=True)
    first, second = _numbered(codes[: len(before)]), _numbered(codes[len(before) :])
    _, old, new = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    order = np.argsort(new)
    return Matching(
        by,
        old[order],
        new[order],
        np.setdiff1d(np.arange(len(before)), old),
        np.setdiff1d(np.arange(len(after)), new),
    )


def _numbered(codes: Rows) -> Rows:
    """Each code (N,) together with how many of the same came before it, as one number."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    lengths = np.diff(np.append(starts, len(ordered)))
    repeats = np.arange(len(ordered)) - np.repeat(starts, lengths)
    numbered = np.empty(len(codes), np.int64)
    numbered[order] = (ordered.astype(np.int64) << 32) | repeats
    return numbered


def _values(old: PackedDataset, new: PackedDataset, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """One fact of every row of both packs as numbers that are equal when the facts are."""
    if name == "label":
        places = {label: n for n, label in enumerate(dict.fromkeys(old.label_names))}
        for label in new.label_names:
            places.setdefault(label, len(places))
        return _renamed(old, places), _renamed(new, places)
    if name == "split":
        return old.splits, new.splits
    if name == "stars":
        return old.column("stars"), new.column("stars")
    return text_keys(old, name), text_keys(new, name)


def _renamed(packed: PackedDataset, places: dict[str, int]) -> Rows:
    """The labels (N,) as places of their names, -1 for none."""
    table = np.array([*(places[name] for name in packed.label_names), -1], np.int64)
    return table[packed.labels]


def as_mapping(
    found: Difference, *, limit: int = 10, catalog: Catalog | None = None
) -> dict[str, Any]:
    """A difference, JSON-ready: counts, and of every kind of change the first `limit` pictures,
    with the events that made it so when the catalogue is given. `newer` is A or B, or None."""
    matching, old, new = found.matching, found.old, found.new
    listed: dict[str, list[Told]] = {
        "gone": [_told(old, row) for row in matching.gone[:limit].tolist()],
        "added": [_told(new, row) for row in matching.added[:limit].tolist()],
    }
    counts: dict[str, int] = {"gone": len(matching.gone), "added": len(matching.added)}
    for name, places in found.changed.items():
        counts[name] = len(matching.old) if places is None else len(places)
        listed[name] = [
            _told(new, int(matching.new[place]))
            | _change(found, name, int(matching.old[place]), int(matching.new[place]))
            for place in _first(places, limit)
        ]
    batches = _explain(found, listed, catalog) if catalog is not None else None
    for place, told in zip(_first(found.changed["split"], limit), listed["split"], strict=True):
        if not told.get("events"):
            told["because"] = _redrawn(found, place)
    return {
        "old": _outline(old),
        "new": _outline(new),
        "same": found.same,
        "newer": newer(old, new),
        "warnings": _warnings(found),
        "matched_by": matching.by,
        "in_both": len(matching.old),
        "counts": counts,
        "config": {key: {"old": a, "new": b} for key, (a, b) in found.config.items()},
        "pictures": listed,
        "batches": batches,
    }


def newer(old: PackedDataset, new: PackedDataset) -> str | None:
    """Which of two packs, A or B, was made after more judgements; None where that is no order."""
    first, second = (int(packed.attributes["event_id"]) for packed in (old, new))
    if first == second or any(imported_from(packed) is not None for packed in (old, new)):
        return None
    return "A" if first > second else "B"


def _warnings(found: Difference) -> list[str]:
    """What was sealed in the older pack (A where neither is) and trains in the newer one."""
    before = found.old.splits[found.matching.old]
    after = found.new.splits[found.matching.new]
    older, later = "A", "B"
    if newer(found.old, found.new) == "A":
        before, after, older, later = after, before, later, older
    count = int(((before == _CAL) & (after == _TRAIN)).sum())
    rows = "row" if count == 1 else "rows"
    text = f"{count:,} {rows} of {older}'s cal in training of {later}: what was sealed is learnt"
    return [f"{text}, so check no model of {later} by the cal of {older}"] if count else []


def _redrawn(found: Difference, place: int) -> str:
    """Why a picture that nobody judged anew lies in another split."""
    if place in (found.changed["label"] if found.changed["label"] is not None else ()):
        return "its class is another one, and each class has a lot of its own"
    keys = sorted(_DRAWS & set(found.config))
    if keys:
        return f"the config draws otherwise ({', '.join(keys)})"
    return "the lot was drawn anew: other pictures came or went"


def _first(places: Rows | None, limit: int) -> list[int]:
    return [] if places is None else [int(place) for place in places[:limit]]


def _outline(packed: PackedDataset) -> Told:
    return {
        "path": str(packed.path),
        "pictures": len(packed),
        "shape": list(packed.shape[1:]),
        "content_hash": packed.content_hash,
        "event_id": int(packed.attributes["event_id"]),
    }


def _told(packed: PackedDataset, row: int) -> Told:
    fact = packed.provenance(row)
    return {
        "row": row,
        "image_id": fact.image_id or None,
        "sha256": fact.sha256,
        "label": packed.label_names[fact.label] if fact.label >= 0 else "",
        "split": fact.split,
        "caption": fact.caption,
        "url": fact.url,
    }


def _change(found: Difference, name: str, old_row: int, new_row: int) -> Told:
    if name == "pixels":
        return {}
    before, after = (
        _value(packed, name, row) for packed, row in ((found.old, old_row), (found.new, new_row))
    )
    return {"before": before, "after": after}


def _value(packed: PackedDataset, name: str, row: int) -> Any:
    if name == "label":
        label = int(packed.labels[row])
        return packed.label_names[label] if label >= 0 else ""
    return getattr(packed.provenance(row), name)


def _explain(
    found: Difference, listed: dict[str, list[Told]], catalog: Catalog
) -> list[dict[str, Any]]:
    """Write the events between the two packs to the pictures listed; returns the batches that
    changed any picture that differs, with how many of them."""
    concerned = _concerned(found)
    wanted: dict[int, list[tuple[str, Told]]] = {}
    for kind, pictures in listed.items():
        for told in pictures:
            told["events"] = []
            if told["image_id"]:
                wanted.setdefault(told["image_id"], []).append((kind, told))
    first, last = sorted(int(p.attributes["event_id"]) for p in (found.old, found.new))
    batches: dict[int, dict[str, Any]] = {}
    touched: dict[int, set[int]] = {}
    for event in catalog.judgements.between(first, last):
        if event.image_id not in concerned:
            continue
        head = {"batch": event.batch, "at": event.at, "who": event.who, "verb": event.verb}
        batches.setdefault(event.batch, head)
        touched.setdefault(event.batch, set()).add(event.image_id)
        for kind, told in wanted.get(event.image_id, ()):
            if _FIELDS_OF.get(kind, event.field) == event.field:
                told["events"] = [*told["events"], _event(event)][-_MOST_EVENTS:]
    return [{**head, "pictures": len(touched[batch])} for batch, head in batches.items()]


def _concerned(found: Difference) -> set[int]:
    """The ids of all pictures that were added, are gone, or changed in what a person judges."""
    matching = found.matching
    old, new = found.old.column("image_id"), found.new.column("image_id")
    parts: list[Rows] = [old[matching.gone], new[matching.added]]
    for name in ("label", "caption", "stars", "split"):
        places = found.changed[name]
        if places is not None:
            parts.append(new[matching.new[places]])
    return set(np.concatenate(parts).tolist()) - {0}


def _event(event: Event) -> Told:
    return {
        "batch": event.batch,
        "at": event.at,
        "who": event.who,
        "verb": event.verb,
        "field": event.field,
        "before": event.before,
        "after": event.after,
        "reason": event.reason_after,
    }


def split_table(found: Difference) -> list[list[int]]:
    """How many pictures moved from each split (row) to each split (column) of SPLITS."""
    before = found.old.splits[found.matching.old].astype(np.int64)
    after = found.new.splits[found.matching.new]
    size = len(SPLITS)
    table = np.bincount(before * size + after, minlength=size**2).reshape(size, size)
    return [list(row) for row in table.tolist()]


def pictures_of(found: dict[str, Any]) -> Iterable[tuple[str, Sequence[Told]]]:
    """The kinds of change that any picture has, with those that are listed."""
    return [(kind, told) for kind, told in found["pictures"].items() if found["counts"][kind]]
