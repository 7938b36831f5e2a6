"""A collection becomes a pack without a catalogue: prepared once, split by likeness, shuffled."""

import hashlib
import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.packables import UNKNOWN_LICENCES
from dataset.config import to_mapping
from dataset.errors import ConfigError, DataError
from dataset.imports.choice import ALL_HELD, check, chosen_rows
from dataset.imports.collection import MOST_BYTES, Batch, Collection, Facts
from dataset.imports.likes import Integers, Rows, find_likes
from dataset.imports.prepared_rows import Looks, Preparer
from dataset.imports.spool import Spool
from dataset.pack_selection import PackConfig
from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.pixels import PixelLimits
from dataset.progress import Progress
from dataset.provenance import SPLITS, Provenance
from dataset.splits import assign_splits, draw, empty_splits

log = logging.getLogger(__name__)

_TRAIN = SPLITS.index("train")
# A group of more than this share of all pictures (and this many) trains: it would be a whole split.
_CROWD_SHARE, _CROWD = 0.01, 20


@dataclass(frozen=True)
class PackedImport:
    """What came of an import into a pack; `rejected` counts what was left out by reason."""

    path: Path
    content_hash: str
    splits: dict[str, int]
    classes: dict[str, int]
    rejected: dict[str, int]


@dataclass
class _Columns:
    """What is known of every spooled row, a few bytes each."""

    labels: list[NDArray[np.int64]] = field(default_factory=list)
    own_splits: list[NDArray[np.int8]] = field(default_factory=list)
    phashes: list[NDArray[np.uint64]] = field(default_factory=list)
    groups: list[Integers] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    schemes: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Table:
    """The same as arrays (N,); `digests` is (N, 2)."""

    labels: NDArray[np.int64]
    own_splits: NDArray[np.int8]
    phashes: NDArray[np.uint64]
    groups: Integers
    digests: NDArray[np.uint64]
    schemes: dict[str, NDArray[np.int64]]
    names: list[str]
    licences: list[str]


@dataclass(frozen=True)
class _Plan:
    """The rows of the pack in order: `places` (n,) in the spool, `groups` and `splits` (n,)."""

    places: Integers
    groups: Integers
    splits: NDArray[np.uint8]


def import_into_pack(
    collection: Collection,
    target: Path,
    config: PackConfig,
    *,
    source: str = "import",
    licence: str = "unknown",
    keep_split: bool = False,
    limits: PixelLimits | None = None,
    workers: int = 2,
) -> PackedImport:
    """Write a pack from a collection; the same collection and config give the same bytes.

    Pictures of equal pixels, or that look alike within `config.radius`, share a split. With
    `keep_split` the source's own held-out pictures stay what they are, and what looks like one of
    them is left out of training. Rows lie in anonymous files beside `target` on their way, never
    in memory. Raises DataError when nothing is left, ConfigError for keys of the config that only
    a catalogue can serve.
    """
    check(collection, config)
    rejected: dict[str, int] = {}
    limits = limits or PixelLimits(max_bytes=MOST_BYTES, min_side=1)
    preparer = Preparer(config, limits, workers)
    with (
        closing(preparer),
        closing(Spool(target.parent, preparer.shape, originals=config.originals)) as spool,
    ):
        table = _spooled(collection, preparer, spool, rejected, source, licence)
        plan = _plan(table, spool.rows, config, keep_split, rejected)
        origin = {
            **{"kind": collection.kind, "file": collection.path.name},
            **{"source": source, "licence": licence, "keep_split": keep_split},
        }
        head = PackHead(
            count=len(plan.places),
            shape=preparer.shape,
            label_names=table.names,
            config={**to_mapping(config), "imported_from": origin},
            schemes={name: collection.schemes[name] for name in table.schemes},
            has_originals=config.originals,
        )
        digest = write_blocks(target, head, _blocks(head, table, plan, spool))
    for reason, count in collection.rejected.items():
        rejected[reason] = rejected.get(reason, 0) + count
    counts = np.bincount(plan.splits, minlength=len(SPLITS)).tolist()
    labels = table.labels[plan.places]
    names = [*table.names, ""]
    classes = {names[code]: int((labels == code).sum()) for code in np.unique(labels).tolist()}
    return PackedImport(target, digest, dict(zip(SPLITS, counts, strict=True)), classes, rejected)


