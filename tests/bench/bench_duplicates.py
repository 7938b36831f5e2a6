"""All pairs of 64-bit hashes within 8 bits, beside FAISS's exact binary range search."""

import faiss
import numpy as np

from dataset.likeness import near_pairs
from tests.bench.stopwatch import race, show

COUNT = 20_000


def run() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, COUNT, dtype=np.uint64)
    codes[: COUNT // 10] = codes[COUNT // 10 : COUNT // 5] ^ np.uint64(0b10100)
    packed = codes.view(np.uint8).reshape(COUNT, 8)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryFlat(64)
    index.add(packed)
    limits, _distances, _neighbours = index.range_search(packed, 9)
    ours = len(near_pairs(codes, 8)[0])
    assert ours == (int(limits[-1]) - COUNT) // 2
    contestants = {
        "faiss IndexBinaryFlat.range_search": lambda: index.range_search(packed, 9),
        "dataset.duplicates.near_pairs": lambda: near_pairs(codes, 8),
    }
    show(f"{ours} pairs among {COUNT} codes", "codes", race(contestants, COUNT, rounds=3))
