"""What a card tells of the rows of a pack, gathered in one pass that keeps a few bytes a row."""

import hashlib
import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.packables import UNKNOWN_LICENCES
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS, Provenance

_MOST_DISTINCT = 20_000
_LINES = 12
UNKNOWN = "unknown"


class Tally:
    """Counts values; after 20,000 distinct ones all new ones count together as `others`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.others = 0

    def add(self, value: str) -> None:
        if value in self.counts:
            self.counts[value] += 1
        elif len(self.counts) < _MOST_DISTINCT:
            self.counts[value] = 1
        else:
            self.others += 1

    def top(self, most: int | None = None) -> list[tuple[str, int]]:
        """The most frequent values; equal counts in order of the values."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:most]

    def __len__(self) -> int:
        return len(self.counts)


class Distinct:
    """How many different texts there are; 8 bytes a text."""

    def __init__(self) -> None:
        self._hashes = array("Q")

    def add(self, text: str) -> None:
        if text:
            digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
            self._hashes.append(int.from_bytes(digest, "little"))

    def count(self) -> int:
        return len(np.unique(np.frombuffer(self._hashes, np.uint64))) if self._hashes else 0


@dataclass
class LicenceFacts:
    """One licence: its pictures, authors, address and the lines that credit the first of them."""

    pictures: int = 0
    authors: Distinct = field(default_factory=Distinct)
    anonymous: int = 0
    url: str = ""
    examples: list[Provenance] = field(default_factory=list)

    def add(self, fact: Provenance) -> None:
        self.pictures += 1
        self.authors.add(fact.author)
        self.anonymous += not (fact.author or fact.attribution)
        self.url = self.url or fact.licence_url
        if len(self.examples) < _LINES:
            self.examples.append(fact)


@dataclass
class RowFacts:
    """What the rows of a pack say together. Times are the first and the last one known."""

    licences: dict[str, LicenceFacts] = field(default_factory=dict)
    sources: Tally = field(default_factory=Tally)
    queries: Tally = field(default_factory=Tally)
    hosts: Tally = field(default_factory=Tally)
    distinct_hosts: Distinct = field(default_factory=Distinct)
    scripts: Tally = field(default_factory=Tally)
    formats: Tally = field(default_factory=Tally)
    pages: Distinct = field(default_factory=Distinct)
    first: str = ""
    last: str = ""
    without_caption: int = 0
    without_address: int = 0

    def add(self, fact: Provenance) -> None:
        self._licence(fact).add(fact)
        self.sources.add(fact.source)
        host = host_of(fact.page_url or fact.url)
        self.hosts.add(host)
        self.distinct_hosts.add(host)
        self.formats.add(fact.original_format)
        self.pages.add(fact.page_url)
        if fact.query:
            self.queries.add(fact.query)
        if fact.caption.strip():
            self.scripts.add(script_of(fact.caption))
        else:
            self.without_caption += 1
        self.without_address += not (fact.url or fact.page_url)
        if fact.fetched_at:
            self.first = min(self.first or fact.fetched_at, fact.fetched_at)
            self.last = max(self.last, fact.fetched_at)

    def _licence(self, fact: Provenance) -> LicenceFacts:
        """Of more licences than one can read, those that come late share one entry."""
        name = UNKNOWN if fact.licence in UNKNOWN_LICENCES else fact.licence
        if name not in self.licences and len(self.licences) >= _MOST_DISTINCT // 100:
            name = "further licences"
        return self.licences.setdefault(name, LicenceFacts())


@dataclass(frozen=True)
class ColumnFacts:
    """What the columns of numbers say: pictures by class, -1 among them, and by split and class;
    groups of near-duplicates and their pictures; originals smaller than the pack's size."""

    by_class: dict[int, int]
    by_split: dict[str, dict[int, int]]
    groups: int
    grouped: int
    upscaled: int
    measured: int
    rated: int
    starred: int
    votes: int


def column_facts(packed: PackedDataset) -> ColumnFacts:
    """Read from the columns at once: a few megabytes for a million rows."""
    width, height = packed.column("original_width"), packed.column("original_height")
    groups = packed.column("group")
    sizes = np.unique(groups[groups > 0], return_counts=True)[1]  # 0 is no group
    shared = sizes[sizes > 1]
    longest = np.maximum(width, height)
    return ColumnFacts(
        by_class=_counted(packed.labels),
        by_split={split: _counted(packed.labels[packed.rows(split)]) for split in SPLITS},
        groups=len(shared),
        grouped=int(shared.sum()),
        upscaled=int(((longest > 0) & (longest < max(packed.height, packed.width))).sum()),
        measured=int((longest > 0).sum()),
        rated=int(np.isfinite(packed.column("rating")).sum()),
        starred=int((packed.column("stars") > 0).sum()),
        votes=int(packed.column("votes").sum()),
    )


def host_of(url: str) -> str:
    """The host of an address without its port and "www.", "" for anything else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.") if parts.scheme in ("http", "https") else ""


def script_of(text: str) -> str:
    """The script of a text's first letter, such as Latin, as Unicode names it."""
    letters: Iterator[str] = (letter for letter in text if letter.isalpha())
    name = unicodedata.name(next(letters, " "), "")
    first = name.partition(" ")[0].partition("-")[0] if name != "SPACE" else ""
    return first if first == "CJK" else first.capitalize() or "no letters"


def _counted(labels: NDArray[np.int64]) -> dict[int, int]:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
