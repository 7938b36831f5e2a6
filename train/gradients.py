"""The gradient of a batch: piece by piece where memory is short, share by share on a CPU's threads.

Pieces and shares are summed in their order, so that a run repeats to the bit.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from torch import Tensor, nn

from train.config import TrainConfig
from train.held_weights import HeldWeights
from train.lesson import Lesson

Losses = Callable[[Lesson], Tensor]  # of B pictures: (B,) float32, with a graph


class Gradients:
    """Works out the gradient of the mean loss of whole batches."""

    def __init__(self, weights: HeldWeights, config: TrainConfig, device: torch.device) -> None:
        self.weights, self.parameters = weights, list(weights.named().values())
        self.device, self._micro_batch = device, config.micro_batch
        self._bfloat16 = uses_bfloat16(config, device)
        self._shares = share_count(config, weights.network, device) if weights.threaded else 1
        self.cores = config.threads or os.cpu_count() or 1
        workers = min(self.cores, self._shares)
        self._pool = ThreadPoolExecutor(workers, "learner", torch.set_num_threads, (1,))

    def compute(self, losses: Losses, lesson: Lesson, count: int, whole: int) -> Tensor:
        """Give each parameter, in its grad, the gradient of the sum of losses over `whole`.

        The lesson is of `count` pictures, at least one: this process's part of a batch of
        `whole`. Returns the loss () of all processes, detached.
        """
        pieces = [lesson.part(a, b) for a, b in pairwise(self._edges(count))]
        compute = self._one_by_one if self._shares == 1 else self._in_threads
        return self.weights.finish(compute(losses, pieces, whole))

    def threads_inside(self, processes: int = 1) -> int:
        """How many threads an operation may have on a CPU that `processes` share: one where the
        shares of a batch have theirs, or else its part of the cores."""
        return 1 if self._shares > 1 else max(self.cores // processes, 1)

    def _edges(self, count: int) -> list[int]:
        """Where the pieces of `count` pictures begin and end."""
        pieces = -(-count // self._micro_batch) if self._micro_batch else 1
        parts = min(pieces * self._shares, count)
        return [count * part // parts for part in range(parts + 1)]

    def _one_by_one(self, losses: Losses, pieces: Sequence[Lesson], whole: int) -> Tensor:
        total = torch.zeros((), device=self.device)
        for piece in pieces:
            loss = self._loss(losses, piece, whole)
            self.weights.backward(loss, last=piece is pieces[-1])
            total = total + loss.detach()
        if not self.weights.threaded:
            return total
        for parameter in self.parameters:
            if parameter.grad is None:  # the network holds it, and does not use it
                parameter.grad = torch.zeros_like(parameter)
        return total

    def _in_threads(self, losses: Losses, pieces: Sequence[Lesson], whole: int) -> Tensor:
        """One thread for each share: they meet once a step, those inside an operation hundreds
        of times, and wait for each other on a machine that does anything else besides."""

        def computed(piece: Lesson) -> tuple[Tensor, Sequence[Tensor]]:
            loss = self._loss(losses, piece, whole)
            gradients = torch.autograd.grad(
                loss, self.parameters, allow_unused=True, materialize_grads=True
            )
            return loss.detach(), gradients

        parts = self._pool.map(computed, pieces)
        total, first = next(parts)
        summed = list(first)
        for loss, gradients in parts:
            total = total + loss
            torch._foreach_add_(summed, list(gradients))
        for parameter, gradient in zip(self.parameters, summed, strict=True):
            # Laid out like the weight: the fused optimiser pairs them in order of memory.
            alike = gradient.stride() == parameter.stride()
            parameter.grad = gradient if alike else torch.empty_like(parameter).copy_(gradient)
        return total

    def autocast(self) -> torch.autocast:
        """The precision that losses are computed in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16)

    def _loss(self, losses: Losses, piece: Lesson, whole: int) -> Tensor:
        with self.autocast():
            return losses(piece).sum() / whole


def uses_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    """Whether matrices are multiplied in bfloat16; auto is so on CUDA alone."""
    return config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")


def share_count(config: TrainConfig, network: nn.Module, device: torch.device) -> int:
    """Into how many shares a batch is split, for threads of a CPU to work on at once.

    One where a network draws its dropout from the one generator there is, or keeps running
    statistics of whole batches.
    """
    if device.type != "cpu" or config.unet.dropout > 0 or has_statistics(network):
        return 1
    return config.shares


def has_statistics(network: nn.Module) -> bool:
    """Whether any layer keeps running statistics of the batches that it saw."""
    layers = (nn.modules.batchnorm._BatchNorm, nn.InstanceNorm2d)
    return any(isinstance(layer, layers) for layer in network.modules())


class Statistics:
    """The running statistics of a network's layers, which a bad batch must not spoil."""

    def __init__(self, network: nn.Module) -> None:
        self._buffers = list(network.buffers()) if has_statistics(network) else []
        self._before = [buffer.clone() for buffer in self._buffers]

    def note(self) -> None:
        """Remember them as they are now."""
        for before, buffer in zip(self._before, self._buffers, strict=True):
            before.copy_(buffer)

    def put_back(self, bad: Tensor) -> None:
        """Where `bad` (bool, ()) holds, make them what they were when noted."""
        for before, buffer in zip(self._before, self._buffers, strict=True):
            buffer.copy_(torch.where(bad, before, buffer))
