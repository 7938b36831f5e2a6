"""CSV with the columns filepath,title, as fine-tuning of CLIP takes it, beside the pictures.

One SPLIT.csv a split; paths are relative to its folder. A picture without a caption has its label
for a title; one without either is left out.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.exports.folders import export_folder
from dataset.exports.options import ExportOptions, ExportReport, by_split
from dataset.exports.pictures import numbered, picture_file
from dataset.exports.records import label_of, mark_of, report_of, rows_of
from dataset.exports.texts import cell, csv_writer, one_line, texts_of
from dataset.packed import PackedDataset
from dataset.packed_rows import PackedRow

FORMAT = "csv"
# Readers of tables take these for a missing value, and the web is full of alt="null".
_MISSING = {"", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "#n/a n/a", "#na"}
_MISSING |= {"1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}


def export(
    packed: PackedDataset, rows: NDArray[np.int64], target: Path, options: ExportOptions
) -> ExportReport:
    """Write pictures and tables into the folder `target`; heeds originals and all_captions."""
    parts = by_split(packed, rows)
    mark = mark_of(FORMAT, packed, parts, options)
    left_out = 0
    with export_folder(target, mark, replace=options.replace) as folder:
        with ExitStack() as stack:
            tables: dict[str, Any] = {}
            for split in parts:
                path = folder.path(f"{split}.csv")
                file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                tables[split] = csv_writer(file, ("filepath", "title"))
            for row in rows_of(packed, parts, options, FORMAT):
                titles = list(_titles(row, label_of(packed, row.fact.label), options.all_captions))
                if not titles:
                    left_out += 1
                    continue
                suffix, content = picture_file(row)
                name = numbered("images", row.fact.row, suffix, len(rows))
                folder.write(name, content)
                tables[row.fact.split].writerows((name, title) for title in titles)
        for split in parts:
            folder.count(folder.path(f"{split}.csv").stat().st_size)
    note = f"{left_out} pictures without caption and label were left out" if left_out else ""
    return report_of(FORMAT, target, parts, folder, note)


def _titles(row: PackedRow, label: str, every: bool) -> Iterator[str]:
    """The captions that a reader of tables sees as texts, else the label."""
    found = [one_line(cell(text)) for text in texts_of(row, every=True)]
    told = [text for text in dict.fromkeys(found) if text.casefold() not in _MISSING]
    if not told:
        told = [text for text in (one_line(label),) if text.casefold() not in _MISSING]
    yield from told if every else told[:1]
