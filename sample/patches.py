"""The space learnt from the pack itself: how much of which small patches lies where.

A single layer without labels after Coates, Ng & Lee 2011: whitened patches, k-means, triangle
code, sums over quarters; then the main components of the training split, at unit variance. It
takes seconds and no gradient.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dataset.errors import DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.embed import Vectors
from sample.encoders import as_planes
from sample.pictures import as_colour, preparation

_SIDE = 32  # all pictures are seen at this size
_PATCH = 6
_WORDS = 96
_MOST_COMPONENTS = 64
_MOST_PICTURES, _PATCHES_EACH, _ROUNDS = 2000, 12, 12
_AT_ONCE = 64
_SEED = 0
_LEAST_PICTURES = 20
# Variances added before contrast is stretched, that of 10 levels, and before patches are whitened:
# with less, noise that nobody sees on plain ground decides the distance.
_CONTRAST_FLOOR = (10.0 / 255.0) ** 2
_WHITENING_FLOOR = 0.5


class Patches:
    """Learnt patches as an encoder; `name` holds a hash of what was learnt."""

    def __init__(self, whiten: Tensor, centre: Tensor, words: Tensor) -> None:
        """`whiten` (P, P) and `centre` (P,) of patches of P numbers, `words` (K, P)."""
        self._whiten, self._centre, self._words = whiten, centre, words
        self._mean = torch.zeros(4 * len(words), device=words.device)
        self._axes = torch.eye(4 * len(words), device=words.device)
        self.name, self.dim = "", 4 * len(words)

    def reduced_to(self, mean: Tensor, axes: Tensor) -> "Patches":
        """Itself, giving only components: what lies along `axes` (4K, D) from `mean` (4K,)."""
        self._mean, self._axes, self.dim = mean, axes, axes.shape[1]
        learnt = (self._whiten, self._centre, self._words, mean, axes)
        digest = hashlib.sha256()
        for tensor in learnt:
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
        self.name = f"patches/1 {digest.hexdigest()[:12]}"
        return self

    @torch.no_grad()
    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32."""
        vectors = (self._codes(pictures) - self._mean) @ self._axes
        return np.asarray(vectors.cpu().numpy(), dtype=np.float32)

    def _codes(self, pictures: Pixels) -> Tensor:
        """How much of each word lies in each quarter: (B, 4K)."""
        patches = _patches(_seen(pictures, self._words.device))  # (B, P, L)
        side = _SIDE - _PATCH + 1
        flat = (_even(patches.transpose(1, 2)) - self._centre) @ self._whiten  # (B, L, P)
        apart = torch.cdist(flat, self._words.expand(len(flat), -1, -1))  # (B, L, K)
        # The triangle: what is nearer than the mean distance counts by how much nearer it is.
        near = (apart.mean(dim=2, keepdim=True) - apart).clamp(min=0.0)
        grid = near.transpose(1, 2).reshape(len(flat), -1, side, side)
        return F.adaptive_avg_pool2d(grid, 2).flatten(1)


