"""Where a pack came from: a catalogue, or a collection that was packed straight."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataset.catalog import Catalog
from dataset.errors import DataError
from dataset.packed import PackedDataset
from dataset.workspace import Workspace

_SAMPLE = 64


def require_same_catalog(catalog: Catalog, packed: PackedDataset) -> None:
    """Raises DataError unless 64 pictures of the pack, evenly spaced, are in this catalogue: by
    their ids there and, where the pack knows it, the SHA-256 of their files."""
    rows = np.unique(np.linspace(0, len(packed) - 1, _SAMPLE).astype(np.int64))
    rows = rows[rows >= 0]  # of an empty pack -1
    ids, digests = packed.column("image_id")[rows], packed.column("sha256")[rows]
    found = catalog.images.records(ids.tolist())
    for image_id, digest in zip(ids.tolist(), digests, strict=True):
        record = found.get(image_id)
        if record is None or (digest.any() and record.sha256 != digest.tobytes().hex()):
            raise DataError(
                f"catalogue {catalog.path} is not the one that pack {packed.path} was made from; "
                "name another folder (--data) or none"
            )


def catalog_beside(pack: Path) -> Path | None:
    """The catalogue of the data folder in whose packs/ a pack lies, None where there is none."""
    folder = pack.resolve().parent
    there = Workspace(folder.parent)
    return there.catalog if folder == there.packs and there.catalog.is_file() else None


def imported_from(packed: PackedDataset) -> Mapping[str, Any] | None:
    """What a pack was imported from (kind, file, ...), {} where that was not written down; None
    for a pack that a catalogue knows, and for one that says nothing of itself."""
    told = packed.config.get("imported_from")
    if isinstance(told, dict):
        return {str(key): value for key, value in told.items()}
    is_recipe = {"size", "fit", "resample"} <= set(packed.config)
    return {} if is_recipe and len(packed) and not packed.column("image_id").any() else None
