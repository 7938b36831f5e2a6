"""Copies of tensors in host memory: taken between two steps, read by another thread later."""

import torch
from torch import Tensor

from train.sealed_folder import Files

_ALIGNMENT = 64  # bytes


class HostMemory:
    """One block of host memory that is used again and again, for one copy at a time."""

    def __init__(self) -> None:
        self._block = torch.empty(0, dtype=torch.uint8)
        self._copied: torch.cuda.Event | None = None

    @torch.no_grad()
    def copy(self, files: Files) -> dict[str, dict[str, Tensor]]:
        """The tensors of `files` as they are now; the copy before this one is overwritten.

        From a CUDA device the copying is only queued, in order with the steps after it: call
        `wait` before reading.
        """
        copies = self._views(files)
        for file, tensors in files.items():
            for name, tensor in tensors.items():
                copies[file][name].copy_(tensor.detach(), non_blocking=True)
        if any(tensor.is_cuda for tensor in _all(files)):
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record()
        return copies

    def wait(self) -> None:
        """Until the last copy is complete."""
        if self._copied is not None:
            self._copied.synchronize()

    def _views(self, files: Files) -> dict[str, dict[str, Tensor]]:
        """Tensors in the block, shaped like those of `files`, one after the other."""
        size = sum(_room(tensor) for tensor in _all(files))
        if self._block.numel() < size:
            pinned = any(tensor.is_cuda for tensor in _all(files))
            self._block = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        views: dict[str, dict[str, Tensor]] = {file: {} for file in files}
        start = 0
        for file, tensors in files.items():
            for name, tensor in tensors.items():
                flat = self._block[start : start + tensor.numel() * tensor.element_size()]
                views[file][name] = flat.view(tensor.dtype).view(tensor.shape)
                start += _room(tensor)
        return views


def _all(files: Files) -> list[Tensor]:
    return [tensor for tensors in files.values() for tensor in tensors.values()]


def _room(tensor: Tensor) -> int:
    """Bytes, up to the next multiple that every type may begin at."""
    size = tensor.numel() * tensor.element_size()
    return -(-size // _ALIGNMENT) * _ALIGNMENT
