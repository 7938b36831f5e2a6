"""CSV with the columns filepath,title, as fine-tuning of CLIP takes it, beside the pictures.

One SPLIT.csv a split; paths are relative to its folder. A picture without a caption has its label
for a title; one without either is left out. RGBA is laid on white unless another background is
asked for: readers such as CLIP's drop the alpha, and what is transparent would turn black.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.exports.folders import export_folder
from dataset.exports.options import ExportOptions, ExportReport, by_split
from dataset.exports.pictures import KEEP, numbered, picture_file
from dataset.exports.records import credits_of, label_of, mark_of, report_of, rows_of
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
    """Write pictures and tables into the folder `target`; heeds originals, all_captions and
    background."""
    parts = by_split(packed, rows)
    mark = mark_of(FORMAT, packed, parts, options)
    background = options.background or "white"
    left_out = labelled = 0
    with export_folder(target, mark, replace=options.replace) as folder:
        with ExitStack() as stack:
            credits = stack.enter_context(credits_of(folder))
            tables: dict[str, Any] = {}
            for split in parts:
                path = folder.path(f"{split}.csv")
                file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                tables[split] = csv_writer(file, ("filepath", "title"))
            for row in rows_of(packed, parts, options, FORMAT):
                titles = _captions(row, options.all_captions)
                if not titles:
                    titles = _told((label_of(packed, row.fact.label),))
                    labelled, left_out = labelled + bool(titles), left_out + (not titles)
                if not titles:
                    continue
                suffix, content = picture_file(row, background)
                name = numbered("images", row.fact.row, suffix, len(rows))
                folder.write(name, content)
                credits.add(row.fact, name)
                tables[row.fact.split].writerows((name, title) for title in titles)
        for split in parts:
            folder.count(folder.path(f"{split}.csv").stat().st_size)
    notes = [f"{labelled} pictures without a caption have their label for a title"] * bool(labelled)
    notes += [f"{left_out} pictures without caption and label were left out"] * bool(left_out)
    if packed.channels == 4:
        notes.append(_on_background(background, originals=options.originals))
    return report_of(FORMAT, target, parts, folder, *notes)


def _captions(row: PackedRow, every: bool) -> list[str]:
    """The captions that a reader of tables sees as texts: all of them, or the best one."""
    found = _told(texts_of(row, every=True))
    return found if every else found[:1]


def _told(texts: Iterable[str]) -> list[str]:
    lines = dict.fromkeys(one_line(cell(text)) for text in texts)
    return [line for line in lines if line.casefold() not in _MISSING]


def _on_background(background: str, *, originals: bool) -> str:
    if background == KEEP:
        return "the pictures keep their alpha; a reader that drops it sees black there"
    also = "; original files are as they came in" if originals else ""
    return f"what is transparent was laid on {background} (--background){also}"
