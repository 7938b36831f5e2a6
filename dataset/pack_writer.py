"""The pack file's layout, version 1, written whole or not at all.

data               uint8 (N, C, H, W), contiguous, uncompressed; C is 1, 3 or 4
images             the same array under another name
labels/label       int64 (N,), -1 for none; attributes `names` (JSON list), `probs` (share of each)
labels/<scheme>    further classes of the same kind, such as resnet/rc_64 of an imported file
split              uint8 (N,), 0 train, 1 cal, 2 test (attribute `names`)
meta_data/names    UTF-8 (N,), one short name a picture, where readers of LLD look for it
provenance/<name>  one column a fact (dataset/provenance.py lists them)
captions/text, captions/origin, captions/offsets   all captions; row i has offsets[i]:offsets[i+1]
encoded/blob, encoded/offsets      the original files, if asked for; row i as above
embeddings/<name>  float32 (N, D), if asked for
stats/mean, stats/deviation        float64 (C,), of the training rows, in 0..1
checks/data        uint8 (B, 32), SHA-256 of each `rows` rows of data
checks             attribute `columns`: the digest of every column, JSON
(past the end)      a checksum of all but data (dataset/pack_trailer.py); HDF5 does not see it
root attributes    schema, created_by, made_with, config, event_id, counts, cal_seal, content_hash
"""

import glob
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import PIL
from numpy.typing import NDArray

from dataset.atomic_file import atomic_path
from dataset.pack_blocks import Block, PackHead
from dataset.pack_columns import (
    Column,
    NumberColumn,
    PictureColumn,
    RaggedBytes,
    RaggedText,
    TextColumn,
    combined_hash,
)
from dataset.pack_measure import rows_at_once
from dataset.pack_opening import SCHEMA
from dataset.pack_room import require_room, throw_away, told_by_number
from dataset.pack_trailer import write_trailer
from dataset.provenance import NUMBER_COLUMNS, REAL_COLUMNS, SPLITS, TEXT_COLUMNS, Provenance
from dataset.records import Caption

__all__ = [
    "Block",
    "PackHead",
    "remove_all_stale",
    "remove_stale",
    "rows_at_once",
    "write_blocks",
    "write_pack",
]

# An attribute holds 64 KiB: beyond that the shares are left to the reader's counting.
_MOST_PROBS = 8000
# As dataset/atomic_file.py names what is on its way: file, thread, process.
_PARTIAL = re.compile(r"\..+\.[0-9]+\.[0-9]+\.partial", re.DOTALL)


def write_blocks(path: Path, head: PackHead, blocks: Iterable[Block]) -> str:
    """Write a pack from blocks in order and return its content hash (SHA-256, hexadecimal).

    The same arguments, cut alike, give the same bytes; cut otherwise, the same content hash. A
    block is done with when the next one is asked for, so its arrays may be used again.
    Nothing but `path` is written, and that whole or not at all. Raises ValueError when the blocks
    do not add up to `head`.
    """
    remove_stale(path)
    with atomic_path(path) as partial:
        require_room(path.parent, 0)
        with told_by_number(), _Writer(partial, head) as writer:
            for block in blocks:
                require_room(path.parent, block.data.nbytes + sum(map(len, block.originals)))
                writer.append(block)
            digest = writer.finish()
        write_trailer(partial, *writer.place)
        return digest


def write_pack(
    path: Path,
    data: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    provenance: Sequence[Provenance],
    config: Mapping[str, Any],
    *,
    captions: Sequence[Sequence[Caption]] = (),
    event_id: int = 0,
    splits: NDArray[np.uint8] | None = None,
) -> str:
    """Write a pack from arrays and return its content hash.

    `data` is (N, C, H, W) uint8 or parts of it in order; labels (N,) index `label_names` or are
    -1; without provenance the splits are `splits` (N,), or all rows train.
    """
    if splits is None:
        of_facts = (SPLITS.index(fact.split) for fact in provenance)
        splits = np.fromiter(of_facts, np.uint8) if provenance else np.zeros(len(labels), np.uint8)

    def blocks() -> Iterator[Block]:
        start = 0
        for part in parts:
            rows = slice(start, start + len(part))
            yield Block(
                data=part,
                labels=np.asarray(labels[rows], np.int64),
                splits=splits[rows],
                facts=provenance[rows],
                captions=captions[rows],
            )
            start += len(part)

    parts = _cut(data) if isinstance(data, np.ndarray) else iter(data)
    first = next(parts, None)
    if first is None:
        raise ValueError("no pictures, and so no shape of a picture")
    parts = chain((first,), parts)
    head = PackHead(
        count=len(labels),
        shape=first.shape[1:],
        label_names=label_names,
        config=config,
        event_id=event_id,
    )
    return write_blocks(path, head, blocks())


