"""How near drawn pictures come to real ones: the preset `tiny` against the network and the training
of FaviconGen, at equal images seen, by KID in the features of a classifier trained on the spot.

PEDIGREE_ANIMALS and PEDIGREE_LOGOS name the tars, PEDIGREE_IMAGES the images seen (48,000);
PEDIGREE_SHEETS a folder for the sheets.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.packed import PackedDataset
from tests.bench.port_loop import PortLoop
from tests.bench.small_classifier import (
    SmallClassifier,
    features_of,
    kernel_distance,
    read_as,
    trained,
)
from train.batches import to_bytes
from train.checkpoint import load_checkpoint
from train.condition import of_labels
from train.config import TrainConfig
from train.denoiser import Denoiser
from train.diffusion_config import DiffusionConfig
from train.drawing import Sampling, draw_pictures
from train.guidance import Guidance
from train.networks import build_network
from train.preview import contact_sheet
from train.subject import Subject

_DRAWN = 400


def run() -> None:
    images = int(os.environ.get("PEDIGREE_IMAGES", "48000"))
    sources = {
        name: Path(os.environ.get(f"PEDIGREE_{name.upper()}", f"../shared/data/{tar}"))
        for name, tar in (("animals", "animals32.tar"), ("logos", "logos.tar"))
    }
    with tempfile.TemporaryDirectory() as folder:
        judge: SmallClassifier | None = None
        for name, source in sources.items():
            if not source.is_file():
                print(f"  left out: no {name} at {source}; name the tar by PEDIGREE_{name.upper()}")
                continue
            packed = Path(folder) / f"{name}.h5"
            size = ("--min-side", "8", "--set", "size=32")
            _python("dataset", "import", "folder", str(source), "--pack", str(packed), *size)
            pack = PackedDataset(packed)
            judge = judge or _judge(pack)
            _compare(name, pack, judge, images, Path(folder))


def _judge(pack: PackedDataset) -> SmallClassifier:
    rows, unseen = pack.rows("train"), pack.rows("test")
    net = trained(np.array(pack.data[rows]), np.array(pack.labels[rows]), epochs=15)
    right = (read_as(net, np.array(pack.data[unseen])) == pack.labels[unseen]).mean()
    print(f"  the classifier reads {100 * right:.0f} % of unseen {pack.path.stem} right")
    return net


def _compare(
    name: str, pack: PackedDataset, judge: SmallClassifier, images: int, folder: Path
) -> None:
    test = features_of(judge, np.array(pack.data[pack.rows("test")]))
    known = np.array(pack.data[pack.rows("train")[:_DRAWN]])
    print(f"\n{name}: KID x 1,000 of {_DRAWN} pictures against {len(test)} of the split test")
    rows = {"training pictures themselves (the floor)": (known, 0.0)}
    rows[f"preset tiny, {images:,} images seen"] = _ours(pack, images, folder / f"runs-{name}")
    rows[f"favicon as FaviconGen trains it, {images:,} images seen"] = _favicon(pack, images)
    for label, (pictures, seconds) in rows.items():
        distance = 1000 * kernel_distance(features_of(judge, pictures), test)
        print(f"  {label:<60} {distance:>9.1f}   {seconds:>6.0f} s of training")
        if "PEDIGREE_SHEETS" in os.environ:
            sheet = contact_sheet(pictures[:: len(pictures) // 100][:100], columns=20)
            sheet.save(Path(os.environ["PEDIGREE_SHEETS"]) / f"{name}-{label.split()[0]}.png")


def _ours(pack: PackedDataset, images: int, runs: Path) -> tuple[NDArray[np.uint8], float]:
    start = time.perf_counter()
    _python(
        *("train", "run", "--config", "tiny", "--packed", str(pack.path), "--runs", str(runs)),
        *("--set", f"images={images}", "--progress", "quiet"),
    )
    seconds = time.perf_counter() - start
    denoiser = load_checkpoint(runs / "tiny").denoiser()
    return _drawn(denoiser, len(pack.label_names), guidance=1.5), seconds


def _favicon(pack: PackedDataset, images: int) -> tuple[NDArray[np.uint8], float]:
    """Linear betas, eps, batches of 128, Adam at 2e-4, no average; drawn with as many steps."""
    diffusion = DiffusionConfig(schedule="linear", prediction="eps", min_snr=None)
    config = TrainConfig(name="favicon", network="favicon", diffusion=diffusion)
    subject = replace(Subject.of_pack(pack), label_names=())
    rows = pack.rows("train")
    torch.manual_seed(0)
    loop = PortLoop(
        build_network(config, subject),
        np.array(pack.data[rows]),
        np.full(len(rows), -1),
        batch=128,
        device=torch.device("cpu"),
    )
    start = time.perf_counter()
    loop.steps(images // 128)
    seconds = time.perf_counter() - start
    denoiser = Denoiser(loop.network.eval(), diffusion, subject.shape)
    return _drawn(denoiser, 0, guidance=1.0), seconds


def _drawn(denoiser: Denoiser, classes: int, guidance: float) -> NDArray[np.uint8]:
    """Pictures (N, C, H, W), the classes in turn."""
    sampling = Sampling(sampler="ddim", steps=50, guidance=Guidance(scale=guidance))
    parts = []
    for start in range(0, _DRAWN, 50):
        labels = torch.arange(start, start + 50) % classes if classes else torch.full((50,), -1)
        seeds = range(start, start + 50)
        parts.append(to_bytes(draw_pictures(denoiser, of_labels(labels), seeds, sampling)))
    return torch.cat(parts).numpy()


def _python(*words: str) -> None:
    subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL)
