"""What the networks are made of: normalisation, residual blocks, attention, and changes of size.

Blocks after Ho et al. 2020, with the scale-and-shift conditioning of Dhariwal and Nichol 2021.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8  # of channels that are normalised together

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


class Norm(nn.GroupNorm):
    """Group normalisation in the precision that comes in.

    Autocast would give float32 back and so double what every layer after it reads and writes; the
    sums inside are float32 in any case.
    """

    def __init__(self, channels: int, groups: int = GROUPS) -> None:
        super().__init__(groups, channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32:
            return super().forward(x)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, self.num_groups, weight, bias, self.eps)


class ResidualBlock(nn.Module):
    """Two convolutions with normalisation; the embedding scales and shifts between them (FiLM)."""

    def __init__(self, channels: int, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = Norm(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        self.norm2 = Norm(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(nn.Conv2d(width, width, 3, padding=1))
        self.skip = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """`x` (B, C, H, W) and `embedding` (B, E): (B, width, H, W)."""
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        h = torch.addcmul(shift, h, scale + 1)
        h = self.conv2(self.dropout(F.silu(h)))
        return h + self.skip(x)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention over the H x W places, as a residual."""

    def __init__(self, width: int, head_channels: int) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.norm = Norm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.query_key_value(places(self.norm(x))).unflatten(2, (3, -1, self.head_channels))
        query, key, value = h.permute(2, 0, 3, 1, 4)  # each (B, heads, H * W, head_channels)
        return x + pictured(self.out(_attended(query, key, value)), x)


class CrossAttention(nn.Module):
    """Attention of the H x W places to tokens (B, L, E), as a residual."""

    def __init__(self, width: int, head_channels: int, embedding: int) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.norm = Norm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(embedding, 2 * width)
        self.out = zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        query = self.query(places(self.norm(x))).unflatten(2, (-1, self.head_channels))
        h = self.key_value(tokens).unflatten(2, (2, -1, self.head_channels))
        key, value = h.permute(2, 0, 3, 1, 4)  # each (B, heads, L, head_channels)
        return x + pictured(self.out(_attended(query.transpose(1, 2), key, value)), x)


class Halving(nn.Conv2d):
    """To half the height and width, by a convolution in steps of two."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__(before, width, 3, stride=2, padding=1)


class Doubling(nn.Module):
    """Channels first, at the small size, then nearest neighbour to twice the height and width."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.conv(x), scale_factor=2.0, mode="nearest")


def places(x: Tensor) -> Tensor:
    """(B, C, H, W) as a sequence (B, H * W, C); nothing moves if the channels come last."""
    return x.flatten(2).transpose(1, 2)


def pictured(sequence: Tensor, like: Tensor) -> Tensor:
    """The inverse of `places`, for a picture of the height and width of `like`."""
    return sequence.transpose(1, 2).reshape(len(like), -1, *like.shape[2:])


def zeroed(layer: _Layer) -> _Layer:
    """Start `layer` at zero, so that a residual begins as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Values mixed by attention, heads side by side again: (B, places, C)."""
    mixed = F.scaled_dot_product_attention(query, key, value)
    return mixed.transpose(1, 2).flatten(2)
