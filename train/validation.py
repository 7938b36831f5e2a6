"""The loss on pictures that are not learnt from, always at the same noise, and when to stop."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from train.batches import DeviceBatches
from train.checkpoint import Checkpoint
from train.learner import Learner
from train.order import Share


@torch.no_grad()
def validation_loss(learner: Learner, network: nn.Module, batches: DeviceBatches) -> float:
    """The mean loss of `network`, the learner's averaged one, on the first pictures of `batches`.

    Order, levels and noise are functions of the seed alone, so two measurements of a run compare.
    """
    config = learner.config
    count = min(config.validation.pictures, len(batches))
    at_once = config.micro_batch or config.batch
    total = torch.zeros((), dtype=torch.float64, device=learner.device)
    for start in range(0, count, config.batch):
        share = Share(start, min(config.batch, count - start))
        lesson = learner.lesson(batches.batch(start, share.size), share)
        for first in range(0, share.size, at_once):
            part = lesson.part(first, min(first + at_once, share.size))
            with learner.gradients.autocast():
                total += learner.losses(network, part).double().sum()
    return float(total) / count


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How the measurements of a run went so far; kept in its checkpoints."""

    best: float = math.inf
    best_images: int = 0  # the count at which the best was measured
    worse: int = 0  # measurements since then

    def after(self, loss: float, images_seen: int) -> "Measured":
        """With one measurement more; one that is not finite is never the best."""
        if loss < self.best:
            return Measured(best=loss, best_images=images_seen)
        return replace(self, worse=self.worse + 1)

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        best = self.best if math.isfinite(self.best) else None
        return {"best": best, "best_images": self.best_images, "worse": self.worse}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any] | None) -> "Measured":
        """The inverse of `facts`; of nothing, the beginning."""
        if not facts:
            return cls()
        best = math.inf if facts["best"] is None else float(facts["best"])
        return cls(best=best, best_images=int(facts["best_images"]), worse=int(facts["worse"]))


def measured_at(checkpoint: Checkpoint | None) -> Measured:
    """A run's measurements up to `checkpoint`; none before the first."""
    return Measured.from_facts(None if checkpoint is None else checkpoint.facts.get("validation"))