class _Writer:
    """A pack that is being written, column by column; pictures are written and hashed
    beside that."""

    def __init__(self, path: Path, head: PackHead) -> None:
        self._head, self._path, self._row = head, path, 0
        self._file = h5py.File(path, "w")
        self._beside = ThreadPoolExecutor(2, "pictures")
        count, file = head.count, self._file
        self._pictures = PictureColumn(file, path, count, head.shape)
        file["images"] = file["data"]
        labels = {"label": head.label_names, **head.schemes}
        self._labels = {
            name: NumberColumn(file, f"labels/{name}", count, np.int64) for name in labels
        }
        self._split = NumberColumn(file, "split", count, np.uint8)
        self._names = TextColumn(file, "meta_data/names", count)
        self._texts = {n: TextColumn(file, f"provenance/{n}", count) for n in TEXT_COLUMNS}
        self._numbers = {
            name: NumberColumn(file, f"provenance/{name}", count, np.int64)
            for name in NUMBER_COLUMNS
        }
        self._reals = {
            name: NumberColumn(file, f"provenance/{name}", count, np.float64, fill=np.nan)
            for name in REAL_COLUMNS
        }
        self._sha256 = NumberColumn(file, "provenance/sha256", count, np.uint8, width=32)
        self._phash = NumberColumn(file, "provenance/phash", count, np.uint64)
        self._captions = RaggedText(file, "captions", ("text", "origin"), count)
        self._originals = RaggedBytes(file, "encoded", count) if head.has_originals else None
        self._embeddings = {
            name: NumberColumn(file, f"embeddings/{name}", count, np.float32, width=length)
            for name, length in head.embeddings.items()
        }
        self._counts: dict[str, dict[str, int]] = {"split": {}, "licence": {}}
        self._histograms = {name: np.zeros(len(names), np.int64) for name, names in labels.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._beside.shutdown(wait=True)
        self._pictures.close()
        if kind is not None:
            throw_away(self._file)
            return
        self._file.close()

    def append(self, block: Block) -> None:
        head, n = self._head, len(block.data)
        self._check(block)
        data = np.ascontiguousarray(block.data, np.uint8)
        measured = self._beside.submit(self._pictures.measured.update, data, block.splits)
        written = self._beside.submit(self._pictures.write, self._row, data)
        for name, column in self._labels.items():
            values = block.labels if name == "label" else block.schemes[name]
            column.append(values)
            known = values[values >= 0]
            self._histograms[name] += np.bincount(known, minlength=len(self._histograms[name]))
        self._split.append(block.splits)
        self._append_facts(block.facts, n)
        self._captions.append(
            [[(c.text, c.origin) for c in versions] for versions in block.captions], n
        )
        if self._originals is not None:
            self._originals.append(block.originals, n)
        for name in head.embeddings:
            self._embeddings[name].append(block.embeddings[name])
        self._count("split", [SPLITS[code] for code in block.splits.tolist()])
        self._row += n
        written.result()
        measured.result()

    @property
    def place(self) -> tuple[int, int]:
        """Where the pictures start in the file, and how many bytes they have."""
        return self._pictures.offset, self._head.count * int(np.prod(self._head.shape))

    def finish(self) -> str:
        """Write what is known only at the end; returns the content hash."""
        head, file = self._head, self._file
        if self._row != head.count:
            raise ValueError(f"{self._row} pictures for {head.count} rows")
        self._pictures.finish()
        names = {"label": head.label_names, **head.schemes}
        for name, column in self._labels.items():
            histogram = self._histograms[name].astype(np.float64)
            column.dataset.attrs["names"] = json.dumps(list(names[name]), ensure_ascii=False)
            if len(histogram) <= _MOST_PROBS:
                column.dataset.attrs["probs"] = histogram / max(histogram.sum(), 1.0)
        file["split"].attrs["names"] = json.dumps(SPLITS)
        digests = {column.name: column.digest() for column in self._columns()}
        digest = combined_hash(file, digests)
        told = {name: found.hex() for name, found in digests.items()}
        file["checks"].attrs["columns"] = json.dumps(told, sort_keys=True)
        versions = {"h5py": h5py.__version__, "numpy": np.__version__, "pillow": PIL.__version__}
        file.attrs["schema"] = SCHEMA
        file.attrs["created_by"] = "Pedigree"
        file.attrs["made_with"] = json.dumps(versions, sort_keys=True)
        file.attrs["event_id"] = head.event_id
        file.attrs["config"] = json.dumps(dict(head.config), sort_keys=True)
        file.attrs["counts"] = json.dumps(self._counts, sort_keys=True)
        file.attrs["cal_seal"] = self._pictures.measured.seal()
        file.attrs["content_hash"] = digest
        file.flush()  # what cannot be written is told here, as long as it can be dealt with
        return digest

    def _columns(self) -> Iterator[Column]:
        yield self._pictures
        yield self._names
        yield from self._labels.values()
        yield from self._texts.values()
        yield from (self._split, self._sha256, self._phash)
        yield from (self._numbers | self._reals | self._embeddings).values()
        yield from self._captions.columns
        if self._originals is not None:
            yield from self._originals.columns

    def _append_facts(self, facts: Sequence[Provenance], n: int) -> None:
        if not facts:
            for text in (self._names, *self._texts.values()):
                text.skip(n)
            for number in (self._sha256, self._phash, *(self._numbers | self._reals).values()):
                number.skip(n)
            self._count("licence", ["unknown"] * n)
            return
        self._names.append([fact.caption or fact.url for fact in facts])
        for name, texts in self._texts.items():
            texts.append(list(map(attrgetter(name), facts)))
        for name, numbers in (self._numbers | self._reals).items():
            # None becomes NaN.
            numbers.append(np.array(list(map(attrgetter(name), facts)), numbers.dtype))
        digests = b"".join(bytes.fromhex(fact.sha256).ljust(32, b"\0") for fact in facts)
        self._sha256.append(np.frombuffer(digests, np.uint8).reshape(-1, 32))
        self._phash.append(np.array([int(fact.phash or "0", 16) for fact in facts], np.uint64))
        self._count("licence", [fact.licence for fact in facts])

    def _count(self, facet: str, values: Sequence[str]) -> None:
        counts = self._counts[facet]
        for value in set(values):
            counts[value] = counts.get(value, 0) + values.count(value)

    def _check(self, block: Block) -> None:
        """Raises ValueError for a block that does not fit the head."""
        n, head = len(block.data), self._head
        if block.data.shape[1:] != tuple(head.shape) or self._row + n > head.count:
            raise ValueError(
                f"a block {block.data.shape} at row {self._row} of {head.count} x {head.shape}"
            )
        schemes = {name: block.schemes.get(name, ()) for name in head.schemes}
        vectors = (block.embeddings.get(name, ()) for name in head.embeddings)
        for values in (block.labels, block.splits, *schemes.values(), *vectors):
            if len(values) != n:
                raise ValueError(f"{len(values)} labels, splits or vectors for {n} pictures")
        classes = {"label": head.label_names, **head.schemes}
        for name, labels in {**schemes, "label": block.labels}.items():
            if n and not -1 <= np.min(labels) <= np.max(labels) < len(classes[name]):
                raise ValueError(f"a label of {name} is none of its {len(classes[name])} classes")
        if n and np.max(block.splits) >= len(SPLITS):
            raise ValueError(f"a split is none of {', '.join(SPLITS)}")
        for there in (len(block.facts), len(block.captions), len(block.originals)):
            if there not in (0, n):
                raise ValueError(f"{there} facts, captions or originals for {n} pictures")


def _cut(data: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    step = rows_at_once(data.shape[1:])
    return iter([data[start : start + step] for start in range(0, max(len(data), 1), step)])


def remove_stale(path: Path) -> None:
    """Remove what killed writers of the same file left behind."""
    _remove_of_dead(path.parent.glob(f".{glob.escape(path.name)}.*.partial"))


def remove_all_stale(folder: Path) -> None:
    """Remove what killed writers of any file left behind in a folder of packs."""
    hidden = folder.glob(".*.partial")
    _remove_of_dead(path for path in hidden if _PARTIAL.fullmatch(path.name))


def _remove_of_dead(partials: Iterable[Path]) -> None:
    for partial in partials:
        writer = partial.name.removesuffix(".partial").rpartition(".")[2]
        try:
            os.kill(int(writer), 0)
        except (ProcessLookupError, ValueError, OverflowError):
            partial.unlink(missing_ok=True)
        except PermissionError:
            continue  # somebody else's process lives under that number
