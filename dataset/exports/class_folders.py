"""Folders: SPLIT/CLASS/ROW.png and captions.csv, which our own import reads back.

The label stands in captions.csv as it is; the folder has a name that every system takes. Pictures
without a label lie in SPLIT/images, which the import takes for no class.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.exports.folders import export_folder
from dataset.exports.names import safe_names
from dataset.exports.options import ExportOptions, ExportReport, by_split
from dataset.exports.pictures import KEEP, numbered, picture_file
from dataset.exports.records import credits_of, label_of, mark_of, report_of, rows_of
from dataset.exports.texts import ORIGIN_FACTS, cell, csv_writer, texts_of
from dataset.packed import PackedDataset

FORMAT = "folder"
UNLABELLED = "images"
_FACTS = tuple(name for name in ORIGIN_FACTS if name != "url")
COLUMNS = ("file", "title", "label", "split", "url", *_FACTS, "stars", "sha256")


def export(
    packed: PackedDataset, rows: NDArray[np.int64], target: Path, options: ExportOptions
) -> ExportReport:
    """Write the folder `target`; heeds originals and background."""
    parts = by_split(packed, rows)
    mark = mark_of(FORMAT, packed, parts, options)
    names = safe_names(packed.label_names, taken=(UNLABELLED,))
    with export_folder(target, mark, replace=options.replace) as folder:
        table = folder.path("captions.csv")
        with (
            credits_of(folder) as credits,
            table.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv_writer(file, COLUMNS)
            for row in rows_of(packed, parts, options, FORMAT):
                fact = row.fact
                suffix, content = picture_file(row, options.background or KEEP)
                known = 0 <= fact.label < len(names)
                place = f"{fact.split}/{names[fact.label] if known else UNLABELLED}"
                # The import would take a folder's number for the class of what has none.
                name = numbered(place, fact.row, suffix, len(rows) if known else 0)
                folder.write(name, content)
                credits.add(fact, name)
                texts = ["".join(texts_of(row)), label_of(packed, fact.label), fact.split, fact.url]
                texts += [getattr(fact, fact_name) for fact_name in _FACTS]
                cells = (*map(cell, texts), str(fact.stars), fact.sha256)
                writer.writerow((name, *cells))
        folder.count(table.stat().st_size)
    return report_of(FORMAT, target, parts, folder)
