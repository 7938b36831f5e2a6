"""A small classifier that a benchmark trains on the spot: a judge of what class a drawn picture is
read as, and a source of features for distances between sets of pictures."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

_BATCH = 128


class SmallClassifier(nn.Module):
    """Three convolutions, each followed by halving; 128 features; one number for each class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        widths = (channels, 32, 64, 128)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2, ceil_mode=True),
            )
            for before, width in pairwise(widths)
        )
        self.out = nn.Linear(widths[-1], classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, 128) of pictures (B, C, H, W) in [-1, 1]."""
        for layer in self.layers:
            x = layer(x)
        return x.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(F.dropout(self.features(x), 0.2, self.training))
        return logits


def trained(
    pictures: NDArray[np.uint8], labels: NDArray[np.int64], epochs: int, seed: int = 0
) -> SmallClassifier:
    """Learnt from pictures (N, C, H, W), moved by up to two pixels at random."""
    torch.manual_seed(seed)
    net = SmallClassifier(pictures.shape[1], int(labels.max()) + 1)
    steps = epochs * (len(pictures) // _BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    random = np.random.default_rng(seed)
    for step in range(steps):
        if step % (len(pictures) // _BATCH) == 0:
            order = random.permutation(len(pictures))
        rows = order[:_BATCH]
        order = order[_BATCH:]
        x = _moved(signed(pictures[rows]), random)
        loss = F.cross_entropy(net(x), torch.from_numpy(labels[rows]), label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def read_as(net: SmallClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class that each picture is read as: (N,)."""
    parts = [net(signed(pictures[i : i + 500])).argmax(1) for i in range(0, len(pictures), 500)]
    return torch.cat(parts).numpy()


@torch.no_grad()
def features_of(net: SmallClassifier, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The features of each picture: (N, 128)."""
    parts = [net.features(signed(pictures[i : i + 500])) for i in range(0, len(pictures), 500)]
    return torch.cat(parts).double().numpy()


def kernel_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """KID: the unbiased squared MMD under the cubic kernel (Binkowski et al. 2018)."""
    size = x.shape[1]
    xx, yy, xy = (((a @ b.T) / size + 1.0) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    m, n = len(x), len(y)
    within = (xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2.0 * xy.mean())


def signed(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).float() / 127.5 - 1.0


def _moved(x: Tensor, random: np.random.Generator) -> Tensor:
    down, right = (int(shift) for shift in random.integers(-2, 3, 2))
    return torch.roll(x, (down, right), dims=(2, 3))
