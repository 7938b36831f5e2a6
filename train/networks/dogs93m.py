"""A network of the size and shape of dogs-image-generator-DDPM's (W. Piaskowski), for comparisons:
double convolutions, attention at four sizes, told of the time alone; 93,417,859 parameters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.condition import Condition
from train.network_config import Told
from train.networks.blocks import Norm, pictured, places
from train.networks.embedding import sinusoidal_embedding

_EMBEDDING = 256  # channels of the time
_HEADS = 4


class Dogs93M(nn.Module):
    """Maps noisy pictures (B, C, H, W) and times (B,) to predictions (B, C, H, W)."""

    granularity = 16  # height and width must be multiples of this many pixels,
    smallest = 16  # and at least this many

    def __init__(self, shape: tuple[int, int, int], steps: int = 1000) -> None:
        """`steps` is the length of the noise table, in whose entries the network counts time."""
        super().__init__()
        self.shape, self.steps, self.told = shape, steps, Told()
        self.stem = _DoubleConv(shape[0], 64)
        self.down = nn.ModuleList(
            [_Down(64, 128), _Down(128, 256), _Down(256, 512), _Down(512, 512)]
        )
        self.middle = nn.Sequential(
            _DoubleConv(512, 1024), _DoubleConv(1024, 1024), _DoubleConv(1024, 512)
        )
        self.up = nn.ModuleList([_Up(1024, 256), _Up(512, 128), _Up(256, 64)])
        self.last = _Up(128, 64, attends=False)
        self.out = nn.Conv2d(64, shape[0], 1)
        # The original also allocates an attention at the full size, which it never calls. Its
        # numbers are kept, or the count would be another; their gradient is zero, number by number.
        self.idle = nn.Parameter(torch.zeros(_attention_size(64)))

    def forward(self, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """`x` (B, C, H, W) and `time` (B,) in thousandths of the noise table; see Network.

        `condition` is not heard.
        """
        embedding = sinusoidal_embedding(time * (self.steps / 1000.0), _EMBEDDING)
        embedding = F.silu(embedding) + (0.0 * self.idle).sum()
        x = self.stem(x)
        skips: list[Tensor] = []
        for down in self.down:
            skips.append(x)
            x = down(x, embedding)
        x = self.middle(x)
        for up in (*self.up, self.last):
            x = up(x, skips.pop(), embedding)
        return self.out(x)  # type: ignore[no-any-return]


class _DoubleConv(nn.Module):
    """Two convolutions without bias, each normalised over all channels at once."""

    def __init__(
        self, channels: int, width: int, inner: int | None = None, *, residual: bool = False
    ) -> None:
        super().__init__()
        inner = inner or width
        self.conv1 = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.norm1 = Norm(inner, groups=1)
        self.conv2 = nn.Conv2d(inner, width, 3, padding=1, bias=False)
        self.norm2 = Norm(width, groups=1)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.norm2(self.conv2(F.gelu(self.norm1(self.conv1(x)))))
        return F.gelu(x + h) if self.residual else h


class _Down(nn.Module):
    """To half the height and width by maxima, then four convolutions, the time, attention."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = _DoubleConv(channels, channels, residual=True)
        self.conv2 = _DoubleConv(channels, width)
        self.time = nn.Linear(_EMBEDDING, width)
        self.attention = _Attention(width)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        x = self.conv2(self.conv1(F.max_pool2d(x, 2)))
        return self.attention(x + self.time(embedding)[:, :, None, None])  # type: ignore[no-any-return]


class _Up(nn.Module):
    """To twice the height and width between pixels, then as `_Down`, with the skip beside."""

    def __init__(self, channels: int, width: int, *, attends: bool = True) -> None:
        super().__init__()
        self.conv1 = _DoubleConv(channels, channels, residual=True)
        self.conv2 = _DoubleConv(channels, width, channels // 2)
        self.time = nn.Linear(_EMBEDDING, width)
        self.attention = _Attention(width) if attends else nn.Identity()

    def forward(self, x: Tensor, skip: Tensor, embedding: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        x = self.conv2(self.conv1(torch.cat([skip, x], dim=1)))
        return self.attention(x + self.time(embedding)[:, :, None, None])  # type: ignore[no-any-return]


class _Attention(nn.Module):
    """Self-attention of four heads over the places, then a perceptron, each as a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, width)
        self.linear2 = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.query_key_value.weight)
        nn.init.zeros_(self.query_key_value.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        sequence = places(x)  # (B, H * W, C)
        h = self.query_key_value(self.norm1(sequence)).unflatten(2, [3, _HEADS, -1])
        query, key, value = h.permute(2, 0, 3, 1, 4)  # each (B, heads, H * W, C / heads)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        h = sequence + self.out(mixed)
        h = h + self.linear2(F.gelu(self.linear1(self.norm2(h))))
        return pictured(h, x)


def _attention_size(width: int) -> int:
    """How many numbers an `_Attention` learns."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in _Attention(width).parameters())
