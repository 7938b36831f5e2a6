"""All pairs of 64-bit hashes within 8 bits: even and crowded codes, beside FAISS's exact search.

With PEDIGREE_LOGOS=FILE.tar the crowded codes are those of the PNG pictures in that tar.
"""

import io
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable

import faiss
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.hamming import Pairs, near_pairs, near_pairs_between, within
from tests.dataset.pictures import scene

Codes = NDArray[np.uint64]
RADIUS = 8
MILLION = 1_000_000
FAISS_QUERIES = 300
CHECKED = 50_000
MOST_FLIPS = 12
DRAWN = 600

FIRST_CALL = """
import time, numpy, dataset.hamming
start = time.perf_counter()
dataset.hamming.near_pairs(numpy.arange(9, dtype=numpy.uint64), 4)
print(time.perf_counter() - start)
"""
TEN_MILLION = "import tests.bench.bench_duplicates as b; b.ten_million({threads})"


def run() -> None:
    rng = np.random.default_rng(0)
    even = even_codes(MILLION, rng)
    show_first_call()
    hashes, what = picture_hashes()
    crowded = crowded_codes(hashes, MILLION, rng)
    print(f"\ncodes are drawn at random (even) or are {what}, 0-{MOST_FLIPS} bits turned (crowded)")
    for name, codes, radius in (("even", even, 14), ("crowded", crowded, RADIUS)):
        print(f"  {CHECKED:,} {name} codes: {check_with_counting(codes[:CHECKED], radius)}")
    print(f"\nall pairs within {RADIUS} bits, one thread unless said")
    ours = show_time("1,000,000 even codes", lambda: near_pairs(even, RADIUS), 5)
    theirs = show_faiss(even)
    print(f"  {'ratio (bar: 100x)':<52} {theirs / ours:>8.0f}x")
    show_time("1,000,000 even codes, radius 12", lambda: near_pairs(even, 12), 3)
    show_time("1,000,000 crowded codes", lambda: near_pairs(crowded, RADIUS), 3)
    pairs = len(near_pairs(crowded, RADIUS, threads=2)[0])
    show_time("  the same, 2 threads", lambda: near_pairs(crowded, RADIUS, threads=2), 3)
    print(f"  {'  their pairs':<52} {pairs:>8,}")
    for count in (100, 10_000):
        queries = even_codes(count, rng)
        show_time(
            f"{count:,} new codes against 1,000,000",
            lambda queries=queries: near_pairs_between(queries, even, RADIUS),  # type: ignore[misc]
            5,
        )
    show_time("one code against 1,000,000", lambda: within(even[0], even, RADIUS), 101)
    for threads in (1, 2):
        out = fresh_python(TEN_MILLION.format(threads=threads)).split()
        name = f"10,000,000 even codes, {threads} thread(s), {float(out[1]):.2f} GB at most"
        print(f"  {name:<52} {float(out[0]):>8.2f} s")


def even_codes(count: int, rng: np.random.Generator) -> Codes:
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def crowded_codes(hashes: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Hashes chosen at random, each with 0..12 random bits turned."""
    flips = rng.integers(0, MOST_FLIPS + 1, count)
    bits = rng.random((count, 64), np.float32).argsort(axis=1)[:, :MOST_FLIPS].astype(np.uint64)
    turned = (np.uint64(1) << bits) * (np.arange(MOST_FLIPS) < flips[:, None]).astype(np.uint64)
    codes: Codes = hashes[rng.integers(0, len(hashes), count)]
    codes ^= np.bitwise_xor.reduce(turned, axis=1)
    return codes


def picture_hashes() -> tuple[Codes, str]:
    """pHashes on white of the pictures in the named tar, or of drawn scenes; and what they are."""
    logos = os.environ.get("PEDIGREE_LOGOS")
    if not logos:
        drawn = [int(str(imagehash.phash(scene(n, (96, 72)))), 16) for n in range(DRAWN)]
        return np.array(drawn, np.uint64), f"pHashes of {DRAWN} drawn scenes"
    found = []
    with tarfile.open(logos) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".png") else None
            if file is None:
                continue
            image = Image.open(io.BytesIO(file.read())).convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image)
            found.append(int(str(imagehash.phash(white.convert("RGB"))), 16))
    return np.array(found, np.uint64), f"pHashes of {len(found)} logos"


def check_with_counting(codes: Codes, radius: int) -> str:
    """Compare with every bit of every pair counted in blocks."""
    parts: list[Pairs] = []
    for start in range(0, len(codes), 1000):
        bits = np.bitwise_count(codes[start : start + 1000, None] ^ codes[None, start:])
        rows, columns = np.nonzero(bits <= radius)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        parts.append((rows + start, columns + start, bits[rows, columns]))
    found: tuple[NDArray[np.generic], ...] = near_pairs(codes, radius)
    for n, column in enumerate(found):
        assert np.array_equal(column, np.concatenate([part[n] for part in parts]))
    return f"{len(found[0]):,} pairs within {radius} bits, equal to counting every bit"


def show_time(name: str, work: Callable[[], object], rounds: int) -> float:
    """Print and return the median seconds of some calls, after one unmeasured."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    shown = f"{median:>8.2f} s" if median >= 0.1 else f"{1000 * median:>8.2f} ms"
    print(f"  {name:<52} {shown}   (median of {rounds})", flush=True)
    return median


def show_faiss(codes: Codes) -> float:
    """The seconds that FAISS would take for all pairs, from some hundred queries."""
    packed = codes.view(np.uint8).reshape(len(codes), 8)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryFlat(64)
    index.add(packed)
    queries = packed[:FAISS_QUERIES]
    index.range_search(queries[:10], RADIUS + 1)
    start = time.perf_counter()
    index.range_search(queries, RADIUS + 1)  # it finds what is nearer than its radius
    seconds = (time.perf_counter() - start) * len(codes) / FAISS_QUERIES
    name = f"faiss IndexBinaryFlat, from {FAISS_QUERIES} queries"
    print(f"  {name:<52} {seconds:>8.0f} s   (extrapolated)", flush=True)
    return seconds


def show_first_call() -> None:
    with tempfile.TemporaryDirectory() as folder:
        compiling = float(fresh_python(FIRST_CALL, NUMBA_CACHE_DIR=folder))
        loading = float(fresh_python(FIRST_CALL, NUMBA_CACHE_DIR=folder))
    print(f"first call in a process: {compiling:.1f} s compiling, {loading:.2f} s from the cache")


def ten_million(threads: int) -> None:
    """Print the seconds that ten million codes take, and the most memory in GB."""
    near_pairs(np.arange(9, dtype=np.uint64), RADIUS)
    codes = even_codes(10 * MILLION, np.random.default_rng(0))
    start = time.perf_counter()
    near_pairs(codes, RADIUS, threads=threads)
    seconds = time.perf_counter() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def fresh_python(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
