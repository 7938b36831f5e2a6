"""The CLIP score: does a picture show what its caption says? Beside it, that of wrong captions.

Hessel et al. 2021: 100 times the cosine of picture and text, not below 0. It tells fidelity to the
text and not quality, and its scale differs from model to model: only the gap to captions of other
pictures means something.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sample.embed import Vectors
from sample.resampling import Counts, Figure, Numbers, figure


class TextEncoder(Protocol):
    """What puts texts into the space of pictures."""

    def encode_texts(self, texts: list[str]) -> Vectors:
        """B texts to (B, dim) float32, rows of unit length."""
        ...


@dataclass(frozen=True)
class ClipScore:
    """The score with its own captions, with other pictures', and how many had a caption."""

    own: Figure
    shuffled: Figure | None  # None where all captions are alike
    pictures: int


def clip_score(
    encoder: TextEncoder, pictures: Vectors, captions: Sequence[str], counts: Counts, seed: int
) -> ClipScore | None:
    """Of pictures (n, dim) of unit length; None where no picture has a caption.

    `counts` (R, n) say how often each picture is taken in each replicate.
    """
    said = np.array([bool(caption.strip()) for caption in captions], dtype=np.bool_)
    if not said.any():
        return None
    texts = [caption for caption in captions if caption.strip()]
    unique = sorted(set(texts))
    place = {text: row for row, text in enumerate(unique)}
    vectors = encoder.encode_texts(unique)
    own = np.array([place[text] for text in texts])
    counted = counts[:, said]
    other = other_captions(own, seed)
    return ClipScore(
        own=_scored(pictures[said], vectors[own], counted),
        shuffled=None if other is None else _scored(pictures[said], vectors[other], counted),
        pictures=int(said.sum()),
    )


def other_captions(own: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """For each picture the caption, drawn at random, of one whose caption differs from `own` (n,).

    None where all are the same.
    """
    if len(np.unique(own)) < 2:
        return None
    random = np.random.default_rng([seed, 7])
    given = own[random.permutation(len(own))]
    while (same := given == own).any():
        given[same] = own[random.integers(0, len(own), int(same.sum()))]
    return given


def _scored(pictures: Vectors, texts: Vectors, counts: Counts) -> Figure:
    cosine = (pictures.astype(np.float64) * texts).sum(axis=1)
    each: Numbers = 100.0 * np.maximum(cosine, 0.0)
    taken = np.maximum(counts.sum(axis=1), 1)
    return figure(float(each.mean()), counts @ each / taken, 0.0, 100.0)
