"""One drawing by several processes, which share a folder: whoever is free draws the next pictures.

torchrun --nproc-per-node 2 -m sample draw runs/tiny --count 1000
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch

from train.distributed import JoinedRanks, Ranks, met_ranks

# How long one process waits for another's last pictures, when nothing is left to be drawn.
_PATIENCE_S = 3600.0


def drawing_ranks() -> AbstractContextManager[Ranks]:
    """This process among those that torchrun started, or alone.

    An error that ends all is said by one of them. Raises WorldError when another one is lost.
    """
    return met_ranks(_PATIENCE_S, cuda=False)


def cpu_workers() -> int:
    """Threads that this process may draw in: the machine's cores, shared with its siblings."""
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


class Turns:
    """Who draws which part of a plan, and how many pictures are drawn by all."""

    def __init__(self, ranks: Ranks) -> None:
        """All ranks make theirs together."""
        self.ranks = ranks
        self._own, self._drawn = itertools.count(), 0
        # One run of torchrun may draw more than once, and the store forgets nothing.
        self._name = ranks.from_first(lambda: f"drawing {time.time_ns()}")

    def taken(self, parts: int) -> Iterator[int]:
        """The numbers of the parts that this process draws, of `parts` in all; to be asked for the
        next only when there is somebody to draw it."""
        while (part := self._next()) < parts:
            yield part

    def add(self, count: int) -> int:
        """Say that `count` more pictures are drawn; returns how many all have drawn."""
        if isinstance(self.ranks, JoinedRanks):
            return int(self.ranks.store.add(f"{self._name}/pictures", count))
        self._drawn += count
        return self._drawn

    def finish(self, blank: int) -> int:
        """Wait until all have drawn everything; returns the sum of all `blank`."""
        total = torch.tensor([blank])
        self.ranks.summed([total])
        return int(total.item())

    def _next(self) -> int:
        if isinstance(self.ranks, JoinedRanks):
            return int(self.ranks.store.add(f"{self._name}/parts", 1)) - 1
        return next(self._own)


def told_by_first(ranks: Ranks, make: Callable[[], Any]) -> Any:
    """What `make` gives on rank 0, as JSON has it, on all ranks; its errors are raised on all."""
    return json.loads(ranks.from_first(lambda: json.dumps(make())))
