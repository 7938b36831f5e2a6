"""Memory and time of 100,000 pictures of 32x32, or with PEDIGREE_MILLION=1 of a million.

From arrays, from arrays with facts, and from a catalogue with a file for every picture: a million
take 9 GB in PEDIGREE_BENCH_FOLDER (where the catalogue and the files are kept) or TMPDIR.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from PIL import Image

from dataset.image_store import ImageStore
from dataset.workspace import Workspace
from tests.bench.batch_readers import drawn
from tests.bench.fresh_process import watched
from tests.bench.large_catalogue import large_catalogue
from tests.bench.stopwatch import at_most, load
from tests.dataset.pictures import encoded

BAR_MB = 400.0
_DRAWN = 1000


def run() -> None:
    count = 1_000_000 if os.environ.get("PEDIGREE_MILLION") == "1" else 100_000
    root = Path(os.environ.get("PEDIGREE_BENCH_FOLDER") or tempfile.gettempdir())
    data = filled_catalogue(count, root)
    print(f"\n{count:,} pictures 3x32x32, {load()}; memory at most")
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        arrays = Path(scratch) / "arrays.h5"
        for name in ("from_arrays", "with_facts"):
            work = f"import tests.bench.pack_at_scale as s; s.{name}({str(arrays)!r}, {count})"
            measure(name.replace("_", " "), work, count)
        measure("  verify", command("verify", str(arrays)), count)
        measure("  info", command("info", str(arrays)), count)
        arrays.unlink()
        setting = 'statuses=["keep", "undecided", "reject"]'
        more = ("--data", str(data), "--set", setting)
        measure("from the catalogue", command("pack", *more), count)
        pack = Workspace(data).packs / "main.h5"
        measure("  again, nothing to do", command("pack", *more), count)
        measure("  verify", command("verify", str(pack)), count)
        measure("  info", command("info", str(pack)), count)
        shutil.rmtree(pack.parent)


def measure(name: str, work: str, count: int) -> None:
    found = watched(work)
    rate = f"{found.seconds:,.1f} s, {count / found.seconds:,.0f} pictures/s"
    own = f"{found.peak_mb:,.0f} MB alone"
    at_most(f"{name}: {rate}, {own}", max(found.together_mb, found.peak_mb), BAR_MB, "MB")


def command(*arguments: str) -> str:
    """The command as its user gives it, but in a process that tells what it used."""
    return f"import dataset.cli; assert dataset.cli.main({list(arguments)!r}) == 0"


def filled_catalogue(count: int, root: Path) -> Path:
    """The large catalogue, with a file of its own for every picture; kept for the next run."""
    source = large_catalogue(count)
    data = root / f"{source.name}-files"
    if not (data / "complete").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        workspace = Workspace(data)
        shutil.copyfile(source / "catalog.sqlite", workspace.catalog)
        digests = list(write_files(ImageStore(workspace.images), count))
        with closing(sqlite3.connect(workspace.catalog)) as db, db:
            db.executemany("UPDATE image SET sha256 = ? WHERE id = ?", digests)
        (data / "complete").touch()
    return data


def write_files(store: ImageStore, count: int) -> Iterator[tuple[str, int]]:
    """Small PNGs with pixels of their own: the colour of one corner is the picture's number."""
    pictures = drawn(_DRAWN).transpose(0, 2, 3, 1)
    for first in range(256):
        (store.root / f"{first:02x}").mkdir(parents=True)
    for number in range(1, count + 1):
        pixels = pictures[number % _DRAWN].copy()
        pixels[0, 0] = (number & 255, number >> 8 & 255, number >> 16)
        content = encoded(Image.fromarray(pixels), compress_level=1)
        digest = hashlib.sha256(content).hexdigest()
        store.path(digest).write_bytes(content)
        yield digest, number
