"""Which pictures a pack takes, and to which split each of them goes."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.likeness import LARGEST_RADIUS
from dataset.pack_filters import check_labels
from dataset.pixels import Background
from dataset.provenance import SPLITS
from dataset.records import STATUSES, Status
from dataset.split_keys import SplitBy, places_of, split_keys
from dataset.splits import (
    assign_splits,
    components,
    draw,
    empty_splits,
    joined_by,
    within_limits,
)
from dataset.star_cover import DEFAULT_RADIUS, Settlement

Integers = NDArray[np.int64]
_MOST_PICTURES = 10**12
NO_LABEL = "(no label)"  # what pictures without a class are counted under


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """What goes into a pack and how it is prepared; recorded whole in the pack."""

    name: str = "main"  # the file is packs/NAME.h5
    size: int = 32  # side of the square pictures, pixels
    channels: Literal["grey", "rgb", "rgba"] = "rgb"
    fit: Literal["pad", "crop", "subject", "stretch"] = "pad"  # how a picture becomes square
    background: Background = "auto"  # under transparent pixels
    resample: Literal["box", "bilinear", "bicubic", "lanczos"] = "lanczos"
    linear_light: bool = False  # average light, not its sRGB code, when the size changes
    sharpness: float = 1.0  # 1 leaves it as it is, 0 blurs, 1.25 sharpens a little
    statuses: tuple[Status, ...] = ("keep",)  # which judgements are packed
    labels: tuple[str, ...] = ()  # only these classes; empty: all
    licences: tuple[str, ...] = ()  # only pictures with one of these licences; empty: all
    per_class: int = 0  # at most so many pictures a class, the best first; 0: all
    min_per_class: int = 0  # classes of fewer pictures are left out whole
    balance: Literal["none", "smallest"] = "none"  # smallest: of each class as many as of that
    radius: int = DEFAULT_RADIUS  # pictures this near (pHash bits) share a split
    split_by: SplitBy = "group"  # never parted beside near-duplicates; brand: by name or page
    cal: float = 0.1  # share of groups kept back to calibrate the novelty check
    test: float = 0.05  # share of groups kept back for evaluation
    seed: int = 0  # of the shuffle and the split
    originals: bool = False  # the files themselves go into the pack, too
    embeddings: str = ""  # an .npz of vectors by SHA-256 that go into the pack, too

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 512:
            raise ConfigError(f"size is {self.size}; it must be 8 to 512 pixels")
        if not (self.cal >= 0 and self.test >= 0 and self.cal + self.test <= 0.9):
            raise ConfigError("cal and test are shares: each at least 0, together at most 0.9")
        if not 0 <= self.radius <= LARGEST_RADIUS:
            raise ConfigError(f"radius is {self.radius}; it must be 0 to {LARGEST_RADIUS} bits")
        if not 0 <= self.sharpness <= 4:
            raise ConfigError(f"sharpness is {self.sharpness:g}; it must be 0 to 4 (1: unchanged)")
        if min(self.per_class, self.min_per_class, self.seed) < 0:
            raise ConfigError("per_class, min_per_class and seed must be at least 0")
        if max(self.per_class, self.min_per_class) > _MOST_PICTURES:
            raise ConfigError(f"per_class and min_per_class must be at most {_MOST_PICTURES}")
        if not self.statuses:
            raise ConfigError(f"statuses is empty; name some of {', '.join(STATUSES)}")
        _check_name(self.name)


def _check_name(name: str) -> None:
    if not name or not all(c.isalnum() or c in "-_." for c in name):
        raise ConfigError(f"name {name!r} must be letters, digits, dots, - and _")
    if name.startswith("."):
        raise ConfigError(f"name {name!r} must not begin with a dot, which hides the file")


@dataclass(frozen=True)
class Selection:
    """The pictures of a pack (n,) in order of SHA-256, as columns.

    `sha256` (n, 32) bytes; `label` places in `label_names`, -1 for none; `group` the smallest id
    of those that show the same; `split` places in SPLITS. No split parts a group, nor what
    `split_by` keeps together. `empty` are the splits that were asked for and came to nothing;
    `alone` are the classes of a single group, which trains.
    """

    id: Integers
    sha256: NDArray[np.uint8]
    label: NDArray[np.int32]
    label_names: list[str]
    group: Integers
    split: NDArray[np.uint8]
    byte_count: Integers
    empty: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.id)

    @property
    def splits(self) -> dict[str, int]:
        """Pictures by split, those that there are."""
        counts = np.bincount(self.split, minlength=len(SPLITS)).tolist()
        return {name: n for name, n in zip(SPLITS, counts, strict=True) if n}

    def classes(self) -> dict[str, dict[str, int]]:
        """Pictures by class, NO_LABEL for none, and split."""
        cells = (self.label.astype(np.int64) + 1) * len(SPLITS) + self.split
        size = (len(self.label_names) + 1) * len(SPLITS)
        table = np.bincount(cells, minlength=size).reshape(-1, len(SPLITS))
        names = [NO_LABEL, *self.label_names]
        found: dict[str, dict[str, int]] = {}
        for name, row in sorted(zip(names, table.tolist(), strict=True)):
            if any(row):  # a class may be called as none is
                held = found.get(name, {})
                found[name] = {s: n + held.get(s, 0) for s, n in zip(SPLITS, row, strict=True)}
        return found


def select(catalog: Catalog, config: PackConfig) -> Selection:
    """What `pack` would take now; decodes and writes nothing. Of pictures whose likes were not
    looked for yet (`refresh_edges`), each is a group of its own.

    Raises ConfigError for a label that no picture has.
    """
    found = _wanted(catalog, config)
    by_id = np.argsort(found.id)
    ids = found.id[by_id]
    a, b = tied_pairs(catalog, config.radius)
    pairs = [places_of(ids, ends) for ends in (a, b)]
    both = pairs[0][0] & pairs[1][0]
    a, b = (by_id[places_of(ids, ends[both])[1]] for ends in (a, b))
    c, d = same_pairs(catalog.judgements.pairs.settled(), ids)
    root = components(len(ids), np.concatenate([a, by_id[c]]), np.concatenate([b, by_id[d]]))
    group = found.id.copy()
    np.minimum.at(group, root, found.id)
    unit = root
    if config.split_by != "group":
        keys = np.zeros(len(ids), np.uint64)
        keys[by_id] = split_keys(catalog, config.split_by, ids, config.licences)
        unit = joined_by(root, keys)
    split = _splits(found, unit, config)
    return Selection(
        id=found.id,
        sha256=found.sha256,
        label=found.label,
        label_names=found.label_names,
        group=group[root],
        split=split,
        byte_count=found.byte_count,
        empty=empty_splits(split, cal=config.cal, test=config.test) if len(ids) else (),
        alone=_alone(found, unit) if config.cal + config.test > 0 else (),
    )


@dataclass(frozen=True)
class _Wanted:
    """The pictures that the config asks for (n,) in order of SHA-256."""

    id: Integers
    sha256: NDArray[np.uint8]
    label: NDArray[np.int32]
    label_names: list[str]
    byte_count: Integers


def _wanted(catalog: Catalog, config: PackConfig) -> _Wanted:
    if config.labels:
        check_labels(config.labels, catalog.images.counts("label"))
    ids, contents = [np.zeros(0, np.int64)], [np.zeros((0, 32), np.uint8)]
    codes, stars, sizes = [np.zeros(0, np.int32)], [np.zeros(0, np.int8)], [np.zeros(0, np.int64)]
    code_of: dict[str, int] = {}
    for block in catalog.packables.blocks(config.statuses):
        ids.append(block.id)
        contents.append(block.sha256)
        codes.append(
            np.array([code_of.setdefault(name, len(code_of)) for name in block.label], np.int32)
        )
        stars.append(block.stars)
        sizes.append(block.byte_count)
    every, sha256 = np.concatenate(ids), np.concatenate(contents)
    ids.clear()
    contents.clear()
    label, size, star = np.concatenate(codes), np.concatenate(sizes), np.concatenate(stars)
    kept = np.ones(len(every), bool)
    if config.labels:
        kept &= np.isin(label, [code_of[name] for name in config.labels if name in code_of])
    if config.licences:
        kept &= np.isin(every, catalog.packables.licensed(config.licences))
    rows = np.flatnonzero(kept)
    rows = rows[in_order(sha256[rows])]
    names = sorted(name for name in code_of if name)
    place_of = {name: place for place, name in enumerate(names)} | {"": -1}
    places = np.array([place_of[name] for name in code_of] or [0], np.int32)[label[rows]]
    rows, places = _limited(rows, places, star[rows], config)
    there, packed = np.unique(places, return_inverse=True)
    shift = int(len(there) > 0 and there[0] < 0)
    return _Wanted(
        id=every[rows],
        sha256=sha256[rows],
        label=(packed - shift).astype(np.int32),
        label_names=[names[place] for place in there[shift:].tolist()],
        byte_count=size[rows],
    )


def _limited(
    rows: Integers, label: NDArray[np.int32], stars: NDArray[np.int8], config: PackConfig
) -> tuple[Integers, NDArray[np.int32]]:
    kept = within_limits(
        label,
        stars,
        most=config.per_class,
        least=config.min_per_class,
        level=config.balance == "smallest",
    )
    return rows[kept], label[kept]


def in_order(sha256: NDArray[np.uint8]) -> Integers:
    """The order (n,) in which digests (n, 32) ascend."""
    first = np.ascontiguousarray(sha256[:, :8]).view(">u8")[:, 0].astype(np.uint64)
    order: Integers = np.argsort(first, kind="stable")
    if (first[order[1:]] == first[order[:-1]]).any():  # as good as never
        order = np.lexsort(np.ascontiguousarray(sha256).view(">u8").T[::-1])
    return order


def tied_pairs(catalog: Catalog, radius: int) -> tuple[Integers, Integers]:
    """The pairs (P,), (P,) of ids within a radius but for those that a person told apart."""
    a, b = catalog.packables.near(radius)
    settled = catalog.judgements.pairs.settled()
    if not settled.apart:
        return a, b
    decided = np.array([one for those in settled.same.all().values() for one in those], np.int64)
    apart = np.fromiter(settled.apart, np.int64)
    decided = np.union1d(decided, apart)
    doubtful = np.flatnonzero(np.isin(a, decided) & np.isin(b, decided))
    ends = zip(a[doubtful].tolist(), b[doubtful].tolist(), strict=True)
    told = doubtful[np.array([settled.are_apart(*pair) for pair in ends], bool)]
    return np.delete(a, told), np.delete(b, told)


def same_pairs(settled: Settlement, ids: Integers) -> tuple[Integers, Integers]:
    """Pairs (P,), (P,) of places in the ascending `ids` that connect what a person called the
    same, over whichever pictures."""
    found = []
    for those in settled.same.all().values():
        _there, places = places_of(ids, np.array(those, np.int64))
        found += list(pairwise(places.tolist()))
    pairs = np.array(found, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _splits(found: _Wanted, unit: Integers, config: PackConfig) -> NDArray[np.uint8]:
    lots = np.zeros(len(unit), np.uint64)
    for first in np.flatnonzero(unit == np.arange(len(unit))):
        lot = draw(found.sha256[first].tobytes().hex(), config.seed)
        lots[first] = int.from_bytes(lot[:8], "big")
    return assign_splits(
        unit,
        found.label,
        lots,
        cal=config.cal,
        test=config.test,
        by_class=config.split_by == "group",
    )


def _alone(found: _Wanted, unit: Integers) -> tuple[str, ...]:
    """The classes of which there is one group only."""
    firsts = unit == np.arange(len(unit))
    groups = np.bincount(found.label[firsts] + 1, minlength=len(found.label_names) + 1)
    return tuple(n for n, count in zip(found.label_names, groups[1:], strict=True) if count == 1)
