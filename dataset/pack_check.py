"""What a pack holds, said readably, and whether it is what it claims to be."""

import json
from typing import Any

from PIL import Image

from dataset.pack_columns import combined_hash, read_digests
from dataset.packed import PackedDataset, open_pack
from dataset.pixels import Pixels
from dataset.provenance import SPLITS


def summarise(packed: PackedDataset) -> dict[str, Any]:
    """Shape, classes by split, licences, sources and config of a pack, JSON-ready."""
    names = [*packed.label_names, "(no label)"]
    classes = {name: dict.fromkeys(SPLITS, 0) for name in names}
    licences: dict[str, int] = {}
    sources: dict[str, int] = {}
    for fact in packed:
        classes[names[fact.label]][fact.split] += 1
        licences[fact.licence or "unknown"] = licences.get(fact.licence or "unknown", 0) + 1
        sources[fact.source] = sources.get(fact.source, 0) + 1
    return {
        "path": str(packed.path),
        "schema": int(packed.attributes["schema"]),
        "pictures": len(packed),
        "shape": list(packed.shape[1:]),
        "splits": {split: len(packed.rows(split)) for split in SPLITS},
        "classes": {name: counts for name, counts in classes.items() if any(counts.values())},
        "licences": dict(sorted(licences.items())),
        "sources": dict(sorted(sources.items())),
        "content_hash": packed.content_hash,
        "event_id": int(packed.attributes["event_id"]),
        "config": packed.config,
    }


def verify(packed: PackedDataset) -> list[str]:
    """Everything that is wrong with a pack, a line each; an empty list means sound.

    Checks the content hash, the lengths of all columns, labels in range, and that no group of
    near-duplicates (and no original file) stands in two splits.
    """
    faults: list[str] = []
    with open_pack(packed.path) as file:
        if combined_hash(file, dict(read_digests(file))) != packed.content_hash:
            faults.append("content hash differs: the arrays were altered after packing")
        lengths = {name: len(column) for name, column in file["provenance"].items()}
        lengths |= {"split": len(file["split"]), "labels/label": len(packed.labels)}
        for name, length in lengths.items():
            if length != len(packed):
                faults.append(f"{name} has {length} rows for {len(packed)} pictures")
    if faults:
        return faults
    if packed.labels.max(initial=-1) >= len(packed.label_names) or packed.labels.min() < -1:
        faults.append("a label lies outside the list of class names")
    split_of: dict[tuple[str, int | str], str] = {}
    for fact in packed:
        for key in (("group", fact.group), ("original", fact.sha256)):
            if key[1] and split_of.setdefault(key, fact.split) != fact.split:
                faults.append(f"leak: {key[0]} {key[1]} is in {split_of[key]} and in {fact.split}")
    return faults


def readable(summary: dict[str, Any]) -> str:
    """The summary as lines for a person."""
    lines = [
        f"{summary['path']}: {summary['pictures']} pictures of "
        f"{'x'.join(str(side) for side in summary['shape'])}, schema {summary['schema']}",
        "splits    " + ", ".join(f"{k} {n}" for k, n in summary["splits"].items()),
        "licences  " + ", ".join(f"{k} {n}" for k, n in summary["licences"].items()),
        "sources   " + ", ".join(f"{k} {n}" for k, n in summary["sources"].items()),
        f"content   {summary['content_hash'][:16]}, after event {summary['event_id']}",
        "config    " + json.dumps(summary["config"], sort_keys=True),
        f"{'class':<16}{'train':>7}{'cal':>6}{'test':>6}",
    ]
    for name, counts in summary["classes"].items():
        lines.append(f"{name:<16}{counts['train']:>7}{counts['cal']:>6}{counts['test']:>6}")
    return "\n".join(lines)


def sample_sheet(packed: PackedDataset, per_class: int = 12, scale: int = 2) -> Image.Image:
    """A picture of the first pictures of every class, a row each, enlarged `scale` times."""
    rows: list[Pixels] = []
    for label in range(-1, len(packed.label_names)):
        members = (packed.labels == label).nonzero()[0][:per_class]
        if len(members):
            rows.append(packed.data[members])
    sheet = Image.new("RGB", (per_class * packed.width, len(rows) * packed.height), "white")
    for down, pictures in enumerate(rows):
        for across, picture in enumerate(pictures):
            tile = Image.fromarray(picture.transpose(1, 2, 0))
            sheet.paste(tile, (across * packed.width, down * packed.height))
    size = (sheet.width * scale, sheet.height * scale)
    return sheet.resize(size, Image.Resampling.NEAREST)
