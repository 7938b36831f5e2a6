"""What a run would cost, worked out without pictures or weights: parameters, FLOPs, memory."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from train.config import TrainConfig
from train.unet import UNet, count_parameters

# Weights, gradients, the optimiser's two moments and the running average, each float32.
_COPIES = 5


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Costs of a network at a picture size; FLOPs count a multiply-add as two."""

    parameters: int
    forward_flops: int  # one picture, forwards
    training_flops: int  # one picture, forwards and backwards
    run_flops: int  # the whole budget
    weights_bytes: int
    activations_bytes: int  # one batch in float32, what the backward pass keeps

    @property
    def memory_bytes(self) -> int:
        return self.weights_bytes + self.activations_bytes


def estimate(config: TrainConfig, shape: tuple[int, int, int], classes: int) -> Estimate:
    """Count a run's costs on the meta device; raises ConfigError if `shape` does not fit."""
    with torch.device("meta"):
        unet = UNet(config.unet, shape, classes, augmented=config.augment.active)
        x = torch.zeros(1, *shape)
        time, labels = torch.zeros(1), torch.zeros(1, dtype=torch.int64)
    kept = _KeptTensors(unet)
    with FlopCounterMode(display=False) as forward:
        unet(x, time, labels)
    with FlopCounterMode(display=False) as both:
        with torch.autograd.graph.saved_tensors_hooks(kept.note, lambda tensor: tensor):
            output = unet(x, time, labels)
        output.sum().backward()
    parameters = count_parameters(unet)
    return Estimate(
        parameters=parameters,
        forward_flops=forward.get_total_flops(),
        training_flops=both.get_total_flops(),
        run_flops=both.get_total_flops() * config.images,
        weights_bytes=parameters * 4 * _COPIES,
        activations_bytes=kept.bytes * config.batch,
    )


class _KeptTensors:
    """Adds up what autograd keeps for the backward pass, each storage once, weights left out."""

    def __init__(self, model: nn.Module) -> None:
        self.bytes = 0
        self._storages: list[Any] = [p.untyped_storage() for p in model.parameters()]
        self._seen = {storage._cdata for storage in self._storages}

    def note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self._storages.append(storage)  # kept alive, or its address could be given out again
            self.bytes += storage.nbytes()
        return tensor
