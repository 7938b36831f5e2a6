"""Batches: the whole split on the device as bytes, in an order that is a function of the seed.

Batch after batch walks through one permutation of the split per epoch; where a batch begins is
the count of images seen, so a resumed run meets exactly the pictures that it would have met.
"""

import numpy as np
import torch
from torch import Tensor

from dataset.errors import DataError
from dataset.packed import PackedDataset
from dataset.provenance import Split
from train.counter import Stream, hashed, stream_key


class Batches:
    """Draws (pictures, labels) for any position in the endless sequence of epochs."""

    def __init__(
        self, data: Tensor, labels: Tensor, *, seed: int, flip: bool, device: torch.device
    ) -> None:
        """`data` uint8 (N, C, H, W), `labels` int64 (N,) with -1 for none."""
        self.data, self.labels = data.to(device), labels.to(device)
        self.seed, self.flip, self.device = seed, flip, device
        self._orders: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.data)

    def order(self, epoch: int) -> Tensor:
        """The rows (N,) in the order of `epoch`: a pure function of the seed and the epoch."""
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if e >= epoch - 1}
            rows = torch.arange(len(self), device=self.device)
            key = stream_key(self.seed, Stream.ORDER, epoch)
            self._orders[epoch] = torch.argsort(hashed(key, rows), stable=True)
        return self._orders[epoch]

    def rows(self, images_seen: int, size: int) -> Tensor:
        """The rows (size,) at positions images_seen ... of the endless sequence of epochs."""
        parts: list[Tensor] = []
        while size > 0:
            epoch, start = divmod(images_seen, len(self))
            part = self.order(epoch)[start : start + size]
            parts.append(part)
            images_seen, size = images_seen + len(part), size - len(part)
        return torch.cat(parts)

    def take(self, images_seen: int, size: int) -> tuple[Tensor, Tensor]:
        """Pictures (size, C, H, W) float32 in [-1, 1] and labels (size,) from `images_seen` on."""
        rows = self.rows(images_seen, size)
        pictures = self.data[rows]
        if self.flip:
            places = torch.arange(images_seen, images_seen + size, device=self.device)
            mirrored = hashed(stream_key(self.seed, Stream.FLIP), places) & 1 == 1
            pictures = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)
        return to_signed(pictures), self.labels[rows]


def load_split(
    pack: PackedDataset, split: Split, *, seed: int, flip: bool, device: torch.device
) -> Batches:
    """The pack's `split` on `device`; raises DataError if it is empty."""
    rows = pack.rows(split)
    if len(rows) == 0:
        raise DataError(f"{pack.path} has no pictures in its split {split}; pack it again")
    data = torch.from_numpy(np.ascontiguousarray(pack.data[rows]))
    labels = torch.from_numpy(np.asarray(pack.labels[rows], dtype=np.int64))
    return Batches(data, labels, seed=seed, flip=flip, device=device)


def to_signed(pictures: Tensor) -> Tensor:
    """Bytes 0..255 to float32 -1..1."""
    return pictures.float() / 127.5 - 1.0


def to_bytes(pictures: Tensor) -> Tensor:
    """Float -1..1 to bytes 0..255; the inverse of `to_signed`."""
    return ((pictures.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
