from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import WorldError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import tiny_config
from train.batch_size import (
    Trial,
    auto_batch,
    held,
    largest,
    memory_advice,
    quickest,
    steps_tried,
)
from train.config import TrainConfig
from train.distributed import ALONE, Ranks
from train.loop import train
from train.subject import Subject

CPU = torch.device("cpu")
CONFIG = TrainConfig(name="test", batch=256)


def memory_for(pictures: int) -> Trial:
    """A device whose memory holds so many pictures at once, and that says so as torch does."""

    def tried(config: TrainConfig) -> float:
        if min(config.micro_batch or config.batch, config.batch) > pictures:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return 100.0

    return tried


def run_out(trial: Trial, config: TrainConfig) -> torch.OutOfMemoryError:
    with pytest.raises(torch.OutOfMemoryError) as caught:
        trial(config)
    return caught.value


@given(room=st.integers(0, 5000), most=st.integers(1, 5000))
def test_the_largest_batch_fits_and_the_next_larger_one_does_not(room: int, most: int) -> None:
    found = largest(lambda size: size <= room, most)
    sizes = [size for k in range(14) for size in (2**k, 3 * 2**k // 2) if size <= min(room, most)]
    if room == 0:
        assert found == 0
    else:
        assert found == max(sizes, default=1)


def test_few_sizes_are_tried() -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= 100

    assert largest(fits, 4096) == 96
    assert tried == [8, 16, 32, 64, 128, 96]


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ({8: 100, 16: 180, 32: 250, 64: 255, 128: 200}, 32),
        ({8: 100, 16: 90, 32: 400}, 8),  # not looked for behind a size that is slower
        ({8: 100, 16: 101, 32: 102, 64: 103}, 8),
        ({8: 10, 16: 20, 32: 40, 64: 80}, 64),
    ],
)
def test_a_cpu_takes_the_smallest_batch_that_is_about_as_fast_as_any(
    rates: dict[int, float], found: int
) -> None:
    assert quickest(lambda size: rates[size], max(rates)) == found


def test_a_split_smaller_than_the_first_size_is_tried_as_it_is() -> None:
    tried: list[int] = []

    def rate(size: int) -> float:
        tried.append(size)
        return 1.0

    assert quickest(rate, 5) == 4
    assert tried == [4]
    assert largest(lambda _: True, 5) == 4
    assert largest(lambda _: True, 6) == 6


def test_what_is_not_held_is_told_by_torchs_own_error_and_no_other_is_hidden() -> None:
    assert held(memory_for(256), CONFIG)
    assert not held(memory_for(255), CONFIG)

    def broken(_: TrainConfig) -> float:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        held(broken, CONFIG)


@pytest.mark.parametrize(("room", "named"), [(100, 96), (128, 128), (1, 1), (255, 192)])
def test_out_of_memory_names_a_batch_that_would_fit(room: int, named: int) -> None:
    trial = memory_for(room)
    said = str(memory_advice(run_out(trial, CONFIG), CONFIG, trial, ALONE))
    assert f"does not hold 256 pictures at once, but {named};" in said
    assert f"--set micro_batch={named}," in said
    assert f"--set batch={named}" in said
    assert held(trial, replace(CONFIG, batch=named))
    assert held(trial, replace(CONFIG, micro_batch=named))


def test_out_of_memory_on_one_of_several_cards_names_the_batch_of_all() -> None:
    trial = memory_for(40)
    said = str(memory_advice(run_out(trial, CONFIG), CONFIG, trial, Ranks(1, 4, 1)))
    assert "does not hold 64 pictures at once, but 32;" in said
    assert "--set batch=128" in said


def test_pieces_that_are_too_large_are_named_too() -> None:
    config = replace(CONFIG, micro_batch=64)
    trial = memory_for(24)
    said = str(memory_advice(run_out(trial, config), config, trial, ALONE))
    assert "does not hold 64 pictures at once, but 24; use --set micro_batch=24" in said


def test_a_network_that_does_not_fit_at_all_is_said_to_be_too_large() -> None:
    trial = memory_for(0)
    said = str(memory_advice(run_out(trial, CONFIG), CONFIG, trial, ALONE))
    assert "does not hold network unet and one picture" in said
    assert "--set batch" not in said


def test_what_the_failed_run_held_is_let_go_before_anything_is_tried() -> None:
    alive: list[bool] = []

    class Held:
        def __init__(self) -> None:
            self.itself = self  # as a learner holds itself

        def __del__(self) -> None:
            alive.remove(True)

    def failing() -> None:
        weights = Held()
        alive.append(True)
        raise torch.OutOfMemoryError(f"CUDA out of memory beside {type(weights)}")

    def tried(config: TrainConfig) -> float:
        assert not alive
        return 1.0

    try:
        failing()
    except torch.OutOfMemoryError as error:
        assert alive
        memory_advice(error, CONFIG, tried, ALONE)


def test_a_trial_learns_with_the_real_network_and_changes_nothing_outside(pack: Path) -> None:
    config = tiny_config(pack)
    trial = steps_tried(Subject.of_pack(PackedDataset(pack)), CPU, 1000)
    assert trial(config) > 0


def test_auto_finds_a_batch_on_a_cpu_and_takes_the_runs_own_later(
    pack: Path, tmp_path: Path
) -> None:
    config = tiny_config(pack)
    found = auto_batch(config, tmp_path)
    assert found in (8, 16, 32)  # 40 pictures
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "config.json").write_text('{"name": "test", "batch": 13}')
    assert auto_batch(config, tmp_path) == 13
    assert auto_batch(config, tmp_path, restart=True) in (8, 16, 32)


def test_a_run_whose_memory_runs_out_says_which_batch_would_fit(pack: Path, tmp_path: Path) -> None:
    def run_out_of_memory(_: Path) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with pytest.raises(WorldError, match=r"8 pictures at once, but 6; .*--set batch=6") as caught:
        train(tiny_config(pack), tmp_path, on_checkpoint=run_out_of_memory)
    assert "\n" not in str(caught.value)


@pytest.mark.gpu
def test_on_a_gpu_auto_finds_a_batch_that_is_learnt_and_the_memory_is_free_after(
    pack: Path, tmp_path: Path
) -> None:
    config = replace(tiny_config(pack), device="cuda", deterministic=True, compile="off")
    found = auto_batch(config, tmp_path)
    assert found in (32, 24)  # 40 pictures
    assert torch.cuda.memory_allocated() < 2**20
    train(replace(config, batch=found), tmp_path)
