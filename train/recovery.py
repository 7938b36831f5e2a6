"""Going back: where to, when the loss of a run is lost."""

import logging
from pathlib import Path

from dataset.errors import DataError
from train.checkpoint import checkpoint_folders, load_checkpoint

log = logging.getLogger(__name__)

MOST_SKIPPED_IN_A_ROW = 20


def last_good_checkpoint(run: Path) -> str:
    """The latest whole checkpoint of `run`, if possible one that was not saved in the middle of
    bad batches; empty if there is none."""
    latest = ""
    for folder in reversed(checkpoint_folders(run)):
        try:
            if float(load_checkpoint(folder).state_tensors()["streak"]) == 0:
                return str(folder)
            latest = latest or str(folder)
        except DataError as error:
            log.warning("%s; falling back to the checkpoint before", error)
    return latest


def lost_loss(images_seen: int, streak: int, rollbacks: int, lr: float, pack: Path) -> DataError:
    """What is said when a run has gone back often enough."""
    tried = (
        f", after going back {_times(rollbacks)} to a smaller learning rate" if rollbacks else ""
    )
    return DataError(
        f"{streak} batches in a row had a loss or gradient that is not finite, up to image"
        f" {images_seen}{tried}; lower lr (it is {lr:g} by now), or check the pack {pack}"
    )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
