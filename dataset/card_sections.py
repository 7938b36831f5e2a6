"""The sections of a dataset card as lines of Markdown; texts of others go through `code`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset.card_closing import import_command
from dataset.card_facts import UNKNOWN, ColumnFacts, LicenceFacts, RowFacts
from dataset.card_words import class_name, number, plural
from dataset.catalog.tallies import Judge
from dataset.markdown import bar, code, link, table
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS, Provenance

_MOST_CLASSES, _MOST_ROWS = 60, 15
_NO_LABEL = "(no label)"
# What judges without a person, as the tables of the catalogue name it.
_NOBODY = {
    "auto": "the automatic rule, no person looked",
    "duplicates": "the mark of duplicates, no person looked",
    "merge": "people of another catalogue, which was merged in",
}


@dataclass(frozen=True, kw_only=True)
class CatalogFacts:
    """What the catalogue as a whole tells: `addresses` by state, `refusals` (state, reason, count)
    of what was named but is no picture here, `rejected` (reason, pictures)."""

    event_id: int
    statuses: Mapping[str, int]
    rejected: Sequence[tuple[str, int]]
    judges: Sequence[Judge]
    addresses: Mapping[str, int]
    refusals: Sequence[tuple[str, str, int]]


def described(packed: PackedDataset, columns: ColumnFacts) -> list[str]:
    """What it is: name, pictures, size, classes with a bar each."""
    kinds = {1: "grey", 3: "RGB", 4: "RGB with alpha"}
    names = [*packed.label_names, _NO_LABEL]  # -1 is the last one
    counts = sorted(columns.by_class.items(), key=lambda item: (-item[1], item[0]))
    largest = counts[0][1] if counts else 0
    rows = [
        [
            code(class_name(names, label)),
            number(count),
            *(number(columns.by_split[split].get(label, 0)) for split in SPLITS),
            bar(count, largest),
        ]
        for label, count in counts[:_MOST_CLASSES]
    ]
    size = f"{packed.width} x {packed.height} pixels, {kinds.get(packed.channels, 'channels')}"
    count = len(packed.label_names)
    classes = f"in {plural(count, 'class')}" if count else "without classes"
    lines = [
        f"# Dataset card of {code(packed.path.stem)}",
        "",
        f"{plural(len(packed), 'picture')} of {size}, {classes}.",
        "",
    ]
    if count:
        header = ("class", ">pictures", *(f">{split}" for split in SPLITS), "share")
        lines += ["## Classes", "", *table(header, rows)]
    rest = counts[_MOST_CLASSES:] if count else []
    if rest:
        there = sum(count for _, count in rest)
        lines += [f"{plural(len(rest), 'further class')} hold {number(there)} pictures.", ""]
    return lines


def collected(
    packed: PackedDataset,
    rows: RowFacts,
    known: CatalogFacts | None,
    manifest: Mapping[str, Any],
    origin: Mapping[str, Any] | None,
) -> list[str]:
    """How it was collected: when, from where, by which queries, and what came to nothing."""
    lines = ["## How it was collected", ""]
    if origin is not None:
        lines += [*_imported(packed, origin), ""]
    if origin is None or rows.first:
        lines += [_fetched(rows), ""]
    also = manifest.get("also_at")
    if isinstance(also, Mapping) and also:
        lines += [f"{plural(len(also), 'picture')} stood at further pages, as other files.", ""]
    for title, tally in (("source", rows.sources), ("query", rows.queries), ("host", rows.hosts)):
        top = tally.top(_MOST_ROWS)
        if {value for value, _ in top} <= {""}:  # nothing is known of it
            continue
        shown = [[code(value) or "(none)", number(count)] for value, count in top]
        rest = sum(tally.counts.values()) + tally.others - sum(count for _, count in top)
        if rest:
            shown.append(["all others", number(rest)])
        lines += table((title, ">pictures"), shown)
    if known is not None and known.addresses:
        states = ", ".join(f"{number(n)} {state}" for state, n in sorted(known.addresses.items()))
        lines += [f"Addresses that the catalogue knows: {states}.", ""]
        refused = [[state, code(why) or "-", number(n)] for state, why, n in known.refusals]
        lines += table(("came to nothing", "why", ">addresses"), refused) if refused else []
    return lines


def _imported(packed: PackedDataset, origin: Mapping[str, Any]) -> list[str]:
    """From what, and by which command, a pack was made without a catalogue."""
    command = import_command(packed, origin)
    if not command:
        return ["Imported straight into a pack, from a file that it does not name."]
    kind, file = code(str(origin["kind"])), code(str(origin["file"]))
    return [f"Imported straight into a pack from {file} (kind {kind}), by", "", f"    {command}"]


def _fetched(rows: RowFacts) -> str:
    first, last = rows.first[:10], rows.last[:10]
    days = f"on {code(first)}" if first == last else f"from {code(first)} to {code(last)}"
    when = f"Fetched {days}" if first else "Fetched at times that are not known"
    pages, hosts = rows.pages.count(), rows.distinct_hosts.count()
    where = f", from {plural(pages, 'page')} of {plural(hosts, 'host')}" if pages else ""
    return f"{when}{where}."


def judged(
    packed: PackedDataset,
    columns: ColumnFacts,
    known: CatalogFacts | None,
    origin: Mapping[str, Any] | None,
) -> list[str]:
    """How it was judged: kept and rejected with reasons, by whom, votes."""
    lines = ["## How it was judged", ""]
    if origin is not None:
        return [*lines, "Nobody judged it here: it was imported without a catalogue.", ""]
    if known is None:
        return [*lines, "No catalogue stands beside this pack, so nothing is known of it.", ""]
    event = int(packed.attributes.get("event_id", 0))
    states = ", ".join(f"{number(n)} {status}" for status, n in sorted(known.statuses.items()))
    since = "" if known.event_id == event else f"; the pack is of event {event}"
    lines += [f"The whole catalogue at event {known.event_id}: {states or 'empty'}{since}.", ""]
    if known.rejected:
        rejected = [[code(why) or "(no reason given)", number(n)] for why, n in known.rejected]
        lines += table(("rejected because", ">pictures"), rejected)
    if known.judges:
        people = [
            [_NOBODY.get(j.who) or code(j.who), number(j.changes), number(j.votes)]
            for j in known.judges
        ]
        lines += table(("judged by", ">changes", ">votes"), people)
    told = (("stars", columns.starred), ("a rating from comparisons", columns.rated))
    lines += [f"Of this pack, {plural(n, 'picture')} have {what}." for what, n in told if n]
    return lines if lines[-1] == "" else [*lines, ""]


def licensed(rows: RowFacts, table_name: str) -> list[str]:
    """Licences with counts, and the lines of credit that they ask for."""
    order = sorted(rows.licences.items(), key=lambda item: (-item[1].pictures, item[0]))
    counted = [
        [
            code(name),
            number(facts.pictures),
            number(facts.authors.count()),
            number(facts.anonymous),
            link(facts.url) if facts.url else "",
        ]
        for name, facts in order
    ]
    header = ("licence", ">pictures", ">authors", ">without author", "text")
    lines = [
        "## Licences and attribution",
        "",
        *table(header, counted),
        f"Every picture with author, title, licence and address: {code(table_name)}. Whoever "
        "passes pictures on passes that file on with them.",
        "",
    ]
    for name, facts in order:
        if name != UNKNOWN and facts.pictures:
            lines += _credits(name, facts)
    return lines


def _credits(name: str, facts: LicenceFacts) -> list[str]:
    more = facts.pictures - len(facts.examples)
    rows = [
        [
            str(fact.row),
            code(fact.author) or "(not known)",
            code(fact.caption, 80) or "(untitled)",
            _address(fact),
            code(fact.attribution),
        ]
        for fact in facts.examples
    ]
    has_line = any(row[4] for row in rows)
    header = (">row", "author", "title", "address", "credit line")
    shown = [row if has_line else row[:4] for row in rows]
    lines = [f"### {code(name)}", "", *table(header if has_line else header[:4], shown)]
    return [*lines, f"And {plural(more, 'further picture')} in the file.", ""] if more else lines


def _address(fact: Provenance) -> str:
    """The page if there is one, else the file, else its SHA-256: something to find it by."""
    return link(fact.page_url or fact.url) or code(fact.sha256[:16])
