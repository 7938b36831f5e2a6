"""Several processes, one run: who they are, what they agree on, and how a lost one is named.

torchrun --nproc-per-node 2 -m train run --config tiny --packed data/pack.h5
Each process, a rank, learns from its share of the very same batches; see train/order.py.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from dataset.command_line import INTERRUPTED
from dataset.errors import ConfigError, DataError, PipelineError, WorldError
from dataset.progress import set_progress_mode
from train.config import TrainConfig
from train.order import Share
from train.roll_call import RollCall

# NCCL ends a process without a word when its own limit is over; ours comes long before.
_NCCL_PATIENCE = 3
_KINDS: dict[str, type[PipelineError]] = {
    kind.__name__: kind for kind in (ConfigError, DataError, WorldError)
}


class Ranks:
    """One process among `world`; by default a lone one, that waits for nobody."""

    def __init__(self, rank: int = 0, world: int = 1, local: int = 0) -> None:
        """`local` counts the ranks of this machine: it is the number of the CUDA device."""
        self.rank, self.world, self.local = rank, world, local

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes, prints and draws."""
        return self.rank == 0

    def share(self, images_seen: int, size: int) -> Share:
        """What this rank takes of the batch of `size` from `images_seen` on."""
        return Share(images_seen, size, self.rank, self.world)

    def agreed(self, request: bool) -> bool:
        """Whether any rank made a request, the same answer on all; to be asked once a step."""
        return request

    def from_first(self, make: Callable[[], str]) -> str:
        """What `make` gives on rank 0, on all ranks; a PipelineError of it is raised on all."""
        return make()

    def summed(self, tensors: Sequence[Tensor]) -> None:
        """Make each of `tensors` the sum of those of all ranks; on any device."""

    def smallest(self, number: int) -> int:
        """The smallest of all ranks' numbers."""
        return number

    def check_alike(self, what: str, tensors: Sequence[Tensor]) -> None:
        """Raise WorldError naming a rank whose `tensors` are not to the bit those of rank 0."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around every wait for the others: a WorldError names the one that is lost."""
        yield


ALONE = Ranks()


class JoinedRanks(Ranks):
    """One of several ranks that have met: over gloo, and for gradients on CUDA over NCCL."""

    def __init__(self, who: Ranks, timeout_s: float, *, cuda: bool) -> None:
        """`who` this is of them; raises WorldError when they are not met within `timeout_s`."""
        super().__init__(who.rank, who.world, who.local)
        self.timeout_s, patience = timeout_s, timedelta(seconds=timeout_s)
        try:
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo",
                timeout=patience * _NCCL_PATIENCE if cuda else patience,
            )
            # A group of its own, so that what is agreed on never queues up behind gradients.
            self._group = dist.new_group(backend="gloo", timeout=patience)
        except (RuntimeError, ValueError) as error:
            raise WorldError(
                f"rank {self.rank} of {self.world} did not meet the others within {timeout_s:g} s;"
                " start all with one torchrun"
            ) from error
        self.store = dist.distributed_c10d._get_default_store()
        self.roll = RollCall(self.store, self.rank, self.world)
        self._asked: tuple[Tensor, dist.Work] | None = None

    def agreed(self, request: bool) -> bool:
        # The answer is one step late: what is waited for was asked while the step before was
        # learnt, so hosts that run ahead of their devices are held up by at most a step.
        flag, asked = torch.tensor([int(request)], dtype=torch.int32), self._asked
        with self.waiting():
            work = dist.all_reduce(flag, dist.ReduceOp.MAX, group=self._group, async_op=True)
            assert work is not None
            self._asked = flag, work
            if asked is not None:
                asked[1].wait()
        self.roll.steps += 1
        return asked is not None and bool(asked[0].item())

    def from_first(self, make: Callable[[], str]) -> str:
        said: dict[str, str] = {}
        failure: PipelineError | None = None
        if self.first:
            try:
                said = {"text": make()}
            except PipelineError as error:
                failure, kind = error, type(error).__name__
                said = {"kind": kind if kind in _KINDS else "DataError", "text": str(error)}
        heard = json.loads(self._from_first(json.dumps(said).encode()))
        if failure is not None:
            raise failure
        if "kind" in heard:
            raise _KINDS[heard["kind"]](heard["text"])
        return str(heard["text"])

    def _from_first(self, said: bytes) -> bytes:
        """The bytes that rank 0 says; torch's own way for objects would unpickle them."""
        length = torch.tensor([len(said)])
        with self.waiting():
            dist.broadcast(length, src=0, group=self._group)
            content = torch.zeros(int(length.item()), dtype=torch.uint8)
            if self.first:
                content = torch.frombuffer(bytearray(said), dtype=torch.uint8)
            dist.broadcast(content, src=0, group=self._group)
        return content.numpy().tobytes()

    def summed(self, tensors: Sequence[Tensor]) -> None:
        with self.waiting():
            for tensor in tensors:
                dist.all_reduce(tensor)

    def smallest(self, number: int) -> int:
        tensor = torch.tensor([number])
        with self.waiting():
            dist.all_reduce(tensor, dist.ReduceOp.MIN, group=self._group)
        return int(tensor.item())

    def check_alike(self, what: str, tensors: Sequence[Tensor]) -> None:
        sums = torch.stack([_bit_sum(tensor) for tensor in tensors]).cpu()
        gathered = [torch.empty_like(sums) for _ in range(self.world)]
        with self.waiting():
            dist.all_gather(gathered, sums, group=self._group)
        for rank, theirs in enumerate(gathered):
            if not torch.equal(theirs, gathered[0]):
                raise WorldError(
                    f"the {what} of rank {rank} is not that of rank 0; see that all processes run"
                    " the same version of torch on alike devices, and run the command again"
                )

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.roll.waits = True
        try:
            yield
        except RuntimeError as error:
            if not _reached_nobody(error):
                raise
            raise WorldError(self.roll.verdict(self.timeout_s)) from error
        finally:
            self.roll.waits = False

    def farewell(self, error: BaseException) -> BaseException:
        """What this rank ends with: `error` or what it means, or an exit without a word if
        another rank says it all."""
        if isinstance(error, PipelineError | OSError):
            return self._spoken_once(error)
        if _reached_nobody(error):  # FSDP2 waits for others wherever a block is used
            return self._spoken_once(WorldError(self.roll.verdict(self.timeout_s)))
        if isinstance(error, KeyboardInterrupt) and not self.first:
            # torchrun ends all when one ends, and rank 0 may still be at its last checkpoint.
            self.roll.wait_for_first()
            return SystemExit(INTERRUPTED)
        return error

    def _spoken_once(self, error: PipelineError | OSError) -> BaseException:
        if self.roll.may_speak(str(error)):
            return error
        return SystemExit(error.exit_code if isinstance(error, PipelineError) else 1)

    def leave(self) -> None:
        """End the talk, once all of it is answered."""
        if self._asked is not None:
            with self.waiting():
                self._asked[1].wait()
        dist.destroy_process_group()


