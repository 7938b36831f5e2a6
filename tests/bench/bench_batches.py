"""Batches of 128 pictures of 32x32 on the device: ours against torch's DataLoader with workers."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from tests.bench.stopwatch import race, show
from train.augment_config import AugmentConfig
from train.batches import DeviceBatches, load_split, to_signed
from train.device_data import Reading

COUNT, BATCH, WORKERS = 51_200, 128, 2


class PictureByPicture(Dataset[tuple[torch.Tensor, int]]):
    """The usual reader: one item a call, made ready for the network in the worker."""

    def __init__(self, pack: PackedDataset) -> None:
        self.pack = pack

    def __len__(self) -> int:
        return len(self.pack)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        picture = torch.from_numpy(np.array(self.pack.data[row]))
        return to_signed(picture), int(self.pack.labels[row])


def run() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        pack = PackedDataset(_pack(Path(folder) / "pack.h5"))
        loader = DataLoader(
            PictureByPicture(pack),
            BATCH,
            shuffle=True,
            num_workers=WORKERS,
            persistent_workers=True,
            pin_memory=device.type == "cuda",
        )
        place = "in the device's memory" if device.type == "cuda" else "memory-mapped"
        resident, streamed = (_batches(pack, device, reading) for reading in _READINGS)
        warping = _batches(pack, device, "resident", AugmentConfig(probability=0.12))
        contestants = {
            f"DataLoader, {WORKERS} workers": lambda: _load(loader, device),
            f"DeviceBatches, {place}": lambda: _take(resident, device),
            "DeviceBatches, streamed": lambda: _take(streamed, device),
            "DeviceBatches, flipped and augmented": lambda: _take(warping, device),
        }
        title = f"an epoch in shuffled batches of {BATCH}, float32 on the {device.type}"
        show(title, "pictures", race(contestants, COUNT))


_READINGS: tuple[Reading, ...] = ("resident", "streamed")


def _pack(path: Path) -> Path:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (COUNT, 3, 32, 32), dtype=np.uint8)
    facts = [Provenance(row=n, image_id=n, group=n, sha256=f"{n:064x}") for n in range(COUNT)]
    write_pack(path, data, np.zeros(COUNT, np.int64), ["a"], facts, {})
    return path


def _batches(
    pack: PackedDataset,
    device: torch.device,
    reading: Reading,
    augment: AugmentConfig | None = None,
) -> DeviceBatches:
    flip = augment is not None
    return load_split(
        pack, "train", seed=0, flip=flip, device=device, augment=augment, reading=reading
    )


def _take(batches: DeviceBatches, device: torch.device) -> None:
    for seen in range(0, COUNT, BATCH):
        batches.batch(seen, BATCH)
    _finish(device)


def _load(loader: DataLoader[Any], device: torch.device) -> None:
    for pictures, labels in loader:
        pictures.to(device, non_blocking=True)
        labels.to(device, non_blocking=True)
    _finish(device)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
