"""Packing 100,000 pictures of 32x32 from arrays, and where the time of it goes.

In /dev/shm where there is one, and in the folder for temporary files: TMPDIR names another disk.
"""

import cProfile
import hashlib
import os
import pstats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.pack_writer import write_pack
from dataset.provenance import Provenance
from tests.bench.stopwatch import at_least, load, race, show

COUNT, BAR = 100_000, 300_000
_MEMORY = Path("/dev/shm")
_PART = 12 << 20


def run() -> None:
    data = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 32, 32), dtype=np.uint8)
    facts = [fact(row) for row in range(COUNT)]
    folders = [Path(tempfile.gettempdir())]
    if os.access(_MEMORY, os.W_OK):
        folders.insert(0, _MEMORY)
    for folder in folders:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            measure(Path(scratch), data, facts, f"in {folder}")
    with tempfile.TemporaryDirectory(dir=folders[0]) as scratch:
        path = Path(scratch) / "pack.h5"
        show_parts("without facts", lambda: packed(path, data, []))
        show_parts("with facts", lambda: packed(path, data, facts))


def measure(folder: Path, data: NDArray[np.uint8], facts: list[Provenance], where: str) -> None:
    path = folder / "pack.h5"
    contestants: dict[str, Callable[[], object]] = {
        "bare: write the bytes, fsync": lambda: write_bare(folder / "bare", data),
        "bare: SHA-256 of the bytes": lambda: hashlib.sha256(data.data).digest(),
        "write_pack": lambda: packed(path, data, []),
        "write_pack, 18 facts of every row": lambda: packed(path, data, facts),
    }
    results = race(contestants, COUNT)
    show(f"{COUNT:,} pictures 3x32x32 from arrays {where}, {load()}", "pictures", results)
    for result in results[2:]:
        at_least(f"{result.name}, {where}", result.per_second, BAR, "/s")


def fact(row: int) -> Provenance:
    """A row about which all is known that can be; texts of the lengths that real ones have."""
    return Provenance(
        row=row,
        image_id=row + 1,
        label=row % 40,
        caption=f"a heron at the edge of pond {row}",
        url=f"https://pictures.example/originals/{row:07d}/picture.jpg",
        page_url=f"https://pictures.example/page/{row}",
        source="commons",
        query="heron",
        author=f"author {row % 5000}",
        licence="CC-BY-4.0",
        licence_url="https://licences.example/by/4.0/",
        fetched_at="2026-01-01T00:00:00.000Z",
        sha256=hashlib.sha256(row.to_bytes(8, "big")).hexdigest(),
        phash=f"{row * 0x9E3779B97F4A7C15 % 2**64:016x}",
        original_format="JPEG",
        original_width=640,
        original_height=480,
        group=row + 1,
    )


def packed(path: Path, data: NDArray[np.uint8], facts: list[Provenance]) -> None:
    labels = np.arange(len(data), dtype=np.int64) % 40
    write_pack(path, data, labels, [f"class {n}" for n in range(40)], facts, {})


def write_bare(path: Path, data: NDArray[np.uint8]) -> None:
    rest = memoryview(data.data).cast("B")
    with path.open("wb", buffering=0) as file:
        while rest:
            rest = rest[file.write(rest[:_PART]) :]
        os.fsync(file.fileno())


def show_parts(title: str, work: Callable[[], object], lines: int = 8) -> None:
    """Where the thread that calls spends its time, by function; the hashes are made in another."""
    profile = cProfile.Profile()
    start = time.perf_counter()
    profile.runcall(work)
    took = time.perf_counter() - start
    print(f"\nwrite_pack {title}, {took:.2f} s under the profiler, of that in")
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = sorted(((row[2], row[0], name) for name, row in stats.items()), reverse=True)
    for seconds, calls, (file, line, name) in own[:lines]:
        place = f"{Path(file).name}:{line} {name}" if line else name
        said = "waiting for the hashes" if "acquire" in name else place
        print(f"  {seconds:>7.3f} s {calls:>10,} calls  {said}")
