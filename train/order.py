"""The order of learning: which row stands at each place of the endless sequence of epochs.

It is a function of the seed alone, so any count of images seen can be gone on from, by any number
of processes.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from train.counter import Stream, hashed, stream_key


@dataclass(frozen=True)
class Share:
    """What process `rank` of `world` takes of the `size` places from `images_seen` on.

    The shares of all ranks, one after the other, are the places that a single process takes; they
    differ by one place at most, and are empty for some ranks where `size` is below `world`.
    """

    images_seen: int
    size: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.images_seen < 0 or self.size < 1:
            raise ValueError(f"{self.size} places from {self.images_seen} on are no batch")
        if not 0 <= self.rank < self.world:
            raise ValueError(f"rank {self.rank} is not one of {self.world}")

    @property
    def own(self) -> slice:
        """What this rank has of anything that is drawn for the whole batch."""
        first, last = (self.size * rank // self.world for rank in (self.rank, self.rank + 1))
        return slice(first, last)

    @property
    def places(self) -> range:
        """The places of this rank in the sequence of epochs, counted from 0."""
        own = self.own
        return range(self.images_seen + own.start, self.images_seen + own.stop)

    def following(self) -> "Share":
        """The share of the same rank in the batch after this one."""
        return replace(self, images_seen=self.images_seen + self.size)


class EpochOrder:
    """One permutation of `count` rows for every epoch, a pure function of seed and epoch."""

    def __init__(self, count: int, seed: int, device: torch.device) -> None:
        self.count, self.seed, self.device = count, seed, device
        self._orders: dict[int, Tensor] = {}

    def of_epoch(self, epoch: int) -> Tensor:
        """The rows (N,) int64 in the order of `epoch`, on the device."""
        found = self._orders.get(epoch)
        if found is None:
            rows = torch.arange(self.count, device=self.device)
            key = stream_key(self.seed, Stream.ORDER, epoch)
            found = torch.argsort(hashed(key, rows), stable=True)
            # Replaced as a whole, as the thread that reads ahead asks for orders too.
            near = {e: order for e, order in self._orders.items() if abs(e - epoch) <= 1}
            self._orders = near | {epoch: found}
        return found

    def rows(self, places: range) -> Tensor:
        """The rows (B,) int64 at `places` of the endless sequence of epochs."""
        parts = [torch.empty(0, dtype=torch.int64, device=self.device)]
        place = places.start
        while place < places.stop:
            epoch, start = divmod(place, self.count)
            parts.append(self.of_epoch(epoch)[start : start + places.stop - place])
            place += len(parts[-1])
        return torch.cat(parts)
