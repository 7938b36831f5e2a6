"""The size of the network and of what it is told."""

from dataclasses import dataclass

from train.checked import require


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
        sure = self.base_channels >= 8 and self.base_channels % 8 == 0
        require(sure, "unet.base_channels", self.base_channels, "8, 16, 24 ...")
        require(
            bool(self.multipliers) and min(self.multipliers) >= 1,
            "unet.multipliers",
            self.multipliers,
            "a list of whole numbers of at least 1",
        )
        require(self.blocks >= 1, "unet.blocks", self.blocks, "at least 1")
        require(self.patch in (1, 2, 4), "unet.patch", self.patch, "1, 2 or 4")
        levels = range(len(self.multipliers))
        require(
            all(level in levels for level in self.attention_levels),
            "unet.attention_levels",
            self.attention_levels,
            f"levels from 0 to {levels[-1]}",
        )
        for level in self.attention_levels:
            width = self.base_channels * self.multipliers[level]
            require(
                self.head_channels >= 1 and width % self.head_channels == 0,
                "unet.head_channels",
                self.head_channels,
                f"a divisor of the {width} channels of level {level}",
            )
        require(
            self.embedding_channels >= 8 and self.embedding_channels % 2 == 0,
            "unet.embedding_channels",
            self.embedding_channels,
            "an even number of at least 8",
        )
        require(0 <= self.dropout < 1, "unet.dropout", self.dropout, "from 0 to below 1")

    @property
    def granularity(self) -> int:
        """Height and width must be multiples of this many pixels."""
        return int(self.patch * 2 ** (len(self.multipliers) - 1))


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a network is told of each picture; 0 or false: not of that."""

    classes: int = 0
    vector_length: int = 0  # of a vector told whole
    tokens: int = 0  # how many, each of token_length numbers
    token_length: int = 0
    picture_channels: int = 0  # of the small picture that is to be enlarged
    augmented: bool = False
