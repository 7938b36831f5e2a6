"""An image folder as Hugging Face's datasets opens it: SPLIT/metadata.jsonl and the pictures.

README.md names the splits, the licences and the type of every column, so that a split where
nothing is known of a column has the same columns as the others.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from dataset.exports.folders import export_folder
from dataset.exports.options import ExportOptions, ExportReport, by_split
from dataset.exports.pictures import KEEP, numbered, picture_file
from dataset.exports.records import Parts, credits_of, label_of, mark_of, report_of, rows_of
from dataset.exports.texts import json_line, texts_of
from dataset.packed import PackedDataset
from dataset.packed_rows import PackedRow

FORMAT = "huggingface"
_TEXTS = (
    "text",
    "label",
    "licence",
    "licence_url",
    "author",
    "author_url",
    "attribution",
    "source",
    "source_url",
    "page_url",
    "query",
    "fetched_at",
    "sha256",
)
_NUMBERS = ("row", "group", "stars")


def export(
    packed: PackedDataset, rows: NDArray[np.int64], target: Path, options: ExportOptions
) -> ExportReport:
    """Write the image folder `target`; heeds originals, background and all_captions (as a column
    `texts`)."""
    parts = by_split(packed, rows)
    mark = mark_of(FORMAT, packed, parts, options)
    with export_folder(target, mark, replace=options.replace) as folder:
        with ExitStack() as stack:
            credits = stack.enter_context(credits_of(folder))
            tables: dict[str, TextIO] = {}
            for split in parts:
                path = folder.path(f"{split}/metadata.jsonl")
                tables[split] = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            for row in rows_of(packed, parts, options, FORMAT):
                split = row.fact.split
                suffix, content = picture_file(row, options.background or KEEP)
                name = numbered(split, row.fact.row, suffix, len(rows))
                folder.write(name, content)
                credits.add(row.fact, name)
                facts = _metadata(row, label_of(packed, row.fact.label), options.all_captions)
                below = name.removeprefix(f"{split}/")
                tables[split].write(json_line({"file_name": below, **facts}))
        for split in parts:
            folder.count(folder.path(f"{split}/metadata.jsonl").stat().st_size)
        front = _front_matter(packed, parts, options, credits.hub_licence())
        folder.write("README.md", front.encode())
    return report_of(FORMAT, target, parts, folder)


def _metadata(row: PackedRow, label: str, every: bool) -> dict[str, Any]:
    fact = row.fact
    renamed = {"text": "".join(texts_of(row)), "label": label, "source_url": fact.url}
    texts = {name: renamed.get(name, getattr(fact, name, "")) for name in _TEXTS}
    more = {"texts": texts_of(row, every=True)} if every else {}
    return {**texts, **more, **{name: getattr(fact, name) for name in _NUMBERS}}


def _front_matter(packed: PackedDataset, parts: Parts, options: ExportOptions, licence: str) -> str:
    """README.md: YAML (every text in it as JSON, which YAML reads) between two rules."""
    features = ["  - name: image", "    dtype: image"]
    for names, kind in ((_TEXTS, "string"), (_NUMBERS, "int64")):
        for name in names:
            features += [f"  - name: {name}", f"    dtype: {kind}"]
    if options.all_captions:
        features += ["  - name: texts", "    list: string"]
    splits = []
    for split in parts:
        splits += [f"  - split: {split}", f"    path: {split}/**"]
    count = sum(map(len, parts.values()))
    return "\n".join(
        [
            "---",
            f"pretty_name: {json.dumps(packed.path.stem)}",
            f"license: {licence}",
            "configs:",
            "- config_name: default",
            "  data_files:",
            *splits,
            "dataset_info:",
            "  features:",
            *features,
            "---",
            "",
            f"{count} pictures of {packed.height} x {packed.width} pixels, exported by Pedigree",
            f"from a pack with the content hash {packed.content_hash}. Each picture has its",
            "licence, author and address in metadata.jsonl and attribution.csv; keep them with it.",
            "",
        ]
    )
