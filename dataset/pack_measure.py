"""What is known of the pictures of a pack by going over them once: checks, seal and statistics.

The writer and `verify` go over them alike, so what the one wrote down the other finds again.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataset.provenance import SPLITS

_CHECK_BYTES, _MOST_CHECK_ROWS = 1 << 18, 256
_MOST_MEASURED = 1 << 13
_LARGEST_EXACT = 1 << 16  # so many squares of a byte add up in 32 bits
_TRAIN, _CAL = SPLITS.index("train"), SPLITS.index("cal")


def check_rows(shape: Sequence[int]) -> int:
    """How many rows of (C, H, W) bytes share one check: a power of two, 1 to 256."""
    fitting = max(_CHECK_BYTES // int(np.prod(shape)), 1)
    return min(1 << (fitting.bit_length() - 1), _MOST_CHECK_ROWS)


def rows_at_once(shape: Sequence[int]) -> int:
    """Rows of (C, H, W) bytes in a block: about 12 MB, at least 16 and at most 4096 rows."""
    return int(min(max((12 << 20) // int(np.prod(shape)), 16), 4096))


class PictureMeasure:
    """SHA-256 of every `rows` rows, the seal of the split cal, and the mean and deviation of what
    trains; of a pack of more than 8,192 rows that of every so-manieth. Whole numbers are added,
    so the sums are the same on every machine."""

    def __init__(self, count: int, shape: Sequence[int], rows: int) -> None:
        self.checks: list[bytes] = []
        self._rows, self._filled, self._block = rows, 0, hashlib.sha256()
        self._cal, self._has_cal = hashlib.sha256(), False
        self._stride, self._seen = -(-count // _MOST_MEASURED) or 1, 0
        self._sums = np.zeros(shape[0], np.uint64)
        self._squares = np.zeros(shape[0], np.uint64)
        self._pixels = 0

    def update(self, data: NDArray[np.uint8], splits: NDArray[np.uint8]) -> None:
        """Take in the rows that follow: contiguous (n, C, H, W), and their splits (n,)."""
        start = 0
        while start < len(data):
            part = data[start : start + self._rows - self._filled]
            self._block.update(part.data)
            self._filled, start = self._filled + len(part), start + len(part)
            if self._filled == self._rows:
                self._close_block()
        is_cal = splits == _CAL
        if is_cal.any():
            self._has_cal = True
            self._cal.update(np.ascontiguousarray(data[is_cal]).data)
        first = -self._seen % self._stride
        self._seen += len(data)
        trained = data[first :: self._stride][splits[first :: self._stride] == _TRAIN]
        if len(trained):
            sums, squares = _sums(trained)
            self._sums += sums
            self._squares += squares
            self._pixels += len(trained) * data.shape[2] * data.shape[3]

    def finish(self) -> None:
        """Close the last block."""
        if self._filled:
            self._close_block()

    def digest(self) -> bytes:
        """SHA-256 over all checks: what the content hash knows of the pictures."""
        return hashlib.sha256(b"".join(self.checks)).digest()

    def seal(self) -> str:
        """SHA-256, hexadecimal, over the pictures of the split cal; "" when there are none."""
        return self._cal.hexdigest() if self._has_cal else ""

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of each channel (C,), of what trains, in 0..1; 0 when nothing does."""
        pixels = max(self._pixels, 1)
        mean = self._sums / pixels / 255
        variance = self._squares / pixels / 255**2 - mean**2
        return mean, np.sqrt(np.maximum(variance, 0))

    def _close_block(self) -> None:
        self.checks.append(self._block.digest())
        self._block, self._filled = hashlib.sha256(), 0


def _sums(data: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The sum and the sum of squares of each channel of (n, C, H, W): both (C,)."""
    n, channels, height, width = data.shape
    side = height * width if height * width <= _LARGEST_EXACT else width
    lines = data.reshape(-1, side)
    sums = lines.sum(axis=1, dtype=np.uint32)
    squares = np.multiply(lines, lines, dtype=np.uint16).sum(axis=1, dtype=np.uint32)
    per_channel = (n, channels, -1)
    return (
        sums.reshape(per_channel).sum(axis=(0, 2), dtype=np.uint64),
        squares.reshape(per_channel).sum(axis=(0, 2), dtype=np.uint64),
    )
