"""Another pack of ours: its rows with all that it says of them."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from dataset.errors import ConfigError
from dataset.imports.collection import Batch, Collection, Facts, Labels, ReadOptions, Summary, tally
from dataset.packed import PackedDataset
from dataset.packed_rows import has_originals, read_rows
from dataset.provenance import SPLITS, Provenance

_BATCH = 1024
# What is said anew, or has no meaning away from the catalogue that the pack was made from.
_ANEW = {"row", "image_id", "label", "group", "split"}
_KEPT = {field.name: field.default for field in fields(Provenance) if field.name not in _ANEW}


class PackCollection(Collection):
    """The rows of a pack, with the files that they were made from where it carries those."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, "pack")
        self._packed = packed = PackedDataset(path)
        self._has_originals = has_originals(packed)
        self._groups: Labels = packed.column("group")
        self._numbers: dict[str, Labels] = {}
        for scheme in packed.schemes:
            if scheme != "label":
                self._numbers[scheme], self.schemes[scheme] = packed.scheme(scheme)
        wanted = options.scheme or "label"
        if wanted != "label" and wanted not in self.schemes:
            there = ", ".join(packed.schemes)
            raise ConfigError(f"{path} has no labels {wanted!r}; --scheme is of: {there}")
        chosen = wanted != "label"
        self._labels = self._numbers[wanted] if chosen else packed.labels
        self.label_names = list(self.schemes[wanted] if chosen else packed.label_names)
        self.total = len(packed)
        channels, height, width = packed.shape[1:]
        self.own_shape = (channels, height, width)

    def batches(self) -> Iterator[Batch]:
        for start in range(0, len(self._packed), _BATCH):
            numbers = np.arange(start, min(start + _BATCH, len(self._packed)))
            rows = list(read_rows(self._packed, numbers, originals=self._has_originals))
            yield Batch(
                facts=[_facts(row.fact) for row in rows],
                labels=self._labels[numbers],
                pixels=np.stack([row.pixels for row in rows]).transpose(0, 2, 3, 1),
                contents=[row.original for row in rows] if self._has_originals else (),
                captions=[row.captions for row in rows],
                splits=self._packed.splits[numbers].astype(np.int8),
                groups=self._groups[numbers],
                schemes={name: labels[numbers] for name, labels in self._numbers.items()},
            )

    def summary(self) -> Summary:
        return Summary(
            pictures=len(self._packed),
            classes=tally(self._labels, self.label_names),
            schemes={name: len(names) for name, names in self.schemes.items()},
            splits={split: len(self._packed.rows(split)) for split in SPLITS},
        )


def _facts(fact: Provenance) -> Facts:
    found: dict[str, Any] = {}
    for name, default in _KEPT.items():
        value = getattr(fact, name)
        if value != default:
            found[name] = value
    return found
