"""From the catalogue to a pack: choose, prepare, split, shuffle, write; the manifest last."""

import hashlib
import json
import logging
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dataset import atomic_file
from dataset.catalog import Catalog
from dataset.config import to_mapping
from dataset.errors import DataError, PipelineError
from dataset.image_store import ImageStore
from dataset.likeness import refresh_edges
from dataset.pack_selection import PackConfig, best_origin, select
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.phash import PHASH
from dataset.pixels import PixelLimits, Pixels, decode
from dataset.preparation import prepare
from dataset.progress import Progress
from dataset.provenance import SPLITS, Provenance
from dataset.records import Caption, Origin, best_caption

log = logging.getLogger(__name__)
T = TypeVar("T", Caption, Origin)

_BLOCK = 512
# The store holds only what was taken in, perhaps under other limits than the default ones.
_ACCEPTED = PixelLimits(max_bytes=1 << 40, min_side=1, max_aspect=1e9)


@dataclass(frozen=True)
class PackResult:
    """What `pack` did: `fresh` is False when the pack was up to date already."""

    path: Path
    content_hash: str
    fresh: bool
    counts: dict[str, int]
    classes: dict[str, int]


@dataclass(frozen=True)
class _Chosen:
    """The pictures of a pack in the order of its rows.

    `also_at` are the pages, by SHA-256, where other files of the same picture were found: the
    origin in the row is that of the file that was packed.
    """

    provenance: list[Provenance]
    captions: list[list[Caption]]
    label_names: list[str]
    also_at: dict[str, list[str]]


def pack(catalog: Catalog, store: ImageStore, folder: Path, config: PackConfig) -> PackResult:
    """Write packs/NAME.h5 and NAME.manifest.json from what is kept in the catalogue.

    The same catalogue state and config give the same bytes; a pack that is up to date is left
    alone. Raises DataError when nothing is chosen or a chosen picture is missing in the store.
    """
    target = folder / f"{config.name}.h5"
    manifest = folder / f"{config.name}.manifest.json"
    refresh_edges(catalog)  # which may take minutes, and keeps nobody waiting here
    with catalog.transaction():  # one state of the catalogue, whoever else is at work
        refresh_edges(catalog)
        chosen = _choose(catalog, config)
        event_id = catalog.judgements.last_event_id()
        decision_id = catalog.judgements.pairs.last_id()
    selection = _selection_hash(chosen, config)
    done = _up_to_date(target, manifest, selection)
    if done is None:
        blocks = _prepared_blocks(store, chosen.provenance, config)
        digest = write_pack(
            target,
            blocks,
            np.array([fact.label for fact in chosen.provenance], np.int64),
            chosen.label_names,
            chosen.provenance,
            to_mapping(config),
            captions=chosen.captions,
            event_id=event_id,
        )
        state = {"event_id": event_id, "pair_decision_id": decision_id}
        atomic_file.write_json(manifest, _manifest(chosen, config, selection, digest, state))
    else:
        digest = done
    return PackResult(target, digest, done is None, _by_split(chosen), _by_class(chosen))


def _choose(catalog: Catalog, config: PackConfig) -> _Chosen:
    selection = select(catalog, config)
    ids = [one.id for one in selection.pictures]
    if not ids:
        counts = catalog.images.counts("status") or {"no pictures": 0}
        have = ", ".join(f"{n} {status}" for status, n in counts.items())
        raise DataError(
            f"nothing to pack: the catalogue has {have}, wanted {'/'.join(config.statuses)}; "
            "judge pictures first (make curate) or widen statuses, labels or licences"
        )
    found = catalog.images.records(ids)
    records = [found[image_id] for image_id in ids]
    names = sorted({record.label for record in records if record.label})
    origins, captions = catalog.images.origins_of(ids), _all_captions(catalog, ids)
    phashes = catalog.images.hash_texts(PHASH)
    facts = []
    for record in records:
        origin = best_origin(origins.get(record.id, []))
        texts = captions.get(record.id, [])
        facts.append(
            Provenance(
                image_id=record.id,
                label=names.index(record.label) if record.label else -1,
                caption=best_caption(texts),
                **{k: getattr(origin, k) for k in Origin.__dataclass_fields__},
                sha256=record.sha256,
                phash=phashes.get(record.id, ""),
                original_format=record.format,
                original_width=record.width,
                original_height=record.height,
                stars=record.stars,
                group=selection.group_of[record.id],
                split=selection.split_of[record.id],
            )
        )
    order = _row_order(facts, config.seed)
    ordered = [replace(facts[place], row=row) for row, place in enumerate(order)]
    sha_of = {record.id: record.sha256 for record in records}
    further = _handed(catalog.handover.origins_of(ids), sha_of)
    return _Chosen(
        ordered,
        [captions.get(fact.image_id, []) for fact in ordered],
        names,
        {
            sha_of[image_id]: sorted({origin.page_url or origin.url for origin in handed})
            for image_id, handed in further.items()
        },
    )


