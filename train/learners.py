"""Which learner a config asks for, of what, and whether its parts go together."""

import logging
from pathlib import Path

import torch

from dataset.errors import ConfigError, DataError
from train.autoencoder import in_latents, latent_subject, trained_latents
from train.checkpoint import FORMAT, MANIFEST, Checkpoint, checkpoint_folders
from train.config import TrainConfig
from train.diffusion_learner import DiffusionLearner
from train.distributed import ALONE, Ranks
from train.latents import latents_of
from train.learner import Learner
from train.networks import build_network
from train.noise_schedule import NoiseSchedule
from train.sealed_folder import read_manifest
from train.subject import Subject
from train.upscaling import small_shape
from train.vae_config import VaeConfig
from train.vae_learner import VaeLearner

log = logging.getLogger(__name__)


def subject_of(config: TrainConfig, subject: Subject, run: Path | None = None) -> Subject:
    """What `config` learns, given the `subject` of its pack: the same, or in an autoencoder's
    latents.

    A `run` that is gone on with has the autoencoder in its own checkpoints, and needs no other.
    Raises ConfigError when the config's parts, or autoencoder and pictures, do not go together.
    """
    _check_parts(config)
    if config.latent is None:
        return subject
    own = None if run is None else _latent_of_run(run)
    return latent_subject(config.latent, subject) if own is None else in_latents(subject, own)


def check(config: TrainConfig, subject: Subject) -> None:
    """Raise ConfigError unless `subject` fits the network that `config` asks for, and its levels of
    noise can be."""
    _check_parts(config)
    if config.upscale.active:
        small_shape(config.upscale, subject.picture)
    if config.kind == "diffusion":
        NoiseSchedule(config.diffusion)
    with torch.device("meta"):
        build_network(config, subject)


def make_learner(
    config: TrainConfig,
    subject: Subject,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
    ranks: Ranks = ALONE,
) -> Learner:
    """A fresh learner of `subject_of(config, ...)`, not yet begun or restored.

    From `checkpoint`, where a run is gone on with, comes the autoencoder in whose latents it
    learns.
    """
    if config.kind == "vae":
        return VaeLearner(config, subject, device, ranks)
    latents = None
    if checkpoint is not None:
        latents = latents_of(subject, checkpoint.fixed_tensors(), device, checkpoint.path)
    elif config.latent is not None:
        latents = trained_latents(config.latent, subject, device)
    return DiffusionLearner(config, subject, device, latents, ranks)


def _check_parts(config: TrainConfig) -> None:
    """Raise ConfigError for parts of a config that exclude each other."""
    if config.kind == "vae":
        for key, given in (
            ("latent", config.latent is not None),
            ("upscale.from_size", config.upscale.active),
            ("vectors", bool(config.vectors)),
        ):
            if given:
                raise ConfigError(
                    f"{key} has no meaning for kind vae, which learns pictures alone; leave it out,"
                    " or set kind to diffusion"
                )
    if config.latent is not None and config.upscale.active:
        raise ConfigError(
            "latent and upscale.from_size exclude each other: enlarging is learnt in pixels; leave"
            " one of them out"
        )
    edm = config.diffusion.prediction == "edm"
    if config.latent is not None and edm and config.diffusion.sigma_data != 1.0:
        log.warning("latents are scaled to deviation 1; diffusion.sigma_data should be 1 too")


def _latent_of_run(run: Path) -> VaeConfig | None:
    """The autoencoder's config in the latest checkpoint of `run` that says one."""
    for folder in reversed(checkpoint_folders(run)):
        try:
            facts = read_manifest(folder, MANIFEST, FORMAT)
            return Subject.from_facts(facts["subject"]).latent
        except (DataError, KeyError, TypeError, ValueError):
            continue  # whoever loads it says what is wrong with it
    return None
