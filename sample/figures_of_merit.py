"""Which figures compare two sets of pictures, and all of them for one pair of sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sample.embed import Vectors
from sample.frechet import frechet_distance, refusal, replicated_frechet
from sample.kernel_distance import replicated_kernel
from sample.manifold import least_pictures, replicated_manifold
from sample.resampling import Counts, Figure, figure, resampled, share

Pair = tuple[Counts, Counts]

_MANIFOLD = ("precision", "recall", "density", "coverage")
METRICS = ("fid", "kid", *_MANIFOLD, "clip")

# A replicate of the Fréchet distance costs dim³ steps, one of precision and its like a step for
# each pair: so many steps are some seconds. There are never fewer replicates than the least.
_FRECHET_STEPS, _PAIRS, _LEAST_REPLICATES = 4e9, 1e9, 10


@dataclass(frozen=True)
class Title:
    """How a figure is shown: its name, and whether more of it is better."""

    name: str
    more_is_better: bool
    times: float = 1.0
    digits: int = 2


@dataclass
class Comparison:
    """The figures of one set in one space, and why others could not be had."""

    figures: dict[str, Figure] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def title_of(metric: str, *, published: bool) -> Title:
    """FID and KID are called so only in the space that all others publish them in."""
    titles = {
        "fid": Title("FID" if published else "FD", False),
        "kid": Title("KID ×1000" if published else "KD ×1000", False, times=1000.0, digits=1),
        "clip": Title("CLIP score", True),
        "clip_shuffled": Title("shuffled", True),
    }
    return titles.get(metric) or Title(metric, True)


def compare(
    reference: Vectors,
    drawn: Vectors,
    metrics: Sequence[str],
    *,
    published: bool,
    replicates: int,
    seed: int,
) -> Comparison:
    """Figures of `drawn` (n, D) against `reference` (n, D), with 95 % intervals.

    Both sets are resampled (the bootstrap); the same seed gives the same bits.
    """
    counts = (
        resampled(len(reference), replicates, seed, 0),
        resampled(len(drawn), replicates, seed, 1),
    )
    found = Comparison()
    if "fid" in metrics:
        _add_frechet(found, reference, drawn, counts, title_of("fid", published=published).name)
    if "kid" in metrics:
        value, *several = replicated_kernel(reference, drawn, *_with_all(counts))
        found.figures["kid"] = figure(float(value), np.array(several), -np.inf)
    wanted = [name for name in _MANIFOLD if name in metrics]
    if wanted:
        _add_manifold(found, reference, drawn, counts, wanted)
    return found


def _add_frechet(
    found: Comparison, reference: Vectors, drawn: Vectors, counts: Pair, name: str
) -> None:
    dim = reference.shape[1]
    reason = refusal(name, dim, min(len(reference), len(drawn)))
    if reason is not None:
        found.refused["fid"] = reason
        return
    several = replicated_frechet(reference, drawn, *_some(counts, _FRECHET_STEPS / dim**3))
    found.figures["fid"] = figure(frechet_distance(reference, drawn), several, 0.0)


def _add_manifold(
    found: Comparison, reference: Vectors, drawn: Vectors, counts: Pair, wanted: Sequence[str]
) -> None:
    fewest = min(len(reference), len(drawn))
    if fewest < least_pictures():
        reason = f"precision and its like need {least_pictures()} pictures, there are {fewest}"
        found.refused |= dict.fromkeys(wanted, reason)
        return
    affordable = _PAIRS / (len(reference) * len(drawn))
    table = replicated_manifold(reference, drawn, *_with_all(_some(counts, affordable)))
    of = {"precision": len(drawn), "recall": len(reference), "coverage": len(reference)}
    for place, name in enumerate(_MANIFOLD):
        if name in wanted:
            value, several = float(table[0, place]), table[1:, place]
            found.figures[name] = (
                share(value, several, of[name]) if name in of else figure(value, several, 0.0)
            )


def _with_all(counts: Pair) -> Pair:
    """Before the replicates one that takes every picture once: what is costly is shared."""
    one, other = (np.insert(rows, 0, 1, axis=0) for rows in counts)
    return one, other


def _some(counts: Pair, affordable: float) -> Pair:
    """As many replicates as are affordable, the least at least."""
    some = max(_LEAST_REPLICATES, int(affordable))
    return counts[0][:some], counts[1][:some]
