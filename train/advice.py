"""Advice before a run: what a small collection asks for, so that the model draws and not copies."""

import torch

from train.config import TrainConfig
from train.device import memory_bytes
from train.estimate import estimate
from train.subject import Subject

FEW = 2_000  # with fewer pictures, copies are likely whatever is set
SMALL = 5_000  # Karras et al. 2022, table 7: what AFHQ's 5,000 pictures a kind were given
_AUGMENT, _DROPOUT = 0.15, 0.25


def advice(config: TrainConfig, pictures: int) -> list[str]:
    """One line for each thing that a run on so many pictures should be told; often none."""
    if config.kind == "vae" or pictures >= SMALL:
        return []
    missing = []
    if config.network == "unet" and config.augment.probability < _AUGMENT / 2:
        missing.append(f"--set augment.probability={_AUGMENT}")
    if config.network == "unet" and config.unet.dropout < _DROPOUT / 3:
        missing.append(f"--set unet.dropout={_DROPOUT}")
    if config.validation.every_images == 0:
        missing.append(f"--set validation.every_images={max(config.images // 20, 1)}")
    settings = f"try {' '.join(missing)}" if missing else "it is set up against that"
    if pictures < FEW:
        return [
            f"{pictures} pictures are few: the model may copy them instead of drawing new ones;"
            f" {settings}, collect {FEW} or more, and look at what python -m sample novelty says"
        ]
    if missing:
        return [f"{pictures} pictures are a small collection, which a long run copies; {settings}"]
    return []


def memory_lines(needed: int, there: int) -> list[str]:
    """One line where a run needs about as many bytes as the device has, or more."""
    needed, there = round(needed / 2**30), round(there / 2**30)
    if needed < there:
        return []
    return [f"about {needed} GiB are needed and {there} GiB are there: try --batch auto"]


def run_advice(
    config: TrainConfig, pictures: int, subject: Subject, device: torch.device
) -> list[str]:
    """`advice`, and of the memory on a CPU, where the system ends without a word what takes too
    much of it."""
    lines = advice(config, pictures)
    if device.type != "cpu":
        return lines
    return lines + memory_lines(estimate(config, subject).memory_bytes, memory_bytes(device))
