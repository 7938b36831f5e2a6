"""What a picture can have several of, such as sources: codes by row, in one sorted array."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CODE_BITS = 24


class Tags:
    """Sorted keys (row << 24) + code, each pair once."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._codes: dict[str, int] = {}
        self._keys = np.zeros(0, dtype=np.int64)

    def add(self, rows: NDArray[np.int32], values: Sequence[str]) -> None:
        """Give each of `rows` (N,) its value; pairs that are there already stay."""
        for value in values:
            if value not in self._codes:
                self._codes[value] = len(self.values)
                self.values.append(value)
        codes = np.array([self._codes[value] for value in values], dtype=np.int64)
        keys = np.unique((rows.astype(np.int64) << _CODE_BITS) + codes)
        if len(self._keys) and len(keys) and keys[0] <= self._keys[-1]:
            places = np.searchsorted(self._keys, keys)
            inside = np.minimum(places, len(self._keys) - 1)
            new = self._keys[inside] != keys
            self._keys = np.insert(self._keys, places[new], keys[new])
        else:
            self._keys = np.concatenate([self._keys, keys])

    def mask(self, value: str, size: int) -> NDArray[np.bool_]:
        """(size,) which rows have this value."""
        found = np.zeros(size, dtype=bool)
        code = self._codes.get(value)
        if code is not None:
            found[self._keys[self._code_of_keys() == code] >> _CODE_BITS] = True
        return found

    def counts(self, mask: NDArray[np.bool_]) -> dict[str, int]:
        """How many of the rows in `mask` have each value; values that none has are left out."""
        codes = self._code_of_keys()[mask[self._keys >> _CODE_BITS]]
        counted = np.bincount(codes, minlength=len(self.values))
        return {value: int(n) for value, n in zip(self.values, counted.tolist(), strict=True) if n}

    def _code_of_keys(self) -> NDArray[np.int64]:
        return self._keys & ((1 << _CODE_BITS) - 1)
