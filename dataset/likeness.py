"""Which pictures show the same: fingerprints are joined, pairs judged, and the findings stored."""

import logging
import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.fingerprint import FINGERPRINT, LOOK, Fingerprints

log = logging.getLogger(__name__)

# The rule by which pairs are found and judged; a change of any part of it is a new version.
LIKENESS = "likeness/1"
# The largest radius offered, in certain bits of a 64-bit pHash: all pairs up to it are stored.
LARGEST_RADIUS = 12


def refresh_edges(catalog: Catalog) -> int:
    """Bring the stored pairs up to date when pictures have come; returns how many there are.

    Pictures that are new are joined with all; what was joined before is not joined again. The
    same pictures give the same pairs in whatever order they came.
    """
    warn_of_old(catalog)
    if catalog.edges.has_unjoined(FINGERPRINT, LIKENESS):
        with tempfile.TemporaryFile(dir=catalog.path.parent) as spool:
            ids, is_new, prints = _loaded(catalog, spool)
            from dataset.comparison import find_edges  # compiled loops take a while to load

            edges = find_edges(ids, prints, is_new, LARGEST_RADIUS)
            places = np.nonzero(is_new)[0].tolist()
            values = ((int(ids[place]), prints.of(place).tobytes()) for place in places)
            catalog.edges.join(edges, values, LIKENESS)
    return catalog.edges.count()


def warn_of_old(catalog: Catalog) -> None:
    """Say so when pictures were hashed by an older version: they are in no pair, and the same
    pixels in another file may come in a second time."""
    old = catalog.images.without_fingerprint(FINGERPRINT)
    if old:
        log.warning(
            "%d pictures were hashed by an older version and are left out; "
            "run: python -m dataset rehash",
            len(old),
        )


def _loaded(
    catalog: Catalog, spool: IO[bytes]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], Fingerprints]:
    """Ids (P,), which are new (P,) and the looks of all pictures; those lie in the file `spool`,
    as a million of them would not fit into a small memory."""
    ids, is_new, counts = [], [], []
    for image_id, value, is_joined in catalog.edges.fingerprints(FINGERPRINT, LIKENESS):
        spool.write(value)
        ids.append(image_id)
        is_new.append(not is_joined)
        counts.append(len(value) // LOOK.itemsize)
    spool.flush()
    looks = np.memmap(spool, LOOK, "r", shape=(sum(counts),)) if ids else np.zeros(0, LOOK)
    owners = np.repeat(np.arange(len(ids)), counts)
    return np.array(ids, np.int64), np.array(is_new, np.bool_), Fingerprints(looks, owners)
