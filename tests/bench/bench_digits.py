"""The preset `mnist` on real digits: how long it takes, and how many of its pictures are read as
the class that they were asked for. PEDIGREE_MNIST names the folder of the IDX files."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.packed import PackedDataset
from tests.bench.small_classifier import read_as, trained
from tests.bench.stopwatch import at_least, at_most, load
from train.batches import to_bytes
from train.checkpoint import load_checkpoint
from train.condition import of_labels
from train.drawing import Sampling, draw_pictures
from train.guidance import Guidance

_PER_CLASS = 50


def run() -> None:
    source = Path(os.environ.get("PEDIGREE_MNIST", "../shared/data/mnist"))
    if not source.is_dir():
        print(f"  left out: no digits at {source}; name their folder by PEDIGREE_MNIST")
        return
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "mnist.h5"
        _python(
            *("dataset", "import", "mnist", str(source), "--pack", str(packed)),
            *("--min-side", "8", "--set", "size=28", "--set", "channels=grey"),
        )
        start = time.perf_counter()
        _python(
            *("train", "run", "--config", "mnist", "--packed", str(packed)),
            *("--runs", folder, "--progress", "quiet"),
        )
        minutes = (time.perf_counter() - start) / 60
        pack = PackedDataset(packed)
        known, unseen = pack.rows("train"), pack.rows("test")
        judge = trained(np.array(pack.data[known]), np.array(pack.labels[known]), epochs=12)
        truth = np.array(pack.labels[unseen])
        real = float((read_as(judge, np.array(pack.data[unseen])) == truth).mean())
        print(f"\n{len(known)} digits learnt, {load()}")
        at_most("training by the preset mnist", minutes, 5, "min")
        at_least(f"{len(unseen)} unseen digits read right", 100 * real, 98, "%")
        for guidance in (1.0, 2.0):
            wanted, drawn = _drawn(Path(folder) / "mnist", len(pack.label_names), guidance)
            share = 100 * float((read_as(judge, drawn) == wanted).mean())
            at_least(f"drawn digits read as asked, guidance {guidance:g}", share, 90, "%")


def _drawn(
    checkpoint: Path, classes: int, guidance: float
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The labels asked for (N,), and the pictures (N, 1, 28, 28) uint8."""
    denoiser = load_checkpoint(checkpoint).denoiser()
    labels = torch.arange(classes).repeat_interleave(_PER_CLASS)
    sampling = Sampling(sampler="dpm++2m", steps=20, guidance=Guidance(scale=guidance))
    parts = [
        to_bytes(draw_pictures(denoiser, of_labels(labels[i : i + 50]), range(i, i + 50), sampling))
        for i in range(0, len(labels), 50)
    ]
    return labels.numpy(), torch.cat(parts).numpy()


def _python(*words: str) -> None:
    subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL)
