"""What a training run is made of: network, diffusion and schedule; presets live in configs/.

Everything that counts time counts images seen, never steps or epochs.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dataset.config import from_mapping, load_config
from dataset.errors import ConfigError, DataError
from train.augment_config import AugmentConfig
from train.checked import require
from train.diffusion_config import DiffusionConfig
from train.network_config import UNetConfig
from train.preview_config import PreviewConfig
from train.upscale_config import UpscaleConfig
from train.vae_config import VaeConfig
from train.validation_config import ValidationConfig

PRESETS = Path(__file__).parent / "configs"
SEALED = "cal"  # the split that only the novelty check reads


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run: pictures, budget, optimiser, averaging, and where the work is done."""

    name: str
    kind: Literal["diffusion", "vae"] = "diffusion"
    network: Literal["unet", "favicon", "dogs93m"] = "unet"
    pack: Path | None = None
    vectors: str = ""  # the pack's embedding that the network is told of; empty: none
    tokens: int = 0  # into how many tokens each vector is cut; 0: it is told as one vector
    latent: Path | None = None  # run or checkpoint of the vae in whose latents is learnt
    split: Literal["train", "cal", "test"] = "train"
    images: int = 1_000_000  # the budget, in images seen
    batch: int = 64
    lr: float = 4e-4
    warmup_images: int = 10_000
    decay: Literal["cosine", "sqrt", "constant"] = "cosine"
    decay_images: int = 0  # of sqrt: the rate falls from here on; 0: from the end of the warm-up
    betas: tuple[float, ...] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0  # largest norm of the gradient
    # Widths of the averages, as shares of the images seen (Karras et al. 2024); the first is
    # drawn with, two or more let any other be worked out afterwards.
    ema_widths: tuple[float, ...] = (0.05, 0.1)
    snapshot_every_images: int = 0  # the averages are kept this often for that; 0: never
    label_dropout: float = 0.1
    flip: bool = False  # mirror half of the pictures, and let the network draw mirrored ones
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on CUDA
    compile: Literal["auto", "on", "off"] = "auto"  # auto: on CUDA, unless sharded
    deterministic: bool = False  # bit-identical on a GPU too, at some cost
    micro_batch: int = 0  # pictures at once on a GPU, gradients summed over the batch; 0: all
    parallel: Literal["ddp", "fsdp"] = "ddp"  # under torchrun: whole copies, or sharded weights
    rank_timeout_s: int = 300  # how long processes wait for one another
    rollbacks: int = 2  # how often a run whose loss is lost goes back to its last checkpoint
    shares: int = 2  # parts of each batch that a CPU works on at once; rounding depends on it
    reading: Literal["auto", "resident", "streamed"] = "auto"  # auto: on the GPU if it fits
    threads: int = 0  # CPU threads for the shares, changing nothing else; 0: all cores
    checkpoint_every_images: int = 50_000
    keep_last: int = 3
    stats_every_steps: int = 20  # the loss is read from the device this often
    unet: UNetConfig = field(default_factory=UNetConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    preview: PreviewConfig = field(default_factory=PreviewConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    upscale: UpscaleConfig = field(default_factory=UpscaleConfig)
    vae: VaeConfig = field(default_factory=VaeConfig)

    def __post_init__(self) -> None:
        require(
            self.name not in ("", ".", "..") and Path(self.name).name == self.name,
            "name",
            self.name,
            "a plain folder name",
        )
        require(
            self.split != SEALED,
            "split",
            self.split,
            f"train or test, as {SEALED} is sealed for the novelty check",
        )
        for key in (
            "images",
            "batch",
            "checkpoint_every_images",
            "keep_last",
            "stats_every_steps",
            "shares",
            "rank_timeout_s",
        ):
            require(getattr(self, key) >= 1, key, getattr(self, key), "at least 1")
        for key in (
            "warmup_images",
            "decay_images",
            "snapshot_every_images",
            "threads",
            "seed",
            "tokens",
            "micro_batch",
            "rollbacks",
        ):
            require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        for key in ("lr", "clip"):
            value = getattr(self, key)
            require(0 < value < math.inf, key, value, "a finite number above 0")
        sure = 0 <= self.weight_decay < math.inf
        require(sure, "weight_decay", self.weight_decay, "a finite number, 0 or more")
        require(
            bool(self.ema_widths) and all(0 < width < 0.25 for width in self.ema_widths),
            "ema_widths",
            self.ema_widths,
            "one or more numbers above 0 and below 0.25",
        )
        require(
            len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            "betas",
            self.betas,
            "two numbers from 0 to below 1",
        )
        require(0 <= self.label_dropout <= 1, "label_dropout", self.label_dropout, "from 0 to 1")


def config_of_run(run: Path, assignments: Sequence[str] = ()) -> TrainConfig:
    """The config that the run in folder `run` was begun with, under its folder's name and under
    `assignments` as --set has them.

    Raises ConfigError when there is no run or an assignment is wrong, DataError when its
    config.json is damaged.
    """
    path = run / "config.json"
    if not path.is_file():
        raise ConfigError(
            f"{run} is no run's folder (it has no config.json); give one such as runs/NAME"
        )
    try:
        table = json.loads(path.read_text(encoding="utf-8")) | {"name": run.resolve().name}
        from_mapping(TrainConfig, table, str(path))
    except (ValueError, TypeError, ConfigError) as error:
        raise DataError(
            f"{path} is damaged or of another version: {error}; train again under another name"
        ) from error
    config = load_config(TrainConfig, table, assignments, origin=str(path))
    if config.name != table["name"]:
        raise ConfigError(f"name is that of the folder {run}; rename the folder instead")
    return config


def preset_names() -> list[str]:
    """The presets that come with Pedigree, by name."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def find_config(given: Path) -> Path:
    """The TOML file for `--config`: a path, or the bare name of a preset.

    Raises ConfigError naming the presets when it is neither.
    """
    preset = PRESETS / f"{given.name}.toml"
    if given.suffix == ".toml" or given.is_file():
        return given
    if given.name == str(given) and preset.is_file():
        return preset
    raise ConfigError(
        f"{given} is neither a TOML file nor a preset; presets: {', '.join(preset_names())}"
    )
