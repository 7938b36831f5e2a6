"""A learner: one training step and everything that it changes: weights, averages, optimiser.

What is learnt is a subclass's; how is the same for all. Nothing is read back from the device here;
whoever wants the figures asks for them, now and then.
"""

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from dataset.errors import DataError
from train.batches import Batch, DeviceBatches
from train.checkpoint import Checkpoint, checkpoint_files, raw_weights
from train.compiling import compiled, is_compiled
from train.config import TrainConfig
from train.counter import Stream, stream_key
from train.device import wait_for
from train.distributed import ALONE, Ranks
from train.ema import WeightAverages
from train.figures import Figures, RunningFigures
from train.gradients import Gradients, Statistics
from train.held_weights import held_weights
from train.learning_rate import learning_rate
from train.lesson import Lesson
from train.optimiser import Optimiser
from train.order import Share
from train.preview import Panel, side_by_side
from train.snapshots import snapshot_files
from train.subject import Subject


class Learner(ABC):
    """A network that learns from batches; its state is a function of config, data and count."""

    def __init__(
        self, config: TrainConfig, subject: Subject, device: torch.device, ranks: Ranks = ALONE
    ) -> None:
        """Raises ConfigError when the subject does not fit the network."""
        self.config, self.subject, self.device, self.ranks = config, subject, device, ranks
        self.images_seen = 0
        self.rollbacks = 0  # how often the run went back; the learning rate is halved for each
        torch.manual_seed(stream_key(config.seed, Stream.WEIGHTS))
        self.network: nn.Module = self.build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averages = WeightAverages(self.network, config.ema_widths)
        groups = self.groups()
        self.weights = held_weights(self.network, config, ranks)
        if self.is_sharded:
            self.averages.shard(self.weights.named())
        self.optimiser = Optimiser(self.weights.named(), self.weights.own_groups(groups), config)
        self.gradients = Gradients(self.weights, config, device)
        self.statistics = Statistics(self.network)
        self.figures = RunningFigures(device)
        self._losses = compiled(self._own_losses, config, device)

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with its first weights, on the CPU."""

    @abstractmethod
    def lesson(self, batch: Batch, share: Share) -> Lesson:
        """All that is told and all that is random about `share` of a batch; `batch` is that share.

        What is random is that of the whole batch, cut: any number of processes learns the same.
        """

    @abstractmethod
    def losses(self, network: nn.Module, lesson: Lesson) -> Tensor:
        """The loss of each picture: (B,) float32, a function of weights and lesson alone.

        `network` is the one that learns, or its average.
        """

    @abstractmethod
    def preview(self, network: nn.Module, batches: DeviceBatches) -> Panel:
        """What a person wants to see of `network`, the one that learns or its average."""

    def groups(self) -> list[dict[str, Any]]:
        """The parameters in groups, each with its share of the learning rate."""
        return [{"params": list(self.network.parameters()), "share": 1.0}]

    def begin(self, batches: DeviceBatches) -> None:  # noqa: B027 - most have nothing to do
        """Called once before the first step of a run, not where it is gone on with."""

    def fixed_tensors(self) -> dict[str, Tensor]:
        """What never changes during a run but belongs to its checkpoints."""
        return {}

    def step(self, batches: DeviceBatches) -> None:
        """Learn from the next batch. A batch whose loss or gradient is not finite is skipped."""
        self.statistics.note()
        loss = self._gradients(batches)
        norm = self.weights.clip(self.config.clip)
        bad = ~(torch.isfinite(norm) & torch.isfinite(loss))
        self.optimiser.step(self.rate(self.images_seen), bad)
        self.statistics.put_back(bad)
        self.images_seen += self.config.batch
        self.averages.update(self.network, self.images_seen, self.config.batch)
        self.figures.add(loss, norm, bad)

    def rate(self, images_seen: int) -> float:
        """The learning rate of the step that begins at `images_seen`."""
        return float(learning_rate(self.config, images_seen) * 0.5**self.rollbacks)

    def warm_up(self, batches: DeviceBatches) -> float:
        """Compile, if that is asked for, by a step that changes nothing; the seconds it took."""
        if not is_compiled(self.config, self.device):
            return 0.0
        started = time.monotonic()
        self.statistics.note()
        self._gradients(batches)
        self.optimiser.adam.zero_grad(set_to_none=True)
        self.statistics.put_back(torch.ones((), dtype=torch.bool, device=self.device))
        wait_for(self.device)
        return time.monotonic() - started

    def _gradients(self, batches: DeviceBatches) -> Tensor:
        """Give the parameters the gradient of the next batch; its mean loss, ()."""
        config, seen = self.config, self.images_seen
        share = self.ranks.share(seen, config.batch)
        batch = batches.batch(seen, config.batch, share.rank, share.world)
        lesson = self.lesson(batch, share)
        # The generator that layers draw their dropout from.
        torch.manual_seed(stream_key(config.seed, Stream.DROPOUT, share.places.start))
        count = len(share.places)
        return self.gradients.compute(self._losses, lesson, count, config.batch)

    def _own_losses(self, lesson: Lesson) -> Tensor:
        return self.losses(self.network, lesson)

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds but a part of the weights."""
        return self.config.parallel == "fsdp" and self.ranks.world > 1

    def averaged(self) -> nn.Module:
        """The network of averaged weights; where they are sharded, whole on the first rank alone,
        and to be asked for on all."""
        if self.is_sharded:
            first = next(iter(self.averages.by_width().values()))
            whole = self.weights.gathered(first)
            if self.ranks.first:
                self.averages.model.load_state_dict(whole, strict=False)
                self.averages.model.to(self.device)
        return self.averages.model

    def sheet(self, batches: DeviceBatches) -> Image.Image:
        """What the averaged weights draw, and beside it the same of those that learn (which are
        in no one place if they are sharded)."""
        networks = {"averaged": self.averages.model}
        if not self.is_sharded:
            networks["raw"] = self.network
        learning = self.network.training
        self.network.eval()  # or its running statistics would move
        try:
            # Two threads: on a CPU each computes in one.
            with ThreadPoolExecutor(2, "preview", torch.set_num_threads, (1,)) as pool:
                panels = pool.map(lambda network: self.preview(network, batches), networks.values())
                return side_by_side(dict(zip(networks, panels, strict=True)))
        finally:
            self.network.train(learning)

    def check_alike(self) -> None:
        """Raise WorldError where several processes that hold all weights have not the same."""
        if not self.is_sharded:
            self.ranks.check_alike("network", list(self.network.parameters()))

    def read_figures(self) -> Figures:
        """Read the running figures from the device and start the next window."""
        return self.figures.read()

    def state_tensors(self) -> dict[str, Tensor]:
        """The optimiser's state and the counts of what went wrong, by name."""
        rollbacks = torch.tensor(self.rollbacks)
        return {"rollbacks": rollbacks, **self.figures.tensors(), **self.optimiser.tensors()}

    def checkpoint_files(self) -> dict[str, dict[str, Tensor]]:
        """All tensors of a checkpoint, by file and name: to be called on all ranks, whole on the
        first."""
        return checkpoint_files(
            self.network,
            self.averages,
            self.weights.gathered(self.state_tensors()),
            fixed=self.fixed_tensors(),
            gathered=self.weights.gathered,
        )

    def snapshot_files(self) -> dict[str, dict[str, Tensor]]:
        """The averages that a snapshot keeps, by file and name: on all ranks, as above."""
        return snapshot_files(self.averages, gathered=self.weights.gathered)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become the learner that wrote `checkpoint`; raises DataError if it does not fit."""
        state, origin = checkpoint.state_tensors(), checkpoint.path
        self.weights.restore(raw_weights(state), origin)
        self.averages.restore(checkpoint.model_tensors(), state, origin, own=self.weights.own)
        self.optimiser.restore(state, origin, own=self.weights.own)
        try:
            self.figures.restore(state)
            self.rollbacks = int(state["rollbacks"])
        except KeyError as error:
            raise DataError(
                f"checkpoint {origin} lacks {error} among its state; use the version that wrote it"
            ) from error
        self.images_seen = checkpoint.images_seen
