"""The networks that can be trained, built from a run's config."""

from torch import nn

from dataset.errors import ConfigError
from train.config import TrainConfig
from train.denoiser import learned_channels
from train.network_config import Told
from train.networks.dogs93m import Dogs93M
from train.networks.favicon import Favicon
from train.networks.unet import UNet
from train.subject import Subject
from train.told_vectors import check_tokens
from train.vae import AdversarialVae

# Networks of other projects, told of the time alone, by the name that a config gives them.
_COMPATIBLE: dict[str, type[Favicon] | type[Dogs93M]] = {"favicon": Favicon, "dogs93m": Dogs93M}


def build_network(config: TrainConfig, subject: Subject) -> nn.Module:
    """The network of `config` for `subject`: see `denoiser.Network`, or for kind vae `vae`.

    Raises ConfigError when the shape does not fit the network, or the run asks for what the
    network cannot do.
    """
    check_network(config, subject)
    if config.kind == "vae":
        return AdversarialVae(config.vae, subject.picture)
    if config.network in _COMPATIBLE:
        return _COMPATIBLE[config.network](subject.shape, config.diffusion.steps)
    return UNet(
        config.unet,
        subject.shape,
        told_of(config, subject),
        out_channels=learned_channels(config.diffusion, subject.shape[0]),
    )


def told_of(config: TrainConfig, subject: Subject) -> Told:
    """What the UNet of a run is told of each picture.

    Raises ConfigError when the vectors cannot be cut into as many tokens as were asked for.
    """
    length, tokens = subject.vector_length, config.tokens
    check_tokens(tokens, config.vectors, length)
    return Told(
        classes=subject.classes,
        vector_length=0 if tokens else length,
        tokens=tokens,
        token_length=length // tokens if tokens else 0,
        picture_channels=subject.picture[0] if config.upscale.active else 0,
        augmented=config.augment.active,
    )


def check_network(config: TrainConfig, subject: Subject) -> None:
    """Raise ConfigError for pictures or settings that the run's network has no place for."""
    channels = subject.picture[0]
    if channels not in (1, 3, 4):
        raise ConfigError(f"pictures have {channels} channels; a network takes 1, 3 or 4")
    if config.kind == "vae" or config.network not in _COMPATIBLE:
        return
    asked = {
        "vectors": subject.vector_length > 0,
        "tokens": config.tokens > 0,
        "upscale.from_size": config.upscale.active,
        "augment": config.augment.active,
        "diffusion.learned_variance": config.diffusion.learned_variance,
    }
    for key, wanted in asked.items():
        if wanted:
            raise ConfigError(
                f"{key} is asked for, but network {config.network} is told of the time alone, as"
                " the one that it stands for; drop the setting, or use network=unet"
            )
    network = _COMPATIBLE[config.network]
    _, height, width = subject.shape
    if any(side % network.granularity or side < network.smallest for side in (height, width)):
        raise ConfigError(
            f"pictures are {width} x {height}, but network {config.network} needs multiples of"
            f" {network.granularity} from {network.smallest} on; pack at another size, or use"
            " network=unet"
        )


def hears_classes(config: TrainConfig) -> bool:
    """Whether what the network of `config` makes depends on the class that it is told."""
    return config.kind == "diffusion" and config.network not in _COMPATIBLE


def count_parameters(model: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
