"""The sections of a dataset card as lines of Markdown; texts of others go through `code`."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset.card_facts import UNKNOWN, ColumnFacts, LicenceFacts, RowFacts
from dataset.card_recipe import recipe
from dataset.catalog.tallies import Judge
from dataset.config import to_mapping
from dataset.markdown import bar, code, link, table
from dataset.pack_selection import PackConfig
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS, Provenance

_MOST_CLASSES, _MOST_ROWS = 60, 15
# A class this many times smaller than the largest one is a gap.
_FAR_SMALLER = 10
_NO_LABEL = "(no label)"
_SPLIT_PURPOSE = {
    "train": "what models learn from",
    "cal": "sealed: calibrates the novelty check, no model may see it",
    "test": "held back for evaluation",
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
            code(_name(names, label)),
            _number(count),
            *(_number(columns.by_split[split].get(label, 0)) for split in SPLITS),
            bar(count, largest),
        ]
        for label, count in counts[:_MOST_CLASSES]
    ]
    size = f"{packed.width} x {packed.height} pixels, {kinds.get(packed.channels, 'channels')}"
    lines = [
        f"# Dataset card of {code(packed.path.stem)}",
        "",
        f"{_plural(len(packed), 'picture')} of {size}, "
        f"in {_plural(len(packed.label_names), 'class')}.",
        "",
        "## Classes",
        "",
        *table(("class", ">pictures", *(f">{split}" for split in SPLITS), "share"), rows),
    ]
    rest = counts[_MOST_CLASSES:]
    if rest:
        there = sum(count for _, count in rest)
        lines += [f"{_plural(len(rest), 'further class')} hold {_number(there)} pictures.", ""]
    return lines


def collected(rows: RowFacts, known: CatalogFacts | None, manifest: Mapping[str, Any]) -> list[str]:
    """How it was collected: when, from where, by which queries, and what came to nothing."""
    lines = ["## How it was collected", "", _fetched(rows), ""]
    also = manifest.get("also_at")
    if isinstance(also, Mapping) and also:
        lines += [f"{_plural(len(also), 'picture')} stood at further pages, as other files.", ""]
    for title, tally in (("source", rows.sources), ("query", rows.queries), ("host", rows.hosts)):
        top = tally.top(_MOST_ROWS)
        if {value for value, _ in top} <= {""}:  # nothing is known of it
            continue
        shown = [[code(value) or "(none)", _number(count)] for value, count in top]
        rest = sum(tally.counts.values()) + tally.others - sum(count for _, count in top)
        if rest:
            shown.append(["all others", _number(rest)])
        lines += table((title, ">pictures"), shown)
    if known is not None and known.addresses:
        states = ", ".join(f"{_number(n)} {state}" for state, n in sorted(known.addresses.items()))
        lines += [f"Addresses that the catalogue knows: {states}.", ""]
        refused = [[state, code(why) or "-", _number(n)] for state, why, n in known.refusals]
        lines += table(("came to nothing", "why", ">addresses"), refused) if refused else []
    return lines


def _fetched(rows: RowFacts) -> str:
    first, last = rows.first[:10], rows.last[:10]
    days = f"on {code(first)}" if first == last else f"from {code(first)} to {code(last)}"
    when = f"Fetched {days}" if first else "Fetched at times that are not known"
    pages, hosts = rows.pages.count(), rows.distinct_hosts.count()
    where = f", from {_plural(pages, 'page')} of {_plural(hosts, 'host')}" if pages else ""
    return f"{when}{where}."


def judged(packed: PackedDataset, columns: ColumnFacts, known: CatalogFacts | None) -> list[str]:
    """How it was judged: kept and rejected with reasons, by whom, votes."""
    lines = ["## How it was judged", ""]
    if known is None:
        return [*lines, "No catalogue stands beside this pack, so nothing is known of it.", ""]
    event = int(packed.attributes.get("event_id", 0))
    states = ", ".join(f"{_number(n)} {status}" for status, n in sorted(known.statuses.items()))
    since = "" if known.event_id == event else f"; the pack is of event {event}"
    lines += [f"The whole catalogue at event {known.event_id}: {states or 'empty'}{since}.", ""]
    if known.rejected:
        rejected = [[code(why) or "(no reason given)", _number(n)] for why, n in known.rejected]
        lines += table(("rejected because", ">pictures"), rejected)
    if known.judges:
        people = [[code(j.who), _number(j.changes), _number(j.votes)] for j in known.judges]
        lines += table(("judged by", ">changes", ">votes"), people)
    told = (("stars", columns.starred), ("a rating from comparisons", columns.rated))
    lines += [f"Of this pack, {_plural(n, 'picture')} have {what}." for what, n in told if n]
    return lines if lines[-1] == "" else [*lines, ""]


def prepared(packed: PackedDataset) -> list[str]:
    """How it was prepared: the recipe in words, the config as it was."""
    written = json.dumps(packed.config, sort_keys=True)
    lines = ["## How it was prepared", "", *recipe(packed.config), ""]
    return [*lines, f"Config: {code(written, 2000)}", ""] if packed.config else lines


def splits(packed: PackedDataset, columns: ColumnFacts) -> list[str]:
    """The splits and how they were made."""
    rows = [
        [split, _number(sum(columns.by_split[split].values())), _SPLIT_PURPOSE[split]]
        for split in SPLITS
    ]
    lines = ["## Splits", "", *table(("split", ">pictures", "for"), rows)]
    config = packed.config
    if "split_by" in config and "radius" in config:
        by = str(config["split_by"])
        how, also = "class by class", ""
        if by != "group":
            how, also = "over all classes", f" Pictures of the same {code(by)} are one group, too."
        lines += [
            f"Drawn {how} from groups of near-duplicates "
            f"(up to {code(str(config['radius']))} bits of the perceptual hash apart), by the seed "
            f"{code(str(config.get('seed', 0)))}; a group is never parted.{also}",
            "",
        ]
    return lines


def licensed(rows: RowFacts, table_name: str) -> list[str]:
    """Licences with counts, and the lines of credit that they ask for."""
    order = sorted(rows.licences.items(), key=lambda item: (-item[1].pictures, item[0]))
    counted = [
        [
            code(name),
            _number(facts.pictures),
            _number(facts.authors.count()),
            _number(facts.anonymous),
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
    return [*lines, f"And {_plural(more, 'further picture')} in the file.", ""] if more else lines


def gaps(packed: PackedDataset, rows: RowFacts, columns: ColumnFacts) -> list[str]:
    """What is known to be missing or uneven."""
    named = {label: count for label, count in columns.by_class.items() if label >= 0}
    largest, total = max(named.values(), default=0), len(packed)
    small = sorted(label for label, n in named.items() if n * _FAR_SMALLER < largest)
    shown = ", ".join(code(_name(packed.label_names, label)) for label in small[:_MOST_ROWS])
    unknown = rows.licences.get(UNKNOWN, LicenceFacts()).pictures
    missing = [str(name) for n, name in enumerate(packed.label_names) if n not in named]
    scripts = ", ".join(f"{script} {_number(n)}" for script, n in rows.scripts.top(_MOST_ROWS))
    empty = ", ".join(map(code, missing[:_MOST_ROWS]))
    found = [
        (len(small), f"over {_FAR_SMALLER} times smaller than the largest class: {shown}"),
        (len(missing), f"without a picture: {empty}"),
        (unknown, f"{_share(unknown, total)}: the licence is unknown"),
        (rows.without_caption, f"{_share(rows.without_caption, total)}: without caption"),
        (rows.without_address, f"{_share(rows.without_address, total)}: no address is known"),
        (columns.by_class.get(-1, 0), f"{_share(columns.by_class.get(-1, 0), total)}: no label"),
        (columns.upscaled, f"{_share(columns.upscaled, total)}: enlarged, the original is smaller"),
        (total - columns.measured, "the size of some originals is not known"),
        (
            columns.grouped,
            f"{_share(columns.grouped, total)}: near-duplicates of others that were kept, in "
            f"{_plural(columns.groups, 'group')}",
        ),
    ]
    kinds = ("Classes ", "Classes ")
    lines = [
        f"- {kinds[place] if place < len(kinds) else ''}{text}."
        for place, (count, text) in enumerate(found)
        if count
    ]
    written = [f"- The captions begin with letters of these scripts: {scripts}."] if scripts else []
    return ["## Known gaps", "", *lines, *written, *(["- None found."] if not lines else []), ""]


def reproduced(packed: PackedDataset, manifest: Mapping[str, Any]) -> list[str]:
    """How to cite it, and how to make it again."""
    event = int(packed.attributes.get("event_id", 0))
    lines = [
        "## Citing it and making it again",
        "",
        f"Cite it by its name and content: {code(packed.path.stem)}, content hash",
        f"{code(packed.content_hash)}. `python -m dataset verify` finds it again from the pixels "
        "and facts.",
        "",
    ]
    if not packed.config or not set(packed.config) <= set(PackConfig.__dataclass_fields__):
        return lines
    standard = to_mapping(PackConfig())
    changed = {k: v for k, v in sorted(packed.config.items()) if standard.get(k) != v}
    words = [f"--set {shlex.quote(f'{k}={_toml(v)}')}" for k, v in changed.items()]
    state = f"event {event}"
    if isinstance(manifest.get("pair_decision_id"), int):
        state += f", pair decision {manifest['pair_decision_id']}"
    command = " ".join(["python -m dataset pack", *words])
    return [
        *lines,
        f"The same catalogue at {state} gives the same bytes:",
        "",
        f"    {command}",
        "",
    ]


def _toml(value: Any) -> str:
    """A value as --set reads it, on one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def _address(fact: Provenance) -> str:
    """The page if there is one, else the file, else its SHA-256: something to find it by."""
    return link(fact.page_url or fact.url) or code(fact.sha256[:16])


def _name(names: Sequence[str], label: int) -> str:
    return names[label] if -1 <= label < len(names) else f"class {label}"


def _number(value: int) -> str:
    return f"{value:,}"


def _plural(count: int, noun: str) -> str:
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{_number(count)} {noun}{ending}"


def _share(count: int, total: int) -> str:
    return f"{_plural(count, 'picture')} ({np.round(100 * count / max(total, 1), 1):g} %)"
