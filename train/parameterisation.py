"""What the network's output means: x0 = skip * x + out * F(scale * x), for x = x0 + sigma * eps.

The preconditioning of Karras et al. 2022 (equation 7), of which DDPM's predictions of eps, x0 and
v are special cases: they differ in three functions of sigma only.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from train.diffusion_config import DiffusionConfig


class Parameterisation(NamedTuple):
    """The coefficients at each sigma of a batch; every field is (B, 1, 1, 1) float32."""

    scale: Tensor  # c_in: of x on its way into the network
    skip: Tensor  # c_skip: of x in the clean picture
    out: Tensor  # c_out: of the network's output in the clean picture

    def clean(self, x: Tensor, output: Tensor) -> Tensor:
        """The clean picture (B, C, H, W) that `output` stands for at `x`."""
        return self.skip * x + self.out * output


def parameterisation(config: DiffusionConfig, sigma: Tensor) -> Parameterisation:
    """The coefficients of `config.prediction` at `sigma` (B,)."""
    sigma = sigma.double()[:, None, None, None]
    data = config.sigma_data if config.prediction == "edm" else 1.0
    total = (sigma**2 + data**2).sqrt()
    if config.prediction == "eps":
        skip, out = torch.ones_like(sigma), -sigma
    elif config.prediction == "x0":
        skip, out = torch.zeros_like(sigma), torch.ones_like(sigma)
    elif config.prediction == "v":  # Salimans and Ho 2022, appendix D
        skip, out = 1.0 / total**2, -sigma / total
    else:
        skip, out = data**2 / total**2, sigma * data / total
    return Parameterisation((1.0 / total).float(), skip.float(), out.float())


def targets(config: DiffusionConfig, x0: Tensor, eps: Tensor, sigma: Tensor) -> Tensor:
    """What the network should say at x0 + sigma * eps: (B, C, H, W).

    Worked out from x0 and eps, not from their sum: at a large sigma nothing of x0 is lost.
    """
    sigma = sigma.double()[:, None, None, None]
    if config.prediction == "eps":
        return eps
    if config.prediction == "x0":
        return x0
    data = config.sigma_data if config.prediction == "edm" else 1.0
    total = (sigma**2 + data**2).sqrt()
    of_x0, of_eps = sigma / (data * total), data / total
    if config.prediction == "v":
        of_x0 = -of_x0
    else:
        of_eps = -of_eps
    return of_x0.float() * x0 + of_eps.float() * eps


def loss_weights(config: DiffusionConfig, sigma: Tensor) -> Tensor:
    """The weight of the squared error of the output at `sigma` (B,): (B,) float32.

    Min-SNR (Hang et al. 2023) asks for min(SNR, gamma) on the error of x0, of which one unit is
    worth out^2 of the output's. With gamma none the weight is 1; for prediction edm it always is,
    as its weight makes every level count alike (Karras et al. 2022, equation 8).
    """
    if config.min_snr is None or config.prediction == "edm":
        return torch.ones_like(sigma, dtype=torch.float32)
    sigma = sigma.double()
    out = parameterisation(config, sigma).out.flatten().double()
    return ((1.0 / sigma**2).clamp(max=config.min_snr) * out**2).float()
