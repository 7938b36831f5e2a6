"""From fingerprints to edges: candidates are found, judged, and kept with their witnesses."""

import numpy as np
from numpy.typing import NDArray

from dataset.candidates import candidates, certain_distances
from dataset.fingerprint import Fingerprints
from dataset.progress import Progress
from dataset.records import Edge
from dataset.verdict import Verdicts, judge, reasons
from dataset.views import VIEWS, second_distances
from dataset.witnesses import WITNESSES, laid_over

# Results do not depend on it.
_THREADS = 2
_BLOCK = 2_000


def find_edges(
    ids: NDArray[np.int64], prints: Fingerprints, is_new: NDArray[np.bool_], radius: int
) -> list[Edge]:
    """The pairs of pictures (P,) of which one at least is new that show the same, by (a, b), as
    far as the certain bits of their pHashes differ in no more than `radius`."""
    with Progress("compare", len(VIEWS) + 1, "steps") as progress:
        ways = candidates(prints, is_new, threads=_THREADS, advance=progress.advance)
    with Progress("compare closely", len(ways), "possible matches") as progress:
        verdicts = judge(prints, ways, threads=_THREADS, advance=progress.advance).same()
    bits = certain_distances(prints, verdicts.way)
    near = verdicts.chosen(bits <= radius)
    edges = []
    for start in range(0, len(near.a), _BLOCK):
        block = near.chosen(np.arange(start, min(start + _BLOCK, len(near.a))))
        edges += _edges(ids, prints, block)
    return sorted(edges, key=lambda edge: (edge.a, edge.b))


def _edges(ids: NDArray[np.int64], prints: Fingerprints, verdicts: Verdicts) -> list[Edge]:
    """What the catalogue keeps of pairs that show the same."""
    bits = certain_distances(prints, verdicts.way)
    laid = laid_over(prints.looks, verdicts.way.first, verdicts.warps)
    theirs = prints.looks["luma"][verdicts.way.second].astype(np.float64)
    dhash_bits, fine_bits = second_distances(laid, theirs)
    levels = verdicts.witnesses[:, WITNESSES.index("chroma_rest")]
    why = reasons(prints, verdicts)
    return [
        Edge(
            a=min(int(ids[a]), int(ids[b])),
            b=max(int(ids[a]), int(ids[b])),
            phash_bits=int(bits[k]),
            dhash_bits=int(dhash_bits[k]),
            fine_bits=int(fine_bits[k]),
            colour_levels=round(float(levels[k]), 3),
            score=round(float(verdicts.score[k]), 4),
            reason=why[k],
        )
        for k, (a, b) in enumerate(zip(verdicts.a, verdicts.b, strict=True))
    ]
