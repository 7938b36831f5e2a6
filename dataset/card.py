"""The dataset card: what a pack holds, where it came from and how it was made, as Markdown.

Beside NAME.card.md lies NAME.attribution.csv with every row. It is made for spreadsheets: a cell
that one of them would take for a formula begins with an apostrophe.
"""

import csv
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dataset import atomic_file
from dataset.card_closing import captioned, gaps, loaded, prepared, reproduced, splits
from dataset.card_facts import RowFacts, column_facts
from dataset.card_sections import CatalogFacts, collected, described, judged, licensed
from dataset.catalog import Catalog
from dataset.pack_columns import stored_texts
from dataset.pack_origin import imported_from
from dataset.pack_writer import remove_stale
from dataset.packed import PackedDataset
from dataset.progress import Progress
from dataset.provenance import TEXT_COLUMNS, Provenance
from dataset.spreadsheet import plain_cell

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
_MOST_REASONS = 20
_BLOCK = 4096


def write_card(
    packed: PackedDataset,
    catalog: Catalog | None,
    manifest: Mapping[str, Any],
    target: Path,
    rows: RowFacts | None = None,
) -> None:
    """Write the card of a pack to `target` (NAME.card.md), and beside it NAME.attribution.csv,
    unless `rows` says that this was done: the facts of its `Credits`.

    The same pack, catalogue and manifest give the same bytes. Reads a block of rows at a time.
    `catalog` is None for a pack that no catalogue here knows.
    """
    rows = rows or _credited(packed, target)
    with nullcontext() if catalog is None else catalog.snapshot():
        known = None if catalog is None else _catalog_facts(catalog)
    columns, origin = column_facts(packed), imported_from(packed)
    lines = [
        *described(packed, columns),
        *collected(packed, rows, known, manifest, origin),
        *judged(packed, columns, known, origin),
        *prepared(packed, origin),
        *splits(packed, columns, origin),
        *captioned(packed, rows),
        *licensed(rows, table_of(target).name),
        *gaps(packed, rows, columns),
        *loaded(packed),
        *reproduced(packed, manifest, origin),
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


class Credits:
    """NAME.attribution.csv beside the card `target`, and what the card tells of all rows: both
    grow block by block. The file is there, and whole, when the `with` ends without an error."""

    def __init__(self, target: Path) -> None:
        self.facts = RowFacts()
        self._path = table_of(target)

    def __enter__(self) -> Self:
        remove_stale(self._path)
        with ExitStack() as stack:
            partial = stack.enter_context(atomic_file.atomic_path(self._path))
            opened = partial.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(stack.enter_context(opened), lineterminator="\n")
            self._writer.writerow(_ATTRIBUTION)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def add(self, facts: Sequence[Provenance]) -> None:
        """Take in the rows that follow."""
        columns: dict[str, list[Any]] = {
            name: stored_texts(list(map(attrgetter(name), facts))) for name in TEXT_COLUMNS
        }
        for name in ("row", "split", "sha256"):
            columns[name] = list(map(attrgetter(name), facts))
        self.facts.add(columns)
        shown = columns | {"title": columns["caption"], "row": list(map(str, columns["row"]))}
        self._writer.writerows(zip(*(_cells(shown[name]) for name in _ATTRIBUTION), strict=True))


def table_of(target: Path) -> Path:
    """Where the credits of the card NAME.card.md are: NAME.attribution.csv."""
    name = target.name.removesuffix(".md").removesuffix(".card")
    return target.with_name(f"{name}.attribution.csv")


def _credited(packed: PackedDataset, target: Path) -> RowFacts:
    with Credits(target) as credits, Progress("card", len(packed), "pictures") as progress:
        for start in range(0, len(packed), _BLOCK):
            facts = packed.facts(start, start + _BLOCK)
            credits.add(facts)
            progress.advance(len(facts))
    return credits.facts


def _cells(texts: Sequence[str]) -> list[str]:
    cells = {text: plain_cell(text) for text in {*texts}}
    return [cells[text] for text in texts]


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
