"""How large a step is at each count of images seen."""

import math

from train.config import TrainConfig


def learning_rate(config: TrainConfig, images_seen: int) -> float:
    """The rate of the step that begins at `images_seen`: a linear warm-up, then the decay.

    constant and sqrt do not know the budget, so a run of them can be prolonged; cosine falls to 0
    at its end. sqrt is that of Karras et al. 2024, equation 67: constant up to a reference
    time, then falling with the square root of time.
    """
    warmup = min(1.0, (images_seen + config.batch) / max(config.warmup_images, 1))
    return config.lr * warmup * _decayed(config, images_seen)


def _decayed(config: TrainConfig, images_seen: int) -> float:
    """The share of the rate that the decay leaves."""
    if config.decay == "constant":
        return 1.0
    if config.decay == "sqrt":
        reference = max(config.decay_images or config.warmup_images, config.batch)
        return 1.0 / math.sqrt(max(images_seen / reference, 1.0))
    length = max(config.images - config.warmup_images, 1)
    share = min(max(images_seen - config.warmup_images, 0) / length, 1.0)
    return 0.5 * (1.0 + math.cos(math.pi * share))
