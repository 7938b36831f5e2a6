"""The sections of a dataset card on preparation, splits, captions, gaps and use."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np

from dataset.card_facts import UNKNOWN, ColumnFacts, LicenceFacts, RowFacts
from dataset.card_recipe import recipe
from dataset.card_words import class_name, number, plural, share
from dataset.config import to_mapping
from dataset.markdown import code, table
from dataset.pack_selection import PackConfig
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS

_MOST_ROWS, _MOST_NAMES = 15, 200
# A class this many times smaller than the largest one is a gap.
_FAR_SMALLER = 10
_SPLIT_PURPOSE = {
    "train": "what models learn from",
    "cal": "sealed: calibrates the novelty check, no model may see it",
    "test": "held back for evaluation",
}
_COMMON = {
    "source": "the source that named it to the collector",
    "author": "the author that its page names, in any case of letters",
    "site": "the host of the page where it was found, without www.",
    "brand": "the name of its file without the words and numbers that tell variants of a logo "
    "apart (airbnb-icon and Airbnb_logo_dark are one brand); where that names nothing, its best "
    "caption in the same way",
}
_SOURCE_OPTIONS = {"source": "import", "licence": "unknown"}  # of `import`, with their defaults


def prepared(packed: PackedDataset, origin: Mapping[str, Any] | None) -> list[str]:
    """How it was prepared: the recipe in words, original sizes, the config as it was."""
    written = json.dumps(packed.config, sort_keys=True)
    lines = ["## How it was prepared", "", *recipe(packed.config, origin), ""]
    lines += _original_sizes(packed)
    return [*lines, f"Config: {code(written, 2000)}", ""] if packed.config else lines


def _original_sizes(packed: PackedDataset) -> list[str]:
    rows = []
    for side in ("width", "height"):
        known = packed.column(f"original_{side}")
        known = known[known > 0]
        if len(known):
            found = (known.min(), np.median(known), known.max())
            rows.append([side, *(number(int(value)) for value in found)])
    header = ("pixels of the originals", ">least", ">median", ">most")
    return table(header, rows) if rows else []


def splits(
    packed: PackedDataset, columns: ColumnFacts, origin: Mapping[str, Any] | None
) -> list[str]:
    """The splits and how they were made."""
    rows = [
        [split, number(sum(columns.by_split[split].values())), _SPLIT_PURPOSE[split]]
        for split in SPLITS
    ]
    lines = ["## Splits", "", *table(("split", ">pictures", "for"), rows)]
    config = packed.config
    if "split_by" in config and "radius" in config:
        by = str(config["split_by"])
        how, also = "class by class", ""
        if by != "group":
            how, also = "over all classes", f" Pictures of the same {code(by)} are one group, too."
            if by in _COMMON:
                also += f" The {by} of a picture is {_COMMON[by]}."
        if (origin or {}).get("keep_split"):
            also += " What the source itself held back stayed so."
        lines += [
            f"Drawn {how} from groups of near-duplicates "
            f"(up to {code(str(config['radius']))} bits of the perceptual hash apart), by the seed "
            f"{code(str(config.get('seed', 0)))}; a group is never parted.{also}",
            "",
        ]
    return lines


def captioned(packed: PackedDataset, rows: RowFacts) -> list[str]:
    """How many pictures have a caption, and in which scripts these are written."""
    there = len(packed) - rows.without_caption
    lines = ["## Captions", "", f"{share(there, len(packed))} have a caption.", ""]
    scripts = [[script, number(count)] for script, count in rows.scripts.top(_MOST_ROWS)]
    return [*lines, *table(("first letter", ">captions"), scripts)] if scripts else lines


def gaps(packed: PackedDataset, rows: RowFacts, columns: ColumnFacts) -> list[str]:
    """What is known to be missing or uneven."""
    total = len(packed)
    unknown = rows.licences.get(UNKNOWN, LicenceFacts()).pictures
    found = [
        (unknown, f"{share(unknown, total)}: the licence is unknown"),
        (rows.without_caption, f"{share(rows.without_caption, total)}: without caption"),
        (rows.without_address, f"{share(rows.without_address, total)}: no address is known"),
        (columns.by_class.get(-1, 0), f"{share(columns.by_class.get(-1, 0), total)}: no label"),
        (columns.upscaled, f"{share(columns.upscaled, total)}: enlarged, the original is smaller"),
        (total - columns.measured, "the size of some originals is not known"),
        (
            columns.grouped,
            f"{share(columns.grouped, total)}: near-duplicates of others that were kept, in "
            f"{plural(columns.groups, 'group')}",
        ),
    ]
    lines = [*_class_gaps(packed, columns), *(f"- {text}." for count, text in found if count)]
    return ["## Known gaps", "", *(lines or ["- None found."]), ""]


def _class_gaps(packed: PackedDataset, columns: ColumnFacts) -> list[str]:
    counts = {label: count for label, count in columns.by_class.items() if label >= 0}
    largest = max(counts.values(), default=0)
    held = {**columns.by_split["cal"], **columns.by_split["test"]}
    kinds = [
        (
            f"over {_FAR_SMALLER} times smaller than the largest class",
            [label for label, count in sorted(counts.items()) if count * _FAR_SMALLER < largest],
        ),
        (
            "without a picture",
            [label for label in range(len(packed.label_names)) if label not in counts],
        ),
        (
            "with no picture held out (all of them train, so nothing measures them)",
            [label for label in sorted(counts) if label not in held] if held else [],
        ),
    ]
    lines = []
    for text, labels in kinds:
        named = [code(class_name(packed.label_names, label)) for label in labels[:_MOST_NAMES]]
        more = f" and {len(labels) - _MOST_NAMES} more" if len(labels) > _MOST_NAMES else ""
        if labels:
            lines.append(f"- Classes {text}: {', '.join(named)}{more}.")
    return lines


def loaded(packed: PackedDataset) -> list[str]:
    """How to read it in Python."""
    channels = {1: "grey", 3: "RGB", 4: "RGB and alpha"}[packed.channels]
    name = f"{packed.path.stem}.h5"
    return [
        "## Loading it in Python",
        "",
        f"Pictures are bytes 0 to 255, channels ({channels}) first; labels are places in",
        "`label_names`, -1 for none; `rows` takes train, cal or test:",
        "",
        "    from pathlib import Path; from dataset.packed import PackedDataset",
        f"    packed = PackedDataset(Path({_python(name)}))",
        '    rows = packed.rows("train"); x, y = packed.gather(rows), packed.labels[rows]',
        "",
    ]


def reproduced(
    packed: PackedDataset, manifest: Mapping[str, Any], origin: Mapping[str, Any] | None
) -> list[str]:
    """How to cite it, and how to make it again."""
    lines = [
        "## Citing it and making it again",
        "",
        f"Cite it by its name and content: {code(packed.path.stem)}, content hash",
        f"{code(packed.content_hash)}. `python -m dataset verify` finds it again from the pixels "
        "and facts.",
        "",
    ]
    config = {key: value for key, value in packed.config.items() if key != "imported_from"}
    if not config or not set(config) <= set(PackConfig.__dataclass_fields__):
        return lines
    standard = to_mapping(PackConfig())
    changed = {k: v for k, v in sorted(config.items()) if standard.get(k) != v}
    words = [f"--set {shlex.quote(f'{k}={_toml(v)}')}" for k, v in changed.items()]
    if origin is not None:
        told = import_command(packed, origin)
        if not told:
            return lines
        says = "The same file, read in the same way, gives the same content:"
        return [*lines, says, "", f"    {' '.join([told, *words])}", ""]
    state = f"event {int(packed.attributes.get('event_id', 0))}"
    if isinstance(manifest.get("pair_decision_id"), int):
        state += f", pair decision {manifest['pair_decision_id']}"
    return [
        *lines,
        f"The same catalogue (in the folder DIR) at {state} gives the same bytes:",
        "",
        f"    {' '.join(['python -m dataset pack --data DIR', *words])}",
        "",
    ]


def import_command(packed: PackedDataset, origin: Mapping[str, Any]) -> str:
    """The command that imported a pack, without its --set; "" where that was not written down."""
    kind, file = origin.get("kind"), origin.get("file")
    if not (isinstance(kind, str) and isinstance(file, str)):
        return ""
    words = ["python -m dataset import", _word(kind), _word(file), "--pack"]
    words.append(_word(f"{packed.path.stem}.h5"))
    for name, usual in _SOURCE_OPTIONS.items():
        value = origin.get(name, usual)
        if isinstance(value, str) and value != usual:
            words += [f"--{name}", _word(value)]
    return " ".join([*words, *["--keep-split"] * bool(origin.get("keep_split"))])


def _word(text: str) -> str:
    """A text as one word of a shell on one line; what no line shows is escaped."""
    return shlex.quote(text if text.isprintable() else ascii(text))


def _python(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _toml(value: Any) -> str:
    """A value as --set reads it, on one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
