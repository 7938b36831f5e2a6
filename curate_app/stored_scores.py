"""The scores by the votes as the catalogue stores them: only what has changed is written."""

from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog

Integers = NDArray[np.int64]
Singles = NDArray[np.float32]
Scores = tuple[Integers, Singles, Singles]  # ids ascending, scores, deviations: (N,) each


class StoredScores:
    """Remembers what is stored, 16 bytes a picture."""

    def __init__(self) -> None:
        self._stamp = ""  # of the votes that the stored scores are up to date with
        self._under = ""  # what they are stored under: older when the same scores came out again
        self._scores: Scores | None = None

    def known(self, catalog: Catalog, stamp: str) -> int | None:
        """How many scores are stored; None when there may be others at `stamp`."""
        under = catalog.ratings.stamp("ranked")
        if self._scores is None or self._under != under:
            self._stamp = self._under = under
            self._scores = catalog.ratings.of("ranked")
        return len(self._scores[0]) if self._stamp == stamp else None

    def write(
        self, catalog: Catalog, found: Scores, stamp: str, writing: AbstractContextManager[object]
    ) -> None:
        """Store the scores of `stamp`; `known` comes first. `writing` is held meanwhile."""
        assert self._scores is not None, "`known` comes first"
        (ids, scores, deviations), old = found, self._scores
        places, same = places_in(old[0], ids)
        if len(old[0]):
            same &= (old[1][places] == scores) & (old[2][places] == deviations)
        gone, new = np.setdiff1d(old[0], ids, assume_unique=True), ~same
        if len(gone) or new.any():
            changed = ids[new], scores[new], deviations[new]
            with writing:
                if not catalog.ratings.amend(
                    "ranked", *changed, stamp, gone=gone, since=self._under
                ):
                    catalog.ratings.put("ranked", *found, stamp)
            self._under = stamp
        self._stamp, self._scores = stamp, found


def places_in(ids: Integers, wanted: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Where each of `wanted` stands in the ascending `ids`, and whether it is there at all."""
    if not len(ids):
        return np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, np.bool_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return places, ids[places] == wanted
