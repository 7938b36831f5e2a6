"""Where the pictures of a split lie while they are learnt: mapped, on the device, or streamed.

All three give the same bytes for the same share; which one is used changes nothing that is learnt.
"""

import math
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataset.errors import WorldError
from dataset.progress import Progress
from train.order import EpochOrder, Share

Reading = Literal["auto", "resident", "streamed"]

# A split lies on the device as a whole if it takes at most this share of the memory that is free
# there before the network is built; the rest is left to weights and activations.
RESIDENT_SHARE = 0.5
_BLOCK_BYTES = 64 * 2**20  # copied to the device at once while a split is loaded


class Pictures(Protocol):
    """Pictures (N, C, H, W) uint8 and labels (N,) int64 in the order of an `EpochOrder`."""

    order: EpochOrder

    def take(self, share: Share) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) uint8 and labels (B,) int64 of `share`, on the device."""
        ...


class MappedPictures:
    """Gathered from the memory map on demand: for a CPU, whose memory holds the pages anyway."""

    def __init__(
        self, data: NDArray[np.uint8], rows: NDArray[np.int64], labels: Tensor, seed: int
    ) -> None:
        """`rows` are those of the split in `data`, `labels` (N,) belong to them."""
        self.order = EpochOrder(len(rows), seed, torch.device("cpu"))
        self._data, self._rows, self._labels = data, rows, labels

    def take(self, share: Share) -> tuple[Tensor, Tensor]:
        rows = self.order.rows(share.places)
        return torch.from_numpy(self._data[self._rows[rows.numpy()]]), self._labels[rows]


class ResidentPictures:
    """The whole split in the memory of the device."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: Tensor,
        seed: int,
        device: torch.device,
    ) -> None:
        """Copies block by block; raises WorldError if the device's memory does not hold it."""
        self.order = EpochOrder(len(rows), seed, device)
        self._labels = labels.to(device)
        shape = (len(rows), *data.shape[1:])
        try:
            self._data = torch.empty(shape, dtype=torch.uint8, device=device)
        except torch.OutOfMemoryError as error:
            raise WorldError(
                f"the {split_bytes(data, rows) / 2**30:.1f} GiB of the split do not fit into the"
                " memory of the GPU; use --set reading=streamed"
            ) from error
        at_once = max(_BLOCK_BYTES // max(math.prod(shape[1:]), 1), 1)
        with Progress("loading pictures", len(rows), "pictures") as progress:
            for start in range(0, len(rows), at_once):
                block = torch.from_numpy(data[rows[start : start + at_once]])
                self._data[start : start + len(block)].copy_(block)
                progress.advance(len(block))

    def take(self, share: Share) -> tuple[Tensor, Tensor]:
        rows = self.order.rows(share.places)
        return self._data[rows], self._labels[rows]


class StreamedPictures:
    """Read one batch ahead by a thread, through two host buffers, onto the device.

    With CUDA the buffers are pinned and the copies run on a stream of their own, beside the work
    on the batch before; without it the same steps are taken with plain memory.
    """

    def __init__(
        self,
        data: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: Tensor,
        seed: int,
        device: torch.device,
    ) -> None:
        self.order = EpochOrder(len(rows), seed, torch.device("cpu"))
        self._data, self._rows, self._labels, self._device = data, rows, labels.numpy(), device
        self._copies = _copying_stream(device)
        self._slots = [_Slot(data.shape[1:], pinned=device.type == "cuda") for _ in range(2)]
        self._turn = 0
        # One thread only: slots, turn and orders are its own, and batches come in order.
        self._thread = ThreadPoolExecutor(1, "batches")
        self._ahead: tuple[Share, Future[_Copied]] | None = None

    def take(self, share: Share) -> tuple[Tensor, Tensor]:
        if self._ahead is not None and self._ahead[0] == share:
            future = self._ahead[1]
        else:  # the first batch, or one out of turn: what was read ahead is dropped
            future = self._thread.submit(self._read, share)
        copied = future.result()
        following = share.following()
        self._ahead = (following, self._thread.submit(self._read, following))
        return copied.received()

    def close(self) -> None:
        """Wait for the batch that is being read, and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _read(self, share: Share) -> "_Copied":
        """Gather a share into the buffer whose turn it is, and set off its copy."""
        slot, self._turn = self._slots[self._turn], 1 - self._turn
        rows = self.order.rows(share.places).numpy()
        slot.fill(self._data, self._rows[rows], self._labels[rows])
        return slot.copied(self._device, self._copies)


class _Copied:
    """A batch on its way to the device."""

    def __init__(self, pictures: Tensor, labels: Tensor, arrived: torch.cuda.Event | None) -> None:
        self._pictures, self._labels, self._arrived = pictures, labels, arrived

    def received(self) -> tuple[Tensor, Tensor]:
        """The batch for the stream that asks: its later work waits for the copy, the CPU not."""
        if self._arrived is not None:
            stream = torch.cuda.current_stream(self._pictures.device)
            stream.wait_event(self._arrived)
            for tensor in (self._pictures, self._labels):
                # Memory of the copying stream: it may be given out again only after this stream.
                tensor.record_stream(stream)
        return self._pictures, self._labels


class _Slot:
    """One host buffer; filled again only when the copy out of it has arrived."""

    def __init__(self, shape: tuple[int, ...], *, pinned: bool) -> None:
        self._shape, self._pinned, self._length = shape, pinned, 0
        self._arrived: torch.cuda.Event | None = None
        self._make_room(0)

    def fill(
        self, data: NDArray[np.uint8], rows: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> None:
        if self._arrived is not None:
            self._arrived.synchronize()
        if len(rows) > len(self._labels):
            self._make_room(len(rows))
        self._length = len(rows)
        # "clip" because numpy gathers by way of a copy when it has to raise; rows are in range.
        np.take(data, rows, axis=0, out=self._pictures.numpy()[: len(rows)], mode="clip")
        self._labels.numpy()[: len(rows)] = labels

    def copied(self, device: torch.device, copies: torch.cuda.Stream | None) -> _Copied:
        with torch.cuda.stream(copies):  # of None: nothing
            pictures, labels = (
                tensor[: self._length].to(device, non_blocking=True, copy=True)
                for tensor in (self._pictures, self._labels)
            )
            if copies is not None:
                self._arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
                self._arrived.record(copies)
        return _Copied(pictures, labels, self._arrived)

    def _make_room(self, count: int) -> None:
        self._pictures = torch.empty(
            (count, *self._shape), dtype=torch.uint8, pin_memory=self._pinned
        )
        self._labels = torch.empty(count, dtype=torch.int64, pin_memory=self._pinned)


def _copying_stream(device: torch.device) -> torch.cuda.Stream | None:
    if device.type == "cpu":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def place_pictures(
    data: NDArray[np.uint8],
    rows: NDArray[np.int64],
    labels: Tensor,
    *,
    seed: int,
    device: torch.device,
    reading: Reading = "auto",
) -> Pictures:
    """The `rows` of `data` where they are read from; `labels` (N,) int64 belong to the rows."""
    if reading == "auto":
        reading = "resident" if has_room(device, split_bytes(data, rows)) else "streamed"
    if reading == "streamed":
        return StreamedPictures(data, rows, labels, seed, device)
    if device.type == "cpu":
        return MappedPictures(data, rows, labels, seed)
    return ResidentPictures(data, rows, labels, seed, device)


def has_room(device: torch.device, size: int) -> bool:
    """Whether `size` bytes are a fitting share of what is free on the device; a CPU maps them."""
    if device.type == "cpu":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return fits(size, free)


def fits(size: int, free: int) -> bool:
    """Whether `size` bytes are at most RESIDENT_SHARE of `free`."""
    return size <= RESIDENT_SHARE * free


def split_bytes(data: NDArray[np.uint8], rows: NDArray[np.int64]) -> int:
    """The bytes of the pictures at `rows`."""
    return math.prod((len(rows), *data.shape[1:]))
