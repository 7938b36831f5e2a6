"""The random numbers of one drawing: a pure function of a seed, a name and an index."""

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from scrape.demo_site.colours import Colour, Tint, hsl

T = TypeVar("T")


class Chance:
    """Seeded choices; equal arguments give equal choices in every process."""

    def __init__(self, seed: int, name: str, index: int = 0) -> None:
        self._numbers = np.random.default_rng([seed, zlib.crc32(name.encode()), index])

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self._numbers.random())

    def coin(self, probability: float = 0.5) -> bool:
        return float(self._numbers.random()) < probability

    def below(self, count: int) -> int:
        """A whole number in 0..count-1."""
        return min(int(self._numbers.random() * count), count - 1)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        order = np.argsort(self._numbers.random(len(items)), kind="stable")
        return [items[int(place)] for place in order]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different members of `items`, in random order."""
        return self.shuffled(items)[:count]

    def colour(self, tint: Tint) -> Colour:
        """One colour of the family `tint`."""
        return hsl(
            self.between(*tint.hue), self.between(*tint.saturation), self.between(*tint.lightness)
        )
