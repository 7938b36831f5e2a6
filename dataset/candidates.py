"""Pairs of looks that may show the same: a cheap, exact net, cast before pairs are judged.

Hashes of whole looks, of their mirror images and of their parts are joined; symmetric drawings,
whose pHash is half chance, are joined by their shape.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.fingerprint import OPAQUE, TRIMMED, Fingerprints, Looks, Numbers
from dataset.hamming import near_pairs, near_pairs_between
from dataset.views import VIEWS, View, certain_bits, shape_codes, view_codes

Pairs = tuple[Numbers, Numbers]

# Bits of 64 within which whole looks, and parts of looks, are candidates.
WHOLE_RADIUS = 12
PART_RADIUS = 12
# Looks with more uncertain bits than this are joined by shape, within so many bits, too.
_DOUBTFUL_BITS = 16
_SHAPE_RADIUS = 8
# A part of a look counts as this many bits further than the whole.
_PART_BITS = 0.5
# How many ways of lying over each other are tried for each pair of pictures and ground.
WAYS = 4
_BLOCK = 20_000


@dataclass(frozen=True)
class Candidates:
    """Pairs of looks by position: `view` of VIEWS of the `first` is near the `second`."""

    first: Numbers
    second: Numbers
    view: Numbers

    def __len__(self) -> int:
        return len(self.first)

    def chosen(self, which: NDArray[np.bool_] | Numbers) -> "Candidates":
        return Candidates(self.first[which], self.second[which], self.view[which])


def candidates(
    prints: Fingerprints,
    is_new: NDArray[np.bool_],
    *,
    threads: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Candidates:
    """Ways in which pairs of pictures may show the same; (P,) `is_new` says which pictures count:
    pairs of two that are not new are left out. `advance` hears of each of len(VIEWS) + 1 steps."""
    telling = np.nonzero(prints.looks["is_flat"] == 0)[0]
    fresh = is_new[prints.owners[telling]]
    whole = prints.looks["phash"][telling].astype(np.uint64)
    parts = []
    for number, view in enumerate(VIEWS):
        if number == 0:
            first, second = _joined_alone(whole, fresh, WHOLE_RADIUS, threads)
        else:
            codes = _codes(prints.looks, telling, view)
            radius = WHOLE_RADIUS if view.is_whole else PART_RADIUS
            first, second = _joined(codes, whole, fresh, radius, threads)
        parts.append(_told(prints, telling[first], telling[second], number))
        if number == 0:  # either may show more than the other
            parts.append(_told(prints, telling[second], telling[first], number))
        if advance is not None:
            advance(1)
    parts.append(_by_shape(prints, telling, fresh, threads))
    if advance is not None:
        advance(1)
    return nearest_ways(prints, _together(parts))


def _codes(looks: Looks, places: Numbers, view: View) -> NDArray[np.uint64]:
    """The codes of one view, computed in blocks: the looks may lie on disk."""
    codes = np.empty(len(places), np.uint64)
    for start in range(0, len(places), _BLOCK):
        part = slice(start, start + _BLOCK)
        codes[part] = view_codes(looks["luma"][places[part]], view)
    return codes


def _joined(
    codes: NDArray[np.uint64],
    whole: NDArray[np.uint64],
    fresh: NDArray[np.bool_],
    radius: int,
    threads: int,
) -> Pairs:
    """Positions in codes, positions in whole: near ones of which one at least is fresh."""
    new, old = np.nonzero(fresh)[0], np.nonzero(~fresh)[0]
    first, second, _ = near_pairs_between(codes[new], whole, radius, threads=threads)
    late, early, _ = near_pairs_between(codes[old], whole[new], radius, threads=threads)
    return np.concatenate([new[first], old[late]]), np.concatenate([second, new[early]])


def _joined_alone(
    codes: NDArray[np.uint64], fresh: NDArray[np.bool_], radius: int, threads: int
) -> Pairs:
    """Positions first < second of near codes of which one at least is fresh, each pair once."""
    if fresh.all():
        first, second, _ = near_pairs(codes, radius, threads=threads)
        return first, second
    new = np.nonzero(fresh)[0]
    first, second, _ = near_pairs_between(codes[new], codes, radius, threads=threads)
    low, high = np.minimum(new[first], second), np.maximum(new[first], second)
    once = np.unique(low[low < high] * len(codes) + high[low < high])
    return once // len(codes), once % len(codes)


def _by_shape(
    prints: Fingerprints, telling: Numbers, fresh: NDArray[np.bool_], threads: int
) -> Candidates:
    """Pairs of drawings whose pHash is in doubt, by the shape of their bright parts."""
    chosen, codes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for start in range(0, len(telling), _BLOCK):
        luma = prints.looks["luma"][telling[start : start + _BLOCK]]
        in_doubt = 64 - np.bitwise_count(certain_bits(luma)) > _DOUBTFUL_BITS
        chosen.append(start + np.nonzero(in_doubt)[0])
        codes.append(shape_codes(luma[in_doubt]))
    places, shapes = np.concatenate(chosen), np.concatenate(codes)
    first, second = _joined_alone(shapes, fresh[places], _SHAPE_RADIUS, threads)
    one, other = telling[places[first]], telling[places[second]]
    return _together([_told(prints, one, other, 0), _told(prints, other, one, 0)])


def _told(prints: Fingerprints, first: Numbers, second: Numbers, view: int) -> Candidates:
    """Those of the pairs that can be compared at all, as candidates of one view."""
    may = _may_match(prints, first, second)
    return Candidates(first[may], second[may], np.full(int(may.sum()), view))


def _may_match(prints: Fingerprints, first: Numbers, second: Numbers) -> NDArray[np.bool_]:
    """Which pairs are of two pictures, on grounds that can be compared.

    What lies on white is not compared with what lies on black, nor are two pictures in wide
    borders that can be compared without them. A trimmed look that has lost
    letters to its ground stands for the picture among pictures on the same ground alone.
    """
    looks = prints.looks
    ground, other = looks["ground"][first], looks["ground"][second]
    may: NDArray[np.bool_] = prints.owners[first] != prints.owners[second]
    may &= (ground == other) | (ground == OPAQUE) | (other == OPAQUE)
    may &= ~(prints.is_padded[first] & prints.is_padded[second])
    for mine, theirs, place in ((ground, other, first), (other, ground, second)):
        is_part = (looks["frame"][place] == TRIMMED) & (looks["has_lost"][place] == 1)
        may &= ~(is_part & (mine != OPAQUE) & (theirs == OPAQUE))
    return may


def certain_distances(prints: Fingerprints, ways: Candidates) -> Numbers:
    """Bits of 64 in which the pHashes of each way differ, of those that are certain, (C,)."""
    distances = np.empty(len(ways), np.int64)
    for number, view in enumerate(VIEWS):
        which = np.nonzero(ways.view == number)[0]
        for start in range(0, len(which), _BLOCK):
            part = which[start : start + _BLOCK]
            mine = prints.looks["luma"][ways.first[part]]
            theirs = prints.looks["luma"][ways.second[part]]
            differ = view_codes(mine, view) ^ view_codes(theirs, VIEWS[0])
            certain = certain_bits(mine, view) & certain_bits(theirs, VIEWS[0])
            distances[part] = np.bitwise_count(differ & certain)
    return distances


def nearest_ways(prints: Fingerprints, found: Candidates) -> Candidates:
    """The few nearest ways of each pair of pictures on each ground, in order of the pair."""
    one, other = prints.owners[found.first], prints.owners[found.second]
    low, high = np.minimum(one, other), np.maximum(one, other)
    ground = np.maximum(prints.looks["ground"][found.first], prints.looks["ground"][found.second])
    cost = certain_distances(prints, found) + _PART_BITS * (found.view > 0)
    order = np.lexsort((found.second, found.first, found.view, cost, ground, high, low))
    keys = np.stack([low[order], high[order], ground[order].astype(np.int64)])
    starts = np.ones(len(order), np.bool_)
    starts[1:] = (np.diff(keys, axis=1) != 0).any(axis=0)
    places = np.arange(len(order))
    rank = places - np.maximum.accumulate(np.where(starts, places, 0))
    return found.chosen(order[rank < WAYS])


def _together(parts: list[Candidates]) -> Candidates:
    columns = ("first", "second", "view")
    return Candidates(*(np.concatenate([getattr(p, name) for p in parts]) for name in columns))
