"""What a network is told, made into one vector for its blocks and tokens for its attention."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.augment import CONDITIONS
from train.condition import NO_LABEL, Condition
from train.network_config import Told


class ConditionEmbedding(nn.Module):
    """Time and condition of B pictures as an embedding (B, E), and tokens (B, L, E) if any.

    Where nothing is said of a picture, learned nulls stand in for its label, vector and tokens.
    """

    def __init__(self, told: Told, channels: int) -> None:
        """`channels` is E."""
        super().__init__()
        self.channels = channels
        self.time = _perceptron(channels)
        self.label = nn.Embedding(told.classes + 1, channels)  # row 0 is the learned "no label"
        # What not every network is told comes last, so that the rest is drawn alike without it.
        length = told.vector_length
        self.vector = VectorEmbedding(length, channels) if length else None
        self.tokens = (
            TokenEmbedding(told.tokens, told.token_length, channels) if told.tokens else None
        )
        self.picture_noise = _perceptron(channels) if told.picture_channels else None
        # Without a bias, so that an untouched picture adds nothing.
        self.augmentation = nn.Linear(CONDITIONS, channels, bias=False) if told.augmented else None

    def forward(self, time: Tensor, condition: Condition) -> tuple[Tensor, Tensor | None]:
        """`time` (B,) in thousandths; the embedding after its SiLU, and the tokens."""
        absent, tokens = condition.absent, None
        labels = condition.labels
        if absent is not None:
            labels = labels.masked_fill(absent, NO_LABEL)
        embedding = self.time(sinusoidal_embedding(time, self.channels)) + self.label(labels + 1)
        if self.vector is not None:
            embedding = embedding + self.vector(condition.vectors, absent)
        if self.tokens is not None:
            tokens = self.tokens(condition.tokens, absent, len(time))
            embedding = embedding + tokens.mean(dim=1)
        if self.picture_noise is not None:
            noise = condition.picture_noise
            noise = torch.zeros_like(time) if noise is None else noise
            # As its share of the deviation, in thousandths: from 0 to 1000, and 0 for none.
            share = 1000.0 * noise / (noise**2 + 1.0).sqrt()
            embedding = embedding + self.picture_noise(sinusoidal_embedding(share, self.channels))
        if self.augmentation is not None and condition.augmentation is not None:
            embedding = embedding + self.augmentation(condition.augmentation)
        return F.silu(embedding), tokens


class VectorEmbedding(nn.Module):
    """Vectors (B, V), such as CLIP gives, to (B, E); their direction counts, not their length."""

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        self.length = length
        self.linear = nn.Linear(length, channels)
        self.null = nn.Parameter(torch.zeros(channels))

    def forward(self, vectors: Tensor | None, absent: Tensor | None) -> Tensor:
        """(B, E); a single null for all if nothing is told, (E,)."""
        if vectors is None:
            return self.null
        heard: Tensor = self.linear(F.rms_norm(vectors.float(), (self.length,)))
        return heard if absent is None else torch.where(absent[:, None], self.null, heard)


class TokenEmbedding(nn.Module):
    """Tokens (B, L, D) to (B, L, E), each with its place; their sizes count among themselves."""

    def __init__(self, count: int, length: int, channels: int) -> None:
        super().__init__()
        self.shape = (count, length)
        self.linear = nn.Linear(length, channels)
        self.null = nn.Parameter(torch.zeros(count, channels))
        self.place = nn.Parameter(torch.randn(count, channels) * 0.02)

    def forward(self, tokens: Tensor | None, absent: Tensor | None, size: int) -> Tensor:
        """(`size`, L, E), the null for every picture if nothing is told."""
        if tokens is None:
            return (self.null + self.place).expand(size, -1, -1)
        heard: Tensor = self.linear(F.rms_norm(tokens.float(), self.shape))
        if absent is not None:
            heard = torch.where(absent[:, None, None], self.null, heard)
        return heard + self.place


def sinusoidal_embedding(time: Tensor, channels: int) -> Tensor:
    """Sines and cosines of `time` (B,) at frequencies from 1 to 1/10000: (B, channels)."""
    half = channels // 2
    exponents = torch.arange(half, device=time.device, dtype=torch.float32) / half
    angles = time.float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _perceptron(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, channels))
