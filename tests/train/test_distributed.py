import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dataset.errors import ConfigError, WorldError
from dataset.progress import set_progress_mode
from tests.train.drawn_pack import write_drawn_pack
from tests.train.ranked import CONFIG, LATER, SHARDED, learnt, lessons
from tests.train.torchrun import torchrun
from train.distributed import ALONE, Ranks, _bit_sum, joined_ranks, own_device, smallest_of_ranks
from train.held_weights import held_weights


@pytest.fixture(scope="module")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_pack(tmp_path_factory.mktemp("pack") / "pack.h5")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, small_pack: Path) -> Path:
    """What two processes found of all that ranked.py tries; see there."""
    folder = tmp_path_factory.mktemp("two")
    done = torchrun(2, "tests.train.ranked", str(folder), str(small_pack))
    assert done.returncode == 0, done.stderr
    return folder


def found(two: Path, rank: int) -> dict[str, object]:
    read: dict[str, object] = json.loads((two / f"{rank}.json").read_text())
    return read


def tensors(two: Path, rank: int, prefix: str) -> dict[str, Tensor]:
    every = load_file(two / f"{rank}.safetensors")
    return {n.removeprefix(prefix): t for n, t in every.items() if n.startswith(prefix)}


def test_all_ranks_hear_what_the_first_says_and_what_it_fails_with(two: Path) -> None:
    for rank in range(2):
        heard = found(two, rank)
        assert heard["text"] == "from rank 0"
        assert heard["error"] == "the pack is damaged"


def test_a_stop_asked_of_one_rank_is_obeyed_by_all_after_the_same_step(two: Path) -> None:
    assert [found(two, rank)["stops at"] for rank in range(2)] == [LATER + 1, LATER + 1]


def test_ranks_agree_on_sums_and_smallest_numbers(two: Path) -> None:
    for rank in range(2):
        heard = found(two, rank)
        assert (heard["sum"], heard["smallest"], heard["before"]) == (3.0, 9, 20)


def test_a_rank_whose_weights_are_not_those_of_the_first_is_named_on_all(two: Path) -> None:
    for rank in range(2):
        assert str(found(two, rank)["unlike"]).startswith("the network of rank 1 is not that of")


def test_the_ranks_lessons_joined_are_to_the_bit_those_of_one_process(
    two: Path, small_pack: Path
) -> None:
    alone = lessons(ALONE, small_pack)
    parts = [tensors(two, rank, "lesson.") for rank in range(2)]
    assert {name.partition(".")[2] for name in alone} >= {"rows", "x0", "sigma", "eps", "absent"}
    for name, tensor in alone.items():
        assert [len(part[name]) for part in parts] == [3, 4]
        assert torch.equal(torch.cat([part[name] for part in parts]), tensor), name


def test_running_statistics_become_the_mean_over_the_ranks(two: Path) -> None:
    assert [found(two, rank)["running mean"] for rank in range(2)] == [[1.0], [1.0]]


@pytest.mark.parametrize("how", ["whole", "pieces", "set"])
def test_gradients_of_uneven_shares_are_summed_once_however_they_are_given(
    two: Path, how: str
) -> None:
    alone = learnt(ALONE, CONFIG, "set")
    first, second = (tensors(two, rank, f"{how}.") for rank in range(2))
    assert first.keys() == second.keys() == alone.keys()
    for name, tensor in alone.items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(first[name], tensor, rtol=1e-5, atol=2e-6), name


@pytest.mark.parametrize("how", ["whole", "pieces"])
def test_sharded_weights_learn_what_whole_ones_do_and_are_gathered_on_the_first_rank(
    two: Path, how: str
) -> None:
    alone = learnt(ALONE, SHARDED, "set")
    first, second = (tensors(two, rank, f"sharded {how}.") for rank in range(2))
    assert first.keys() == alone.keys()
    assert {name.partition(".")[0] for name in second} == {"loss", "norm"}
    for name, tensor in alone.items():
        assert torch.allclose(first[name], tensor, rtol=1e-5, atol=2e-6), name


def test_a_process_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_ranks(CONFIG) as ranks:
        assert ranks is ALONE
        assert ranks.first
        assert ranks.agreed(True)
        assert not ranks.agreed(False)
        assert ranks.from_first(lambda: "me") == "me"
        assert ranks.share(9, 9).own == slice(0, 9)
    assert smallest_of_ranks(7, ALONE, 1) == 7
    assert own_device(torch.device("cpu"), Ranks(1, 2, 1)).type == "cpu"


@pytest.fixture
def loud_again() -> Iterator[None]:
    """Ranks but the first fall silent for good; this process has other tests to tell of."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)
    set_progress_mode("auto")


@pytest.mark.usefixtures("loud_again")
def test_others_that_are_not_met_are_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    with (
        pytest.raises(WorldError, match="rank 1 of 2 did not meet the others within 1 s"),
        joined_ranks(replace(CONFIG, rank_timeout_s=1)),
    ):
        pass


@pytest.mark.parametrize(
    "kind", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8]
)
def test_weights_are_compared_to_the_last_bit_and_by_their_places(kind: torch.dtype) -> None:
    numbers = torch.arange(1.0, 9.0).view(2, 4).to(kind)
    same, turned, other = numbers.clone(), numbers.flip(0), numbers.clone()
    other[1, 2] = other[1, 2] + 1
    assert torch.equal(_bit_sum(numbers), _bit_sum(same))
    assert not torch.equal(_bit_sum(numbers), _bit_sum(turned))
    assert not torch.equal(_bit_sum(numbers), _bit_sum(other))
    assert _bit_sum(numbers[0, 0]).dtype == torch.int64


def test_more_processes_than_cards_are_refused() -> None:
    with pytest.raises(WorldError, match="more processes than that"):
        own_device(torch.device("cuda"), Ranks(63, 64, 63))


def test_sharded_weights_need_a_batch_that_is_shared_alike() -> None:
    with pytest.raises(ConfigError, match="a batch that 2 processes share alike, not 5"):
        held_weights(torch.nn.Linear(2, 2), replace(CONFIG, parallel="fsdp"), Ranks(0, 2, 0))


def test_an_autoencoder_is_not_sharded() -> None:
    with pytest.raises(ConfigError, match="train a vae with ddp"):
        held_weights(torch.nn.Linear(2, 2), replace(SHARDED, kind="vae"), Ranks(0, 2, 0))
