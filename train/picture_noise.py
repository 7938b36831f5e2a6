"""Each picture's own randomness while it is drawn: its seed alone decides it, on any device and
in any batch, as every number is a function of (seed, draw, place in the picture)."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from train.counter import Stream, normal, stream_key


class Noise(Protocol):
    """Each picture's own fresh noise: draw 0 is what x starts from, draw i is of step i."""

    def draw(self, number: int) -> Tensor:
        """Standard normal numbers (B, C, H, W)."""
        ...


class PictureNoise:
    """Standard normal numbers for a batch of pictures of one shape, one seed for each."""

    def __init__(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device
    ) -> None:
        self.seeds, self.shape, self.device = list(seeds), shape, device
        self._places = torch.arange(shape[0] * shape[1] * shape[2], device=device)

    def draw(self, number: int) -> Tensor:
        """The noise (B, C, H, W) float32 of draw `number`: 0 is what drawing starts from."""
        keys = [stream_key(seed, Stream.DRAWING, number) for seed in self.seeds]
        at = torch.tensor(keys, dtype=torch.int64, device=self.device)
        return normal(at[:, None], self._places).view(len(keys), *self.shape)


class BlendedNoise:
    """The way from one batch of noise to another, in every draw; normal at each place on it."""

    def __init__(self, start: Noise, end: Noise, shares: Sequence[float]) -> None:
        """`shares` says for each picture how far it is from `start` (0) to `end` (1)."""
        self.start, self.end, self.shares = start, end, list(shares)

    def draw(self, number: int) -> Tensor:
        """(B, C, H, W)."""
        start, end = self.start.draw(number), self.end.draw(number)
        return slerp(start, end, torch.tensor(self.shares, device=start.device))


class LaterNoise:
    """Another's noise from draw `skipped` on, for what is drawn in several passes."""

    def __init__(self, noise: Noise, skipped: int) -> None:
        self.noise, self.skipped = noise, skipped

    def draw(self, number: int) -> Tensor:
        """(B, C, H, W)."""
        return self.noise.draw(self.skipped + number)


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Along the great circle from `start` to `end`, both (B, C, H, W), at `share` (B,) in [0, 1].

    Shoemake 1985: the length stays that of noise, where a straight line would pass near 0.
    """
    share = share.double()[:, None, None, None]
    a, b = start.double(), end.double()
    lengths = a.flatten(1).norm(dim=1) * b.flatten(1).norm(dim=1)
    cosine = (a * b).flatten(1).sum(dim=1) / lengths.clamp(min=1e-12)
    angle = cosine.clamp(-1.0, 1.0).acos()[:, None, None, None]
    sine = angle.sin()
    straight = sine < 1e-6  # the same noise, or its opposite: no circle is the shortest
    sine = torch.where(straight, 1.0, sine)
    of_a = torch.where(straight, 1.0 - share, ((1.0 - share) * angle).sin() / sine)
    of_b = torch.where(straight, share, (share * angle).sin() / sine)
    return (of_a * a + of_b * b).to(start.dtype)
