"""WebDataset: tars of samples, a key each, with a picture, its text, its facts and its class."""

import hashlib
import json
import logging
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dataset.command_line import printable
from dataset.errors import ConfigError, DataError
from dataset.imports.collection import (
    Batch,
    Collection,
    LabelBook,
    Summary,
    in_parts,
    said,
    split_code,
)
from dataset.imports.folder import captions_of, facts_of, is_plain, read_member, readable_tar
from dataset.provenance import SPLITS
from dataset.records import Caption
from dataset.wording import LONGEST_CAPTION

log = logging.getLogger(__name__)

_PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "ico", "svg")
_TEXTS = ("txt", "text", "caption")
_NOTES = (*_TEXTS, "json", "cls")
_MOST_NOTE_BYTES = 1 << 20
_MOST_SHARDS = 100_000
_BATCH = 64

_Sample = dict[str, bytes]  # by ending, with dots


class WebDatasetCollection(Collection):
    """Samples of one or more shards, `{000..009}` and `*` allowed; read as a stream.

    A sample is of members that follow one another: `key.jpg`, `key.txt`, `key.json`, `key.cls`.
    Samples without a picture are counted; DataError for a key that comes twice in a shard and for
    names that lead outside.
    """

    grows = True

    def __init__(self, path: Path) -> None:
        super().__init__(path, "webdataset")
        self._shards = shards_of(path)
        first = self._shards[0]
        with readable_tar(first), tarfile.open(first, "r|*"):
            pass  # what is no tar is told before anything is made ready for it

    def batches(self) -> Iterator[Batch]:
        book = LabelBook(self.label_names)
        for samples in in_parts(self._samples(), _BATCH):
            facts, labels, contents, captions, splits = [], [], [], [], []
            for url, shard_split, sample in samples:
                content = next((sample[e] for e in _PICTURES if e in sample), b"")
                notes = _notes(sample)
                facts.append(facts_of(url, notes))
                labels.append(book.number(_label(sample, notes)))
                contents.append(content)
                captions.append(_captions(sample, notes))
                code = split_code(said(notes, "split"))
                splits.append(code if code >= 0 else shard_split)
            yield Batch(
                facts=facts,
                labels=np.array(labels, np.int64),
                contents=contents,
                captions=captions,
                splits=np.array(splits, np.int8),
            )

    def summary(self) -> Summary:
        """Classes and splits are known once everything was read, and so they are here."""
        labels, splits = Counter[int](), Counter[int]()
        for batch in self.batches():
            labels.update(batch.labels.tolist())
            splits.update([] if batch.splits is None else batch.splits.tolist())
        names = [*self.label_names, ""]
        classes = {names[number]: count for number, count in labels.items()}
        return Summary(
            pictures=labels.total(),
            classes=dict(sorted(classes.items())),
            splits={SPLITS[code]: count for code, count in sorted(splits.items()) if code >= 0},
        )

    def _samples(self) -> Iterator[tuple[str, int, _Sample]]:
        """Address, split (from the shard's name) and parts of every sample with a picture."""
        for shard in self._shards:
            shard_split = split_code(re.split(r"[-_.\d]", shard.name)[0])
            for key, sample in _shard_samples(shard):
                if any(ending in sample for ending in _PICTURES):
                    yield f"webdataset:{shard.name}#{key}", shard_split, sample
                    continue
                if "no-picture" not in self.rejected:
                    log.warning("%s: %s has no picture; such samples are left out", shard, key)
                self.reject("no-picture")


def shards_of(path: Path) -> list[Path]:
    """The shards that a path with `{000..009}`, `{a,b}` or `*` names, in order; of a folder its
    tars. Raises ConfigError when there is none, or one of a list is missing."""
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.name.endswith((".tar", ".tar.gz", ".tgz")))
    elif path.is_file():
        found = [path]
    else:
        found = []
        for name in _expanded(str(path)):
            place = Path(name)
            if "*" in name or "?" in name:
                found += sorted(place.parent.glob(place.name))
            elif place.is_file():
                found.append(place)
            else:
                raise ConfigError(f"no shard at {name}; check the path")
    if not found:
        raise ConfigError(f"no tars at {path}; check the path")
    return found