def _all_captions(catalog: Catalog, ids: Sequence[int]) -> dict[int, list[Caption]]:
    """The captions of each picture, its own first, then those that its duplicates hand over."""
    found = catalog.images.captions_of(ids)
    for image_id, handed in _handed(catalog.handover.captions_of(ids), set(ids)).items():
        found.setdefault(image_id, []).extend(handed)
    return found


def _handed(
    found: Mapping[int, Sequence[tuple[int, T]]], packed: Container[int]
) -> dict[int, list[T]]:
    """What duplicates hand over, but for those that are packed and so have a row of their own."""
    kept = {
        image_id: [fact for giver, fact in handed if giver not in packed]
        for image_id, handed in found.items()
    }
    return {image_id: facts for image_id, facts in kept.items() if facts}


def _row_order(facts: Sequence[Provenance], seed: int) -> list[int]:
    """A fixed shuffle inside each split, training rows first and held-out rows last."""
    shuffled = np.random.default_rng(seed).permutation(len(facts)).tolist()
    return sorted(shuffled, key=lambda place: SPLITS.index(facts[place].split))


def _prepared_blocks(
    store: ImageStore, facts: Sequence[Provenance], config: PackConfig
) -> Iterator[NDArray[np.uint8]]:
    """Blocks (n, 3, size, size) in order of rows; decoding runs in threads, order is kept."""

    def one(fact: Provenance) -> Pixels:
        try:
            content = store.get(fact.sha256)
            picture = decode(content, background=config.background, limits=_ACCEPTED)
        except PipelineError as error:
            raise DataError(f"picture #{fact.image_id} cannot be packed: {error}") from error
        return prepare(picture.rgb, config)

    with ThreadPoolExecutor(2) as pool, Progress("pack", len(facts), "pictures") as progress:
        for start in range(0, len(facts), _BLOCK):
            part = facts[start : start + _BLOCK]
            block = np.stack(list(pool.map(one, part)))  # (n, H, W, 3)
            progress.advance(len(part))
            yield np.ascontiguousarray(block.transpose(0, 3, 1, 2))  # (n, 3, H, W)


def _selection_hash(chosen: _Chosen, config: PackConfig) -> str:
    content: Any = [
        to_mapping(config),
        chosen.label_names,
        [to_mapping(fact) for fact in chosen.provenance],
        [[(c.text, c.origin) for c in versions] for versions in chosen.captions],
        chosen.also_at,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _up_to_date(target: Path, manifest: Path, selection: str) -> str | None:
    """The content hash of the present pack when it was made from the same selection."""
    try:
        known = json.loads(manifest.read_text("utf-8"))
        digest = PackedDataset(target).content_hash
    except (OSError, ValueError, PipelineError):
        return None
    fresh = known.get("selection") == selection and known.get("content_hash") == digest
    return digest if fresh else None


def _manifest(
    chosen: _Chosen, config: PackConfig, selection: str, digest: str, state: dict[str, int]
) -> dict[str, Any]:
    return {
        "pack": f"{config.name}.h5",
        "content_hash": digest,
        "selection": selection,
        **state,
        "config": to_mapping(config),
        "rows": len(chosen.provenance),
        "splits": _by_split(chosen),
        "classes": _by_class(chosen),
        "licences": _tally(fact.licence for fact in chosen.provenance),
        "also_at": chosen.also_at,
    }


def _by_split(chosen: _Chosen) -> dict[str, int]:
    return _tally(fact.split for fact in chosen.provenance)


def _by_class(chosen: _Chosen) -> dict[str, int]:
    names = [*chosen.label_names, "(no label)"]
    return _tally(names[fact.label] for fact in chosen.provenance)


def _tally(values: Iterator[str] | Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items()))
