"""The network of FaviconGen (S. Majert, 2023), for comparisons: convolutions with batch
normalisation and skips, told of the time alone; 14,631,846 parameters in colour.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.condition import Condition
from train.network_config import Told

_EMBEDDING = 32  # channels of the time


class Favicon(nn.Module):
    """Maps noisy pictures (B, C, H, W) and times (B,) to predictions (B, C, H, W).

    While it learns, a picture's prediction depends on the others of its batch.
    """

    granularity = 16  # height and width must be multiples of this many pixels,
    smallest = 32  # and at least this many, or too few are left where it is narrowest

    def __init__(self, shape: tuple[int, int, int], steps: int = 1000) -> None:
        """`steps` is the length of the noise table, in whose entries the network counts time."""
        super().__init__()
        self.shape, self.steps, self.told = shape, steps, Told()
        channels = shape[0]
        self.time = nn.Linear(_EMBEDDING, _EMBEDDING)
        self.down = nn.ModuleList(
            [
                _Block(channels, 32, "same"),
                _Block(32, 64, "half", kernel=4),
                _Block(64, 128, "half"),
                _Block(128, 256, "half"),
            ]
        )
        self.middle = _Block(256, 256, "half and back", kernel=4)
        self.up = nn.ModuleList(
            [
                _Block(512, 128, "double"),
                _Block(256, 64, "double"),
                _Block(128, 32, "double", kernel=4),
                _Block(64, 32, "same"),
            ]
        )
        self.out = nn.Conv2d(32, channels, 5, padding=2)

    def forward(self, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """`x` (B, C, H, W) and `time` (B,) in thousandths of the noise table; see Network.

        `condition` is not heard.
        """
        embedding = interleaved_embedding(time * (self.steps / 1000.0), _EMBEDDING)
        embedding = F.leaky_relu(self.time(embedding))
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x, embedding)
            skips.append(x)
        x = self.middle(x, embedding)
        for block in self.up:
            x = block(torch.cat([x, skips.pop()], dim=1), embedding)
        return self.out(x)  # type: ignore[no-any-return]


class _Block(nn.Module):
    """Two convolutions to which the time is added; sizes change by strided convolutions."""

    def __init__(
        self,
        channels: int,
        width: int,
        size: Literal["same", "half", "double", "half and back"],
        *,
        kernel: int = 2,
    ) -> None:
        """`kernel` is that of the convolutions which change the size."""
        super().__init__()
        edge = (kernel - 2) // 2  # so that sizes change by exactly two
        insides = {"same": width, "half": width, "double": channels, "half and back": 2 * channels}
        inside = insides[size]
        self.halving = (
            nn.Conv2d(channels, channels, kernel, stride=2, padding=edge)
            if size in ("half", "half and back")
            else None
        )
        self.time = nn.Linear(_EMBEDDING, channels)
        self.conv1 = nn.Conv2d(channels, inside, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(inside)
        self.doubling = (
            nn.ConvTranspose2d(inside, width, kernel, stride=2, padding=edge)
            if size in ("double", "half and back")
            else None
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        if self.halving is not None:
            x = F.leaky_relu(self.halving(x))
        x = x + F.leaky_relu(self.time(embedding))[:, :, None, None]
        x = F.leaky_relu(self.norm1(self.conv1(x)))
        x = F.leaky_relu(self.norm2(self.conv2(x)))
        return x if self.doubling is None else F.leaky_relu(self.doubling(x))


def interleaved_embedding(time: Tensor, channels: int) -> Tensor:
    """Sine and cosine of `time` (B,) in turn, at frequencies from 1 to 1/10000: (B, channels)."""
    half = channels // 2
    exponents = torch.arange(half, device=time.device, dtype=torch.float32) / (half - 1)
    angles = time.float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
