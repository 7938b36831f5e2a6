"""Batches: the pictures of a split on the device, in an order that is a function of the seed.

Batch after batch walks through one permutation of the split per epoch; where a batch begins is
the count of images seen, so a resumed run meets exactly the pictures that it would have met.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.provenance import Split
from train.augment import augmented
from train.augment_config import AugmentConfig
from train.config import SEALED
from train.counter import Stream, hashed, stream_key
from train.device_data import Reading, place_pictures
from train.order import Share
from train.told_vectors import pack_vectors


class Batch(NamedTuple):
    """What is learnt from at once; `augmentation` is all zeros for pictures left as they were."""

    pictures: Tensor  # (B, C, H, W) float32 in [-1, 1]
    labels: Tensor  # (B,) int64, -1 for none
    augmentation: Tensor  # (B, CONDITIONS) float32
    vectors: Tensor | None = None  # (B, V) float32, NaN for a picture without; None: not told


class DeviceBatches:
    """Draws a batch for any position in the endless sequence of epochs."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        labels: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
        *,
        seed: int,
        flip: bool,
        device: torch.device,
        augment: AugmentConfig | None = None,
        reading: Reading = "auto",
        vectors: NDArray[np.float32] | None = None,
    ) -> None:
        """`data` uint8 (N, C, H, W), `labels` int64 (N,) with -1 for none, `vectors` float32 (N, V)
        with NaN for a picture that has none; only `rows` of them are used.

        `data` may be a memory map; on a CPU it stays one. Raises WorldError when `reading` is
        "resident" and the device has no room for the split.
        """
        rows = np.arange(len(data), dtype=np.int64) if rows is None else rows
        self.seed, self.flip, self.device = seed, flip, device
        self.augment = augment or AugmentConfig()
        own = torch.from_numpy(np.asarray(labels, dtype=np.int64)[rows])
        self._count = len(rows)
        self._source = place_pictures(
            data,
            rows,
            own,
            seed=seed,
            device=device,
            reading=reading,
            vectors=None if vectors is None else torch.from_numpy(vectors[rows]),
        )

    def __len__(self) -> int:
        return self._count

    def order(self, epoch: int) -> Tensor:
        """The pictures (N,) of the split, by number, in the order of `epoch`."""
        return self._source.order.of_epoch(epoch)

    def rows(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Tensor:
        """The pictures (B,), by number, that `batch` gives for the same arguments."""
        return self._source.order.rows(Share(images_seen, size, rank, world).places)

    def batch(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Batch:
        """The share of process `rank` of `world` in the `size` pictures from `images_seen` on.

        One rank after the other, the shares are the batch of a single process: to the bit, and
        also the flips and augmentations, so `world` may change when a run is gone on with.
        """
        share = Share(images_seen, size, rank, world)
        pictures, labels, vectors = self._source.take(share)
        places = torch.arange(share.places.start, share.places.stop, device=self.device)
        if self.flip:
            mirrored = hashed(stream_key(self.seed, Stream.FLIP), places) & 1 == 1
            pictures = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)
        pictures, augmentation = augmented(to_signed(pictures), places, self.augment, self.seed)
        return Batch(pictures, labels, augmentation, vectors)

    def take(self, images_seen: int, size: int) -> tuple[Tensor, Tensor]:
        """Pictures (size, C, H, W) float32 in [-1, 1] and labels (size,) from `images_seen` on."""
        batch = self.batch(images_seen, size)
        return batch.pictures, batch.labels


def load_split(
    pack: PackedDataset,
    split: Split,
    *,
    seed: int,
    flip: bool,
    device: torch.device,
    augment: AugmentConfig | None = None,
    reading: Reading = "auto",
    vectors: str = "",
) -> DeviceBatches:
    """The pack's `split` for `device`, with its embedding `vectors` unless that is empty.

    Raises ConfigError for the sealed split and for an embedding that the pack has not, DataError
    if the split is empty.
    """
    if split == SEALED:
        raise ConfigError(
            f"split {split} is sealed for the novelty check, nothing may be learnt from it; use"
            " split train"
        )
    rows = pack.rows(split)
    if len(rows) == 0:
        raise DataError(f"{pack.path} has no pictures in its split {split}; pack it again")
    return DeviceBatches(
        pack.data,
        pack.labels,
        rows,
        seed=seed,
        flip=flip,
        device=device,
        augment=augment,
        reading=reading,
        vectors=pack_vectors(pack, vectors) if vectors else None,
    )


def to_signed(pictures: Tensor) -> Tensor:
    """Bytes 0..255 to float32 -1..1."""
    return pictures.float() / 127.5 - 1.0


def to_bytes(pictures: Tensor) -> Tensor:
    """Float -1..1 to bytes 0..255; the inverse of `to_signed`."""
    return ((pictures.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
