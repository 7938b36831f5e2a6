"""The running averages of the weights that previews and samples are drawn with.

Power-function averages of Karras et al. 2024, section 3: their width is a share of the training so
far, so that they forget the first random weights by themselves.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from train.named_tensors import load_weights, require_alike


class WeightAverages:
    """Averages of one network's weights at several widths; the first is a network of its own."""

    def __init__(
        self, network: nn.Module, widths: Sequence[float], model: nn.Module | None = None
    ) -> None:
        """`widths` are the averages' standard deviations in time, as shares of the time so far.

        `model` is to hold the first average; without one `network` is copied, which must not be
        compiled or sharded yet.
        """
        self.widths = tuple(widths)
        self.gammas = tuple(exponent(width) for width in self.widths)
        self.model = copy.deepcopy(network) if model is None else model
        self.model.requires_grad_(False).eval()
        first = {name: tensor.detach() for name, tensor in self.model.named_parameters()}
        self._averages = [first] + [_cloned(first) for _ in self.widths[1:]]
        self._parts: dict[str, Tensor] | None = None

    def shard(self, parts: Mapping[str, Tensor]) -> None:
        """From now on average `parts` alone: this process's share of the weights, by name.

        `model` stays behind in host memory, for gathered averages to be put into.
        """
        self.model.to("cpu")
        self._parts = {name: part.detach() for name, part in parts.items()}
        self._averages = [_cloned(self._parts) for _ in self.widths]

    @torch.no_grad()
    def update(self, network: nn.Module, images_seen: int, batch: int) -> None:
        """Move towards `network` after a step that took the count to `images_seen`.

        Buffers are copied, not averaged: counts and running figures have no mean.
        """
        weights = list(self.sources(network).values())
        for average, gamma in zip(self._averages, self.gammas, strict=True):
            share = 1.0 - decay(gamma, images_seen, batch)
            torch._foreach_lerp_(list(average.values()), weights, share)
        for own, theirs in zip(self.model.buffers(), network.buffers(), strict=True):
            own.copy_(theirs)

    def sources(self, network: nn.Module) -> dict[str, Tensor]:
        """The parameters that are averaged, by name: of `network`, or this process's parts."""
        return dict(network.named_parameters()) if self._parts is None else self._parts

    def by_width(self) -> dict[float, dict[str, Tensor]]:
        """The averaged parameters, without buffers, by width and name."""
        return dict(zip(self.widths, self._averages, strict=True))

    def restore(
        self,
        model: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        origin: Path,
        own: Callable[[str, Tensor], Tensor] = lambda _name, whole: whole,
    ) -> None:
        """Become the averages that were saved: `model` the first, the others among `state`.

        `own` cuts this process's part out of a whole parameter. Raises DataError naming the first
        tensor that does not fit; `origin` is where they are from.
        """
        load_weights(self.model, model, origin)
        first, *further = self._averages
        wanted = {
            further_name(width, name): whole
            for width in self.widths[1:]
            for name, whole in self.model.named_parameters()
        }
        saved = {name: tensor for name, tensor in state.items() if name.startswith(_AVERAGE)}
        require_alike(wanted, saved, origin)
        for name, tensor in first.items():
            tensor.copy_(own(name, model[name]))
        for width, average in zip(self.widths[1:], further, strict=True):
            for name, tensor in average.items():
                tensor.copy_(own(name, saved[further_name(width, name)]))


def _cloned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


_AVERAGE = "average."


def further_name(width: float, name: str = "") -> str:
    """What the weight `name` of the average of `width` is called in a checkpoint's state; without
    a name, how all of them begin."""
    return f"{_AVERAGE}{width!r}.{name}"


def decay(gamma: float, images_seen: int, batch: int) -> float:
    """The share of an average that one step keeps: (1 - 1/t)^(gamma + 1), with t in batches."""
    return float((1.0 - batch / max(images_seen, batch)) ** (gamma + 1.0))


def exponent(width: float) -> float:
    """The gamma of a power function of relative `width` (algorithm 2 of the paper): the largest
    root of gamma^3 + 7 gamma^2 + (16 - width^-2) gamma + (12 - width^-2)."""
    t = width**-2
    roots = np.roots([1.0, 7.0, 16.0 - t, 12.0 - t])
    return float(roots.real.max())
