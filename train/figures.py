"""What is told of a run's steps: summed up on the device, read from there now and then."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What happened since the figures were last read; read from the device in one go."""

    loss: float  # mean over the good batches, nan if there was none
    grad_norm: float  # of the last good batch, before clipping
    skipped: int  # batches skipped since the run began
    worst_streak: int  # the longest row of skipped batches since the figures were last read
    streak: int = 0  # the row of skipped batches that still goes on
    parts: Mapping[str, float] = field(default_factory=dict)  # means of what the loss is made of


NO_FIGURES = Figures(loss=math.nan, grad_norm=math.nan, skipped=0, worst_streak=0)


class RunningFigures:
    """Sums over the steps of a window; nothing here waits for the device but `read`."""

    def __init__(self, device: torch.device, names: Sequence[str] = ()) -> None:
        """`names` are those of the parts of the loss that `add` is told besides."""
        self.device, self.names = device, tuple(names)
        self._sums = torch.zeros(1 + len(names), dtype=torch.float64, device=device)
        zeros = torch.zeros(5, dtype=torch.float64, device=device)
        self._good, self._norm, self._skipped, self._streak, self._worst = zeros.unbind()

    def add(self, loss: Tensor, norm: Tensor, bad: Tensor, parts: Sequence[Tensor] = ()) -> None:
        """Count one step: its loss, the norm of its gradient, and whether it was skipped (bool).

        All are of one number, detached, and stay on the device.
        """
        now = torch.stack([loss.double(), *(part.double() for part in parts)])
        self._sums = self._sums + torch.where(bad, 0.0, now)
        self._norm = torch.where(bad, self._norm, norm.double())
        self._good = self._good + ~bad
        self._skipped = self._skipped + bad
        self._streak = (self._streak + 1) * bad
        self._worst = torch.maximum(self._worst, self._streak)

    def read(self) -> Figures:
        """Wait for the device, read the window's figures, and start the next window."""
        counts = torch.stack([self._good, self._norm, self._skipped, self._worst, self._streak])
        good, norm, skipped, worst, streak, *sums = torch.cat([counts, self._sums]).tolist()
        self._sums, self._good = torch.zeros_like(self._sums), torch.zeros_like(self._good)
        self._worst = self._streak
        means = [total / good if good else math.nan for total in sums]
        return Figures(
            loss=means[0],
            grad_norm=norm,
            skipped=int(skipped),
            worst_streak=int(worst),
            streak=int(streak),
            parts=dict(zip(self.names, means[1:], strict=True)),
        )

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps of them, by name."""
        return {"skipped": self._skipped, "streak": self._streak}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`; a new window begins."""
        self._skipped = tensors["skipped"].to(self.device, torch.float64)
        self._streak = tensors["streak"].to(self.device, torch.float64)
        self._worst = self._streak
        self._sums, self._good = torch.zeros_like(self._sums), torch.zeros_like(self._good)
