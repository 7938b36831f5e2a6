"""Named tensors that must fit a network, to the last name and shape."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from dataset.errors import DataError


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], origin: Path) -> None:
    """Copy `weights` into `network`; raises DataError naming the first one that does not fit."""
    require_alike(network.state_dict(), weights, origin)
    network.load_state_dict(dict(weights))


def require_alike(own: Mapping[str, Tensor], given: Mapping[str, Tensor], origin: Path) -> None:
    """Raise DataError unless `given` has the names and shapes of `own`; `origin` is its file."""
    for name in sorted(own.keys() | given.keys()):
        have = tuple(given[name].shape) if name in given else "absent"
        want = tuple(own[name].shape) if name in own else "absent"
        if have != want:
            raise DataError(
                f"checkpoint {origin} is of another architecture: {name} is {have} there and"
                f" {want} in the network of its config; use the version that wrote it"
            )
