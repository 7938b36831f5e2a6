"""Which pictures show the same: pairs that several witnesses agree on, found and stored."""

import hashlib
import logging

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.phash import DHASH, PHASH, THUMB
from dataset.quality import BLANK_CONTRAST
from dataset.records import Edge

log = logging.getLogger(__name__)

# The largest radius offered (bits of a 64-bit pHash); pairs up to it are stored.
LARGEST_RADIUS = 12
# The second and third witness: no pair is stored on the pHash alone. dHash may differ by as many
# bits as the radius and a few more; the 8x8 thumbnails by this many levels on average.
_DHASH_SLACK_BITS = 4
_MAX_COLOUR_LEVELS = 10.0
_BLOCK = 2048


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


def _colour_levels(a: str, b: str) -> float:
    """Mean absolute difference of two thumbnails given as hexadecimal text, in levels of 255."""
    left = np.frombuffer(bytes.fromhex(a), np.uint8).astype(np.int16)
    right = np.frombuffer(bytes.fromhex(b), np.uint8).astype(np.int16)
    return float(np.abs(left - right).mean())
