"""What a process of several does: torchrun --nproc-per-node 2 -m tests.train.ranked FOLDER PACK.

Each rank writes what it found to FOLDER/<rank>.json and its tensors to FOLDER/<rank>.safetensors.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dataset.errors import DataError, WorldError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import tiny_config
from train.batches import load_split
from train.config import TrainConfig
from train.distributed import Ranks, joined_ranks, smallest_of_ranks, torchrun_ranks
from train.held_weights import HeldWeights, held_weights
from train.learners import make_learner
from train.lesson import Denoising
from train.subject import Subject

STEPS, LATER = 4, 3
CONFIG = TrainConfig(name="ranked", batch=5, rank_timeout_s=60)  # two ranks: 2 and 3 pictures
SHARDED = replace(CONFIG, batch=6, parallel="fsdp")


class Net(nn.Module):
    """A list of blocks, a layer whose first side no number of ranks divides, and one unused."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 7, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(7, 7, 3, padding=1) for _ in range(2))
        self.unused = nn.Linear(3, 3)
        self.last = nn.Conv2d(7, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        out: Tensor = self.last(x)
        return out


def learnt(ranks: Ranks, config: TrainConfig, how: str) -> dict[str, Tensor]:
    """The weights, moments and losses of a few clipped steps; `how` the gradients are given."""
    torch.manual_seed(3)
    net = Net().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = config.batch
    pictures = torch.randn(STEPS, size, 3, 8, 8)
    weights = held_weights(net, config, ranks)
    groups = [{"params": list(net.parameters())}]
    adam = torch.optim.AdamW(weights.own_groups(groups), lr=0.01, fused=True)
    found: dict[str, Tensor] = {}
    for step, batch in enumerate(pictures):
        own = batch[ranks.share(size * step, size).own]
        pieces = own.split(1) if how == "pieces" else [own]
        total = torch.zeros(())
        for index, piece in enumerate(pieces):
            loss = net(piece).square().mean(dim=(1, 2, 3)).sum() / size
            last = index == len(pieces) - 1
            if how == "set":
                _set_gradients(loss, weights)
            else:
                weights.backward(loss, last=last)
            total = total + loss.detach()
        found[f"loss.{step}"] = weights.finish(total)
        found[f"norm.{step}"] = weights.clip(0.05)
        adam.step()
        adam.zero_grad()
    moments = {
        f"moment.{name}": adam.state[parameter]["exp_avg_sq"]
        for name, parameter in weights.named().items()
    }
    whole = weights.gathered({f"weight.{n}": p for n, p in weights.named().items()} | moments)
    _check_cuts(weights, whole, ranks)
    return found | {name: tensor.detach().clone() for name, tensor in whole.items()}


def _set_gradients(loss: Tensor, weights: HeldWeights) -> None:
    parameters = list(weights.named().values())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def _check_cuts(weights: HeldWeights, whole: dict[str, Tensor], ranks: Ranks) -> None:
    """What is cut out of the gathered weights is what is held; rank 0 alone has those."""
    if not ranks.first:
        return
    for name, parameter in weights.named().items():
        assert torch.equal(weights.own(name, whole[f"weight.{name}"]), parameter.detach())
    weights.restore({n: whole[f"weight.{n}"] for n in weights.named()}, Path("gathered"))


def talked(ranks: Ranks) -> dict[str, Any]:
    """What the ranks agree on, each asked differently."""

    def refused() -> str:
        raise DataError("the pack is damaged")

    found: dict[str, Any] = {"text": ranks.from_first(lambda: f"from rank {ranks.rank}")}
    try:
        ranks.from_first(refused)
    except DataError as error:
        found["error"] = str(error)
    answers = [ranks.agreed(ranks.rank == 1 and step >= LATER) for step in range(LATER + 3)]
    found["stops at"] = answers.index(True)
    found["smallest"] = ranks.smallest(10 - ranks.rank)
    total = torch.tensor([1.0 + ranks.rank])
    ranks.summed([total])
    found["sum"] = float(total)
    ranks.check_alike("network", [torch.arange(5.0), torch.zeros(())])
    try:
        ranks.check_alike("network", [torch.tensor([1.0, 2.0 + (ranks.rank == 1)])])
    except WorldError as error:
        found["unlike"] = str(error)
    return found


def normalised(ranks: Ranks) -> list[float]:
    """Running mean of a layer that saw -1 on the first rank and 3 on the second, after a step."""
    layer = nn.BatchNorm2d(1, momentum=1.0)
    weights = held_weights(layer, CONFIG, ranks)
    loss = layer(torch.full((4, 1, 2, 2), 4.0 * ranks.rank - 1.0)).square().mean()
    weights.backward(loss)
    weights.finish(loss)
    assert layer.running_mean is not None
    return [float(mean) for mean in layer.running_mean]


def lessons(ranks: Ranks, pack: Path) -> dict[str, Tensor]:
    """All that is told and all that is random of a few batches, whose parts are not alike."""
    config = tiny_config(pack, batch=7, flip=True, augment={"probability": 0.5})
    packed, cpu = PackedDataset(pack), torch.device("cpu")
    batches = load_split(
        packed, "train", seed=0, flip=True, device=cpu, augment=config.augment, reading="streamed"
    )
    learner = make_learner(config, Subject.of_pack(packed), cpu, None, ranks)
    found: dict[str, Tensor] = {}
    for seen in range(0, 70, 7):
        share = ranks.share(seen, 7)
        lesson = learner.lesson(batches.batch(seen, 7, ranks.rank, ranks.world), share)
        assert isinstance(lesson, Denoising)
        told = {n: field for n, field in lesson.condition._asdict().items() if field is not None}
        given = {"x0": lesson.x0, "sigma": lesson.sigma, "eps": lesson.eps, **told}
        given["rows"] = batches.rows(seen, 7, ranks.rank, ranks.world)
        found |= {f"{seen}.{name}": tensor for name, tensor in given.items()}
    return found


def main(folder: Path, pack: Path) -> None:
    torch.set_num_threads(1)
    met = torchrun_ranks()
    found: dict[str, Any] = {"before": smallest_of_ranks(20 + met.rank, met, 100)}
    with joined_ranks(CONFIG) as ranks:
        found |= talked(ranks) | {"running mean": normalised(ranks)}
        tensors = {
            f"{how}.{name}": tensor
            for how in ("whole", "pieces", "set")
            for name, tensor in learnt(ranks, CONFIG, how).items()
        }
        for how in ("whole", "pieces"):
            learnt_sharded = learnt(ranks, SHARDED, how)
            tensors |= {f"sharded {how}.{name}": t for name, t in learnt_sharded.items()}
        tensors |= {f"lesson.{name}": tensor for name, tensor in lessons(ranks, pack).items()}
    (folder / f"{ranks.rank}.json").write_text(json.dumps(found))
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        folder / f"{ranks.rank}.safetensors",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
