import gc
import logging
import math
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dataset.errors import DataError
from tests.train.compared_runs import assert_same, figures
from tests.train.drawn_pack import drawn_pictures, tiny_config
from tests.train.short_runs import Killed, lines_of
from train.batches import Batch, DeviceBatches
from train.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint
from train.config import TrainConfig
from train.loop import Run
from train.outcome import Outcome
from train.preparation import prepare
from train.recovery import last_good_checkpoint
from train.run_folder import RunFolder

CPU = torch.device("cpu")


class StumblingBatches(DeviceBatches):
    """Pictures that are not numbers within a range of places, until the run has gone back."""

    run: "StumblingRun"

    def batch(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Batch:
        batch = super().batch(images_seen, size, rank, world)
        broken = self.run.learner.rollbacks < self.run.times and images_seen in self.run.places
        return batch._replace(pictures=batch.pictures * (math.nan if broken else 1.0))


class StumblingRun(Run):
    """A run whose loss is lost at some places while it has gone back fewer than `times` times."""

    places, times = range(0), 1

    def _load(self, *_told: Any, **_more: Any) -> DeviceBatches:
        data, labels = drawn_pictures()
        made = StumblingBatches(data, labels, seed=0, flip=False, device=CPU)
        made.run = self
        return made


def stumble(
    config: TrainConfig, runs: Path, places: range, times: int = 1, die_at: int | None = None
) -> Outcome:
    """Train from where the run is; die when the checkpoint of `die_at` is written."""

    def written(path: Path) -> None:
        if die_at is not None and path.name == f"{die_at:09d}":
            raise Killed

    folder = RunFolder(runs, config.name)
    run = StumblingRun(config, folder, prepare(config), CPU, on_checkpoint=written)
    run.places, run.times = places, times
    with folder.locked():
        return run.go()


def config_of(pack: Path, **changes: Any) -> TrainConfig:
    return tiny_config(pack, **({"images": 240, "checkpoint_every_images": 32} | changes))


def test_a_lost_loss_goes_back_to_the_last_good_checkpoint_with_half_the_rate(
    pack: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = stumble(config_of(pack, decay="constant"), tmp_path, range(72, 10_000))
    assert outcome.images_seen == 240
    assert outcome.rollbacks == 1
    (said,) = [r for r in caplog.records if "going back" in r.getMessage()]
    assert said.levelno == logging.WARNING
    assert (
        "going back to image 64 with the learning rate halved (1 of 2 times)" in said.getMessage()
    )
    rates = {line["images"]: line["lr"] for line in lines_of(outcome.run)}
    assert rates[64] == pytest.approx(1e-3)
    assert rates[80] == pytest.approx(5e-4)
    assert list(rates) == sorted(set(rates))  # nothing is left of what was given up


def test_nothing_is_saved_in_the_middle_of_bad_batches(pack: Path, tmp_path: Path) -> None:
    config = config_of(pack, images=160, keep_last=9)
    run = stumble(config, tmp_path, range(88, 120)).run  # four batches, over image 96
    names = [int(folder.name) for folder in checkpoint_folders(run)]
    assert 96 not in names
    assert names == [32, 64, 128, 160]
    states = [load_checkpoint(folder).state_tensors() for folder in checkpoint_folders(run)]
    assert [int(state["streak"]) for state in states] == [0, 0, 0, 0]
    assert int(states[-1]["skipped"]) == 4


def test_a_run_without_a_checkpoint_begins_again(pack: Path, tmp_path: Path) -> None:
    outcome = stumble(config_of(pack, decay="constant"), tmp_path, range(8, 10_000))
    assert outcome.rollbacks == 1
    assert [line["images"] for line in lines_of(outcome.run)][:2] == [16, 32]
    assert {line["lr"] for line in lines_of(outcome.run)} == {5e-4}


def test_two_learners_are_never_in_memory_at_once(pack: Path, tmp_path: Path) -> None:
    left: list[bool] = []

    class Watched(StumblingRun):
        made: Callable[[], object] | None = None

        def _make_learner(self, checkpoint: Checkpoint | None) -> None:
            if self.made is not None:
                left.append(self.made() is not None)
            super()._make_learner(checkpoint)
            self.made = weakref.ref(next(self.learner.network.parameters()))

    config = config_of(pack, decay="constant")
    folder = RunFolder(tmp_path, config.name)
    run = Watched(config, folder, prepare(config), CPU)
    run.places = range(8, 10_000)
    gc.disable()  # it would only do so now and then
    try:
        with folder.locked():
            assert run.go().rollbacks == 1
    finally:
        gc.enable()
    assert left == [False]


def test_going_back_often_enough_ends_the_run_in_one_line(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not finite.*going back twice.*lower lr.*0\.00025") as why:
        stumble(config_of(pack, decay="constant"), tmp_path, range(72, 10_000), times=9)
    assert "\n" not in str(why.value)
    found = load_checkpoint(tmp_path / "test")
    assert found.images_seen == 64


def test_a_run_that_may_not_go_back_ends_at_once(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"up to image \d+; lower lr \(it is 0\.001"):
        stumble(config_of(pack, decay="constant", rollbacks=0), tmp_path, range(72, 10_000))


@pytest.mark.parametrize("die_at", [64, 128])
def test_a_run_that_went_back_is_resumed_to_the_bit(
    pack: Path, tmp_path: Path, die_at: int
) -> None:
    config = config_of(pack)
    places = range(72, 10_000)
    whole = stumble(config, tmp_path / "whole", places).run
    with pytest.raises(Killed):
        stumble(config, tmp_path / "parts", places, die_at=die_at)
    parts = stumble(config, tmp_path / "parts", places)
    assert parts.rollbacks == 1
    assert_same(whole, parts.run)
    assert figures(whole) == figures(parts.run)


def test_twenty_batches_in_a_row_are_too_many_and_nineteen_are_not(
    pack: Path, tmp_path: Path
) -> None:
    few = stumble(config_of(pack, name="few"), tmp_path, range(72, 72 + 19 * 8))
    assert (few.rollbacks, few.skipped_batches) == (0, 19)
    many = stumble(config_of(pack, name="many"), tmp_path, range(72, 72 + 20 * 8))
    assert many.rollbacks == 1


def test_a_damaged_checkpoint_is_not_gone_back_to(pack: Path, tmp_path: Path) -> None:
    run = stumble(config_of(pack, images=96), tmp_path, range(0)).run
    newest = checkpoint_folders(run)[-1]
    (newest / "state.safetensors").write_bytes(b"damaged")
    assert last_good_checkpoint(run).endswith("000000064")


def test_where_only_one_amid_bad_batches_was_kept_it_is_better_than_to_begin_again(
    pack: Path, tmp_path: Path
) -> None:
    config = config_of(pack, images=96, keep_last=1, decay="constant")
    run = stumble(config, tmp_path, range(88, 10_000)).run
    assert [folder.name for folder in checkpoint_folders(run)] == ["000000096"]
    assert load_checkpoint(run).state_tensors()["streak"] == 1
    assert last_good_checkpoint(run).endswith("000000096")


def test_there_is_no_good_checkpoint_in_an_empty_folder(tmp_path: Path) -> None:
    assert last_good_checkpoint(tmp_path) == ""
