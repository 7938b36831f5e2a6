"""What two small pictures that lie over each other say of each other: shape, light and colour."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from dataset.alignment import Plane, compare_each, lay_over
from dataset.fingerprint import Looks

# What `compare` tells of each pair, by column.
WITNESSES = (
    "correlation",  # of luma once tones are fitted, -1..1
    "gain",  # contrast of the second against that of the first
    "strange",  # share of the area where luma differs clearly, 0..1
    "worst",  # the largest difference of luma of a cell of 4x4, in contrasts of the second
    "overlap",  # share of the second that the first covers, 0..1
    "scale_x",  # how much of the first the second shows across, and down
    "scale_y",
    "turn",  # radians
    "shift",  # difference of mean luma, levels
    "chroma_first",  # rms chroma of either, levels
    "chroma_second",
    "chroma_rest",  # rms difference of chroma once its strength is fitted, levels
    "chroma_worst",  # the largest such difference of a cell of 2x2 of 16x16, levels
    "tones",  # entropy of the second's tones, bits of 32 levels
)
_BLOCK = 2_000


def compare(
    looks: Looks,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    warps: Plane,
    *,
    threads: int = 1,
    advance: Callable[[int], None] | None = None,
) -> tuple[Plane, Plane]:
    """Align pairs of looks by position, (N,) and (N,), starting from affine `warps` (N, 6).

    Returns the witnesses (N, len(WITNESSES)) and the warps found, which lead from (x, y) in 0..1
    of the second to the first: u = w0 x + w1 y + w2, v = w3 x + w4 y + w5.
    """
    witnesses, found = np.zeros((len(first), len(WITNESSES))), warps.copy()

    starts = range(0, len(first), _BLOCK)

    def work(start: int) -> None:
        part = slice(start, start + _BLOCK)
        mine, theirs = looks[first[part]], looks[second[part]]
        sides = [look[side] for look in (mine, theirs) for side in ("width", "height")]
        least = np.minimum.reduce(sides)
        # Few pixels enlarged have no sharp edges: then the other side is not asked for any.
        blurs = np.where(least >= 24, 1, np.where(least >= 16, 2, 3))
        compare_each(
            np.ascontiguousarray(mine["luma"]),
            np.ascontiguousarray(theirs["luma"]),
            np.ascontiguousarray(mine["colour"]),
            np.ascontiguousarray(theirs["colour"]),
            blurs.astype(np.int64),
            found[part],
            witnesses[part],
        )

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for start, _ in zip(starts, pool.map(work, starts), strict=True):
            if advance is not None:
                advance(min(_BLOCK, len(first) - start))
    return witnesses, found


def laid_over(looks: Looks, first: NDArray[np.int64], warps: Plane) -> Plane:
    """The luma of looks by position as their warps show it, (N, 32, 32)."""
    luma = np.ascontiguousarray(looks["luma"][first]).astype(np.float64)
    out = np.empty_like(luma)
    lay_over(luma, warps, out)
    return out
