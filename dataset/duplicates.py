"""Groups of pictures that show the same, and which one of each stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dataset.catalog import Catalog
from dataset.likeness import LARGEST_RADIUS
from dataset.records import Edge, ImageRecord, Origin

DEFAULT_RADIUS = 6


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that show the same: the suggested keeper first, then the others by id.

    `diameter` is the largest pHash distance of a member from the keeper, in bits.
    """

    keeper: int
    members: tuple[int, ...]
    reason: str
    diameter: int


def duplicate_groups(catalog: Catalog, radius: int | None = None) -> list[DuplicateGroup]:
    """Groups of pictures that are not rejected, best first inside, ordered by their keeper's id.

    Quality-ordered star cover: walking from the best picture down, each is kept unless a kept one
    lies within `radius`; then it joins the nearest kept one. So no chains, and every picture that
    would go is near a better one that stays. Needs `refresh_edges` before.
    """
    radius = DEFAULT_RADIUS if radius is None else radius
    edges = [edge for edge in catalog.edges.all() if edge.phash_bits <= radius]
    paired = {image_id for edge in edges for image_id in (edge.a, edge.b)}
    records = {
        record.id: record
        for record in catalog.images.all()
        if record.id in paired and record.status != "reject"
    }
    origins = catalog.images.origins_of(sorted(records))
    order = sorted(records, key=lambda i: _merit(records[i], origins.get(i, [])), reverse=True)
    cover = star_cover(order, [e for e in edges if e.a in records and e.b in records])
    groups = []
    for keeper, others in sorted(cover.items()):
        if others:
            members = (keeper, *sorted(others))
            reason = _why(records[keeper], [records[i] for i in others], origins)
            groups.append(DuplicateGroup(keeper, members, reason, max(others.values())))
    return groups


def star_cover(order: Sequence[int], edges: Iterable[Edge]) -> dict[int, dict[int, int]]:
    """Keepers, in `order` of merit, each with the pictures that lean on it and their distance."""
    near: dict[int, dict[int, int]] = {image_id: {} for image_id in order}
    for edge in edges:
        near[edge.a][edge.b] = near[edge.b][edge.a] = edge.phash_bits
    cover: dict[int, dict[int, int]] = {}
    for image_id in order:
        kept = [(bits, other) for other, bits in near[image_id].items() if other in cover]
        if kept:
            bits, keeper = min(kept)
            cover[keeper][image_id] = bits
        else:
            cover[image_id] = {}
    return cover


def connected(edges: Iterable[tuple[int, int]], members: Iterable[int]) -> dict[int, int]:
    """The smallest member that each of `members` is connected to over any chain of `edges`."""
    root = {member: member for member in members}

    def find(member: int) -> int:
        while root[member] != member:
            root[member] = root[root[member]]
            member = root[member]
        return member

    for a, b in edges:
        if a in root and b in root:
            low, high = sorted((find(a), find(b)))
            root[high] = low
    return {member: find(member) for member in root}


def radius_table(catalog: Catalog) -> list[tuple[int, int, int, int]]:
    """For every even radius: (radius, pairs, groups, pictures that would go)."""
    edges = catalog.edges.all()
    table = []
    for radius in range(0, LARGEST_RADIUS + 1, 2):  # pHash distances are always even
        groups = duplicate_groups(catalog, radius)
        spare = sum(len(group.members) - 1 for group in groups)
        pairs = sum(edge.phash_bits <= radius for edge in edges)
        table.append((radius, pairs, len(groups), spare))
    return table


def _merit(record: ImageRecord, origins: Sequence[Origin]) -> tuple[float, ...]:
    """Larger is better: a person's judgement, a known licence, pixels, bytes, then age."""
    return (
        record.status == "keep",
        record.stars,
        any(origin.licence not in ("", "unknown") for origin in origins),
        record.width * record.height,
        record.byte_count,
        -record.id,
    )


def _why(
    keeper: ImageRecord, others: Sequence[ImageRecord], origins: dict[int, list[Origin]]
) -> str:
    """The first point of merit in which the keeper beats the best of the others."""
    mine = _merit(keeper, origins.get(keeper.id, []))
    best = max(_merit(other, origins.get(other.id, [])) for other in others)
    reasons = ("kept by hand", "more stars", "known licence", "more pixels", "more bytes", "older")
    for reason, own, other in zip(reasons, mine, best, strict=True):
        if own != other:
            return reason
    return "older"
