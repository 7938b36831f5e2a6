"""What a call of `train` came to."""

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a run stands, and how fast it came there."""

    run: Path
    checkpoint: Path
    images_seen: int
    loss: float = math.nan  # the last window's mean; nan if nothing was left to do
    seconds: float = 0.0  # of this call, without what compiling took
    images_per_s: float = 0.0
    skipped_batches: int = 0
    was_finished: bool = False  # true if there was nothing left to learn
    compile_seconds: float = 0.0
    rollbacks: int = 0  # how often the run went back to smaller steps
    validation_loss: float | None = None  # the best; None if it was not measured
    stopped_early: bool = False  # before its budget, as the validation loss became no better
