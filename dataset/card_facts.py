"""What a card tells of the rows of a pack, gathered in one pass that keeps a few bytes a row."""

import hashlib
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from dataset.catalog.packables import UNKNOWN_LICENCES
from dataset.packed import PackedDataset, open_pack
from dataset.provenance import SPLITS, Provenance

_MOST_DISTINCT = 20_000
_LINES = 12
UNKNOWN = "unknown"
# A block of rows: `row`, `split`, `sha256` and the texts of their provenance, each by its name.
Columns = Mapping[str, Sequence[Any]]


class Tally:
    """Counts values; after 20,000 distinct ones all new ones count together as `others`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.others = 0

    def add(self, values: Iterable[str]) -> None:
        for value, count in Counter(values).items():
            if value in self.counts:
                self.counts[value] += count
            elif len(self.counts) < _MOST_DISTINCT:
                self.counts[value] = count
            else:
                self.others += count

    def top(self, most: int | None = None) -> list[tuple[str, int]]:
        """The most frequent values; equal counts in order of the values."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:most]

    def __len__(self) -> int:
        return len(self.counts)


class Distinct:
    """How many different texts there are; 8 bytes a text."""

    def __init__(self) -> None:
        self._hashes = array("Q")

    def add(self, texts: Iterable[str]) -> None:
        for text in {*texts} - {""}:
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

    def add(self, columns: Columns, places: Sequence[int]) -> None:
        """Take in these places of a block of rows."""
        self.pictures += len(places)
        authors, credits = columns["author"], columns["attribution"]
        self.authors.add(authors[place] for place in places)
        self.anonymous += sum(not (authors[place] or credits[place]) for place in places)
        if not self.url:
            urls = columns["licence_url"]
            self.url = next((urls[place] for place in places if urls[place]), "")
        for place in places[: _LINES - len(self.examples)]:
            fact = {name: values[place] for name, values in columns.items()}
            self.examples.append(Provenance(**fact))


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

    def add(self, columns: Columns) -> None:
        """Take in the rows that follow."""
        self._add_licences(columns)
        urls, pages, captions = columns["url"], columns["page_url"], columns["caption"]
        addresses = [page or url for page, url in zip(pages, urls, strict=True)]
        hosts = hosts_of(addresses)
        self.sources.add(columns["source"])
        self.hosts.add(hosts)
        self.distinct_hosts.add(hosts)
        self.formats.add(columns["original_format"])
        self.pages.add(pages)
        self.queries.add(filter(None, columns["query"]))
        written = [caption for caption in captions if caption.strip()]
        letters = [next(filter(str.isalpha, caption), " ") for caption in written]
        known = {letter: script_of(letter) for letter in {*letters}}
        self.scripts.add(known[letter] for letter in letters)
        self.without_caption += len(captions) - len(written)
        self.without_address += addresses.count("")
        times = [time for time in columns["fetched_at"] if time]
        if times:
            self.first = min([*times, self.first] if self.first else times)
            self.last = max([*times, self.last])

    def _add_licences(self, columns: Columns) -> None:
        licences = columns["licence"]
        name_of = {licence: self._entry(licence) for licence in dict.fromkeys(licences)}
        places_of: dict[str, list[int]] = {}
        for place, licence in enumerate(licences):
            places_of.setdefault(name_of[licence], []).append(place)
        for name, places in places_of.items():
            self.licences[name].add(columns, places)

    def _entry(self, licence: str) -> str:
        """Of more licences than one can read, those that come late share one entry."""
        name = UNKNOWN if licence in UNKNOWN_LICENCES else licence
        if name not in self.licences and len(self.licences) >= _MOST_DISTINCT // 100:
            name = "further licences"
        self.licences.setdefault(name, LicenceFacts())
        return name


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
    with open_pack(packed.path) as file:  # once: that takes as long as to read a column
        known = file["provenance"]
        longest = np.maximum(known["original_width"][:], known["original_height"][:])
        groups = known["group"][:]
        rated = int(np.isfinite(known["rating"][:]).sum())
        starred = int((known["stars"][:] > 0).sum())
        votes = int(known["votes"][:].sum())
    sizes = np.unique(groups[groups > 0], return_counts=True)[1]  # 0 is no group
    shared = sizes[sizes > 1]
    return ColumnFacts(
        by_class=_counted(packed.labels),
        by_split={split: _counted(packed.labels[packed.rows(split)]) for split in SPLITS},
        groups=len(shared),
        grouped=int(shared.sum()),
        upscaled=int(((longest > 0) & (longest < max(packed.height, packed.width))).sum()),
        measured=int((longest > 0).sum()),
        rated=rated,
        starred=starred,
        votes=votes,
    )


def host_of(url: str) -> str:
    """The host of an address without its port and "www.", "" for anything else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.") if parts.scheme in ("http", "https") else ""


def hosts_of(addresses: Sequence[str]) -> list[str]:
    """`host_of` each; what ends before the third slash is looked at once."""
    sites = ["/".join(address.split("/", 3)[:3]) for address in addresses]
    known = {site: host_of(site) for site in {*sites}}
    return [known[site] for site in sites]


def script_of(text: str) -> str:
    """The script of a text's first letter, such as Latin, as Unicode names it."""
    name = unicodedata.name(next(filter(str.isalpha, text), " "), "")
    first = name.partition(" ")[0].partition("-")[0] if name != "SPACE" else ""
    return first if first == "CJK" else first.capitalize() or "no letters"


def _counted(labels: NDArray[np.int64]) -> dict[int, int]:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
