"""Which pictures a bench makes up: shaped like a pack's, as asked, or as its preset's are."""

import argparse
import re
from pathlib import Path

from dataset.errors import ConfigError
from dataset.packed import PackedDataset
from train.config import TrainConfig
from train.learners import subject_of
from train.presets import PICTURES, preset_subject
from train.subject import Subject

_USUAL = (3, 32, 32)


def bench_subject(
    config: TrainConfig,
    packed: Path | None,
    picture: tuple[int, int, int] | None,
    preset: str,
) -> Subject:
    """What a bench learns: the subject of `packed`, pictures of (C, H, W), or those of `preset`
    if there is one of that name.

    Raises ConfigError for vectors without a pack to have them from.
    """
    if config.vectors and packed is None:
        raise ConfigError(
            f"vectors is {config.vectors!r}, but made-up pictures have none; give --packed FILE"
        )
    if packed is not None:
        subject = Subject.of_pack(PackedDataset(packed), config.vectors, config.tokens)
    elif picture is None and preset in PICTURES:
        subject = preset_subject(preset)
    else:
        subject = Subject.of_pictures(picture or _USUAL)
    return subject_of(config, subject)


def read_picture(text: str) -> tuple[int, int, int]:
    """CxHxW as a person writes it; raises ArgumentTypeError for anything else."""
    found = re.fullmatch(r"([134])x([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no CxHxW such as 3x64x64, with C 1, 3 or 4")
    channels, height, width = (int(number) for number in found.groups())
    return channels, height, width
