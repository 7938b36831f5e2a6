"""Untrained denoisers whose outputs are not zero, and denoisers that are right by construction."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dataset.config import load_config
from train.condition import Condition, of_labels
from train.config import TrainConfig
from train.denoiser import Denoiser
from train.diffusion_config import DiffusionConfig
from train.networks import build_network
from train.parameterisation import targets
from train.subject import Subject

SHAPE = (3, 8, 8)
UNET = {
    "base_channels": 8,
    "multipliers": [1, 2],
    "blocks": 1,
    "attention_levels": [1],
    "head_channels": 8,
    "embedding_channels": 16,
}


def small_denoiser(
    classes: int = 3, shape: tuple[int, int, int] = SHAPE, **diffusion: Any
) -> Denoiser:
    """A UNet of a few thousand random weights; `diffusion` are keys of its config."""
    table = {"name": "small", "unet": UNET, "diffusion": diffusion}
    config = load_config(TrainConfig, table)
    torch.manual_seed(0)
    names = tuple(f"class {i}" for i in range(classes))
    network = build_network(config, Subject.of_pictures(shape, names))
    network.eval().requires_grad_(False)
    for parameter in network.parameters():  # the zeroed layers would hide everything
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    return Denoiser(network, config.diffusion, shape)


class Rightly(nn.Module):
    """A network that says at every call what `answer` gives, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Tensor, Tensor], Tensor]) -> None:
        """`answer` is given the scaled pictures and the time."""
        super().__init__()
        self.answer = answer
        self.weight = nn.Parameter(torch.zeros(()))  # a denoiser asks where its network lies
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor, time: Tensor, _condition: Condition) -> Tensor:
        self.asked.append(x.detach())
        return self.answer(x, time) + self.weight


def exact_denoiser(config: DiffusionConfig, x0: Tensor, eps: Tensor, sigma: Tensor) -> Denoiser:
    """Says exactly what is right at x0 + sigma * eps; of the variance, that it is the least."""
    exact = targets(config, x0, eps, sigma)
    if config.learned_variance:
        exact = torch.cat([exact, -torch.ones_like(exact)], dim=1)
    channels, height, width = x0.shape[1:]
    return Denoiser(Rightly(lambda _x, _time: exact), config, (channels, height, width))


def noisy(batch: int = 4) -> tuple[Tensor, Tensor, Condition]:
    """Noise, its levels from slight to heavy, and three classes."""
    generator = torch.Generator().manual_seed(3)
    sigma = torch.tensor([0.02, 0.5, 3.0, 60.0])[:batch]
    x = torch.randn(batch, *SHAPE, generator=generator) * (1 + sigma[:, None, None, None])
    return x, sigma, of_labels(torch.tensor([0, 1, 2, 0])[:batch])
