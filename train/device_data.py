"""Where the pictures of a split lie while they are learnt: mapped, on the device, or streamed.

All three give the same bytes for the same share; which one is used changes nothing that is learnt.
"""

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, Protocol

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


class Taken(NamedTuple):
    """What lies at some places of the order, on the device."""

    pictures: Tensor  # (B, C, H, W) uint8
    labels: Tensor  # (B,) int64
    vectors: Tensor | None = None  # (B, V) float32, where the pack has them and they are told


class Pictures(Protocol):
    """The pictures of a split, and what is known of them, in the order of an `EpochOrder`."""

    order: EpochOrder

    def take(self, share: Share) -> Taken:
        """What lies at the places of `share`."""
        ...


class MappedPictures:
    """Gathered from the memory map on demand: for a CPU, whose memory holds the pages anyway."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: Tensor,
        seed: int,
        vectors: Tensor | None = None,
    ) -> None:
        """`rows` of `data` are the split; `labels` (N,) and `vectors` (N, V) are of these rows."""
        self.order = EpochOrder(len(rows), seed, torch.device("cpu"))
        self._data, self._rows, self._labels, self._vectors = data, rows, labels, vectors

    def take(self, share: Share) -> Taken:
        rows = self.order.rows(share.places)
        pictures = torch.from_numpy(self._data[self._rows[rows.numpy()]])
        return Taken(pictures, self._labels[rows], _at(self._vectors, rows))


class ResidentPictures:
    """The whole split in the memory of the device."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: Tensor,
        seed: int,
        device: torch.device,
        vectors: Tensor | None = None,
    ) -> None:
        """Copies block by block; raises WorldError if the device's memory does not hold it."""
        self.order = EpochOrder(len(rows), seed, device)
        self._labels = labels.to(device)
        self._vectors = None if vectors is None else vectors.to(device)
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

    def take(self, share: Share) -> Taken:
        rows = self.order.rows(share.places)
        return Taken(self._data[rows], self._labels[rows], _at(self._vectors, rows))


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
        vectors: Tensor | None = None,
    ) -> None:
        self.order = EpochOrder(len(rows), seed, torch.device("cpu"))
        self._data, self._rows, self._device = data, rows, device
        self._told = [labels.numpy()] + ([] if vectors is None else [vectors.numpy()])
        self._copies = _copying_stream(device)
        pinned = device.type == "cuda"
        self._slots = [_Slot([data, *self._told], pinned=pinned) for _ in range(2)]
        self._turn = 0
        # One thread only: slots, turn and orders are its own, and batches come in order.
        self._thread = ThreadPoolExecutor(1, "batches")
        self._ahead: tuple[Share, Future[_Copied]] | None = None

    def take(self, share: Share) -> Taken:
        ahead = self._ahead  # looked at once: another thread may ask as well
        if ahead is not None and ahead[0] == share:
            future = ahead[1]
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
        slot.fill([(self._data, self._rows[rows]), *((told, rows) for told in self._told)])
        return slot.copied(self._device, self._copies)


class _Copied:
    """A batch on its way to the device."""

    def __init__(self, tensors: Sequence[Tensor], arrived: torch.cuda.Event | None) -> None:
        self._tensors, self._arrived = tensors, arrived

    def received(self) -> Taken:
        """The batch for the stream that asks: its later work waits for the copy, the CPU not."""
        if self._arrived is not None:
            stream = torch.cuda.current_stream(self._tensors[0].device)
            stream.wait_event(self._arrived)
            for tensor in self._tensors:
                # Memory of the copying stream: it may be given out again only after this stream.
                tensor.record_stream(stream)
        return Taken(*self._tensors)


class _Slot:
    """A host buffer for each kind of array; filled again only when the copies out have arrived."""

    def __init__(self, like: Sequence[NDArray[Any]], *, pinned: bool) -> None:
        """The buffers have the types of `like`, and its shapes but for the count of rows."""
        self._shapes = [(a.shape[1:], torch.from_numpy(np.empty(0, a.dtype)).dtype) for a in like]
        self._pinned, self._length, self._room = pinned, 0, -1
        self._arrived: torch.cuda.Event | None = None
        self._make_room(0)

    def fill(self, sources: Sequence[tuple[NDArray[Any], NDArray[np.int64]]]) -> None:
        """Gather the rows of each array; all have the same count of rows."""
        if self._arrived is not None:
            self._arrived.synchronize()
        self._length = len(sources[0][1])
        self._make_room(self._length)
        for buffer, (array, rows) in zip(self._buffers, sources, strict=True):
            # "clip" because numpy gathers by way of a copy when it has to raise; rows are in range.
            np.take(array, rows, axis=0, out=buffer.numpy()[: self._length], mode="clip")

    def copied(self, device: torch.device, copies: torch.cuda.Stream | None) -> _Copied:
        with torch.cuda.stream(copies):  # of None: nothing
            tensors = [
                buffer[: self._length].to(device, non_blocking=True, copy=True)
                for buffer in self._buffers
            ]
            if copies is not None:
                self._arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
                self._arrived.record(copies)
        return _Copied(tensors, self._arrived)

    def _make_room(self, count: int) -> None:
        if count <= self._room:
            return
        self._room = count
        self._buffers = [
            torch.empty((count, *shape), dtype=kind, pin_memory=self._pinned)
            for shape, kind in self._shapes
        ]


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
    vectors: Tensor | None = None,
) -> Pictures:
    """The `rows` of `data` where they are read from; `labels` (N,) int64 and `vectors` (N, V)
    float32 belong to the rows."""
    if reading == "auto":
        reading = "resident" if has_room(device, split_bytes(data, rows)) else "streamed"
    if reading == "streamed":
        return StreamedPictures(data, rows, labels, seed, device, vectors)
    if device.type == "cpu":
        return MappedPictures(data, rows, labels, seed, vectors)
    return ResidentPictures(data, rows, labels, seed, device, vectors)


def _at(vectors: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if vectors is None else vectors[rows]


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
