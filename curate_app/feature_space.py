"""All features of a picture as one row: scaled groups, embeddings, and waves that bend lines.

Waves are random Fourier features (Rahimi and Recht 2007): linear in them is a Gaussian process.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate_app.embeddings import Embeddings
from curate_app.features import GROUPS, MEASURES, Floats, Standard, raw_features
from dataset.catalog import Catalog
from dataset.catalog.appearances import AppearanceBlock

# Pictures that features are scaled by.
SAMPLE = 2500
_EMBEDDING = "embedding"
_TOGETHER = "together"
_BENT = "~"  # after the name of a group: its waves
_WAVES, _WAVES_TOGETHER = 40, 160
_PAIRS_FOR_LENGTH = 1000
# What each group is called for people; waves go by the name of what they bend.
NAMES = {**GROUPS, _EMBEDDING: "embeddings", _TOGETHER: "all of it together"}


class Waves:
    """cos(x @ directions + phases) for a group of columns: as many as asked, each row of length 1.

    Directions are drawn for a Gaussian kernel as wide as the pictures of `scaled` (N, D) lie apart.
    """

    def __init__(self, scaled: Floats, count: int, rng: np.random.Generator) -> None:
        a, b = rng.integers(0, len(scaled), (2, _PAIRS_FOR_LENGTH))
        apart = ((scaled[a] - scaled[b]) ** 2).sum(axis=1)
        width = np.sqrt(max(float(np.median(apart[apart > 0])) if apart.any() else 1.0, 1e-6) / 2)
        shape = scaled.shape[1], count
        self._directions = (rng.standard_normal(shape) / width).astype(np.float32)
        self._phases = rng.uniform(0, 2 * np.pi, count).astype(np.float32)

    def of(self, scaled: Floats) -> Floats:
        waves: Floats = np.cos(scaled @ self._directions + self._phases)
        waves *= np.float32(np.sqrt(2 / len(self._phases)))
        return waves


class FeatureSpace:
    """Turns appearances into rows (B, D) float32; `groups` says which columns are of what.

    Scales come from `sample`, some of the catalogue's pictures; the same sample and seed give the
    same space.
    """

    def __init__(
        self,
        sample: Sequence[AppearanceBlock],
        embeddings: Embeddings | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self._embeddings = embeddings
        if embeddings is not None:
            embeddings.learn_axes([name for block in sample for name in block.sha256])
        raw = [self._raw(block) for block in sample]
        self._standard = Standard(raw)
        scaled = np.concatenate([self._standard.scaled(part) for part in raw])
        rng = np.random.default_rng(seed)
        slices = self._standard.columns.slices
        self._waves: list[tuple[slice, Waves]] = [
            (part, Waves(scaled[:, part], _WAVES, rng)) for part in slices.values()
        ]
        everything = slice(0, scaled.shape[1])
        self._waves.append((everything, Waves(scaled, _WAVES_TOGETHER, rng)))
        self.groups = _numbered(slices)

    def rows(self, block: AppearanceBlock) -> Floats:
        """The features of B pictures: (B, D)."""
        scaled = self._standard.scaled(self._raw(block))
        bent = [waves.of(scaled[:, part]) for part, waves in self._waves]
        return np.concatenate([scaled, *bent], axis=1)

    def _raw(self, block: AppearanceBlock) -> dict[str, Floats]:
        raw = raw_features(block)
        if self._embeddings is not None:
            raw[_EMBEDDING] = self._embeddings.features(block.sha256)
        return raw


def _numbered(slices: dict[str, slice]) -> dict[str, slice]:
    """The columns of every group and then of its waves."""
    groups = dict(slices)
    start = max(part.stop for part in slices.values())
    for name in slices:
        groups[name + _BENT] = slice(start, start + _WAVES)
        start += _WAVES
    groups[_TOGETHER + _BENT] = slice(start, start + _WAVES_TOGETHER)
    return groups


def shares_by_name(shares: dict[str, float]) -> dict[str, float]:
    """How much of a prediction comes from what, in words, the most first."""
    found: dict[str, float] = {}
    for group, share in shares.items():
        name = NAMES[group.removesuffix(_BENT)]
        found[name] = found.get(name, 0.0) + share
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def space_of(
    catalog: Catalog, ids: NDArray[np.int64], embeddings: Embeddings | None = None
) -> FeatureSpace:
    """The space scaled by some of the pictures `ids` of a catalogue, the same ones every time."""
    some = np.random.default_rng(0).permutation(len(ids))[:SAMPLE]
    sample = list(catalog.appearances.of(ids[some].tolist(), MEASURES))
    return FeatureSpace(sample, embeddings)
