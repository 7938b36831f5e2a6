"""Who trains, who calibrates, who tests: by group of near-duplicates, so that nothing leaks."""

import hashlib
from collections.abc import Mapping, Sequence

from dataset.provenance import Split


def assign_splits(
    groups: Mapping[str, Sequence[str]], *, cal: float, test: float, seed: int
) -> dict[str, Split]:
    """Assign every group to a split; returns {group key: split}.

    `groups` maps a group's key (any stable text, such as the SHA-256 of its first picture) to the
    class of each of its pictures; the split is balanced by the class of the first. Shares `cal`
    and `test` (0..1) are of the groups of each class, rounded to whole groups; a class keeps at
    least one group for training. A pure function of its arguments, whatever their order.
    """
    by_class: dict[str, list[str]] = {}
    for key, classes in groups.items():
        by_class.setdefault(classes[0], []).append(key)
    assigned: dict[str, Split] = {}
    for keys in by_class.values():
        drawn = sorted(keys, key=lambda key: (draw(key, seed), key))
        room = len(drawn) - 1
        n_test = min(round(test * len(drawn)), room)
        n_cal = min(round(cal * len(drawn)), room - n_test)
        for place, key in enumerate(drawn):
            if place < n_test:
                assigned[key] = "test"
            else:
                assigned[key] = "cal" if place < n_test + n_cal else "train"
    return assigned


def draw(key: str, seed: int) -> bytes:
    """The lot of a group: they go to the splits in the order of these."""
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()
