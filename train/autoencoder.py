"""Trained autoencoders: from a checkpoint of kind vae to what encodes and decodes."""

from dataclasses import replace
from pathlib import Path

import torch

from dataset.errors import ConfigError
from train.checkpoint import Checkpoint, load_checkpoint
from train.latents import LatentSpace
from train.subject import Subject
from train.vae import AdversarialVae, Vae, check_picture, latent_shape
from train.vae_config import VaeConfig


def autoencoder(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> Vae:
    """The autoencoder of `checkpoint`, frozen, with averaged weights.

    Raises ConfigError for a checkpoint of another kind.
    """
    _check_kind(checkpoint)
    network = checkpoint.network(device)
    assert isinstance(network, AdversarialVae)
    return network.vae


def latent_subject(path: Path, subject: Subject) -> Subject:
    """`subject` in the latents of the autoencoder at `path`: a run's folder, or a checkpoint.

    Raises ConfigError when there is none, or it does not fit the pictures.
    """
    checkpoint = load_checkpoint(path)
    _check_kind(checkpoint)
    learnt, channels = checkpoint.subject.picture[0], subject.picture[0]
    if learnt != channels:
        raise ConfigError(
            f"{path} encodes pictures of {learnt} channels, the pack's have {channels}; give latent"
            " an autoencoder trained on such pictures"
        )
    check_picture(checkpoint.config.vae, subject.picture)
    return in_latents(subject, checkpoint.config.vae)


def in_latents(subject: Subject, config: VaeConfig) -> Subject:
    """`subject` in the latents of an autoencoder of `config`."""
    return replace(subject, shape=latent_shape(config, subject.picture), latent=config)


def trained_latents(path: Path, subject: Subject, device: torch.device) -> LatentSpace:
    """The latents of the autoencoder at `path`, for the pictures of `subject`, not yet measured."""
    found = autoencoder(load_checkpoint(path))
    vae = Vae(found.config, subject.picture)
    vae.load_state_dict(found.state_dict())
    return LatentSpace(vae).on(device)


def _check_kind(checkpoint: Checkpoint) -> None:
    kind = checkpoint.config.kind
    if kind != "vae":
        raise ConfigError(
            f"{checkpoint.path} is of kind {kind}, no autoencoder; give a run trained with kind vae"
        )
