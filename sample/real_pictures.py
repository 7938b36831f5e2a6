"""Real pictures to compare with: a reference, and others like it that show how near is near.

Two samples of one pack are never at distance zero. What is compared with the reference is set
beside what other real pictures get: another part of the same split, and the other split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.provenance import Split
from sample.pictures import as_colour, preparation

Side = Literal["train", "held-out"]
SIDES: tuple[Side, ...] = get_args(Side)
Rows = NDArray[np.int64]

_WORDS = {"train": "training", "held-out": "held-out"}


@dataclass(frozen=True)
class RealPictures:
    """Rows of a pack: the reference, as many more of the same split, and some of the other; of the
    classes `only`, or of all if that is empty."""

    pack: PackedDataset
    side: Side
    reference: Rows
    others: Rows
    across: Rows
    only: tuple[str, ...] = ()

    @property
    def reference_words(self) -> str:
        return f"{_WORDS[self.side]} pictures{self._of}"

    @property
    def others_words(self) -> str:
        return f"other {_WORDS[self.side]} pictures{self._of}"

    @property
    def across_words(self) -> str:
        return f"{_WORDS[_other(self.side)]} pictures{self._of}"

    @property
    def _of(self) -> str:
        return f" of {', '.join(self.only)}" if self.only else ""

    def pictures(self, rows: Rows) -> Pixels:
        """(n, H, W, 3) uint8, of the pack's size, alpha on the pack's background."""
        gathered = self.pack.gather(rows).transpose(0, 2, 3, 1)  # (n, H, W, C)
        return np.ascontiguousarray(as_colour(gathered, preparation(self.pack).background))

    def captions(self, rows: Rows) -> list[str]:
        """What the pack says that each shows; "" where it says nothing."""
        said = self.pack.texts("caption")
        return [said[row] for row in rows]

    def labels(self, rows: Rows) -> list[str]:
        """The name of each one's class; "" for none."""
        names, labels = self.pack.label_names, self.pack.labels
        return [names[labels[row]] if labels[row] >= 0 else "" for row in rows]


def most_comparable(pack: PackedDataset, side: Side, only: Sequence[str] = ()) -> int:
    """How many pictures a set may have so that the reference and its like have as many each, of
    the classes `only` (empty: all). Raises ConfigError for a class that the pack does not have."""
    return len(_rows(pack, side, only)) // 2


def choose_real(
    pack: PackedDataset, side: Side, count: int, seed: int, only: Sequence[str] = ()
) -> RealPictures:
    """`count` rows of a side for a reference, as many others, up to as many of the other side.

    Near-duplicates (rows of one group) stay together as far as they can, so that the reference
    and its like do not share pictures. Raises DataError where the pack has too few, ConfigError
    for a class in `only` that it does not have.
    """
    rows = _rows(pack, side, only)
    if count < 1 or len(rows) // 2 < count:
        raise DataError(
            f"pack {pack.path} has {len(rows)} {_WORDS[side]} pictures"
            f"{' of ' + ', '.join(only) if only else ''}; comparing {count} takes twice as many, so"
            " that real can be compared with real"
        )
    shuffled = _by_group(rows, pack.column("group"), np.random.default_rng([seed, 0]))
    other = _rows(pack, _other(side), only)
    across = np.random.default_rng([seed, 1]).permutation(other)[:count]
    return RealPictures(pack, side, shuffled[:count], shuffled[-count:], across, tuple(only))


def _other(side: Side) -> Side:
    return "held-out" if side == "train" else "train"


def _rows(pack: PackedDataset, side: Side, only: Sequence[str]) -> Rows:
    splits: tuple[Split, ...] = ("train",) if side == "train" else ("cal", "test")
    rows = np.sort(np.concatenate([pack.rows(split) for split in splits]))
    if not only:
        return rows
    for name in only:
        if name not in pack.label_names:
            known = ", ".join(pack.label_names) or "none"
            raise ConfigError(f"pack {pack.path} has no class {name!r}; its classes: {known}")
    wanted = [number for number, name in enumerate(pack.label_names) if name in only]
    return rows[np.isin(pack.labels[rows], wanted)]


def _by_group(rows: Rows, groups: Rows, random: np.random.Generator) -> Rows:
    """`rows` in random order, those of one group one after another."""
    _, place = np.unique(groups[rows], return_inverse=True)
    order = random.permutation(int(place.max(initial=-1)) + 1)
    mixed = random.permutation(len(rows))
    return np.asarray(rows[mixed][np.argsort(order[place[mixed]], kind="stable")], dtype=np.int64)
