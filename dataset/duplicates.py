"""Where it is decided that two pictures are the same: pairs, verdict, groups, keeper."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.phash import DHASH, PHASH, THUMB
from dataset.quality import BLANK_CONTRAST
from dataset.records import Edge, ImageRecord, Origin

log = logging.getLogger(__name__)

# The largest radius offered (bits of a 64-bit pHash); pairs up to it are stored.
LARGEST_RADIUS = 12
DEFAULT_RADIUS = 6
# The second and third witness: no pair is stored on the pHash alone. dHash may differ by as many
# bits as the radius and a few more; the 8x8 thumbnails by this many levels on average.
_DHASH_SLACK_BITS = 4
_MAX_COLOUR_LEVELS = 10.0
_BLOCK = 2048


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that show the same: the suggested keeper first, then the others by id.

    `diameter` is the largest pHash distance of a member from the keeper, in bits.
    """

    keeper: int
    members: tuple[int, ...]
    reason: str
    diameter: int


def near_pairs(
    codes: NDArray[np.uint64], radius: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All pairs i < j of 64-bit codes (N,) within `radius` bits: arrays (i, j, distance).

    Exact, by brute force in blocks; the order is that of i, then j.
    """
    parts: list[tuple[NDArray[np.int64], ...]] = []
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK]
        bits = np.bitwise_count(block[:, None] ^ codes[None, start:])  # (block, N - start)
        rows, columns = np.nonzero(bits <= radius)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        parts.append((rows + start, columns + start, bits[rows, columns].astype(np.int64)))
    if not parts:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    i, j, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return i, j, distance


def find_edges(catalog: Catalog) -> list[Edge]:
    """Pairs of pictures that three witnesses call alike: pHash, dHash and coarse colours.

    Blank pictures take part in no pair: their hashes say nothing.
    """
    ids, phashes = catalog.images.hashes(PHASH)
    contrast = catalog.images.scores("contrast")
    told = np.array([contrast.get(int(i), 0.0) >= BLANK_CONTRAST for i in ids], dtype=bool)
    ids, phashes = ids[told], phashes[told]
    dhash_of = dict(zip(*(column.tolist() for column in catalog.images.hashes(DHASH)), strict=True))
    thumbs = catalog.images.hash_texts(THUMB)
    dhashes = np.array([dhash_of[int(i)] for i in ids], dtype=np.uint64)
    first, second, bits = near_pairs(phashes, LARGEST_RADIUS)
    dhash_bits = np.bitwise_count(dhashes[first] ^ dhashes[second]).astype(np.int64)
    edges = []
    for a, b, p_bits, d_bits in zip(ids[first], ids[second], bits, dhash_bits, strict=True):
        if d_bits > p_bits + _DHASH_SLACK_BITS:
            continue
        levels = _colour_levels(thumbs[int(a)], thumbs[int(b)])
        if levels <= _MAX_COLOUR_LEVELS:
            edges.append(
                Edge(
                    a=int(a),
                    b=int(b),
                    phash_bits=int(p_bits),
                    dhash_bits=int(d_bits),
                    colour_levels=round(levels, 3),
                )
            )
    return edges


def refresh_edges(catalog: Catalog) -> int:
    """Bring the stored pairs up to date when pictures have come; returns how many there are."""
    old = catalog.images.without_hash(PHASH)
    if old:
        log.warning(
            "%d pictures were hashed by an older version and are left out; "
            "run: python -m dataset rehash",
            len(old),
        )
    digest = hashlib.sha256()
    for algorithm in (PHASH, DHASH, THUMB):
        digest.update(algorithm.encode())
        for image_id, value in sorted(catalog.images.hash_texts(algorithm).items()):
            digest.update(f"{image_id}:{value};".encode())
    rule = f"{LARGEST_RADIUS}/{_DHASH_SLACK_BITS}/{_MAX_COLOUR_LEVELS}/{BLANK_CONTRAST}"
    computed_from = f"{rule}/{digest.hexdigest()}"
    if catalog.edges.computed_from() != computed_from:
        catalog.edges.replace(find_edges(catalog), computed_from)
    return len(catalog.edges.all())


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


def _colour_levels(a: str, b: str) -> float:
    """Mean absolute difference of two thumbnails given as hexadecimal text, in levels of 255."""
    left = np.frombuffer(bytes.fromhex(a), np.uint8).astype(np.int16)
    right = np.frombuffer(bytes.fromhex(b), np.uint8).astype(np.int16)
    return float(np.abs(left - right).mean())
