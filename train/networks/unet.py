"""The network: a residual UNet, told of time and condition, with attention where it is cheap."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset.errors import ConfigError
from train.condition import Condition
from train.network_config import Told, UNetConfig
from train.networks.blocks import (
    Attention,
    CrossAttention,
    Doubling,
    Halving,
    Norm,
    ResidualBlock,
    zeroed,
)
from train.networks.embedding import ConditionEmbedding


class UNet(nn.Module):
    """Maps noisy pictures (B, C, H, W), times (B,) and conditions to predictions (B, C, H, W)."""

    def __init__(
        self,
        config: UNetConfig,
        shape: tuple[int, int, int],
        told: Told | None = None,
        *,
        out_channels: int | None = None,
    ) -> None:
        """`shape` is (C, H, W) of what is denoised; raises ConfigError if it does not fit.

        `out_channels` come out (as many as come in if not given).
        """
        super().__init__()
        self.config, self.shape, self.told = config, shape, told or Told()
        self.classes = self.told.classes  # labels are below it; networks without it hear none
        check_shape(config, shape)
        check_told(config, self.told)
        widths = [config.base_channels * multiplier for multiplier in config.multipliers]
        folded = (shape[0] + self.told.picture_channels) * config.patch**2
        self.stem = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            before = widths[max(level - 1, 0)]
            self.down.append(_DownLevel(config, self.told, level, before, width))
            after = widths[min(level + 1, len(widths) - 1)]
            self.up.insert(0, _UpLevel(config, self.told, level, after, width))
        lowest = len(widths) - 1
        self.middle = _Step(config, self.told, lowest, widths[-1], widths[-1])
        self.last = ResidualBlock(widths[-1], widths[-1], config.embedding_channels, config.dropout)
        self.out_norm = Norm(widths[0])
        out = (out_channels or shape[0]) * config.patch**2
        self.out = zeroed(nn.Conv2d(widths[0], out, 3, padding=1))
        self.embedding = ConditionEmbedding(self.told, config.embedding_channels)

    def forward(self, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """`x` (B, C, H, W) and `time` (B,) in thousandths of the noise table; see Network.

        Raises ConfigError if the network enlarges and `condition` has no picture to enlarge.
        """
        embedding, tokens = self.embedding(time, condition)
        if self.told.picture_channels:
            x = torch.cat([x, _picture(condition)], dim=1)
        if self.config.patch > 1:
            x = F.pixel_unshuffle(x, self.config.patch)
        x = self.stem(x)
        skips: list[Tensor] = []
        for down in self.down:
            x = down(x, embedding, tokens, skips)
        x = self.last(self.middle(x, embedding, tokens), embedding)
        for up in self.up:
            x = up(x, embedding, tokens, skips)
        x = self.out(F.silu(self.out_norm(x)))
        return F.pixel_shuffle(x, self.config.patch) if self.config.patch > 1 else x


class _Step(nn.Module):
    """A residual block; then, at the levels that have it, attention to the picture itself and to
    the tokens."""

    def __init__(
        self, config: UNetConfig, told: Told, level: int, channels: int, width: int
    ) -> None:
        super().__init__()
        embedding, heads = config.embedding_channels, config.head_channels
        attends = level in config.attention_levels
        self.block = ResidualBlock(channels, width, embedding, config.dropout)
        self.attention = Attention(width, heads) if attends else None
        self.hearing = CrossAttention(width, heads, embedding) if attends and told.tokens else None

    def forward(self, x: Tensor, embedding: Tensor, tokens: Tensor | None) -> Tensor:
        x = self.block(x, embedding)
        if self.attention is not None:
            x = self.attention(x)
        if self.hearing is not None:
            x = self.hearing(x, tokens)
        return x


class _DownLevel(nn.Module):
    """One level on the way down: halve (but at level 0), then blocks; each leaves a skip."""

    def __init__(self, config: UNetConfig, told: Told, level: int, before: int, width: int) -> None:
        super().__init__()
        self.halving = Halving(before, width) if level > 0 else nn.Identity()
        self.steps = nn.ModuleList(
            _Step(config, told, level, width, width) for _ in range(config.blocks)
        )

    def forward(
        self, x: Tensor, embedding: Tensor, tokens: Tensor | None, skips: list[Tensor]
    ) -> Tensor:
        x = self.halving(x)
        for step in self.steps:
            x = step(x, embedding, tokens)
            skips.append(x)
        return x


class _UpLevel(nn.Module):
    """One level on the way up: double (but at the lowest), then blocks that each take a skip."""

    def __init__(self, config: UNetConfig, told: Told, level: int, before: int, width: int) -> None:
        super().__init__()
        lowest = level == len(config.multipliers) - 1
        self.doubling = nn.Identity() if lowest else Doubling(before, width)
        self.steps = nn.ModuleList(
            _Step(config, told, level, 2 * width, width) for _ in range(config.blocks)
        )

    def forward(
        self, x: Tensor, embedding: Tensor, tokens: Tensor | None, skips: list[Tensor]
    ) -> Tensor:
        x = self.doubling(x)
        for step in self.steps:
            x = step(torch.cat([x, skips.pop()], dim=1), embedding, tokens)
        return x


def check_shape(config: UNetConfig, shape: tuple[int, int, int]) -> None:
    """Raise ConfigError unless what is denoised, (C, H, W), fits the network's levels."""
    _, height, width = shape
    if height % config.granularity or width % config.granularity:
        raise ConfigError(
            f"pictures are {width} x {height}, but unet.multipliers and unet.patch ask for"
            f" multiples of {config.granularity}; use fewer levels, or pack at another size"
        )


def check_told(config: UNetConfig, told: Told) -> None:
    """Raise ConfigError if tokens are told to a network without attention to hear them."""
    if told.tokens and not config.attention_levels:
        raise ConfigError(
            f"{told.tokens} tokens need attention to be heard, and unet.attention_levels is empty;"
            " give it a level, or set tokens=0 to tell the vector whole"
        )


def _picture(condition: Condition) -> Tensor:
    if condition.picture is None:
        raise ConfigError("this model enlarges pictures; give it the small ones to draw from")
    return condition.picture
