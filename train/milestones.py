"""Where a run ends, and what is due on its way: all counted in images seen."""

from train.config import TrainConfig


def budget(config: TrainConfig) -> int:
    """The images after which a run ends: whole batches, so at least what was asked for.

    A last batch of another size would be no part of a longer run, and a compiled step would have
    to be compiled again for it.
    """
    return -(-config.images // config.batch) * config.batch


def due(every: int, images_seen: int, batch: int) -> bool:
    """Whether the step that led to `images_seen` crossed a multiple of `every`; 0 is never."""
    return every > 0 and images_seen // every > (images_seen - batch) // every
