"""Predictions: time and memory of the command on large catalogues, accuracy on real pictures.

Real pictures come from the tars that PEDIGREE_ANIMALS and PEDIGREE_LOGOS name. The baseline is the
nearest neighbour by 32x32 luma, as one would write it in ten lines.
"""

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate_app.accuracy import area_under_curve
from curate_app.feature_space import space_of
from curate_app.features import MEASURES
from curate_app.prediction import Examples, learn
from dataset import cli as dataset_cli
from dataset.catalog import Catalog
from dataset.fingerprint import LOOK
from tests.bench.large_catalogue import copy_of, large_catalogue

_SIZES = (100_000, 1_000_000)
_ROUNDS = 5
# Runs the command and tells the largest memory that it ever had: its own, whereas ru_maxrss of a
# child process begins with that of its parent.
_MEASURED = r"""
import pathlib, re, resource, sys
from curate_app import cli
code = cli.main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
status = pathlib.Path("/proc/self/status").read_text()
print("peak", re.findall(r"VmHWM:\s+(\d+)", status)[0])
print("busy", round(used.ru_utime + used.ru_stime, 1))
sys.exit(code)
"""


def run() -> None:
    for count in _SIZES:
        if count > _SIZES[0] and os.environ.get("PEDIGREE_MILLION") != "1":
            print(f"{count:,} pictures: skipped, set PEDIGREE_MILLION=1 (5 GB of disk)")
            continue
        _large(count)
    for title, variable in (("animals", "PEDIGREE_ANIMALS"), ("logos", "PEDIGREE_LOGOS")):
        if path := os.environ.get(variable):
            _real(title, Path(path))
        else:
            print(f"{title}: skipped, {variable} names no tar")


def _large(count: int) -> None:
    """The command on a catalogue where a third is judged; looks are noise: only cost is told."""
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("PEDIGREE_BENCH_FOLDER")))
    try:
        data = copy_of(large_catalogue(count), folder / "data")
        with closing(sqlite3.connect(data / "catalog.sqlite", isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("UPDATE fingerprint SET value = randomblob(?)", (LOOK.itemsize,))
            db.execute("PRAGMA journal_mode = WAL")
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, "predict", f"--data={data}", "--progress=quiet"],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(done.stderr)
        [busy] = re.findall(r"busy ([\d.]+)", done.stdout)
        peak = int(re.findall(r"peak (\d+)", done.stdout)[0]) / 1024
        told = done.stdout.splitlines()[0]
        print(f"{count:>9,} pictures: {seconds:6.1f} s, {busy} s of a core, {peak:4.0f} MB; {told}")
    finally:
        shutil.rmtree(folder)


def _real(title: str, path: Path) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        dataset_cli.main(["import", "folder", str(path), "--data", str(folder), "--progress=quiet"])
        with Catalog(folder / "catalog.sqlite", create=False) as catalog:
            ids = catalog.appearances.ids()
            space = space_of(catalog, ids)
            blocks = list(catalog.appearances.blocks(MEASURES))
            features = np.concatenate([space.rows(block) for block in blocks])
            luma = np.concatenate([block.looks["luma"] for block in blocks])
            labels = np.array([label for block in blocks for label in block.labels])
            origins = catalog.images.origins_of(ids.tolist())
            stems = [Path(origins[i][0].url).stem for i in ids.tolist()]
        goals = {label: labels == label for label in np.unique(labels)}
        if title == "logos":
            icons, names = _icons(path, stems)
            some = icons | names
            features, luma, goals = features[some], luma[some], {"icon": icons[some]}
        print(
            f"\n{title}: {len(ids)} pictures; area under the curve of the pictures not learned, "
            f"mean and range of {_ROUNDS} draws"
        )
        print(f"  {'goal':<22} {'examples':>8} {'predicted':>24} {'measured itself':>22} nearest")
        for goal, wanted in goals.items():
            for count in (60, 200, 1000):
                if count < 0.7 * len(wanted):
                    _goal(f"{goal} or not", count, features, space.groups, luma, wanted)
    finally:
        shutil.rmtree(folder)


def _icons(path: Path, stems: list[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which logos are an icon, by the table in the tar, and which the plain file beside an icon,
    which holds the name."""
    with tarfile.open(path) as tar:
        tables = [name for name in tar.getnames() if name.endswith(".csv")]
        stream = tar.extractfile(tables[0]) if tables else None
        rows = list(csv.DictReader(io.TextIOWrapper(stream, "utf-8"))) if stream else []
    icons = {Path(row["file"]).stem for row in rows if row["variant"] == "icon"}
    named = np.array([f"{stem}-icon" in icons for stem in stems])
    return np.array([stem in icons for stem in stems]), named


def _goal(
    title: str,
    count: int,
    features: NDArray[np.float32],
    groups: dict[str, slice],
    luma: NDArray[np.uint8],
    wanted: NDArray[np.bool_],
) -> None:
    """Learn from `count` examples, a third of them good ones, and ask for all the others."""
    areas, told, baseline = [], [], []
    flat = luma.reshape(len(luma), -1).astype(np.float32)
    for seed in range(_ROUNDS):
        rng = np.random.default_rng(seed)
        good, bad = (rng.permutation(np.flatnonzero(which)) for which in (wanted, ~wanted))
        chosen = np.concatenate([good[: count // 3], bad[: count - count // 3]])
        rest = np.setdiff1d(np.arange(len(wanted)), chosen)
        nothing = np.zeros(0, np.int64)
        learned = learn(
            Examples(
                features=features[chosen],
                status=np.where(wanted[chosen], 1, -1),
                stars=np.zeros(count, np.int64),
                groups=np.arange(count),
                left=nothing,
                right=nothing,
                outcome=nothing,
                aside=nothing.astype(np.bool_),
            ),
            groups,
        )
        scores, _deviations = learned.model.predict(features[rest])
        areas.append(area_under_curve(scores.astype(np.float64), wanted[rest]))
        told.append(learned.figures[0].value or 0.5)
        baseline.append(_nearest(flat[chosen], wanted[chosen], flat[rest], wanted[rest]))
    print(
        f"  {title:<22} {count:>8} {np.mean(areas):>8.3f} ({min(areas):.3f} to {max(areas):.3f})"
        f" {np.mean(told):>22.3f} {np.mean(baseline):>7.3f}"
    )


def _nearest(
    known: NDArray[np.float32],
    good: NDArray[np.bool_],
    asked: NDArray[np.float32],
    wanted: NDArray[np.bool_],
) -> float:
    """The area of: how much nearer the nearest good example is than the nearest bad one."""
    apart = (known**2).sum(axis=1) - 2 * asked @ known.T  # less the square of the asked
    scores = apart[:, ~good].min(axis=1) - apart[:, good].min(axis=1)
    return area_under_curve(scores.astype(np.float64), wanted)