def _spooled(
    collection: Collection,
    preparer: Preparer,
    spool: Spool,
    rejected: dict[str, int],
    source: str,
    licence: str,
) -> _Table:
    """Every picture prepared and spooled; what is known of the rows as arrays."""
    columns = _Columns(schemes={name: [] for name in collection.schemes})
    named = f"{source}:{collection.source_name}"

    def reject(reason: str) -> None:
        rejected[reason] = rejected.get(reason, 0) + 1

    title = f"prepare {collection.path.name}"
    with Progress(title, collection.total, "pictures") as progress:
        for batch in collection.batches():
            looks = preparer.looks(batch, reject)
            _append(columns, batch, looks)
            facts = [
                _told(batch, place, looks, n, named, licence)
                for n, place in enumerate(looks.places.tolist())
            ]
            # Equal names are one object, so that a million of them take little memory.
            columns.licences += [sys.intern(fact["licence"]) for fact in facts]
            spool.append(
                looks.rows,
                facts,
                [batch.captions[place] for place in looks.places] if batch.captions else (),
                [batch.contents[place] for place in looks.places] if batch.contents else (),
            )
            progress.advance(len(batch))
    if not spool.count:
        raise DataError(
            f"{collection.path} holds no picture that can be packed; nothing is written"
        )
    return _table(columns, collection)


def _append(columns: _Columns, batch: Batch, looks: Looks) -> None:
    columns.labels.append(batch.labels[looks.places])
    own = batch.splits if batch.splits is not None else np.full(len(batch), -1, np.int8)
    columns.own_splits.append(own[looks.places])
    # What a pack says of an original that it does not carry holds more than its small row.
    told = [batch.facts[place].get("phash", "") for place in looks.places]
    hashes = zip(told, looks.phashes.tolist(), strict=True)
    columns.phashes.append(np.array([int(t, 16) if t else own for t, own in hashes], np.uint64))
    columns.groups.append(
        np.zeros(len(looks.places), np.int64)
        if batch.groups is None
        else batch.groups[looks.places]
    )
    columns.digests += [hashlib.blake2b(row, digest_size=16).digest() for row in looks.rows]
    for name, parts in columns.schemes.items():
        parts.append(batch.schemes[name][looks.places])


def _told(
    batch: Batch, place: int, looks: Looks, row: int, source: str, licence: str
) -> dict[str, Any]:
    """The facts of one row, with those that its file says by itself."""
    facts: Facts = {"source": source, "licence": licence}
    if batch.contents and batch.contents[place]:
        facts["sha256"] = hashlib.sha256(batch.contents[place]).hexdigest()
    if looks.phashes[row]:
        facts["phash"] = f"{int(looks.phashes[row]):016x}"
    facts["original_height"], facts["original_width"] = looks.sizes[row].tolist()
    facts["original_format"] = looks.formats[row]
    if batch.captions and batch.captions[place]:
        facts["caption"] = batch.captions[place][0].text
    facts |= batch.facts[place]
    if facts["licence"] in UNKNOWN_LICENCES:
        facts["licence"] = licence
    return facts


def _table(columns: _Columns, collection: Collection) -> _Table:
    labels, names = np.concatenate(columns.labels), list(collection.label_names)
    if collection.grows:  # the order in which names were met says nothing
        order = sorted(range(len(names)), key=names.__getitem__)
        renumbered = np.empty(len(names) + 1, np.int64)
        renumbered[order] = np.arange(len(names))
        renumbered[-1] = -1
        labels, names = renumbered[labels], sorted(names)
    return _Table(
        labels,
        np.concatenate(columns.own_splits),
        np.concatenate(columns.phashes),
        np.concatenate(columns.groups),
        np.frombuffer(b"".join(columns.digests), np.uint64).reshape(-1, 2),
        {name: np.concatenate(parts) for name, parts in columns.schemes.items()},
        names,
        columns.licences,
    )


