"""A training loop as small projects write it, to be measured against: float32, a DataLoader that
makes ready one picture at a time, NCHW, plain Adam, an average tensor by tensor, item() each step.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from train.condition import of_labels
from train.noise_schedule import alphas_cumprod

STEPS = 1000


class PictureSet(Dataset[tuple[Tensor, int]]):
    """One picture a call: float32 in [-1, 1], mirrored by a coin."""

    def __init__(self, data: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.data, self.labels = data, labels

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        picture = torch.from_numpy(self.data[row]).float() / 127.5 - 1.0
        if torch.rand(()) < 0.5:
            picture = picture.flip(2)
        return picture, int(self.labels[row])


class PortLoop:
    """Predicts eps with linear betas: the DDPM that everybody ports first."""

    def __init__(
        self,
        network: nn.Module,
        data: NDArray[np.uint8],
        labels: NDArray[np.int64],
        *,
        batch: int,
        workers: int = 0,
        device: torch.device,
    ) -> None:
        self.network, self.device = network.to(device), device
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
        self.alphas = alphas_cumprod("linear", STEPS).float().to(device)
        self.loader = DataLoader(
            PictureSet(data, labels),
            batch,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda",
        )
        self._batches = iter(self.loader)
        self.losses: list[float] = []

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def step(self) -> None:
        pictures, labels = self._next()
        x0, labels = pictures.to(self.device), labels.to(self.device)
        t = torch.randint(0, STEPS, (len(x0),)).to(self.device)
        eps = torch.randn_like(x0)
        alpha = self.alphas[t][:, None, None, None]
        x = alpha.sqrt() * x0 + (1 - alpha).sqrt() * eps
        loss = nn.functional.mse_loss(self.network(x, t.float(), of_labels(labels)), eps)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
            for own, theirs in pairs:
                own.mul_(0.995).add_(theirs, alpha=0.005)
        self.losses.append(loss.item())

    def _next(self) -> tuple[Tensor, Tensor]:
        found = next(self._batches, None)
        if found is None:
            self._batches = iter(self.loader)
            found = next(self._batches)
        pictures, labels = found
        return pictures, labels
