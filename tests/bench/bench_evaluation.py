"""The evaluation's figures on real pictures: as torchmetrics has them, to the bit again, how they
answer to damage, and how often the intervals hold what fresh pictures give.

PEDIGREE_ANIMALS and PEDIGREE_LOGOS name the tars; PEDIGREE_ROUNDS how often is drawn afresh (40).
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn

from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.encoders import encoded, open_encoder
from sample.figures_of_merit import Comparison, compare
from sample.frechet import frechet_distance
from sample.kernel_distance import kernel_distance
from sample.pictures import as_colour

_COUNT = 400
_ROUNDS = int(os.environ.get("PEDIGREE_ROUNDS", "40"))
_SPACES = ("outline", "patches")


def _resaved(pictures: Pixels) -> Pixels:
    def one(picture: Pixels) -> Pixels:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=40)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return np.stack([one(picture) for picture in pictures])


def _noisy(pictures: Pixels) -> Pixels:
    noise = np.random.default_rng(2).normal(0.0, 12.0, pictures.shape)
    return np.clip(np.rint(pictures + noise), 0, 255).astype(np.uint8)


def _blurred(pictures: Pixels) -> Pixels:
    soft = ImageFilter.GaussianBlur(1.0)
    return np.stack([np.asarray(Image.fromarray(one).filter(soft)) for one in pictures])


def _grey(pictures: Pixels) -> Pixels:
    return np.repeat(pictures.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8)


_DAMAGE: Mapping[str, Callable[[Pixels], Pixels]] = {
    "as they are": lambda pictures: pictures,
    "JPEG 40": _resaved,
    "noise 12": _noisy,
    "blur 1 px": _blurred,
    "grey": _grey,
}


def run() -> None:
    for name, tar in (("animals", "animals32.tar"), ("logos", "logos.tar")):
        source = Path(os.environ.get(f"PEDIGREE_{name.upper()}", f"../shared/data/{tar}"))
        if not source.is_file():
            print(f"  left out: no {name} at {source}; name the tar by PEDIGREE_{name.upper()}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / f"{name}.h5"
            size = ("--min-side", "8", "--set", "size=32", "--progress", "quiet")
            asked = ["dataset", "import", "folder", str(source), "--pack", str(packed), *size]
            subprocess.run([sys.executable, "-m", *asked], check=True, capture_output=True)
            for space in _SPACES:
                _space(name, space, PackedDataset(packed))


def _space(name: str, space: str, pack: PackedDataset) -> None:
    encoder = open_encoder(space, pack, device="cpu")
    rows = np.random.default_rng(0).permutation(len(pack)).astype(np.int64)
    pictures = as_colour(np.ascontiguousarray(pack.gather(rows).transpose(0, 2, 3, 1)))
    known, fresh = pictures[:_COUNT], pictures[_COUNT : 2 * _COUNT]
    real = encoded(encoder, known, "encoding")
    print(f"\n{name} in {encoder.name}, {_COUNT} pictures of each set")
    print("  what             FD   torchmetrics   KD x 1000   torchmetrics  largest difference")
    for what, damaged in _DAMAGE.items():
        vectors = encoded(encoder, damaged(fresh), "encoding")
        ours = frechet_distance(real, vectors), kernel_distance(real, vectors)
        theirs = _torchmetrics(real, vectors)
        apart = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
        print(
            f"  {what:12} {ours[0]:9.4f} {theirs[0]:12.4f} {1000 * ours[1]:12.3f}"
            f" {1000 * theirs[1]:13.3f} {apart:15.1e}"
        )
    print(f"  the same set twice: FD {frechet_distance(real, real.copy()):.1e}")
    again = {_digest(real, encoded(encoder, fresh, "encoding")) for _ in range(3)}
    print(f"  compared three times: {len(again)} different answer(s), to the bit")
    _intervals(encoded(encoder, pictures, "encoding"))


def _intervals(vectors: Vectors) -> None:
    """How often the 95 % interval holds the mean over all rounds: the sets' own spread apart."""
    random = np.random.default_rng(1)
    found: list[Comparison] = []
    for _ in range(_ROUNDS):
        chosen = random.permutation(len(vectors))[: 2 * _COUNT]
        pair = vectors[chosen[:_COUNT]], vectors[chosen[_COUNT:]]
        metrics = ("fid", "kid", "precision", "recall", "density", "coverage")
        found.append(compare(*pair, metrics, published=False, replicates=50, seed=0))
    told = []
    for metric in found[0].figures:
        figures = [one.figures[metric] for one in found]
        mean = float(np.mean([figure.value for figure in figures]))
        held = sum(figure.low <= mean <= figure.high for figure in figures)
        told.append(f"{metric} {held}")
    print(f"  of {_ROUNDS} intervals of 95 % hold the mean of all: {', '.join(told)}")


def _digest(real: Vectors, drawn: Vectors) -> str:
    found = compare(real, drawn, ("fid", "kid", "recall"), published=False, replicates=5, seed=0)
    return hashlib.sha256(repr(found.figures).encode()).hexdigest()


class _AsItIs(nn.Module):
    """A feature extractor that torchmetrics may take: what is given is the vector already."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.num_features = dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, : self.num_features]


def _torchmetrics(real: Vectors, drawn: Vectors) -> tuple[float, float]:
    """FID and KID of the same vectors, in float64."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    warnings.filterwarnings("ignore", message="Metric `Kernel Inception Distance`")
    dim = real.shape[1]
    side = int(np.ceil(np.sqrt(dim / 3)))
    fid = FrechetInceptionDistance(
        feature=_AsItIs(dim), input_img_size=(3, side, side), normalize=True
    ).set_dtype(torch.float64)
    kid = KernelInceptionDistance(feature=_AsItIs(dim), subsets=1, subset_size=len(real))
    kid.set_dtype(torch.float64)
    for vectors, is_real in ((real, True), (drawn, False)):
        padded = np.zeros((len(vectors), 3 * side**2))
        padded[:, :dim] = vectors
        fid.update(torch.from_numpy(padded.reshape(-1, 3, side, side)), real=is_real)
        kid.update(torch.from_numpy(vectors).double(), real=is_real)
    return float(fid.compute()), float(kid.compute()[0])
