"""What a run needs before its first step, and all that can be refused until then."""

from dataclasses import dataclass
from pathlib import Path

import torch

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from train.config import TrainConfig
from train.device import find_device
from train.gradients import uses_bfloat16
from train.learners import check, subject_of
from train.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A device that is there, a pack that can be read, and a subject that fits the network."""

    device: torch.device
    pack: PackedDataset
    subject: Subject
    bfloat16: bool  # whether the network is computed in that precision


def prepare(config: TrainConfig, run: Path | None = None) -> Prepared:
    """Look at all that `config` names, and at the folder `run` if it is to be gone on with.

    Raises ConfigError (no pack, a picture size or vectors that do not fit), DataError (a
    damaged pack, an empty split), WorldError (no such device). Reads no picture."""
    if config.pack is None:
        raise ConfigError("no pack to learn from; give --packed FILE, or set pack in the config")
    device = find_device(config.device)
    pack = PackedDataset(config.pack)
    subject = subject_of(config, Subject.of_pack(pack, config.vectors, config.tokens), run)
    check(config, subject)
    if len(pack.rows(config.split)) == 0:
        raise DataError(f"{pack.path} has no pictures in its split {config.split}; pack it again")
    if config.validation.every_images > 0 and len(pack.rows("test")) == 0:
        raise DataError(
            f"{pack.path} has no pictures in its split test to validate with; pack it again with"
            " some, or set validation.every_images to 0"
        )
    bfloat16 = uses_bfloat16(config, device)
    return Prepared(device=device, pack=pack, subject=subject, bfloat16=bfloat16)
