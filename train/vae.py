"""The autoencoder: pictures to normal latents and back; the discriminator that judges patches."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset.errors import ConfigError
from train.picture_noise import PictureNoise
from train.vae_config import VaeConfig

_FIRST_LOG_VARIANCE = -6.0
_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE = -20.0, 10.0  # exp stays finite in bfloat16 and float32


class Posterior(NamedTuple):
    """The normal distribution of each latent number; both fields are (B, c, h, w) float32."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """The latents at standard normal `noise` (B, c, h, w); Kingma and Welling 2014, eq. 10."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def divergence(self) -> Tensor:
        """KL from the standard normal, the mean over a picture's latent numbers: (B,).

        Kingma and Welling 2014, appendix B.
        """
        each = self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance
        return 0.5 * each.mean(dim=(1, 2, 3))


class Vae(nn.Module):
    """Convolutions down to latents that are smaller by `config.granularity` each way, and back."""

    def __init__(self, config: VaeConfig, picture: tuple[int, int, int]) -> None:
        """`picture` is (C, H, W); raises ConfigError if H or W does not divide."""
        super().__init__()
        check_picture(config, picture)
        self.config, self.picture = config, picture
        self.shape = latent_shape(config, picture)
        widths = [config.base_channels * multiplier for multiplier in config.multipliers]
        self.encoder = _encoder(config, picture[0], widths)
        self.decoder = _decoder(config, picture[0], widths)

    def encode(self, pictures: Tensor) -> Posterior:
        """`pictures` (B, C, H, W) in [-1, 1]."""
        mean, log_variance = self.encoder(pictures).float().chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE))

    def decode(self, latents: Tensor) -> Tensor:
        """`latents` (B, c, h, w); pictures (B, C, H, W) float32, not clamped."""
        pictures: Tensor = self.decoder(latents)
        return pictures.float()

    def forward(self, pictures: Tensor, *_told: object) -> Tensor:
        """The pictures through the latents' means and back; what else is told changes nothing."""
        return self.decode(self.encode(pictures).mean)


class PatchDiscriminator(nn.Module):
    """How real each patch of a picture looks, from 0 to 1; with layers as FaviconGen has them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            (
                nn.Conv2d(channels, 32, 4, stride=2, padding=1),
                nn.Conv2d(32, 16, 7, padding=3),
                nn.Conv2d(16, 8, 5, padding=2),
            )
        )

    def forward(self, pictures: Tensor, *, fixed: bool = False) -> Tensor:
        """`pictures` (B, C, H, W); (B, 8, H / 2, W / 2). `fixed`: weights get no gradient."""
        x = pictures
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            weight = layer.weight.detach() if fixed else layer.weight
            bias = layer.bias.detach() if fixed else layer.bias
            x = F.conv2d(
                F.leaky_relu(x, 0.2) if number else x, weight, bias, layer.stride, layer.padding
            )
        return torch.sigmoid(x.float())


class AdversarialVae(nn.Module):
    """What is learnt together: the autoencoder, and its discriminator where there is one."""

    def __init__(self, config: VaeConfig, picture: tuple[int, int, int]) -> None:
        super().__init__()
        self.config, self.vae = config, Vae(config, picture)
        self.discriminator = (
            PatchDiscriminator(picture[0]) if config.adversarial_weight > 0 else None
        )

    def forward(self, pictures: Tensor, noise: Tensor, adversity: Tensor) -> Tensor:
        """The loss of each picture: (B,) float32.

        Squared error and KL as Kingma and Welling 2014, and what the discriminator holds against
        the restored picture, times `adversity` (B,); `noise` (B, c, h, w) is standard normal. The
        discriminator's own loss adds nothing to the value, and its gradient to itself alone. In
        evaluation the discriminator is not asked: it changes as it learns, so is no measure.
        """
        posterior = self.vae.encode(pictures)
        restored = self.vae.decode(posterior.sample(noise))
        losses: Tensor = (restored - pictures).square().mean(dim=(1, 2, 3))
        losses = losses + self.config.kl_weight * posterior.divergence()
        if self.discriminator is None or not self.training:
            return losses
        doubt: Tensor = (1.0 - self.discriminator(restored, fixed=True)).mean(dim=(1, 2, 3))
        mistakes = 1.0 - self.discriminator(pictures) + self.discriminator(restored.detach())
        own: Tensor = mistakes.mean(dim=(1, 2, 3))
        return losses + adversity * doubt + (own - own.detach())


class Block(nn.Module):
    """Two convolutions with normalisation, added to what came in."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.norm2 = _norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # so that the block begins as the identity
        self.skip = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + self.skip(x)  # type: ignore[no-any-return]


def latent_shape(config: VaeConfig, picture: tuple[int, int, int]) -> tuple[int, int, int]:
    """(c, h, w) of the latents of pictures of (C, H, W)."""
    _, height, width = picture
    share = config.granularity
    return config.latent_channels, height // share, width // share


def check_picture(config: VaeConfig, picture: tuple[int, int, int]) -> None:
    """Raise ConfigError unless pictures of (C, H, W) halve as often as the levels ask."""
    _, height, width = picture
    if height % config.granularity or width % config.granularity:
        raise ConfigError(
            f"pictures are {width} x {height}, but vae.multipliers ask for multiples of"
            f" {config.granularity}; use fewer levels, or pack at another size"
        )


@torch.no_grad()
def drawn_from_prior(vae: Vae, seeds: Sequence[int]) -> Tensor:
    """Pictures (B, C, H, W) float32 in [-1, 1] from standard normal latents, one for each seed."""
    device = next(vae.parameters()).device
    return vae.decode(PictureNoise(seeds, vae.shape, device).draw(0)).clamp(-1.0, 1.0)


def _norm(channels: int) -> nn.GroupNorm:
    """In groups of 4 or more: alone, a channel would lose its mean, which is a picture's colour."""
    return nn.GroupNorm(min(8, channels // 4), channels)


def _encoder(config: VaeConfig, channels: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1)]
    for level, width in enumerate(widths):
        if level > 0:
            layers.append(nn.Conv2d(widths[level - 1], width, 3, stride=2, padding=1))
        layers += [Block(width, width) for _ in range(config.blocks)]
    layers += [_norm(widths[-1]), nn.SiLU()]
    last = nn.Conv2d(widths[-1], 2 * config.latent_channels, 3, padding=1)
    assert last.bias is not None
    with torch.no_grad():  # the first latents are not drowned in noise, so that learning begins
        last.bias[config.latent_channels :] = _FIRST_LOG_VARIANCE
    return nn.Sequential(*layers, last)


def _decoder(config: VaeConfig, channels: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(config.latent_channels, widths[-1], 3, padding=1)]
    for level, width in reversed(list(enumerate(widths))):
        layers += [Block(width, width) for _ in range(config.blocks)]
        if level > 0:  # channels first, at the small size
            layers.append(nn.Conv2d(width, widths[level - 1], 3, padding=1))
            layers.append(nn.Upsample(scale_factor=2.0, mode="nearest"))
    layers += [_norm(widths[0]), nn.SiLU()]
    layers.append(nn.Conv2d(widths[0], channels, 3, padding=1))
    return nn.Sequential(*layers)
