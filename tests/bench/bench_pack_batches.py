"""Random batches of 128 from 50,000 pictures of 32x32: the pack beside memory and four peers.

WebDataset and the folder of files decode PNGs in two processes that stay,
and hand over bytes; all files lie in the page cache.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import torch

from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from tests.bench.batch_readers import (
    Pictures,
    drawn,
    epoch,
    folder_batches,
    pngs,
    webdataset,
    webdataset_packages,
    write_folder,
    write_tars,
)
from tests.bench.stopwatch import at_least, load, race, show
from train.batches import load_split

COUNT, BATCH = 50_000, 128
IN_FILES = 10_000  # so many of them as PNGs
ARRAY, PACK = "numpy array in memory", "PackedDataset.data"
GATHER = "PackedDataset.gather into one buffer"
LISTS, FOLDER = "h5py, lists of rows", "a PNG each, DataLoader with 2 workers"
TARS = "WebDataset, 2 tars, DataLoader with 2 workers"
BARS = {
    (PACK, ARRAY): 0.6,
    (GATHER, LISTS): 20.0,
    (PACK, FOLDER): 10.0,
    (PACK, TARS): 10.0,
}


def run() -> None:
    torch.set_num_threads(1)
    data = drawn(COUNT)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as held:
        folder = Path(scratch)
        path = folder / "pack.h5"
        labels = np.arange(COUNT, dtype=np.int64) % 10
        write_pack(path, data, labels, [str(n) for n in range(10)], [], {})
        contestants, items = from_memory(path, data, held)
        from_files(folder, list(pngs(data[:IN_FILES])), contestants, items, held)
        results = race(contestants, items)
        show(f"random batches of {BATCH} from {COUNT:,} pictures, {load()}", "pictures", results)
        rates = {result.name: result.per_second for result in results}
        for (ours, peer), bar in BARS.items():
            if peer in rates:
                at_least(f"{ours} against {peer}", rates[ours] / rates[peer], bar, "x")


def from_memory(
    path: Path, data: Pictures, held: ExitStack
) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """Who indexes; all are given the same rows, h5py those of a batch sorted, as it wants."""
    order = np.random.default_rng(0).permutation(COUNT)
    batches = [order[start : start + BATCH] for start in range(0, COUNT - BATCH, BATCH)]
    rising = [np.sort(rows) for rows in batches]
    packed = PackedDataset(path)
    mapped, buffer = packed.data, np.empty((BATCH, *data.shape[1:]), np.uint8)
    listed = held.enter_context(h5py.File(path, "r"))["data"]
    trained = load_split(
        PackedDataset(path), "train", seed=0, flip=True, device=torch.device("cpu")
    )
    many = BATCH * len(batches)
    contestants: dict[str, Callable[[], object]] = {
        ARRAY: lambda: [data[rows].shape for rows in batches],
        PACK: lambda: [mapped[rows].shape for rows in batches],
        GATHER: lambda: [packed.gather(rows, buffer).shape for rows in batches],
        LISTS: lambda: [listed[rows].shape for rows in rising],
        "train.batches: flipped, float32 in -1..1": lambda: [
            trained.take(BATCH * n, BATCH)[0].shape for n in range(len(batches))
        ],
    }
    return contestants, dict.fromkeys(contestants, many)


def from_files(
    folder: Path,
    files: list[bytes],
    contestants: dict[str, Callable[[], object]],
    items: dict[str, int],
    held: ExitStack,
) -> None:
    """Add those who open and decode, of fewer pictures, an epoch a call."""
    write_folder(folder / "files", files)
    loader = folder_batches(folder / "files", BATCH)
    contestants[FOLDER], items[FOLDER] = lambda: epoch(loader), len(files)
    packages = webdataset_packages()
    if packages is None:
        print("  WebDataset is not installed")
        return
    epochs = held.enter_context(webdataset(packages, write_tars(folder / "tars", files), BATCH))
    contestants[TARS], items[TARS] = epochs, len(files)
