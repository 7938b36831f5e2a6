"""What a training run is made of: network, diffusion and schedule; presets live in configs/.

Everything that counts time counts images seen, never steps or epochs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dataset.errors import ConfigError

PRESETS = Path(__file__).parent / "configs"
SEALED = "cal"  # the split that only the novelty check reads


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """The network's size: level 0 is the finest, each level halves height and width."""

    base_channels: int = 64
    multipliers: tuple[int, ...] = (1, 2, 3)  # channels of each level, in base_channels
    blocks: int = 2  # residual blocks per level, on the way down and again on the way up
    patch: int = 1  # pixels per side folded into channels before level 0
    attention_levels: tuple[int, ...] = (2,)
    head_channels: int = 32
    embedding_channels: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _require(self.base_channels >= 8, "unet.base_channels", self.base_channels, "at least 8")
        _require(self.base_channels % 8 == 0, "unet.base_channels", self.base_channels, "8 x n")
        _require(
            bool(self.multipliers) and min(self.multipliers) >= 1,
            "unet.multipliers",
            self.multipliers,
            "a list of whole numbers of at least 1",
        )
        _require(self.blocks >= 1, "unet.blocks", self.blocks, "at least 1")
        _require(self.patch in (1, 2, 4), "unet.patch", self.patch, "1, 2 or 4")
        levels = range(len(self.multipliers))
        _require(
            all(level in levels for level in self.attention_levels),
            "unet.attention_levels",
            self.attention_levels,
            f"levels from 0 to {levels[-1]}",
        )
        for level in self.attention_levels:
            width = self.base_channels * self.multipliers[level]
            _require(
                self.head_channels >= 1 and width % self.head_channels == 0,
                "unet.head_channels",
                self.head_channels,
                f"a divisor of the {width} channels of level {level}",
            )
        _require(
            self.embedding_channels >= 8 and self.embedding_channels % 2 == 0,
            "unet.embedding_channels",
            self.embedding_channels,
            "an even number of at least 8",
        )
        _require(0 <= self.dropout < 1, "unet.dropout", self.dropout, "from 0 to below 1")

    @property
    def granularity(self) -> int:
        """Height and width must be multiples of this many pixels."""
        return int(self.patch * 2 ** (len(self.multipliers) - 1))


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """The forward process and what the network is asked to predict."""

    steps: int = 1000
    schedule: Literal["linear", "cosine"] = "cosine"
    prediction: Literal["eps", "v", "x0"] = "v"
    min_snr: float | None = 5.0  # gamma of the min-SNR loss weight; none: every t weighs alike

    def __post_init__(self) -> None:
        _require(self.steps >= 25, "diffusion.steps", self.steps, "at least 25")
        _require(
            self.min_snr is None or self.min_snr > 0,
            "diffusion.min_snr",
            self.min_snr,
            "above 0, or none",
        )


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Flips and warps that the network is told of, so that it never draws them (see augment.py).

    Strengths are those of Karras et al. 2022, appendix F.2; 0 or false leaves one kind out.
    """

    probability: float = 0.0  # of each kind, for each picture; 0: off
    x_flip: bool = True  # by a coin when its turn comes, so half as often
    y_flip: bool = False
    scaling: float = 0.2  # standard deviation of log2 of the factor
    rotation: float = 1.0  # largest angle, in half turns
    anisotropy: float = 0.2  # as scaling, but wider one way and narrower the other
    translation: float = 0.125  # standard deviation, in widths and heights

    def __post_init__(self) -> None:
        for key in ("probability", "rotation"):
            value = getattr(self, key)
            _require(0 <= value <= 1, f"augment.{key}", value, "from 0 to 1")
        for key in ("scaling", "anisotropy", "translation"):
            value = getattr(self, key)
            _require(0 <= value <= 0.5, f"augment.{key}", value, "from 0 to 0.5")

    @property
    def active(self) -> bool:
        """Whether the network has to be told of anything."""
        return self.probability > 0


@dataclass(frozen=True, kw_only=True)
class PreviewConfig:
    """Sheets drawn from the averaged weights while training."""

    every_images: int = 50_000  # 0: only at the end
    per_class: int = 4
    steps: int = 16
    guidance: float = 2.0

    def __post_init__(self) -> None:
        _require(self.every_images >= 0, "preview.every_images", self.every_images, "0 or more")
        _require(self.per_class >= 1, "preview.per_class", self.per_class, "at least 1")
        _require(self.steps >= 1, "preview.steps", self.steps, "at least 1")
        _require(self.guidance >= 0, "preview.guidance", self.guidance, "0 or more")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run: pictures, budget, optimiser, averaging, and where the work is done."""

    name: str
    pack: Path | None = None
    split: Literal["train", "cal", "test"] = "train"
    images: int = 1_000_000  # the budget, in images seen
    batch: int = 64
    lr: float = 4e-4
    warmup_images: int = 10_000
    decay: Literal["cosine", "constant"] = "cosine"
    betas: tuple[float, ...] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0  # largest norm of the gradient
    ema_half_life_images: int = 10_000
    ema_ramp: float = 0.05  # early on, the half-life is at most this share of the images seen
    label_dropout: float = 0.1
    flip: bool = False  # mirror half of the pictures, and let the network draw mirrored ones
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on CUDA
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

    def __post_init__(self) -> None:
        _require(
            self.name not in ("", ".", "..") and Path(self.name).name == self.name,
            "name",
            self.name,
            "a plain folder name",
        )
        _require(
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
        ):
            _require(getattr(self, key) >= 1, key, getattr(self, key), "at least 1")
        for key in ("warmup_images", "ema_half_life_images", "threads", "seed"):
            _require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        for key in ("lr", "clip"):
            _require(getattr(self, key) > 0, key, getattr(self, key), "above 0")
        for key in ("weight_decay", "ema_ramp"):
            _require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        _require(
            len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
            "betas",
            self.betas,
            "two numbers from 0 to below 1",
        )
        _require(0 <= self.label_dropout <= 1, "label_dropout", self.label_dropout, "from 0 to 1")


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


def _require(holds: bool, key: str, value: object, must: str) -> None:
    if not holds:
        shown = list(value) if isinstance(value, tuple) else value
        raise ConfigError(f"{key} is {shown!r}; it must be {must}")
