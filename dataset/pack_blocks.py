"""What a pack is written from: its head, which is known first, and blocks of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.pack_measure import rows_at_once
from dataset.provenance import SPLITS, Provenance
from dataset.records import Caption


@dataclass(frozen=True, kw_only=True)
class PackHead:
    """What is known of a pack before its first row: `shape` is (C, H, W), `schemes` names the
    classes of further labels, `embeddings` the length of each kind of vector."""

    count: int
    shape: tuple[int, int, int]
    label_names: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    event_id: int = 0
    schemes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    embeddings: Mapping[str, int] = field(default_factory=dict)
    has_originals: bool = False

    def __post_init__(self) -> None:
        channels, height, width = self.shape
        if channels not in (1, 3, 4) or height < 1 or width < 1 or self.count < 0:
            raise ValueError(f"no pack of {self.count} pictures of shape {self.shape}")

    @property
    def block_rows(self) -> int:
        """How many rows are best handed over at once: a few megabytes."""
        return rows_at_once(self.shape)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows that follow one another: `data` uint8 (n, C, H, W), `labels` (n,) from -1, `splits`
    (n,) places in SPLITS. `facts`, `captions` and `originals` have n entries or none."""

    data: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.uint8]
    facts: Sequence[Provenance] = ()
    captions: Sequence[Sequence[Caption]] = ()
    originals: Sequence[bytes] = ()
    schemes: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: NDArray[np.uint8], facts: Sequence[Provenance], **more: Any) -> "Block":
        """A block whose labels and splits are those that its facts say."""
        labels = np.array([fact.label for fact in facts], np.int64)
        splits = np.array([SPLITS.index(fact.split) for fact in facts], np.uint8)
        return cls(data=data, labels=labels, splits=splits, facts=facts, **more)
