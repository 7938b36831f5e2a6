"""How several processes hold one network's weights, and how their gradients become one gradient.

Each rank gives the gradient of its own pictures, already divided by the size of the whole batch,
so that the sum over the ranks is the gradient of the mean: uneven shares weigh by their pictures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dataset.errors import ConfigError
from train.config import TrainConfig
from train.distributed import ALONE, Ranks
from train.named_tensors import load_weights

# Large enough for a collective to run at the speed of the wire, small enough that the first is
# on its way long before backward ends.
_BUCKET_BYTES = 16 * 2**20


class HeldWeights:
    """All weights on every rank; with one rank alone nothing is exchanged.

    Gradients are summed by ourselves and not by torch's DistributedDataParallel: that one divides
    by the number of ranks whatever their shares, wants its own forward, and cannot see gradients
    that several threads of a CPU work out.
    """

    threaded = True  # whether gradients may be worked out by threads, and set without `backward`

    def __init__(self, network: nn.Module, ranks: Ranks = ALONE) -> None:
        self.network, self.ranks = network, ranks
        self._named = dict(network.named_parameters())
        self._running = running_statistics(network)
        self._sum = GradientSum(list(self._named.values()), ranks) if ranks.world > 1 else None

    def named(self) -> dict[str, nn.Parameter]:
        """What this rank's optimiser and averages work on, by the names of the network."""
        return self._named

    def own_groups(self, groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """An optimiser's groups of the network's parameters, as groups of those of `named`."""
        return [dict(group) for group in groups]

    def backward(self, loss: Tensor, *, last: bool = True) -> None:
        """Add a piece's gradients; with the `last` one their sums over the ranks set off."""
        if self._sum is None or not last:
            loss.backward()  # type: ignore[no-untyped-call]
            return
        with self._sum.under_way():
            loss.backward()  # type: ignore[no-untyped-call]

    def finish(self, loss: Tensor) -> Tensor:
        """Make every gradient of `named` that of the whole batch; the loss () of all ranks.

        Gradients may come from `backward`, or may have been set without it. Buffers such as the
        running statistics of layers become the mean over the ranks.
        """
        if self._sum is None:
            return loss
        self._sum.finish()
        return self._summed_loss(loss)

    def _summed_loss(self, loss: Tensor) -> Tensor:
        total = loss.detach().clone()
        self.ranks.summed([total, *self._running])
        for buffer in self._running:
            buffer.div_(self.ranks.world)
        return total

    def clip(self, most: float) -> Tensor:
        """Scale the gradients down to the norm `most`; their norm before, ()."""
        return torch.nn.utils.clip_grad_norm_(list(self._named.values()), most).detach()

    def gathered(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`tensors`, whose names end in those of parameters, as they are of the whole network.

        To be called on all ranks alike; only what rank 0 gets is whole.
        """
        return dict(tensors)

    def own(self, name: str, whole: Tensor) -> Tensor:
        """This rank's part of what belongs to the whole parameter `name`."""
        return whole

    def restore(self, weights: Mapping[str, Tensor], origin: Path) -> None:
        """Take over whole `weights`; raises DataError naming the first that does not fit."""
        load_weights(self.network, weights, origin)


class GradientSum:
    """Sums gradients over all ranks in buckets, each as soon as backward has filled it."""

    def __init__(self, parameters: Sequence[nn.Parameter], ranks: Ranks) -> None:
        self.ranks = ranks
        # Backward begins at the end of the network, so its gradients come first.
        self._buckets = [_Bucket(part) for part in _parts(list(reversed(parameters)))]
        self._next, self._armed = 0, False
        for bucket in self._buckets:
            for parameter in bucket.parameters:
                parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    bucket.fill(self._set_off)
                )

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Around the backward after which all gradients are complete."""
        for bucket in self._buckets:
            bucket.missing = len(bucket.parameters)
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def finish(self) -> None:
        """Sum what is not on its way yet, and wait for all."""
        with self.ranks.waiting():
            for bucket in self._buckets[self._next :]:
                bucket.set_off()
            self._next = 0
            for bucket in self._buckets:
                bucket.arrive()

    def _set_off(self) -> None:
        # One after the other: all ranks must ask for the same sums in the same order.
        if not self._armed:
            return
        with self.ranks.waiting():
            while self._next < len(self._buckets) and self._buckets[self._next].missing == 0:
                self._buckets[self._next].set_off()
                self._next += 1


class _Bucket:
    """Some parameters whose gradients travel as one."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters, self.missing = parameters, 0
        self._flat: Tensor | None = None
        self._work: dist.Work | None = None

    def fill(self, filled: Callable[[], None]) -> Callable[[Tensor], None]:
        """A hook for its parameters, called with each gradient; after the last, `filled` is."""

        def note(_parameter: Tensor) -> None:
            self.missing -= 1
            if self.missing == 0:
                filled()

        return note

    def set_off(self) -> None:
        for parameter in self.parameters:
            if parameter.grad is None:  # the network holds it and does not use it
                parameter.grad = torch.zeros_like(parameter)
        self._flat = torch.cat([gradient.reshape(-1) for gradient in self._gradients()])
        self._work = dist.all_reduce(self._flat, async_op=True)

    def arrive(self) -> None:
        assert self._flat is not None
        assert self._work is not None
        self._work.wait()
        gradients, sizes = self._gradients(), [parameter.numel() for parameter in self.parameters]
        sums = [
            part.view(gradient.shape)
            for part, gradient in zip(torch.split(self._flat, sizes), gradients, strict=True)
        ]
        torch._foreach_copy_(gradients, sums)
        self._flat = self._work = None

    def _gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]


def held_weights(network: nn.Module, config: TrainConfig, ranks: Ranks) -> HeldWeights:
    """The weights of `network` as the run's config wants them held; see `config.parallel`.

    To be called after the averages were copied and before the network is compiled. Raises
    ConfigError for what cannot be learnt with sharded weights.
    """
    if config.parallel == "ddp" or ranks.world == 1:
        return HeldWeights(network, ranks)
    if config.kind == "vae":
        raise ConfigError("parallel = fsdp is for diffusion models; train a vae with ddp")
    if config.batch % ranks.world != 0:
        # Every rank must ask for every block equally often, so their pieces must be alike.
        raise ConfigError(
            f"parallel = fsdp needs a batch that {ranks.world} processes share alike, not"
            f" {config.batch}; set batch to a multiple of {ranks.world}, or parallel to ddp"
        )
    from train.sharding import ShardedWeights  # torch's FSDP2 is slow to import

    return ShardedWeights(network, ranks)


def running_statistics(network: nn.Module) -> list[Tensor]:
    """The means and variances that layers keep of the batches they saw."""
    kinds = ("running_mean", "running_var")
    return [buffer for name, buffer in network.named_buffers() if name.endswith(kinds)]


def _parts(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """`parameters` in their order, parted where a bucket is full."""
    parts: list[list[nn.Parameter]] = [[]]
    room = _BUCKET_BYTES
    for parameter in parameters:
        if parts[-1] and parameter.nbytes > room:
            parts.append([])
            room = _BUCKET_BYTES
        parts[-1].append(parameter)
        room -= parameter.nbytes
    return parts
