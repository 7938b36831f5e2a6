"""Weights of which each rank holds a part, for networks that one card does not hold.

torch's FSDP2 gathers the weights of one block after the other for forward and backward. What the
optimiser, the clipping and the averages see are this rank's parts, as ordinary tensors.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from train.distributed import Ranks
from train.held_weights import HeldWeights, running_statistics
from train.named_tensors import require_alike


class ShardedWeights(HeldWeights):
    """Every parameter is cut along its first side; rank r holds the r-th piece."""

    threaded = False

    def __init__(self, network: nn.Module, ranks: Ranks) -> None:
        self.network, self.ranks = network, ranks
        before = {id(parameter): name for name, parameter in network.named_parameters()}
        for parameter in network.parameters():  # FSDP2 takes no weights in channels_last
            parameter.data = parameter.data.contiguous()
        device = next(network.parameters()).device
        mesh = init_device_mesh(device.type, (ranks.world,))
        for block in _blocks(network):
            fully_shard(block, mesh=mesh)
        fully_shard(network, mesh=mesh)
        self._running = running_statistics(network)
        self._sharded = {name: _sharded(p) for name, p in network.named_parameters()}
        # A learner's groups may have been made before.
        self._names = before | {id(p): name for name, p in network.named_parameters()}
        # They share their memory with the pieces that FSDP2 gathers from.
        self._named = {
            name: nn.Parameter(parameter.to_local().detach())
            for name, parameter in self._sharded.items()
        }

    def own_groups(self, groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**group, "params": [self._named[self._names[id(p)]] for p in group["params"]]}
            for group in groups
        ]

    def backward(self, loss: Tensor, *, last: bool = True) -> None:
        # FSDP2 divides the sum by the number of ranks. To set another divisor is not for gloo.
        (loss * self.ranks.world).backward()  # type: ignore[no-untyped-call]

    def finish(self, loss: Tensor) -> Tensor:
        for name, own in self._named.items():
            gradient = self._sharded[name].grad
            own.grad = torch.zeros_like(own) if gradient is None else _sharded(gradient).to_local()
            self._sharded[name].grad = None
        return self._summed_loss(loss)

    def clip(self, most: float) -> Tensor:
        own = list(self._named.values())
        norms = torch._foreach_norm([p.grad for p in own if p.grad is not None])
        squares = torch.stack(norms).square().sum()
        self.ranks.summed([squares])
        norm = squares.sqrt()
        torch.nn.utils.clip_grads_with_norm_(own, most, norm)
        return norm

    def gathered(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole tensors in host memory on rank 0, one after the other; nothing elsewhere."""
        whole: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            found = self._whole(name, tensor)
            if self.ranks.first:
                whole[name] = found.detach().cpu()
        return whole

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, DTensor):
            parameter = self._parameter_of(name)
            if parameter is None or tensor.shape != parameter.to_local().shape or not tensor.dim():
                return tensor
            tensor = DTensor.from_local(
                tensor,
                parameter.device_mesh,
                parameter.placements,
                shape=parameter.shape,
                stride=parameter.stride(),
            )
        whole: Tensor = tensor.full_tensor()
        return whole

    def _parameter_of(self, name: str) -> DTensor | None:
        """The parameter that something called PREFIX.NAME belongs to."""
        while name and name not in self._sharded:
            name = name.partition(".")[2]
        return self._sharded.get(name)

    def own(self, name: str, whole: Tensor) -> Tensor:
        pieces = whole.chunk(self.ranks.world)
        return pieces[self.ranks.rank] if self.ranks.rank < len(pieces) else whole[:0]

    def restore(self, weights: Mapping[str, Tensor], origin: Path) -> None:
        require_alike(dict(self.network.state_dict()), weights, origin)
        with torch.no_grad():
            for name, own in self._named.items():
                own.copy_(self.own(name, weights[name]))
            for name, buffer in self.network.named_buffers():
                if name in weights:
                    buffer.copy_(weights[name])


def _blocks(network: nn.Module) -> list[nn.Module]:
    """What is gathered at once: the entries of lists and sequences, the innermost of them.

    Not outer ones: FSDP2 hands a block copies of the lists it is given, and a UNet's levels take
    the skips off a list that they share.
    """
    holders = (nn.ModuleList, nn.Sequential)
    entries = [e for m in network.modules() if isinstance(m, holders) for e in m]
    return [
        entry
        for entry in entries
        if not any(isinstance(part, holders) for part in entry.modules())
        and any(True for _ in entry.parameters())
    ]


def _sharded(tensor: Tensor) -> DTensor:
    assert isinstance(tensor, DTensor)
    return tensor
