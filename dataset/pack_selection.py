"""Which pictures a pack takes, and to which split each of them goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dataset.catalog import Catalog
from dataset.catalog.packables import UNKNOWN_LICENCES, Packable
from dataset.duplicates import DEFAULT_RADIUS, connected_pairs
from dataset.errors import ConfigError
from dataset.likeness import LARGEST_RADIUS
from dataset.pixels import Background
from dataset.provenance import Split
from dataset.records import Origin, Status
from dataset.splits import assign_splits
from dataset.star_cover import connected


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
    split_by: Literal["group", "source", "author", "site", "brand"] = "group"  # never parted, too
    cal: float = 0.1  # share of groups kept back to calibrate the novelty check
    test: float = 0.05  # share of groups kept back for evaluation
    seed: int = 0  # of the shuffle and the split
    originals: bool = False  # the files themselves go into the pack, too
    embeddings: str = ""  # an .npz of vectors by SHA-256 that go into the pack, too

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 512:
            raise ConfigError(f"size is {self.size}; it must be 8 to 512 pixels")
        if self.cal < 0 or self.test < 0 or self.cal + self.test > 0.9:
            raise ConfigError("cal and test are shares: each at least 0, together at most 0.9")
        if not 0 <= self.radius <= LARGEST_RADIUS:
            raise ConfigError(f"radius is {self.radius}; it must be 0 to {LARGEST_RADIUS} bits")
        if self.per_class < 0 or self.seed < 0:
            raise ConfigError("per_class and seed must be at least 0")
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name):
            raise ConfigError(f"name {self.name!r} must be letters, digits, dots, - and _")


@dataclass(frozen=True)
class Selection:
    """The pictures of a pack in order of SHA-256; `group_of` joins those that show the same, which
    `split_of` never parts. Both by id."""

    pictures: list[Packable]
    group_of: dict[int, int]
    split_of: dict[int, Split]


def select(catalog: Catalog, config: PackConfig) -> Selection:
    """What `pack` would take now; decodes and writes nothing. Of pictures whose likes were not
    looked for yet (`refresh_edges`), each is a group of its own.

    Raises ConfigError for a label that no picture has.
    """
    pictures = _wanted(catalog, config)
    pairs = connected_pairs(catalog, config.radius, {one.id for one in pictures})
    joined = connected(pairs, {image_id for pair in pairs for image_id in pair})
    group_of = {one.id: joined.get(one.id, one.id) for one in pictures}
    # By the smallest SHA-256 of its members, in which order the pictures stand.
    key_of: dict[int, str] = {}
    members: dict[str, list[str]] = {}
    for one in pictures:
        key = key_of.setdefault(group_of[one.id], one.sha256)
        members.setdefault(key, []).append(one.label)
    split_of_key = assign_splits(members, cal=config.cal, test=config.test, seed=config.seed)
    split_of = {one.id: split_of_key[key_of[group_of[one.id]]] for one in pictures}
    return Selection(pictures, group_of, split_of)


def _wanted(catalog: Catalog, config: PackConfig) -> list[Packable]:
    """The pictures that the config asks for, in order of SHA-256, in whatever order they came."""
    found = catalog.packables.all(config.statuses)
    if config.labels:
        unknown = set(config.labels) - set(catalog.images.counts("label"))
        if unknown:
            raise ConfigError(f"labels: no picture is labelled {', '.join(sorted(unknown))}")
        found = [one for one in found if one.label in config.labels]
    if config.licences:
        allowed = catalog.packables.licensed(config.licences)
        found = [one for one in found if one.id in allowed]
    if config.per_class:
        best: dict[str, list[Packable]] = {}
        for one in sorted(found, key=lambda one: (-one.stars, one.sha256)):
            if len(best.setdefault(one.label, [])) < config.per_class:
                best[one.label].append(one)
        found = sorted((one for kept in best.values() for one in kept), key=lambda p: p.sha256)
    return found


def best_origin(origins: Sequence[Origin]) -> Origin:
    """The first origin with a known licence, else the first; `Packables.licences` knows its
    licence."""
    known = [origin for origin in origins if origin.licence not in UNKNOWN_LICENCES]
    return (known or list(origins) or [Origin(url="")])[0]
