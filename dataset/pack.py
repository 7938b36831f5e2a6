"""From the catalogue to a pack: choose, prepare, split, shuffle, write; the manifest last."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset import atomic_file
from dataset.card import Credits, table_of, write_card
from dataset.card_facts import UNKNOWN
from dataset.catalog import Catalog
from dataset.config import to_mapping
from dataset.errors import DataError, PipelineError
from dataset.fingerprint import FINGERPRINT
from dataset.image_store import ImageStore
from dataset.likeness import LIKENESS, refresh_edges
from dataset.pack_decoding import SLOTS, Decoders, processors
from dataset.pack_filters import nothing_left
from dataset.pack_rows import PackRows, RowBlock, SelectionHash
from dataset.pack_selection import PackConfig, Selection, select
from dataset.pack_writer import Block, PackHead, remove_all_stale, rows_at_once, write_blocks
from dataset.packed import SCHEMA, PackedDataset
from dataset.progress import Progress
from dataset.split_keys import licence_codes
from dataset.vectors import Vectors

log = logging.getLogger(__name__)

# Another one when the same selection comes out otherwise: packs of the former are made anew.
LAYOUT = f"{SCHEMA}/3"
CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}
# So few pictures are decoded before a process would have started.
_FEW = 64
_MOST_LOOKS = 3


@dataclass(frozen=True)
class PackResult:
    """What `pack` did: `fresh` is False when the pack was up to date already. Pictures by split,
    by class and by licence (of a pack that was up to date, as its manifest tells)."""

    path: Path
    content_hash: str
    fresh: bool
    counts: dict[str, int]
    classes: dict[str, int]
    licences: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PackForecast:
    """What `pack` would take: pictures by class and split, and by licence; `problem` says why it
    would refuse to."""

    classes: dict[str, dict[str, int]]
    licences: dict[str, int]
    splits: dict[str, int]
    problem: str = ""


def pack(
    catalog: Catalog,
    store: ImageStore,
    folder: Path,
    config: PackConfig,
    *,
    workers: int | None = None,
) -> PackResult:
    """Write packs/NAME.h5, NAME.card.md and NAME.manifest.json from what is kept in the catalogue.

    The same catalogue state and config give the same bytes on any number of `workers` (processes;
    None: as many as the machine has); a pack that is up to date is left alone. Reads one state of
    the catalogue, and keeps nobody waiting who judges meanwhile. Raises DataError when nothing is
    chosen, when a split would be empty and when a chosen picture is missing in the store or
    cannot be decoded; then nothing is written.
    """
    vectors = Vectors(Path(config.embeddings)) if config.embeddings else None
    with ExitStack() as stack:
        decoders = _decoders(catalog, store, config, workers)
        if not (folder / f"{config.name}.manifest.json").exists():
            stack.enter_context(decoders)  # processes start while the pictures are chosen
        stack.enter_context(_compared(catalog))
        selection = select(catalog, config)
        problem = _problem(catalog, config, selection)
        if problem:
            raise DataError(problem)
        if vectors is not None:
            _check_vectors(vectors, selection)
        making = _Making(catalog, store, folder, config, selection, vectors)
        remove_all_stale(folder)
        done = making.up_to_date()
        return done or making.make(decoders)


def forecast(catalog: Catalog, config: PackConfig) -> PackForecast:
    """What `pack` would take now, of the likes that are known; decodes and writes nothing. Raises
    what `pack` does for embeddings that cannot be read or are of other pictures."""
    vectors = Vectors(Path(config.embeddings)) if config.embeddings else None
    with catalog.snapshot():
        if catalog.edges.has_unjoined(FINGERPRINT, LIKENESS):
            log.warning("new pictures were not compared yet; packing does so, and splits may move")
        selection = select(catalog, config)
        if vectors is not None and len(selection):
            _check_vectors(vectors, selection)
        ids = np.sort(selection.id)
        codes, names = licence_codes(catalog, ids, config.licences)
        counts = np.bincount(codes, minlength=len(names)).tolist()
        return PackForecast(
            classes=selection.classes(),
            licences={n: k for n, k in sorted(zip(names, counts, strict=True)) if k},
            splits=selection.splits,
            problem=_problem(catalog, config, selection),
        )


def _decoders(
    catalog: Catalog, store: ImageStore, config: PackConfig, workers: int | None
) -> Decoders:
    if workers is None:
        counts = catalog.images.counts("status")
        most = sum(counts.get(status, 0) for status in config.statuses)
        workers = processors() if most > _FEW else 0
    shape = _shape(config)
    return Decoders(store.root, config, shape, rows_at_once(shape), workers)


def _shape(config: PackConfig) -> tuple[int, int, int]:
    return (CHANNELS[config.channels], config.size, config.size)


@contextmanager
def _compared(catalog: Catalog) -> Iterator[None]:
    """One state of the catalogue in which all pictures have been compared. Those that come again
    and again while others are compared wait for the next pack."""
    for _ in range(_MOST_LOOKS):
        refresh_edges(catalog)  # which may take minutes, and keeps nobody waiting
        with catalog.snapshot():
            if not catalog.edges.has_unjoined(FINGERPRINT, LIKENESS):
                yield
                return
    log.warning("pictures came faster than they were compared; pack again when that is over")
    with catalog.snapshot():
        yield


def _problem(catalog: Catalog, config: PackConfig, selection: Selection) -> str:
    """Why no pack can be made of the selection; "" when one can."""
    if not len(selection):
        return nothing_left(
            catalog,
            statuses=config.statuses,
            labels=config.labels,
            licences=config.licences,
            least=config.min_per_class,
        )
    if selection.empty:
        names = " and ".join(selection.empty)
        settings = " ".join(f"--set {name}=0" for name in selection.empty)
        unit = "group of likes" if config.split_by == "group" else config.split_by
        return (
            f"split {names} would be empty: no {unit} can be spared (pictures: {len(selection)}); "
            f"keep more pictures or do without ({settings})"
        )
    if selection.alone and config.split_by == "group":
        names = ", ".join(selection.alone[:6]) + (" ..." if len(selection.alone) > 6 else "")
        log.warning("nothing is held back of classes with a single group, which trains: %s", names)
    return ""


def _check_vectors(vectors: Vectors, selection: Selection) -> None:
    """Raises DataError when no picture has a vector; says so when some have none."""
    known, count = vectors.count(selection.sha256), len(selection)
    if not known:
        raise DataError(
            f"embeddings {vectors.path} are of other pictures: none of the {count} pictures has a "
            "vector there; make them of this catalogue's files"
        )
    if known < count:
        log.warning("%d of %d pictures have no vector in %s", count - known, count, vectors.path)


class _Making:
    """One pack on its way from a selection to its files, within one state of the catalogue."""

    def __init__(
        self,
        catalog: Catalog,
        store: ImageStore,
        folder: Path,
        config: PackConfig,
        selection: Selection,
        vectors: Vectors | None,
    ) -> None:
        self._catalog, self._store, self._config = catalog, store, config
        self._selection, self._vectors = selection, vectors
        self._target = folder / f"{config.name}.h5"
        self._manifest = folder / f"{config.name}.manifest.json"
        self._card = folder / f"{config.name}.card.md"
        self._rows = PackRows(catalog, selection, config.seed, config.licences)
        self._event_id = catalog.judgements.last_event_id()
        self._licences: Counter[str] = Counter()
        self._also_at: dict[str, list[str]] = {}
        self._hash = self._new_hash()

    def up_to_date(self) -> PackResult | None:
        """The present pack when it was made from the same."""
        try:
            known = json.loads(self._manifest.read_text("utf-8"))
            digest = PackedDataset(self._target).content_hash
        except (OSError, ValueError, PipelineError):
            return None
        same = {"content_hash": digest, "layout": LAYOUT, **self._counts()}
        same["config"] = to_mapping(self._config)
        if not (self._card.is_file() and table_of(self._card).is_file()):
            return None
        if any(known.get(k) != value for k, value in same.items()):
            return None
        found = self._new_hash()
        with Progress("compare with the pack there is", len(self._rows), "rows") as progress:
            for block in self._rows.blocks():
                found.update(block)
                progress.advance(len(block.facts))
        if known.get("selection") != found.hexdigest():
            return None
        return self._result(digest, fresh=False, licences=dict(known.get("licences", {})))

    def make(self, decoders: Decoders) -> PackResult:
        """Write all files of the pack; the manifest last."""
        config = self._config
        head = PackHead(
            count=len(self._rows),
            shape=_shape(config),
            label_names=self._selection.label_names,
            config=to_mapping(config),
            event_id=self._event_id,
            embeddings={self._vectors.name: self._vectors.length} if self._vectors else {},
            has_originals=config.originals,
        )
        cuts = self._rows.cuts(head.block_rows, with_originals=config.originals)
        with (
            Credits(self._card) as credited,
            decoders,
            Progress("pack", len(self._rows), "pictures") as progress,
        ):
            blocks = self._blocks(cuts, decoders, credited, progress)
            digest = write_blocks(self._target, head, blocks)
        told = self._told(digest)
        packed = PackedDataset(self._target)
        write_card(packed, self._catalog, told, self._card, credited.facts)
        atomic_file.write_json(self._manifest, told)
        return self._result(digest, fresh=True, licences=told["licences"])

    def _blocks(
        self,
        cuts: list[tuple[int, int]],
        decoders: Decoders,
        credited: Credits,
        progress: Progress,
    ) -> Iterator[Block]:
        for number in range(SLOTS - 1):
            self._order(decoders, number, cuts)
        following = self._read(cuts, credited)
        ahead = next(following)
        for number, (start, stop) in enumerate(cuts):
            self._order(decoders, number + SLOTS - 1, cuts)
            # Read one block ahead: the decoders are at work, and all is done when they are.
            block, ahead = ahead, next(following, ahead)
            more: dict[str, Any] = {"captions": block.captions}
            if self._config.originals:
                more["originals"] = [self._store.get(fact.sha256) for fact in block.facts]
            if self._vectors is not None:
                digests = self._selection.sha256[self._rows.order[start:stop]]
                more["embeddings"] = {self._vectors.name: self._vectors.of(digests)}
            data = decoders.wait(number)
            yield Block.of(data, block.facts, **more)
            progress.advance(stop - start)

    def _read(self, cuts: list[tuple[int, int]], credited: Credits) -> Iterator[RowBlock]:
        for start, stop in cuts:
            block = self._rows.read(start, stop)
            self._note(block)
            credited.add(block.facts)
            yield block

    def _order(self, decoders: Decoders, number: int, cuts: list[tuple[int, int]]) -> None:
        if number < len(cuts):
            places = self._rows.order[slice(*cuts[number])]
            decoders.order(number, self._selection.id[places], self._selection.sha256[places])

    def _note(self, block: RowBlock) -> None:
        self._hash.update(block)
        self._licences.update(fact.licence or UNKNOWN for fact in block.facts)
        self._also_at.update(block.also_at)

    def _new_hash(self) -> SelectionHash:
        vectors = self._vectors.sha256 if self._vectors else ""
        config, names = to_mapping(self._config), self._selection.label_names
        return SelectionHash([LAYOUT, config, names, vectors])

    def _counts(self) -> dict[str, Any]:
        return {
            "rows": len(self._rows),
            "splits": dict(sorted(self._selection.splits.items())),
            "classes": {
                name: sum(splits.values()) for name, splits in self._selection.classes().items()
            },
        }

    def _told(self, digest: str) -> dict[str, Any]:
        return {
            "pack": self._target.name,
            "content_hash": digest,
            "layout": LAYOUT,
            "selection": self._hash.hexdigest(),
            "event_id": self._event_id,
            "pair_decision_id": self._catalog.judgements.pairs.last_id(),
            "config": to_mapping(self._config),
            **self._counts(),
            "licences": dict(sorted(self._licences.items())),
            "also_at": self._also_at,
        }

    def _result(self, digest: str, *, fresh: bool, licences: Mapping[str, int]) -> PackResult:
        counts = self._counts()
        return PackResult(
            self._target, digest, fresh, counts["splits"], counts["classes"], dict(licences)
        )