def learn_patches(pack: PackedDataset, device: torch.device) -> Patches:
    """Learn from up to 2,000 pictures of the pack's training split.

    The same pack gives the same space. Raises DataError for a split of fewer than 20 pictures.
    """
    rows = pack.rows("train")
    if len(rows) < _LEAST_PICTURES:
        raise DataError(
            f"pack {pack.path} has {len(rows)} pictures to learn from, too few for the space"
            f" patches; it takes {_LEAST_PICTURES}, or compare in the space outline"
        )
    random = np.random.default_rng(_SEED)
    chosen = np.sort(random.permutation(rows)[:_MOST_PICTURES])
    background = preparation(pack).background
    pictures = as_colour(pack.gather(chosen).transpose(0, 2, 3, 1), background)
    generator = torch.Generator().manual_seed(_SEED)
    steps = 2 * len(pictures) + _ROUNDS
    with _one_thread(), Progress("learning patches", steps, "steps") as progress:
        flat = _even(_sampled(pictures, generator, progress))  # (M, P)
        centre, whiten = _whitening(flat)
        words = _means((flat - centre) @ whiten, generator, progress)
        learnt = Patches(whiten.to(device), centre.to(device), words.to(device))
        return learnt.reduced_to(*_components(learnt, pictures, progress))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are added up in an order that depends on the number of threads, and so would the name
    of what is learnt."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _sampled(pictures: Pixels, generator: torch.Generator, progress: Progress) -> Tensor:
    """A few patches of each picture, at random: (M, P)."""
    sampled = []
    for start in range(0, len(pictures), _AT_ONCE):
        found = _patches(_seen(pictures[start : start + _AT_ONCE], torch.device("cpu")))
        places = torch.randint(found.shape[2], (len(found), 1, _PATCHES_EACH), generator=generator)
        sampled.append(found.gather(2, places.expand(-1, found.shape[1], -1)).transpose(1, 2))
        progress.advance(len(found))
    return torch.cat(sampled).reshape(-1, 3 * _PATCH**2)


def _seen(pictures: Pixels, device: torch.device) -> Tensor:
    return F.interpolate(as_planes(pictures, device), (_SIDE, _SIDE), mode="area")


def _patches(seen: Tensor) -> Tensor:
    """All patches of pictures (B, 3, 32, 32): (B, P, L)."""
    return F.unfold(seen, _PATCH)


def _even(patches: Tensor) -> Tensor:
    """Patches (..., P) with their brightness and contrast taken out."""
    centred = patches - patches.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred / (variance + _CONTRAST_FLOOR).sqrt()


def _whitening(patches: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (P,) of `patches` (M, P), and the matrix (P, P) that makes them uncorrelated."""
    exact = patches.double()
    centre = exact.mean(dim=0)
    values, axes = torch.linalg.eigh(torch.cov(exact.T))
    whiten = axes @ torch.diag((values.clamp(min=0) + _WHITENING_FLOOR).rsqrt()) @ axes.T
    return centre.float(), whiten.float()


def _means(patches: Tensor, generator: torch.Generator, progress: Progress) -> Tensor:
    """The centres (K, P) that k-means finds for `patches` (M, P); an empty one stays."""
    start = torch.randperm(len(patches), generator=generator)[: min(_WORDS, len(patches))]
    words = patches[start].clone()
    for _ in range(_ROUNDS):
        nearest = torch.cdist(patches, words).argmin(dim=1)
        count = torch.bincount(nearest, minlength=len(words))
        sums = torch.zeros_like(words).index_add_(0, nearest, patches)
        words = torch.where(count[:, None] > 0, sums / count.clamp(min=1)[:, None], words)
        progress.advance()
    return words


def _components(learnt: Patches, pictures: Pixels, progress: Progress) -> tuple[Tensor, Tensor]:
    """The mean (4K,) of the codes, and axes (4K, D) along which each component has variance 1."""
    found = []
    for start in range(0, len(pictures), _AT_ONCE):
        found.append(learnt.encode(pictures[start : start + _AT_ONCE]))
        progress.advance(len(found[-1]))
    codes = torch.from_numpy(np.concatenate(found)).double()
    values, axes = torch.linalg.eigh(torch.cov(codes.T))
    # Components that hardly vary are the noise of the split: they are left out, not blown up.
    kept = min(_MOST_COMPONENTS, len(codes) // 4, int((values > 1e-4 * values.max()).sum()))
    kept = max(kept, 1)
    spread = values[-kept:].clamp(min=1e-12).sqrt()
    signs = axes[:, -kept:].gather(0, axes[:, -kept:].abs().argmax(dim=0, keepdim=True)).sign()
    scaled = (axes[:, -kept:] * signs / spread).flip(1)
    device = learnt._words.device
    return codes.mean(dim=0).float().to(device), scaled.float().to(device)
