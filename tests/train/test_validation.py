import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dataset.errors import DataError
from dataset.pack_writer import write_pack
from dataset.provenance import Provenance
from tests.train.compared_runs import assert_same, figures
from tests.train.drawn_pack import CLASSES, drawn_pictures, tiny_config, write_drawn_pack
from tests.train.short_runs import batches_of, learner_of, train_until
from train.checkpoint import checkpoint_folders, load_checkpoint
from train.loop import train
from train.run_folder import RunFolder
from train.validation import Measured, validation_loss


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """32 pictures to learn from, and 12 that are not."""
    data, labels = drawn_pictures(44)
    provenance = [
        Provenance(row=row, label=int(label), split="train" if row < 32 else "test")
        for row, label in enumerate(labels)
    ]
    path = tmp_path / "parted.h5"
    write_pack(path, data, labels, list(CLASSES), provenance, {})
    return path


def measuring(pack: Path, **changes: Any) -> Any:
    validation = {"every_images": 16, "pictures": 12} | changes.pop("validation", {})
    return tiny_config(pack, validation=validation, **changes)


def losses(run: Path) -> list[tuple[int, float]]:
    lines = RunFolder(run.parent, run.name).read_stats()
    return [(line["images"], line["validation"]) for line in lines if "validation" in line]


def test_the_loss_of_the_same_weights_is_the_same_each_time(pack: Path) -> None:
    config = measuring(pack)
    learner, batches = learner_of(config), batches_of(config, 12)
    first = validation_loss(learner, learner.averages.model, batches)
    assert math.isfinite(first)
    assert validation_loss(learner, learner.averages.model, batches) == first


def test_a_measurement_changes_nothing_of_the_run(pack: Path) -> None:
    config = measuring(pack)
    learner, batches = learner_of(config), batches_of(config)
    learner.step(batches)
    before = {name: tensor.clone() for name, tensor in learner.state_tensors().items()}
    validation_loss(learner, learner.averages.model, batches)
    for name, tensor in learner.state_tensors().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.grad is None for parameter in learner.network.parameters())


def test_only_so_many_pictures_are_measured_as_asked_for(pack: Path) -> None:
    few, many = (measuring(pack, validation={"pictures": count}) for count in (8, 500))
    learner, batches = learner_of(few), batches_of(few)
    first = validation_loss(learner, learner.averages.model, batches)
    learner.config = many
    assert validation_loss(learner, learner.averages.model, batches) != first


@pytest.mark.parametrize("micro_batch", [1, 3, 8, 64])
def test_how_many_are_measured_at_once_changes_nothing_but_rounding(
    pack: Path, micro_batch: int
) -> None:
    whole, pieces = (measuring(pack, micro_batch=size) for size in (0, micro_batch))
    batches = batches_of(whole)
    losses = [
        validation_loss(learner, learner.averages.model, batches)
        for learner in (learner_of(whole), learner_of(pieces))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_what_is_measured_are_the_averaged_weights(pack: Path) -> None:
    config = measuring(pack, lr=0.02)
    learner, batches = learner_of(config), batches_of(config)
    for _ in range(6):
        learner.step(batches)
    averaged = validation_loss(learner, learner.averages.model, batches)
    assert averaged != validation_loss(learner, learner.network, batches)


def test_measurements_are_written_beside_the_figures(parted: Path, tmp_path: Path) -> None:
    outcome = train(measuring(parted), tmp_path)
    measured = losses(outcome.run)
    assert [images for images, _ in measured] == [16, 32, 48]
    assert outcome.validation_loss == min(loss for _, loss in measured)
    assert not outcome.stopped_early


def test_measuring_changes_nothing_that_is_learnt(parted: Path, tmp_path: Path) -> None:
    with_it = train(measuring(parted), tmp_path / "with").run
    without = train(tiny_config(parted), tmp_path / "without").run
    assert_same(with_it, without)


def test_the_best_checkpoint_is_kept_and_pointed_at(parted: Path, tmp_path: Path) -> None:
    config = measuring(parted, images=96, keep_last=1, lr=0.3, warmup_images=0, decay="constant")
    run = train(config, tmp_path).run
    measured = losses(run)
    best = min(measured, key=lambda one: one[1])[0]
    assert load_checkpoint(run / "best").images_seen == best
    assert {int(folder.name) for folder in checkpoint_folders(run)} == {best, 96}


def test_a_run_that_gets_no_better_stops_early_and_stays_stopped(
    parted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    changes: dict[str, Any] = {"images": 4000, "lr": 0.5, "warmup_images": 0}
    config = measuring(parted, validation={"patience": 2}, **changes)
    outcome = train(config, tmp_path)
    assert outcome.stopped_early
    assert outcome.images_seen < 4000
    measured = losses(outcome.run)
    best = min(measured, key=lambda one: one[1])[0]
    assert [images for images, _ in measured if images > best] == [best + 16, best + 32]
    assert f"was best at image {best}" in caplog.text
    assert (outcome.run / "previews" / f"{outcome.images_seen:09d}.png").exists()
    again = train(config, tmp_path)
    assert again.was_finished
    assert again.images_seen == outcome.images_seen
    patient = measuring(parted, validation={"patience": 3}, **changes)
    assert train(patient, tmp_path).images_seen > outcome.images_seen


def test_patience_is_resumed_with_the_run(parted: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"images": 4000, "lr": 0.5, "warmup_images": 0}
    config = measuring(parted, validation={"patience": 3}, **changes)
    whole = train(config, tmp_path / "whole")
    assert whole.images_seen > 24
    train_until(24, config, tmp_path / "parts")
    parts = train(config, tmp_path / "parts")
    assert parts.images_seen == whole.images_seen
    assert losses(parts.run) == losses(whole.run)
    assert figures(parts.run) == figures(whole.run)
    assert_same(whole.run, parts.run)


def test_a_pack_without_pictures_to_measure_on_is_one_line(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "all.h5")
    with pytest.raises(DataError, match="no pictures in its split test"):
        train(measuring(pack), tmp_path)


def test_only_a_smaller_loss_is_better() -> None:
    measured = Measured()
    for images, loss in enumerate([3.0, 2.0, 2.0, math.nan, math.inf], start=1):
        measured = measured.after(loss, images)
    assert (measured.best, measured.best_images, measured.worse) == (2.0, 2, 3)
    assert measured.after(1.0, 6) == Measured(best=1.0, best_images=6)


@pytest.mark.parametrize("best", [math.inf, 0.1 + 0.2, float(np.nextafter(1.0, 2.0))])
def test_measurements_survive_json_to_the_bit(best: float) -> None:
    measured = Measured(best=best, best_images=7, worse=2)
    assert Measured.from_facts(json.loads(json.dumps(measured.facts()))) == measured
    assert Measured.from_facts(None) == Measured()
