"""What a run would cost, worked out without pictures or weights: parameters, FLOPs, memory."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from train.condition import Condition, blank
from train.config import TrainConfig
from train.milestones import budget
from train.network_config import Told
from train.networks import build_network, count_parameters
from train.subject import Subject
from train.vae import AdversarialVae

# Weights, gradients and the optimiser's two moments, each float32; the averages come on top.
_COPIES = 4


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Costs of a network at a picture size; FLOPs count a multiply-add as two."""

    parameters: int
    forward_flops: int  # one picture, forwards
    training_flops: int  # one picture, forwards and backwards
    run_flops: int  # the whole budget
    weights_bytes: int
    activations_bytes: int  # what the backward pass keeps of the pictures worked on at once

    @property
    def memory_bytes(self) -> int:
        return self.weights_bytes + self.activations_bytes


class Counted(NamedTuple):
    """What one picture costs a network, and its parameters."""

    parameters: int
    forward_flops: int
    training_flops: int
    kept_bytes: int  # in float32, by autograd


def estimate(config: TrainConfig, subject: Subject, *, bfloat16: bool | None = None) -> Estimate:
    """Count a run's costs on the meta device; raises ConfigError if the shape does not fit.

    `bfloat16` says whether it is computed in that precision (None: only if the config insists).
    """
    counted = count_costs(config, subject)
    halved = config.precision == "bfloat16" if bfloat16 is None else bfloat16
    return Estimate(
        parameters=counted.parameters,
        forward_flops=counted.forward_flops,
        training_flops=counted.training_flops,
        run_flops=counted.training_flops * budget(config),
        weights_bytes=counted.parameters * 4 * (_COPIES + len(config.ema_widths)),
        activations_bytes=counted.kept_bytes * at_once(config) // (2 if halved else 1),
    )


def count_costs(config: TrainConfig, subject: Subject) -> Counted:
    """What one picture costs; of the config only what decides the network matters.

    Counted once in a process for each such network, as it takes up to a second.
    """
    deciding = TrainConfig(
        name="counted",
        kind=config.kind,
        network=config.network,
        vectors=config.vectors,
        tokens=config.tokens,
        unet=config.unet,
        vae=config.vae,
        diffusion=config.diffusion,
        augment=config.augment,
        upscale=config.upscale,
    )
    return _counted(deciding, subject)


@lru_cache(maxsize=64)
def _counted(config: TrainConfig, subject: Subject) -> Counted:
    with torch.device("meta"):
        network = build_network(config, subject)
        told = _one_picture(network, subject)
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        network(*told)
    with FlopCounterMode(display=False) as both:
        network(*told).sum().backward()
    kept = _KeptTensors(network)
    with _Fused(), torch.autograd.graph.saved_tensors_hooks(kept.note, lambda tensor: tensor):
        network(*told)
    return Counted(
        parameters=count_parameters(network),
        forward_flops=forward.get_total_flops(),
        training_flops=both.get_total_flops(),
        kept_bytes=kept.bytes,
    )


def _one_picture(network: nn.Module, subject: Subject) -> tuple[Tensor | Condition, ...]:
    """What the network is called with, for one picture: of an autoencoder, a Restoring lesson."""
    if isinstance(network, AdversarialVae):
        latents = torch.zeros(1, *network.vae.shape)
        return torch.zeros(1, *subject.picture), latents, torch.zeros(1)
    assert isinstance(network.told, Told)
    return torch.zeros(1, *subject.shape), torch.zeros(1), blank(network.told, subject.shape, 1)


def at_once(config: TrainConfig) -> int:
    """How many pictures one forward and backward pass works on."""
    return min(config.micro_batch or config.batch, config.batch)


class _Fused(TorchFunctionMode):
    """Attention as devices compute it, which never keeps the table of places by places.

    Not for FLOPs: what is computed twice to save memory is not counted.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is F.scaled_dot_product_attention:
            query, key, value = args
            fused = torch.ops.aten._scaled_dot_product_efficient_attention
            return fused(query, key, value, None, True)[0]
        return function(*args, **(kwargs or {}))


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