@contextmanager
def joined_ranks(config: TrainConfig) -> Iterator[Ranks]:
    """`met_ranks` for a run; raises ConfigError for a batch of fewer pictures than ranks, too."""
    cuda = config.device != "cpu" and torch.cuda.is_available()
    with met_ranks(config.rank_timeout_s, cuda=cuda) as ranks:
        if config.batch < ranks.world:
            raise ConfigError(
                f"a batch of {config.batch} leaves some of the {ranks.world} processes without a"
                f" picture; set batch to {ranks.world} or more"
            )
        yield ranks


@contextmanager
def met_ranks(timeout_s: float, *, cuda: bool) -> Iterator[Ranks]:
    """This process among those that torchrun started, or alone.

    Whatever they end with, one of them says it and all others end in silence. Raises WorldError
    when another rank is lost.
    """
    alone = torchrun_ranks()
    if alone.world == 1:
        yield ALONE
        return
    speak_alone(alone)
    ranks = JoinedRanks(alone, timeout_s, cuda=cuda)
    try:
        yield ranks
        ranks.leave()
    except (PipelineError, OSError, RuntimeError, KeyboardInterrupt) as error:
        last = ranks.farewell(error)
        if last is error:
            raise
        raise last from error
    finally:
        ranks.roll.stop()


def speak_alone(ranks: Ranks) -> None:
    """From now on only rank 0 logs and shows how far it is."""
    if not ranks.first:
        set_progress_mode("quiet")
        logging.getLogger().setLevel(logging.ERROR)


def torchrun_ranks() -> Ranks:
    """This process as torchrun's environment has it, before it has met the others."""
    rank, world, local = (
        int(os.environ.get(key, default))
        for key, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )
    return Ranks(rank, world, local)


def smallest_of_ranks(number: int, ranks: Ranks, timeout_s: float) -> int:
    """The smallest of all ranks' numbers, by way of torchrun's store, before they have met.

    Raises WorldError if they do not all have a number within `timeout_s`.
    """
    if ranks.world == 1:
        return number
    keys = [f"number/{rank}" for rank in range(ranks.world)]
    try:
        store = dist.TCPStore(  # type: ignore[attr-defined]
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=timedelta(seconds=timeout_s),
        )
        store.set(keys[ranks.rank], str(number))
        return min(int(store.get(key)) for key in keys)
    except RuntimeError as error:
        raise WorldError(
            f"not all of the {ranks.world} processes found a batch within {timeout_s:g} s; give"
            " --batch a number"
        ) from error


def own_device(device: torch.device, ranks: Ranks) -> torch.device:
    """The device of this rank: one CUDA device each. Raises WorldError if there are too few."""
    if device.type != "cuda" or ranks.world == 1:
        return device
    if ranks.local >= torch.cuda.device_count():
        raise WorldError(
            f"there are {torch.cuda.device_count()} CUDA devices here and more processes than that;"
            " give torchrun as many --nproc-per-node as there are devices"
        )
    own = torch.device("cuda", ranks.local)
    torch.cuda.set_device(own)
    return own


def first_rank() -> bool:
    """Whether this process is the one of a run that prints."""
    return os.environ.get("RANK", "0") == "0"


def _reached_nobody(error: BaseException | None) -> bool:
    """Whether torch failed to reach another process, be it that torchrun's signal to end followed
    before that was handled."""
    if error is None or isinstance(error, dist.DistError):
        return error is not None
    # gloo has no error of its own.
    of_gloo = type(error) is RuntimeError and "gloo" in str(error).lower()
    return of_gloo or _reached_nobody(error.__context__)


def _bit_sum(tensor: Tensor) -> Tensor:
    """The sum of a tensor's numbers, their bits read as integers, each weighted by its place."""
    integers = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}
    content = tensor.detach().reshape(-1).view(integers[tensor.element_size()]).long()
    places = torch.arange(len(content), device=content.device) % 65_521 + 1
    return (content * places).sum()