def _plan(
    table: _Table,
    rows: Rows,
    config: PackConfig,
    keep_split: bool,
    rejected: dict[str, int],
) -> _Plan:
    """Which rows are packed, in which groups, splits and order."""
    chosen = chosen_rows(table.labels, table.names, table.licences, config)
    own = np.full(len(chosen), _TRAIN, np.int8)
    if keep_split:
        own = np.where(chosen & (table.own_splits > _TRAIN), table.own_splits, own)
    likes = find_likes(rows, table.digests, table.phashes, table.groups, config.radius)
    # What trains gives way to what is held back, and cal to test.
    leaving = likes.beside_held(own)
    root = likes.components(without=leaving)
    if (leaving & chosen).any():
        rejected["like-held-out"] = int((leaving & chosen).sum())
        chosen &= ~leaving
    places = np.flatnonzero(chosen)
    if keep_split and (own[places] > _TRAIN).all():
        raise ConfigError(ALL_HELD)
    # Of a group some rows may not be chosen: its first one that is stands for it.
    _, firsts, group = np.unique(root[places], return_index=True, return_inverse=True)
    root = firsts[group]
    held = own[places].astype(np.uint8)
    splits = _splits(table, places, root, held, config)
    shuffled = np.random.default_rng(config.seed).permutation(len(places))
    order = shuffled[np.argsort(splits[shuffled], kind="stable")]
    return _Plan(places[order], root[order] + 1, splits[order])


def _splits(
    table: _Table,
    places: Integers,
    root: Integers,
    held: NDArray[np.uint8],
    config: PackConfig,
) -> NDArray[np.uint8]:
    """The split (n,) of every row; what the source holds back (`held`) stays as it is."""
    splits = held.copy()
    sizes = np.bincount(root, minlength=len(places))[root]
    free = (splits == _TRAIN) & (sizes <= max(_CROWD, _CROWD_SHARE * len(places)))
    crowds = (splits == _TRAIN) & ~free
    if crowds.any():
        log.info("%d pictures that all look alike stay in training", int(crowds.sum()))
    cal, test = config.cal, config.test
    if (held != _TRAIN).any():
        test = 0.0
        cal = 0.0 if (held == SPLITS.index("cal")).any() else cal
    few = np.flatnonzero(free)
    lots = np.zeros(len(few), np.uint64)
    firsts = np.searchsorted(few, root[few])
    for place in np.unique(firsts).tolist():
        key = table.digests[places[few[place]]].tobytes().hex()
        lots[place] = int.from_bytes(draw(key, config.seed)[:8])
    splits[few] = assign_splits(firsts, table.labels[places[few]], lots, cal=cal, test=test)
    empty = empty_splits(splits, cal=config.cal, test=config.test)
    empty = empty if (splits == _TRAIN).any() else ("train", *empty)
    if empty:
        log.warning(
            "no pictures are left for %s; too few look different, or the source holds them back",
            " and ".join(empty),
        )
    return splits


def _blocks(head: PackHead, table: _Table, plan: _Plan, spool: Spool) -> Iterator[Block]:
    with Progress("write", head.count, "pictures") as progress:
        for start in range(0, head.count, head.block_rows):
            part = slice(start, start + head.block_rows)
            places = plan.places[part]
            told, captions = spool.told(places)
            labels, splits = table.labels[places], plan.splits[part]
            stated = zip(
                told, labels.tolist(), plan.groups[part].tolist(), splits.tolist(), strict=True
            )
            facts = [
                Provenance(**fact, row=start + n, label=label, group=group, split=SPLITS[split])
                for n, (fact, label, group, split) in enumerate(stated)
            ]
            yield Block(
                data=spool.rows(places),
                labels=labels,
                splits=splits,
                facts=facts,
                captions=captions,
                originals=spool.files(places),
                schemes={name: numbers[places] for name, numbers in table.schemes.items()},
            )
            progress.advance(len(places))
