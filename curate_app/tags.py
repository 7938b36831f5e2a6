"""What a picture can have several of, such as sources: codes by row."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CODE_BITS = 24


class Tags:
    """Each pair of a row and a code once, in order of the rows."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._numbers: dict[str, int] = {}
        self._rows = np.zeros(0, dtype=np.int32)
        self._codes = np.zeros(0, dtype=np.int32)

    def add(self, rows: NDArray[np.int32], values: Sequence[str]) -> None:
        """Give each of `rows` (N,) its value; pairs that are there already stay."""
        self.put([self.keys(rows, values)])

    def keys(self, rows: NDArray[np.int32], values: Sequence[str]) -> NDArray[np.int64]:
        """Pairs of `rows` (N,) and values as numbers to `put`."""
        for value in values:
            if value not in self._numbers:
                self._numbers[value] = len(self.values)
                self.values.append(value)
        codes = np.array([self._numbers[value] for value in values], dtype=np.int64)
        return (rows.astype(np.int64) << _CODE_BITS) + codes

    def put(self, blocks: Sequence[NDArray[np.int64]]) -> None:
        """Add pairs; those that are there already stay."""
        keys = _distinct(np.concatenate([*blocks, np.zeros(0, dtype=np.int64)]))
        if len(self._rows) and len(keys) and keys[0] >> _CODE_BITS <= self._rows[-1]:
            held = (self._rows.astype(np.int64) << _CODE_BITS) + self._codes
            keys = _distinct(np.concatenate([held, keys]))
            self._rows, self._codes = _parted(keys)
        else:
            new_rows, new_codes = _parted(keys)
            self._rows = np.concatenate([self._rows, new_rows])
            self._codes = np.concatenate([self._codes, new_codes])

    def mask(self, value: str, size: int) -> NDArray[np.bool_]:
        """(size,) which rows have this value."""
        found = np.zeros(size, dtype=bool)
        code = self._numbers.get(value)
        if code is not None:
            found[self._rows[self._codes == code]] = True
        return found

    def counts(self, mask: NDArray[np.bool_] | None) -> dict[str, int]:
        """How many of the rows in `mask`, or of all, have each value; values that none has are
        left out."""
        codes = self._codes if mask is None else self._codes[mask[self._rows]]
        counted = np.bincount(codes, minlength=len(self.values))
        return {value: int(n) for value, n in zip(self.values, counted.tolist(), strict=True) if n}


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorted, each once; by sorting, which is quick for keys that nearly are."""
    keys.sort(kind="stable")
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[1:] != keys[:-1]
    found: NDArray[np.int64] = keys[first]
    return found


def _parted(keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    codes = keys & ((1 << _CODE_BITS) - 1)
    return (keys >> _CODE_BITS).astype(np.int32), codes.astype(np.int32)