def _expanded(text: str) -> list[str]:
    parts = re.split(r"\{([^{}]*)\}", text)
    choices = [[part] if place % 2 == 0 else _choices(part) for place, part in enumerate(parts)]
    total = 1
    for those in choices:
        total *= len(those)
    if total > _MOST_SHARDS:
        raise ConfigError(f"{text} names {total} shards; the most is {_MOST_SHARDS}")
    return ["".join(chosen) for chosen in product(*choices)]


def _choices(part: str) -> list[str]:
    bounds = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", part)
    if bounds is None:
        return part.split(",")
    first, last = bounds.groups()
    if int(last) - int(first) >= _MOST_SHARDS:
        raise ConfigError(f"{{{part}}} names too many shards; the most is {_MOST_SHARDS}")
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]


def _shard_samples(shard: Path) -> Iterator[tuple[str, _Sample]]:
    """Every sample of a shard by key, in order; parts nobody asks for are passed over."""
    seen: set[int] = set()
    key, sample = "", _Sample()
    with readable_tar(shard), tarfile.open(shard, "r|*") as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # or a large tar would fill the memory
            if not member.isfile():
                continue
            name, ending = _parted(member.name, shard)
            if name != key:
                if sample:
                    yield key, sample
                key, sample = name, _Sample()
                mark = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
                if mark in seen:
                    raise DataError(
                        f"{shard} holds the key {printable(name)} twice; keep one of them"
                    )
                seen.add(mark)
            if ending in sample:
                raise DataError(f"{shard} holds {printable(member.name)} twice; keep one of them")
            if ending in _NOTES and member.size > _MOST_NOTE_BYTES:
                raise DataError(f"{shard}: {printable(member.name)} is over 1 MB; it is no caption")
            wanted = ending in _NOTES or (ending in _PICTURES and is_plain(member))
            sample[ending] = read_member(tar, member) if wanted else b""
    if sample:
        yield key, sample


def _parted(name: str, shard: Path) -> tuple[str, str]:
    """Key and ending of a member: the file's name is cut at its first dot."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise DataError(f"{shard}: the name {printable(name)} leads outside; make the tar anew")
    stem, _, ending = path.name.partition(".")
    key = (path.parent / stem).as_posix() if stem else path.as_posix()
    return key.encode("utf-8", "replace").decode(), ending.lower()


def _notes(sample: _Sample) -> dict[str, Any]:
    """What the JSON of a sample says; nothing when it is none."""
    try:
        notes = json.loads(sample.get("json", b"{}"))
    except (ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _label(sample: _Sample, notes: dict[str, Any]) -> str:
    """The class by its name in the JSON, else what stands in `.cls`; -1 is none."""
    written = sample.get("cls", b"").decode("utf-8", "replace").replace("\0", "").strip()
    return said(notes, "label_name", "class_name") or (written if written != "-1" else "")


def _captions(sample: _Sample, notes: dict[str, Any]) -> list[Caption]:
    found: dict[str, Caption] = {}
    listed = notes.get("captions")
    for one in listed[:100] if isinstance(listed, list) else []:
        if isinstance(one, dict) and (text := said(one, "text")):
            found.setdefault(text, Caption(text=text, origin=said(one, "origin")[:80] or "json"))
    for ending in _TEXTS:
        text = sample.get(ending, b"").decode("utf-8", "replace").replace("\0", "").strip()
        if text[:LONGEST_CAPTION]:
            found.setdefault(text, Caption(text=text[:LONGEST_CAPTION], origin="txt"))
    for caption in captions_of(notes, "json"):
        found.setdefault(caption.text, caption)
    return list(found.values())
