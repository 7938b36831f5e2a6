"""Drawn packs and tiny configs for the tests of training."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.config import load_config
from dataset.pack_writer import write_pack
from dataset.provenance import Provenance, Split
from train.config import TrainConfig

CLASSES = ("bar", "block")


def drawn_pictures(
    count: int = 40, shape: tuple[int, int, int] = (3, 8, 8), seed: int = 1
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bars (label 0) and blocks (label 1) in random colours: (N, C, H, W) and (N,)."""
    random = np.random.default_rng(seed)
    channels, height, width = shape
    data = np.empty((count, *shape), np.uint8)
    data[:] = random.integers(0, 256, (count, channels, 1, 1))
    labels = np.arange(count) % len(CLASSES)
    for picture, label in zip(data, labels, strict=True):
        colour = random.integers(0, 256, (channels, 1, 1))
        if label == 0:
            picture[:, :, width // 4 : width // 2] = colour
        else:
            picture[:, height // 4 : height // 2, width // 2 :] = colour
    return data, labels.astype(np.int64)


def write_drawn_pack(
    path: Path,
    *,
    count: int = 40,
    shape: tuple[int, int, int] = (3, 8, 8),
    seed: int = 1,
    labelled: bool = True,
    split: Split = "train",
) -> Path:
    """Write a pack of drawn pictures, all in one split."""
    data, labels = drawn_pictures(count, shape, seed)
    if not labelled:
        labels = np.full_like(labels, -1)
    provenance = [
        Provenance(row=row, label=int(label), split=split) for row, label in enumerate(labels)
    ]
    write_pack(path, data, labels, list(CLASSES) if labelled else [], provenance, {})
    return path


def tiny_config(pack: Path, **changes: Any) -> TrainConfig:
    """48 images in batches of 8 through a network of a few thousand parameters."""
    table: dict[str, Any] = {
        "name": "test",
        "pack": str(pack),
        "images": 48,
        "batch": 8,
        "lr": 1e-3,
        "warmup_images": 8,
        "checkpoint_every_images": 24,
        "stats_every_steps": 2,
        "device": "cpu",
        "unet": {
            "base_channels": 8,
            "multipliers": [1, 2],
            "blocks": 1,
            "attention_levels": [1],
            "head_channels": 8,
            "embedding_channels": 16,
        },
        "preview": {"every_images": 0, "per_class": 1, "steps": 2},
    }
    nested = {"unet": changes.pop("unet", {}), "preview": changes.pop("preview", {})}
    table |= changes
    for key, value in nested.items():
        table[key] = table[key] | value
    return load_config(TrainConfig, table)
