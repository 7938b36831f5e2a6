"""The network: a residual UNet with time and class in one embedding, attention where it is cheap.

Blocks after Ho et al. 2020 with the scale-and-shift conditioning of Dhariwal and Nichol 2021.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset.errors import ConfigError
from train.augment import CONDITIONS
from train.config import UNetConfig

NO_LABEL = -1  # the label of a picture that has none, and of an unconditional prediction


class UNet(nn.Module):
    """Maps noisy pictures (B, C, H, W), times (B,) and labels (B,) to a prediction (B, C, H, W)."""

    def __init__(
        self,
        config: UNetConfig,
        shape: tuple[int, int, int],
        classes: int,
        *,
        augmented: bool = False,
    ) -> None:
        """`shape` is (C, H, W) of a picture; raises ConfigError if H or W does not divide.

        `augmented` adds the layer that hears of the pictures' augmentation.
        """
        super().__init__()
        check_shape(config, shape)
        self.config, self.shape, self.classes = config, shape, classes
        widths = [config.base_channels * multiplier for multiplier in config.multipliers]
        embedding = config.embedding_channels
        folded = shape[0] * config.patch**2
        self.time = nn.Sequential(
            nn.Linear(embedding, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.label = nn.Embedding(classes + 1, embedding)  # row 0 is the learned "no label"
        self.stem = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            before = widths[max(level - 1, 0)]
            self.down.append(_DownLevel(config, level, before, width))
            after = widths[min(level + 1, len(widths) - 1)]
            self.up.insert(0, _UpLevel(config, level, after, width))
        self.middle = nn.ModuleList(
            ResidualBlock(widths[-1], widths[-1], embedding, config.dropout) for _ in range(2)
        )
        self.middle_attention = (
            Attention(widths[-1], config.head_channels)
            if len(widths) - 1 in config.attention_levels
            else nn.Identity()
        )
        self.out_norm = _norm(widths[0])
        self.out = _zeroed(nn.Conv2d(widths[0], folded, 3, padding=1))
        # Last, so that the weights above are drawn alike with and without; no bias, so that an
        # untouched picture adds nothing.
        self.augmentation = nn.Linear(CONDITIONS, embedding, bias=False) if augmented else None

    def forward(
        self, x: Tensor, time: Tensor, labels: Tensor, augmentation: Tensor | None = None
    ) -> Tensor:
        """`time` (B,) is in thousandths of the forward process; `labels` (B,) int64, -1 = none.

        `augmentation` (B, CONDITIONS) says what was done to the pictures; None: nothing.
        """
        embedding = self.time(sinusoidal_embedding(time, self.config.embedding_channels))
        embedding = embedding + self.label(labels + 1)
        if self.augmentation is not None and augmentation is not None:
            embedding = embedding + self.augmentation(augmentation)
        embedding = F.silu(embedding)  # (B, E)
        if self.config.patch > 1:
            x = F.pixel_unshuffle(x, self.config.patch)
        x = self.stem(x)
        skips: list[Tensor] = []
        for down in self.down:
            x = down(x, embedding, skips)
        x = self.middle[0](x, embedding)
        x = self.middle[1](self.middle_attention(x), embedding)
        for up in self.up:
            x = up(x, embedding, skips)
        x = self.out(F.silu(self.out_norm(x)))
        return F.pixel_shuffle(x, self.config.patch) if self.config.patch > 1 else x


class ResidualBlock(nn.Module):
    """Two convolutions with normalisation; the embedding scales and shifts between them (FiLM)."""

    def __init__(self, channels: int, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        self.norm2 = _norm(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = _zeroed(nn.Conv2d(width, width, 3, padding=1))
        self.skip = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = torch.addcmul(shift, self.norm2(h), scale + 1)
        h = self.conv2(self.dropout(F.silu(h)))
        return h + self.skip(x)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention over the H x W places, as a residual."""

    def __init__(self, width: int, head_channels: int) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.norm = _norm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = _zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, width, height, breadth = x.shape
        h = self.norm(x).permute(0, 2, 3, 1).reshape(batch, height * breadth, width)
        h = self.query_key_value(h).unflatten(2, (3, -1, self.head_channels))
        query, key, value = h.permute(2, 0, 3, 1, 4)  # each (B, heads, H * W, head_channels)
        h = F.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.out(h.transpose(1, 2).flatten(2))  # (B, H * W, C)
        return x + mixed.reshape(batch, height, breadth, width).permute(0, 3, 1, 2)


class _DownLevel(nn.Module):
    """One level on the way down: halve (but at level 0), then blocks; each leaves a skip."""

    def __init__(self, config: UNetConfig, level: int, before: int, width: int) -> None:
        super().__init__()
        self.halving = (
            nn.Conv2d(before, width, 3, stride=2, padding=1) if level > 0 else nn.Identity()
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(width, width, config.embedding_channels, config.dropout)
            for _ in range(config.blocks)
        )
        self.attention = nn.ModuleList(_attention(config, level, width) for _ in self.blocks)

    def forward(self, x: Tensor, embedding: Tensor, skips: list[Tensor]) -> Tensor:
        x = self.halving(x)
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = attention(block(x, embedding))
            skips.append(x)
        return x


class _UpLevel(nn.Module):
    """One level on the way up: double (but at the lowest), then blocks that each take a skip."""

    def __init__(self, config: UNetConfig, level: int, before: int, width: int) -> None:
        super().__init__()
        lowest = level == len(config.multipliers) - 1
        self.doubling = nn.Identity() if lowest else _Doubling(before, width)
        self.blocks = nn.ModuleList(
            ResidualBlock(2 * width, width, config.embedding_channels, config.dropout)
            for _ in range(config.blocks)
        )
        self.attention = nn.ModuleList(_attention(config, level, width) for _ in self.blocks)

    def forward(self, x: Tensor, embedding: Tensor, skips: list[Tensor]) -> Tensor:
        x = self.doubling(x)
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = attention(block(torch.cat([x, skips.pop()], dim=1), embedding))
        return x


class _Doubling(nn.Module):
    """Channels first, at the small size, then nearest neighbour to twice the height and width."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.conv(x), scale_factor=2.0, mode="nearest")


def sinusoidal_embedding(time: Tensor, channels: int) -> Tensor:
    """Sines and cosines of `time` (B,) at frequencies from 1 to 1/10000: (B, channels)."""
    half = channels // 2
    exponents = torch.arange(half, device=time.device, dtype=torch.float32) / half
    angles = time.float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def count_parameters(model: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def check_shape(config: UNetConfig, shape: tuple[int, int, int]) -> None:
    """Raise ConfigError unless pictures of (C, H, W) fit the network's levels."""
    channels, height, width = shape
    if channels not in (1, 3, 4):
        raise ConfigError(f"pictures have {channels} channels; a network takes 1, 3 or 4")
    if height % config.granularity or width % config.granularity:
        raise ConfigError(
            f"pictures are {width} x {height}, but unet.multipliers and unet.patch ask for"
            f" multiples of {config.granularity}; use fewer levels, or pack at another size"
        )


def _attention(config: UNetConfig, level: int, width: int) -> nn.Module:
    if level not in config.attention_levels:
        return nn.Identity()
    return Attention(width, config.head_channels)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)


def _zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Start `layer` at zero, so that a residual begins as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
