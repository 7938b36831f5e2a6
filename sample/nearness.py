"""Nearness: how much nearer a picture is to one training picture than to the next ones.

Index search, then alignment of the nearest few originals, then the ratio; calibration pictures and
samples go through the identical code.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.alignment import Alignment, align, rendered
from sample.embed import Vectors
from sample.exposure import fit_exposure, lit
from sample.novelty_index import Neighbours, NoveltyIndex
from sample.pack_views import pack_pictures
from sample.views import mirror

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]

_BATCH = 512  # as the index searches
_VALUES = 8_000_000  # of pixels that are aligned at once


@dataclass(frozen=True)
class Nearness:
    """What was measured on B pictures.

    `neighbours` are the nearest distinct groups after alignment, nearest first, (B, depth +
    reference); `ratio` (B,) is the distance to the nearest over the mean distance to the next
    `reference`, NaN where it is undefined; `alignments` has for each picture one `Alignment` for
    each of its first `depth` neighbours, or fewer where there are fewer.
    """

    neighbours: Neighbours
    ratio: Numbers
    alignments: list[list[Alignment]]


def measure(
    pictures: Pixels,
    index: NoveltyIndex,
    pack: PackedDataset,
    *,
    depth: int,
    reference: int,
    least_reference: int,
    progress: Progress | None = None,
) -> Nearness:
    """Measure (B, H, W, 3) uint8 pictures of the pack's size against its training split.

    The `depth` nearest originals of each are aligned. The ratio is undefined where fewer than
    `least_reference` originals follow the nearest.
    """
    parts: list[Neighbours] = []
    alignments: list[list[Alignment]] = []
    for start in range(0, max(len(pictures), 1), _BATCH):
        part = pictures[start : start + _BATCH]
        parts.append(index.search(part, depth + reference))
        alignments += _align_nearest(part, parts[-1], index, pack, depth)
        if progress is not None:
            progress.advance(len(part))
    found = _joined(parts)
    return Nearness(found, _ratios(found.distances, reference, least_reference), alignments)


def _joined(parts: list[Neighbours]) -> Neighbours:
    return Neighbours(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.distances for part in parts]),
        np.concatenate([part.views for part in parts]),
        np.concatenate([part.mirrored for part in parts]),
    )


def _align_nearest(
    pictures: Pixels, found: Neighbours, index: NoveltyIndex, pack: PackedDataset, depth: int
) -> list[list[Alignment]]:
    """Align the first `depth` neighbours, in place: distances corrected, nearest first again."""
    query, place = np.nonzero(found.rows[:, :depth] >= 0)  # (P,) each
    step = max(1, _VALUES // max(1, math.prod(pictures.shape[1:])))
    by_picture: list[list[Alignment]] = [[] for _ in pictures]
    for start in range(0, len(query), step):
        pairs = query[start : start + step], place[start : start + step]
        for at, alignment in zip(
            pairs[0], _aligned(pictures, found, pairs, index, pack), strict=True
        ):
            by_picture[at].append(alignment)
    return [_sorted(found, b, alignments) for b, alignments in enumerate(by_picture)]


def _aligned(
    pictures: Pixels,
    found: Neighbours,
    pairs: tuple[Places, Places],
    index: NoveltyIndex,
    pack: PackedDataset,
) -> list[Alignment]:
    """The best for each of P pairs: as in the index, aligned, or aligned and lit alike.

    `pairs` are pictures and places among their neighbours, (P,) each.
    """
    mirrored, at_start = found.mirrored[pairs], found.distances[pairs]
    asked = pictures[pairs[0]]
    asked[mirrored] = mirror(asked[mirrored])
    originals = pack_pictures(pack, found.rows[pairs])
    starts = [index.views[view] for view in found.views[pairs].tolist()]

    views = align(asked, originals, starts)
    seen = rendered(originals, views)
    gain, bias = fit_exposure(asked, seen)
    wanted, both = index.embedder.embed(asked), (seen, lit(seen, gain, bias))
    moved, lighter = (_distances(wanted, index.embedder.embed(each)) for each in both)
    made = []
    for i, choice in enumerate(np.stack([at_start, moved, lighter]).argmin(axis=0).tolist()):
        view = views[i] if choice else starts[i]
        distance = float((at_start, moved, lighter)[choice][i])
        light = (float(gain[i]), float(bias[i])) if choice == 2 else (1.0, 0.0)
        made.append(Alignment(view, bool(mirrored[i]), distance, *light))
    return made


def _sorted(found: Neighbours, b: int, alignments: list[Alignment]) -> list[Alignment]:
    """Write the new distances of picture `b` into `found`; nearest first, ties to the lower row.

    The aligned come first as before: no distance has grown.
    """
    distances = np.array([alignment.distance for alignment in alignments])
    first = slice(0, len(alignments))
    found.distances[b, first] = distances
    order = np.lexsort((found.rows[b, first], distances))
    for values in (found.rows, found.distances, found.views, found.mirrored):
        values[b, first] = values[b, order]
    return [alignments[i] for i in order.tolist()]


def _distances(one: Vectors, other: Vectors) -> Numbers:
    apart = one.astype(np.float64) - other
    return np.asarray(np.sqrt(np.square(apart).sum(axis=1)))


def _ratios(distances: Numbers, reference: int, least_reference: int) -> Numbers:
    """Distance to the nearest over the mean to the next `reference`, (B,), NaN if too few."""
    following = distances[:, 1 : 1 + reference]
    there = np.isfinite(following)
    count = there.sum(axis=1)
    total = np.where(there, following, 0.0).sum(axis=1)
    enough = (count >= least_reference) & (total > 0)
    ratio = np.full(len(following), np.nan)
    ratio[enough] = distances[enough, 0] * count[enough] / total[enough]
    return ratio
