"""The dataset card: what a pack holds, where it came from and how it was made, as Markdown.

Beside NAME.card.md lies NAME.attribution.csv with every row. It is made for spreadsheets: a cell
that one of them would take for a formula begins with an apostrophe.
"""

import csv
import json
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from dataset import atomic_file
from dataset.card_facts import RowFacts, column_facts
from dataset.card_sections import (
    CatalogFacts,
    collected,
    described,
    gaps,
    judged,
    licensed,
    prepared,
    reproduced,
    splits,
)
from dataset.catalog import Catalog
from dataset.packed import PackedDataset
from dataset.progress import track
from dataset.provenance import Provenance

log = logging.getLogger(__name__)

_ATTRIBUTION = (
    "row",
    "split",
    "title",
    "author",
    "author_url",
    "licence",
    "licence_url",
    "attribution",
    "source",
    "page_url",
    "url",
    "fetched_at",
    "sha256",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_CELL = 1000
_MOST_REASONS = 20


def write_card(
    packed: PackedDataset,
    catalog: Catalog | None,
    manifest: Mapping[str, Any],
    target: Path,
) -> None:
    """Write the card of a pack to `target` (NAME.card.md), and beside it NAME.attribution.csv.

    The same pack, catalogue and manifest give the same bytes. Reads a block of rows at a time.
    `catalog` is None for a pack that no catalogue here knows.
    """
    name = target.name.removesuffix(".md").removesuffix(".card")
    table = target.with_name(f"{name}.attribution.csv")
    rows = _attributed(packed, table)
    with nullcontext() if catalog is None else catalog.snapshot():
        known = None if catalog is None else _catalog_facts(catalog)
    columns = column_facts(packed)
    lines = [
        *described(packed, columns),
        *collected(rows, known, manifest),
        *judged(packed, columns, known),
        *prepared(packed),
        *splits(packed, columns),
        *licensed(rows, table.name),
        *gaps(packed, rows, columns),
        *reproduced(packed, manifest),
    ]
    atomic_file.write_text(target, "\n".join(lines))


def read_manifest(packed: PackedDataset) -> dict[str, Any]:
    """The manifest beside a pack, {} where there is none or it is of another pack."""
    path = packed.path.with_name(f"{packed.path.stem}.manifest.json")
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or found.get("content_hash") != packed.content_hash:
        log.warning("%s is not of this pack; the card goes without it", path)
        return {}
    return found


def _attributed(packed: PackedDataset, table: Path) -> RowFacts:
    """Write the table of every row, and gather on the way what the card tells of them."""
    rows = RowFacts()
    with (
        atomic_file.atomic_path(table) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_ATTRIBUTION)
        for fact in track(packed, "card", len(packed), "pictures"):
            rows.add(fact)
            writer.writerow(_cells(fact))
    return rows


def _cells(fact: Provenance) -> list[str]:
    found = [str(fact.caption if name == "title" else getattr(fact, name)) for name in _ATTRIBUTION]
    lines = (" ".join(text.split())[:_LONGEST_CELL] for text in found)
    return [f"'{text}" if text.startswith(_FORMULA) else text for text in lines]


def _catalog_facts(catalog: Catalog) -> CatalogFacts:
    addresses: dict[str, int] = {}
    reasons: dict[tuple[str, str], int] = {}
    for (state, reason), count in catalog.ledger.counts().items():
        addresses[state] = addresses.get(state, 0) + count
        if state in ("rejected", "failed", "refused"):
            reasons[state, reason] = count
    worst = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]
    return CatalogFacts(
        event_id=catalog.judgements.last_event_id(),
        statuses=catalog.images.counts("status"),
        rejected=catalog.tallies.rejected(_MOST_REASONS),
        judges=catalog.tallies.judges(_MOST_REASONS),
        addresses=addresses,
        refusals=[(state, reason, count) for (state, reason), count in worst],
    )
