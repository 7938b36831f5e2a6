"""A pack in the formats of others: one module a format, all with the same `export`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.exports import arrays, caption_table, class_folders, huggingface, webdataset
from dataset.exports.options import ExportOptions as ExportOptions
from dataset.exports.options import ExportReport as ExportReport
from dataset.exports.options import chosen_rows
from dataset.packed import PackedDataset

Export = Callable[[PackedDataset, NDArray[np.int64], Path, ExportOptions], ExportReport]

FORMATS: dict[str, Export] = {
    webdataset.FORMAT: webdataset.export,
    caption_table.FORMAT: caption_table.export,
    huggingface.FORMAT: huggingface.export,
    arrays.FORMAT: arrays.export,
    class_folders.FORMAT: class_folders.export,
}


def export_pack(
    name: str, packed: PackedDataset, target: Path, options: ExportOptions
) -> ExportReport:
    """Write the rows of the chosen splits to `target` in the format `name`, whole or not at all.

    Raises ConfigError for a target that is there or an option that does not fit, DataError for an
    empty split.
    """
    return FORMATS[name](packed, chosen_rows(packed, options), target, options)
