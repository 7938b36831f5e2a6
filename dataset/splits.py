"""Who trains, who calibrates, who tests: by group of near-duplicates, so that nothing leaks.

Pictures are places 0 .. n-1 in order of their SHA-256, so that no order of intake matters.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from dataset.provenance import SPLITS

Integers = NDArray[np.int64]
Codes = NDArray[np.uint8]
Words = NDArray[np.uint64]
_TRAIN, _CAL, _TEST = (SPLITS.index(name) for name in ("train", "cal", "test"))


def draw(key: str, seed: int) -> bytes:
    """The lot of a group: they go to the splits in the order of these."""
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def components(count: int, a: Integers, b: Integers) -> Integers:
    """The smallest place (count,) that each is connected with over pairs `a`, `b` (P,) each."""
    root = np.arange(count)
    while len(a):
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        apart = low != high
        a, b = a[apart], b[apart]
        np.minimum.at(root, high[apart], low[apart])
        above = root[root]
        while (above != root).any():
            root, above = above, above[above]
    return root


def joined_by(root: Integers, keys: Words) -> Integers:
    """`root` (n,) with all groups made one that share a key (n,) other than 0."""
    known = np.flatnonzero(keys)
    order = known[np.argsort(keys[known], kind="stable")]
    same = keys[order[1:]] == keys[order[:-1]]
    here, there = root[order[:-1]][same], root[order[1:]][same]
    return components(len(root), here, there)[root]


def place_within(sorted_: NDArray[np.integer]) -> Integers:
    """How many of the same value stand before each one (n,)."""
    if not len(sorted_):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, sorted_[1:] != sorted_[:-1]])
    return np.arange(len(sorted_)) - np.repeat(starts, np.diff(np.r_[starts, len(sorted_)]))


def within_limits(
    label: NDArray[np.integer],
    stars: NDArray[np.integer],
    *,
    most: int = 0,
    least: int = 0,
    level: bool = False,
) -> NDArray[np.bool_]:
    """Which pictures (n,) stay: of each class the `most` best ones (0: all), most stars first;
    none of a class of fewer than `least`. With `level`, of each class as many as the smallest
    has. `label` is -1 for none, which is a class of its own but never the smallest one."""
    sizes = np.bincount(label + 1)  # (classes + 1,), those without a class first
    sizes[sizes < least] = 0
    room = np.minimum(sizes, most) if most else sizes
    filled = room[1:][room[1:] > 0]
    if level and len(filled):
        room = np.minimum(room, filled.min())
    order = np.lexsort((np.arange(len(label)), -stars.astype(np.int64), label))
    kept = np.zeros(len(label), bool)
    kept[order] = place_within(label[order]) < room[label[order] + 1]
    return kept


def assign_splits(
    root: Integers,
    label: NDArray[np.integer],
    lots: Words,
    *,
    cal: float,
    test: float,
    by_class: bool = True,
) -> Codes:
    """The split of every picture (n,), as its place in SPLITS.

    `root` (n,) is the first place of the picture's group, `label` (n,) its class from -1, `lots`
    (n,) the first 8 bytes of `draw`, of which that of a group's first picture counts. `by_class`,
    the shares (0..1) are of the groups of each class, which is that of a group's first picture;
    a class keeps a group for training. Else, for groups that may be large and of many classes,
    the shares are of all pictures. A share that would come to nothing gets one group all the
    same, as long as training keeps pictures of each class.
    """
    firsts, group = np.unique(root, return_inverse=True)
    sizes = np.bincount(group, minlength=len(firsts))
    kind = label[firsts].astype(np.int64)
    drawn = np.lexsort((firsts, lots[firsts], kind if by_class else np.zeros(len(firsts))))
    if by_class:
        split = _of_each_class(kind, drawn, cal, test)
        for code, share in ((_TEST, test), (_CAL, cal)):
            if share > 0 and not (split == code).any():
                _take_one(split, code, kind, sizes, drawn)
    else:
        split = _of_all(label.astype(np.int64), group, sizes, drawn, cal, test)
    found: Codes = split[group]
    return found


def empty_splits(split: Codes, *, cal: float, test: float) -> tuple[str, ...]:
    """The splits that were asked for and hold nothing, as there are too few groups."""
    wanted = (("cal", _CAL, cal), ("test", _TEST, test))
    return tuple(name for name, code, share in wanted if share > 0 and not (split == code).any())


def _of_each_class(kind: Integers, drawn: Integers, cal: float, test: float) -> Codes:
    """The split of each group (G,) by its class (G,); `drawn` orders them by class and lot."""
    sizes = np.bincount(kind + 1)
    room = np.maximum(sizes - 1, 0)
    n_test = np.minimum(np.rint(test * sizes).astype(np.int64), room)
    n_cal = np.minimum(np.rint(cal * sizes).astype(np.int64), room - n_test)
    place, kinds = place_within(kind[drawn]), kind[drawn] + 1
    split = np.full(len(kind), _TRAIN, np.uint8)
    split[drawn[place < (n_test + n_cal)[kinds]]] = _CAL
    split[drawn[place < n_test[kinds]]] = _TEST
    return split


def _of_all(
    label: Integers, group: Integers, sizes: Integers, drawn: Integers, cal: float, test: float
) -> Codes:
    """The split of each group (G,): in the order of their lots they go to test, else to cal, as
    long as those hold no more pictures than they shall and every class still trains; a split that
    none fits gets the smallest one."""
    room = {_TEST: round(test * len(group)), _CAL: round(cal * len(group))}
    training = np.bincount(label + 1)
    cells, counts = np.unique(
        group.astype(np.int64) * len(training) + label + 1, return_counts=True
    )
    owner, kind = cells // len(training), cells % len(training)
    starts = np.searchsorted(owner, np.arange(len(sizes) + 1))
    split = np.full(len(sizes), _TRAIN, np.uint8)

    def spared(one: int) -> bool:
        """Whether every class still trains without this group; it trains no longer then."""
        own = slice(starts[one], starts[one + 1])
        if split[one] != _TRAIN or not (training[kind[own]] > counts[own]).all():
            return False
        training[kind[own]] -= counts[own]
        return True

    for one in drawn.tolist():
        code = next((code for code in (_TEST, _CAL) if sizes[one] <= room[code]), _TRAIN)
        if code != _TRAIN and spared(one):
            room[code] -= int(sizes[one])
            split[one] = code
    smallest = drawn[np.argsort(sizes[drawn], kind="stable")].tolist()
    for code, share in ((_TEST, test), (_CAL, cal)):
        if share > 0 and not (split == code).any():
            one = next(filter(spared, smallest), None)
            if one is not None:
                split[one] = code
    return split


def _take_one(split: Codes, code: int, kind: Integers, sizes: Integers, drawn: Integers) -> None:
    """Give the split one group of the class that trains on most; the smallest, then by lot."""
    training = np.bincount(kind[split == _TRAIN] + 1) if (split == _TRAIN).any() else np.zeros(1)
    largest = int(training.argmax())
    if training[largest] < 2:
        return
    rest = drawn[(split[drawn] == _TRAIN) & (kind[drawn] + 1 == largest)]
    split[rest[np.argmin(sizes[rest])]] = code
