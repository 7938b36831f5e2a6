"""What a pack holds, counted column by column, and said so that a person can read it."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.pack_columns import columns_of
from dataset.pack_keys import count_texts
from dataset.pack_opening import json_attribute
from dataset.packed import PackedDataset, open_pack
from dataset.provenance import SPLITS
from dataset.wording import seen

_BAR = 30
_MOST_LINES = 40


def summarise(packed: PackedDataset) -> dict[str, Any]:
    """Shape, classes by split, licences, sources, sizes, captions and config, JSON-ready."""
    names = [*packed.label_names, "(no label)"]
    # Row 0 counts what has no label, row 1 + n the class n; a column a split.
    cells = (packed.labels + 1) * len(SPLITS) + packed.splits
    table = np.bincount(cells, minlength=len(names) * len(SPLITS)).reshape(-1, len(SPLITS))
    table = np.roll(table, -1, axis=0)
    classes = {
        name: dict(zip(SPLITS, counts, strict=True))
        for name, counts in zip(names, table.tolist(), strict=True)
        if any(counts)
    }
    return {
        "path": str(packed.path),
        "schema": int(packed.attributes["schema"]),
        "pictures": len(packed),
        "shape": list(packed.shape[1:]),
        "bytes": packed.path.stat().st_size,
        "splits": {split: len(packed.rows(split)) for split in SPLITS},
        "sealed": bool(packed.attributes["cal_seal"]),
        "classes": classes,
        "schemes": {
            name: len(packed.scheme(name)[1]) for name in packed.schemes if name != "label"
        },
        "licences": _named(count_texts(packed, "licence"), "unknown"),
        "sources": _named(count_texts(packed, "source"), "(none)"),
        "formats": _named(count_texts(packed, "original_format"), "(none)"),
        "original_sizes": {
            side: _spread(packed.column(f"original_{side}")) for side in ("width", "height")
        },
        **_extras(packed),
        "content_hash": packed.content_hash,
        "event_id": int(packed.attributes["event_id"]),
        "config": packed.config,
    }


def _named(counts: dict[str, int], nothing: str) -> dict[str, int]:
    """Counts, the largest first; what is empty goes by the name `nothing`."""
    named: dict[str, int] = {}
    for value, count in counts.items():
        named[value or nothing] = named.get(value or nothing, 0) + count
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))


def _spread(sides: NDArray[np.int64]) -> dict[str, int] | None:
    known = sides[sides > 0]
    if not len(known):
        return None
    return {
        "least": int(known.min()),
        "median": int(np.median(known)),
        "most": int(known.max()),
    }


def _extras(packed: PackedDataset) -> dict[str, Any]:
    """Captions, originals and embeddings: how many rows have some; and what wrote the file."""
    with open_pack(packed.path) as file:
        lengths = np.diff(file["captions/offsets"][:])
        originals = np.diff(file["encoded/offsets"][:]) if "encoded" in file else np.zeros(0)
        embeddings = {
            name.removeprefix("embeddings/"): int(array.shape[1])
            for name, array in columns_of(file).items()
            if name.startswith("embeddings/")
        }
        versions = json_attribute(file, "made_with", packed.path)
    return {
        "captions": {"pictures": int((lengths > 0).sum()), "all": int(lengths.sum())},
        "originals": int((originals > 0).sum()),
        "embeddings": embeddings,
        "made_with": versions,
    }


def readable(summary: dict[str, Any]) -> str:
    """The summary as lines for a person."""
    count, captions = summary["pictures"], summary["captions"]
    held = "sealed" if summary["sealed"] else "no seal"
    lines = [
        f"{summary['path']}: {count:,} pictures of "
        f"{'x'.join(str(side) for side in summary['shape'])}, {_size(summary['bytes'])}, "
        f"schema {summary['schema']}",
        "splits     "
        + ", ".join(f"{k} {n:,}" for k, n in summary["splits"].items())
        + (f" (cal {held})" if summary["splits"]["cal"] else ""),
        "licences   " + _listed(summary["licences"]),
        "sources    " + _listed(summary["sources"]),
        "captions   " + f"{captions['pictures']:,} of {count:,} pictures have some, "
        f"{captions['all']:,} in all",
        "originals  " + _original_line(summary),
        "embeddings "
        + (", ".join(f"{seen(k)} ({n})" for k, n in summary["embeddings"].items()) or "none"),
        f"content    {summary['content_hash'][:16]}"
        + (f", after event {summary['event_id']}" if summary["event_id"] else ""),
        "config     " + (_config_line(summary["config"]) or "none"),
    ]
    if summary["schemes"]:
        schemes = (f"{seen(name)} ({n} classes)" for name, n in summary["schemes"].items())
        lines.insert(2, "labels     label, " + ", ".join(schemes))
    return "\n".join([*lines, "", *_class_lines(summary["classes"])])


def _class_lines(classes: dict[str, dict[str, int]]) -> list[str]:
    totals = {name: sum(counts.values()) for name, counts in classes.items()}
    largest = max(totals.values(), default=1)
    width = min(max((len(seen(name)) for name in classes), default=5) + 2, 32)
    lines = [f"{'class':<{width}}{'train':>9}{'cal':>8}{'test':>8}"]
    for name, counts in list(classes.items())[:_MOST_LINES]:
        bar = "#" * max(round(_BAR * totals[name] / largest), 1)
        short = seen(name)[: width - 2]
        cells = f"{counts['train']:>9,}{counts['cal']:>8,}{counts['test']:>8,}"
        lines.append(f"{short:<{width}}{cells}  {bar}")
    if len(classes) > _MOST_LINES:
        lines.append(f"and {len(classes) - _MOST_LINES} more classes (--json names all)")
    return lines


def _listed(counts: dict[str, int], most: int = 8) -> str:
    shown = [f"{seen(name)[:60]} {count:,}" for name, count in list(counts.items())[:most]]
    more = [f"{len(counts) - most} more"] if len(counts) > most else []
    return ", ".join(shown + more) or "none"


def _original_line(summary: dict[str, Any]) -> str:
    there = f"{summary['originals']:,} files in the pack" if summary["originals"] else "not inside"
    sizes = summary["original_sizes"]
    if sizes["width"] is None or sizes["height"] is None:
        return there
    said = f"{there}; they were {' x '.join(_span(s) for s in sizes.values())} px"
    formats = {name: count for name, count in summary["formats"].items() if name != "(none)"}
    return f"{said}, {_listed(summary['formats'])}" if formats else said


def _span(sides: dict[str, int]) -> str:
    if sides["least"] == sides["most"]:
        return str(sides["least"])
    return f"{sides['least']}-{sides['most']} (median {sides['median']})"


def _config_line(config: dict[str, Any]) -> str:
    return ", ".join(f"{seen(key)}={seen(json.dumps(config[key]))[:80]}" for key in sorted(config))


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
