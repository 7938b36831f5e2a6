"""Reading random batches of 128 from a pack of 20,000 pictures of 32x32, and writing it."""

import tempfile
from pathlib import Path

import h5py
import numpy as np

from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from tests.bench.stopwatch import race, show

COUNT, BATCH, BATCHES = 20_000, 128, 50


def run() -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (COUNT, 3, 32, 32), dtype=np.uint8)
    facts = [Provenance(row=n, image_id=n, group=n, sha256=f"{n:064x}") for n in range(COUNT)]
    labels = np.zeros(COUNT, np.int64)
    batches = [np.sort(rng.permutation(COUNT)[:BATCH]) for _ in range(BATCHES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack.h5"
        write_pack(path, data, labels, ["a"], facts, {})
        mapped = PackedDataset(path).data
        with h5py.File(path, "r") as file:
            listed = file["data"]
            contestants = {
                "h5py, list of rows": lambda: [listed[rows] for rows in batches[:5]] * 10,
                "PackedDataset.data (memory map)": lambda: [mapped[rows] for rows in batches],
                "numpy array in memory": lambda: [data[rows] for rows in batches],
            }
            # h5py reads a tenth of the batches, or nobody would wait; the rate is corrected.
            results = race(contestants, BATCH * BATCHES)
        slow = results[0]
        first = type(slow)(slow.name, slow.per_second / 10, 1.0)
        rest = [type(r)(r.name, r.per_second, r.per_second / first.per_second) for r in results[1:]]
        show("random batches of 128", "pictures", [first, *rest])
        write = {"write_pack": lambda: write_pack(path, data, labels, ["a"], facts, {})}
        show("writing the pack, provenance and hash included", "pictures", race(write, COUNT))
