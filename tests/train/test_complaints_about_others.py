"""What users of well-known trainers complain about and ask for, each as a rule that holds here."""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dataset.errors import ConfigError, DataError, WorldError
from dataset.pack_writer import Block, PackHead, write_blocks, write_pack
from dataset.progress import set_progress_mode
from dataset.provenance import SPLITS, Provenance, Split
from sample.cli import main as sample
from sample.draw import DrawConfig, draw_batch, plan_pictures
from tests.train.drawn_pack import CLASSES, drawn_pictures, tiny_config, write_drawn_pack
from tests.train.short_runs import (
    CPU,
    assert_same,
    batches_of,
    learner_of,
    lines_of,
    train_until,
    weights,
)
from tests.train.small_denoiser import Rightly, noisy, small_denoiser
from train.averaging import average
from train.batches import Batch, DeviceBatches
from train.checkpoint import checkpoint_folders, load_checkpoint
from train.cli import main
from train.condition import of_labels
from train.denoiser import Denoiser
from train.diffusion_config import DiffusionConfig
from train.drawing import Sampling, draw_pictures
from train.ema import WeightAverages
from train.guidance import Guidance, guided
from train.loop import Run, train
from train.network_config import UNetConfig
from train.picture_noise import PictureNoise
from train.preparation import prepare
from train.run_folder import RunFolder
from train.samplers import SAMPLERS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with checkpoints at 24 and 48 images."""
    folder = tmp_path_factory.mktemp("run")
    pack = write_drawn_pack(folder / "pack.h5")
    return train(tiny_config(pack, lr=0.02), folder / "runs").run


# Losses and figures that are no numbers ---------------------------------------------------------


def test_half_precision_has_the_range_of_float32(pack: Path) -> None:
    with pytest.raises(ConfigError, match="float32, bfloat16"):
        tiny_config(pack, precision="float16")
    learner = learner_of(tiny_config(pack, precision="bfloat16", lr=0.01))
    for _ in range(6):
        learner.step(batches_of(learner.config))
    figures = learner.read_figures()
    assert figures.skipped == 0
    assert math.isfinite(figures.loss)


def test_pictures_and_noise_reach_the_network_in_float32(pack: Path) -> None:
    learner = learner_of(tiny_config(pack, precision="bfloat16"))
    kinds: list[torch.dtype] = []
    learner.network.register_forward_pre_hook(
        lambda _module, args: kinds.extend(each.dtype for each in args[:2])
    )
    learner.step(batches_of(learner.config))
    assert set(kinds) == {torch.float32}


class BrokenBatches(DeviceBatches):
    """Its second batch is not a number."""

    def batch(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Batch:
        batch = super().batch(images_seen, size, rank, world)
        factor = math.nan if images_seen == 8 else 1.0
        return batch._replace(pictures=batch.pictures * factor)


def test_a_batch_that_is_no_number_is_skipped_and_told_and_not_set_to_zero(pack: Path) -> None:
    data, labels = drawn_pictures()
    batches = BrokenBatches(data, labels, seed=0, flip=False, device=CPU)
    learner = learner_of(tiny_config(pack, weight_decay=0.5))
    learner.step(batches)
    before = [parameter.detach().clone() for parameter in learner.network.parameters()]
    learner.step(batches)
    assert all(map(torch.equal, before, learner.network.parameters()))
    learner.step(batches)
    assert not all(map(torch.equal, before, learner.network.parameters()))
    figures = learner.read_figures()
    assert figures.skipped == 1
    assert math.isfinite(figures.loss)


def test_a_run_whose_loss_is_lost_ends_in_one_line_and_its_figures_stay_json(
    pack: Path, tmp_path: Path
) -> None:
    config = tiny_config(pack, images=1600, lr=1e30, warmup_images=0, decay="constant")
    with pytest.raises(DataError, match=r"not finite.*lower lr") as told:
        train(config, tmp_path)
    assert "\n" not in str(told.value)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (tmp_path / "test" / "stats.jsonl").read_text()
    lines = [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
    assert any(line.get("loss") is None for line in lines)


class Passing(BrokenBatches):
    """Not a number from image 24 on, until twenty batches were asked for: a fault that passes."""

    asked = 0

    def batch(self, images_seen: int, size: int, rank: int = 0, world: int = 1) -> Batch:
        batch = DeviceBatches.batch(self, images_seen, size, rank, world)
        self.asked += images_seen >= 24
        factor = math.nan if images_seen >= 24 and self.asked <= 20 else 1.0
        return batch._replace(pictures=batch.pictures * factor)


class FaultyRun(Run):
    """A run whose pictures are broken for a while."""

    def _load(self, split: Split, **_how: Any) -> DeviceBatches:
        data, labels = drawn_pictures()
        return Passing(data, labels, seed=0, flip=False, device=CPU)


def test_a_run_whose_loss_is_lost_goes_back_halves_its_rate_and_comes_to_its_end(
    pack: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_config(pack, images=240, decay="constant", warmup_images=0)
    folder = RunFolder(tmp_path, "test")
    run = FaultyRun(config, folder, prepare(config), CPU)
    with folder.locked():
        outcome = run.go()
    assert (outcome.images_seen, outcome.rollbacks) == (240, 1)
    (said,) = [line for line in caplog.messages if "going back" in line]
    assert "going back to image 24 with the learning rate halved" in said
    lines = lines_of(outcome.run)
    assert [line["lr"] for line in lines if line["images"] <= 24] == [1e-3, 1e-3]
    assert {line["lr"] for line in lines if line["images"] > 24} == {5e-4}
    assert all(torch.isfinite(tensor).all() for tensor in weights(outcome.run).values())


def test_a_broken_model_is_drawn_from_and_its_pictures_are_counted() -> None:
    denoiser = small_denoiser()
    next(denoiser.network.parameters()).fill_(math.nan)
    plan = plan_pictures(DrawConfig(count=3), [])
    pixels, broken = draw_batch(denoiser, plan, DrawConfig(sampling=Sampling(steps=2)))
    assert broken == 3
    assert pixels.shape == (3, 3, 8, 8)


# Averages ---------------------------------------------------------------------------------------


class Counting(nn.Module):
    """A layer with running figures and a count, as batch normalisation has."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def test_buffers_are_copied_and_weights_alone_averaged() -> None:
    network = Counting()
    averages = WeightAverages(network, (0.05, 0.1))
    for step in range(1, 6):
        network.layers(torch.randn(2, 3, 4, 4) + step)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(1.0)
        averages.update(network, images_seen=8 * step, batch=8)
    assert averages.model.state_dict()["layers.1.num_batches_tracked"] == 5
    for own, theirs in zip(averages.model.buffers(), network.buffers(), strict=True):
        assert torch.equal(own, theirs)
    for own, theirs in zip(averages.model.parameters(), network.parameters(), strict=True):
        assert not torch.equal(own, theirs)


def test_averages_forget_the_random_start_at_once(pack: Path) -> None:
    learner = learner_of(tiny_config(pack, ema_widths=[0.05, 0.2]))
    learner.step(batches_of(learner.config))
    for weights_of in learner.averages.by_width().values():
        for name, parameter in learner.network.named_parameters():
            assert torch.equal(weights_of[name], parameter), name


def test_an_average_of_another_width_is_had_after_the_run(run: Path) -> None:
    averaged = average(run, 0.07)
    assert averaged.sources > 1
    ours, tracked = load_checkpoint(averaged.path), load_checkpoint(run)
    x, sigma, condition = noisy(2)
    clean = ours.denoiser().denoise(x, sigma, condition)
    assert torch.isfinite(clean).all()
    assert not torch.equal(clean, tracked.denoiser().denoise(x, sigma, condition))


def test_what_is_looked_at_changes_nothing_that_is_learnt(pack: Path, tmp_path: Path) -> None:
    """Neither drawing previews nor measuring leaves averaged weights in what goes on learning."""
    changes: dict[str, Any] = {"lr": 0.02, "flip": True, "unet": {"dropout": 0.1}}
    watched = {"preview": {"every_images": 8}, "stats_every_steps": 1}
    seldom = train(tiny_config(pack, **changes), tmp_path / "seldom").run
    often = train(tiny_config(pack, **changes, **watched), tmp_path / "often").run
    ours, theirs = weights(seldom), weights(often)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_drawing_uses_the_average_and_the_raw_weights_where_they_are_asked_for(run: Path) -> None:
    checkpoint, (x, sigma, condition) = load_checkpoint(run), noisy(2)
    averaged, raw = (
        checkpoint.denoiser(ema=ema).denoise(x, sigma, condition) for ema in (True, False)
    )
    assert not torch.equal(averaged, raw)
    assert torch.equal(checkpoint.denoiser().denoise(x, sigma, condition), averaged)


# Going on ---------------------------------------------------------------------------------------


def test_the_same_command_goes_on_where_the_run_stopped(
    pack: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_config(pack)
    train_until(24, config, tmp_path)
    with caplog.at_level("INFO"):
        outcome = train(config, tmp_path)
    assert any("going on from" in line and "000000024" in line for line in caplog.messages)
    assert outcome.images_seen == 48
    steps = {int(value) for name, value in weights(outcome.run).items() if ".step." in name}
    assert steps == {6}  # of the optimiser: three before the stop, three after it


def test_where_a_run_is_says_its_checkpoint_and_not_the_name_of_its_folder(run: Path) -> None:
    folder = checkpoint_folders(run)[0]
    renamed = folder.rename(folder.with_name("000000999"))
    try:
        assert load_checkpoint(renamed).images_seen == 24
    finally:
        renamed.rename(folder)


def test_a_budget_is_images_whatever_an_epoch_is(tmp_path: Path) -> None:
    for count in (3, 5, 64):
        pack = write_drawn_pack(tmp_path / f"{count}.h5", count=count)
        outcome = train(tiny_config(pack, name=f"of-{count}"), tmp_path)
        assert outcome.images_seen == 48
        assert lines_of(outcome.run)[-1]["images"] == 48


def test_a_full_disk_loses_no_checkpoint_and_is_one_line(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, synced = tiny_config(pack), os.fsync
    whole = train(config, tmp_path / "whole").run

    def full_later(descriptor: int) -> None:
        if list((tmp_path / "parts" / "test" / "checkpoints").glob(".000000048*")):
            raise OSError(28, "No space left on device")
        synced(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_later)
        with pytest.raises(WorldError, match="No space left on device") as told:
            train(config, tmp_path / "parts")
    assert "\n" not in str(told.value)
    parts = tmp_path / "parts" / "test"
    assert load_checkpoint(parts).images_seen == 24
    train(config, tmp_path / "parts")
    assert_same(whole, parts)


# Drawing ----------------------------------------------------------------------------------------


def test_drawing_has_no_setting_that_the_model_already_knows() -> None:
    of_drawing = {field.name for field in dataclasses.fields(DrawConfig)}
    of_drawing |= {field.name for field in dataclasses.fields(Sampling)}
    for config in (UNetConfig, DiffusionConfig):
        # A number of steps is one of the drawing and one of the table, two different things.
        known = {field.name for field in dataclasses.fields(config)} - {"steps"}
        assert not of_drawing & known


def test_one_folder_and_one_command_are_enough_to_draw(run: Path, tmp_path: Path) -> None:
    command = ["draw", str(run), "--count", "7", "--steps", "2", "--device", "cpu"]
    assert sample([*command, "--out", str(tmp_path / "drawn")]) == 0
    assert len(list((tmp_path / "drawn").glob("0*.png"))) == 7


def test_ddim_steps_along_the_noise_that_belongs_to_the_clamped_picture() -> None:
    network = Rightly(lambda x, _time: torch.full_like(x, 5.0))
    denoiser = Denoiser(network, DiffusionConfig(prediction="x0"), (3, 8, 8))
    nothing = of_labels(torch.tensor([-1]))
    seen: list[Tensor] = []
    noise = PictureNoise([1], (3, 8, 8), CPU)
    x = 4.0 * noise.draw(0)
    drawn = SAMPLERS["ddim"](
        guided(denoiser, nothing, Guidance()),
        x,
        [4.0, 1.0, 0.0],
        noise,
        on_step=lambda _done, x, _x0: seen.append(x),
    )
    eps = (x - 1.0) / 4.0  # of the clamped picture, which is 1 everywhere
    assert torch.allclose(seen[1], 1.0 + 1.0 * eps, atol=1e-6)
    assert torch.allclose(drawn, torch.ones_like(drawn), atol=1e-6)


def test_twenty_calls_of_the_network_draw_a_picture_unless_told_otherwise() -> None:
    network = Rightly(lambda x, _time: torch.zeros_like(x))
    denoiser = Denoiser(network, DiffusionConfig(), (3, 8, 8))
    draw_pictures(denoiser, of_labels(torch.tensor([0])), [1], Sampling())
    assert len(network.asked) == 20


# What is learnt ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8), (4, 8, 8), (3, 8, 12)])
def test_grey_transparent_and_oblong_pictures_are_learnt_and_drawn(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", shape=shape)
    run = train(tiny_config(pack, images=8), tmp_path).run
    denoiser = load_checkpoint(run).denoiser()
    drawn = draw_pictures(denoiser, of_labels(torch.tensor([0])), [1], Sampling(steps=2))
    assert drawn.shape == (1, *shape)


def test_one_model_is_for_pictures_with_and_without_classes(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", labelled=False)
    run = train(tiny_config(pack, images=8), tmp_path).run
    out = ["--out", str(tmp_path / "drawn"), "--count", "2", "--steps", "2", "--device", "cpu"]
    assert sample(["draw", str(run), *out]) == 0


def write_told_pack(path: Path, count: int = 40) -> Path:
    """Drawn pictures without classes, each with the vector of what is on it."""
    data, labels = drawn_pictures(count)
    facts = [Provenance(row=row, label=-1, split="train") for row in range(count)]
    vectors = np.eye(len(CLASSES), 6, dtype=np.float32)[labels]
    head = PackHead(
        count=count, shape=data.shape[1:], label_names=(), config={}, embeddings={"clip": 6}
    )
    write_blocks(path, head, [Block.of(data, facts, embeddings={"clip": vectors})])
    return path


@pytest.mark.parametrize("tokens", [0, 2])
def test_a_model_of_vectors_is_learnt_kept_gone_on_with_and_drawn_from(
    tmp_path: Path, tokens: int
) -> None:
    """The whole way that ended in noise or in an error: vectors in a pack, to pictures of them."""
    pack = write_told_pack(tmp_path / "pack.h5")
    config = tiny_config(pack, vectors="clip", tokens=tokens, lr=0.01)
    whole = train(config, tmp_path / "whole").run
    train_until(24, config, tmp_path / "parts")
    assert_same(whole, train(config, tmp_path / "parts").run)
    checkpoint = load_checkpoint(whole)
    assert checkpoint.subject.vector_length == 6
    denoiser, nothing = checkpoint.denoiser(), torch.full((2,), -1)
    told = torch.eye(2, 6)
    condition = (
        of_labels(nothing)._replace(tokens=told.view(2, tokens, -1))
        if tokens
        else of_labels(nothing)._replace(vectors=told)
    )
    drawn = draw_pictures(denoiser, condition, [1, 1], Sampling(steps=3))
    assert torch.isfinite(drawn).all()
    assert not torch.equal(drawn[0], drawn[1])  # the same noise, told otherwise


def test_few_pictures_are_said_to_be_few(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", "tiny", "--packed", str(pack), "--runs", str(tmp_path)]
    assert main([*command, "--device", "cpu", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "40 pictures are few" in said.out + said.err


def test_pictures_that_are_measured_on_are_neither_mirrored_nor_warped(tmp_path: Path) -> None:
    data, labels = drawn_pictures(40)
    splits = np.array([SPLITS.index("train"), SPLITS.index("test")], np.uint8)[np.arange(40) % 2]
    pack = tmp_path / "pack.h5"
    write_pack(pack, data, labels, list(CLASSES), [], {}, splits=splits)
    measured = []
    for name, changes in (("plain", {}), ("warped", {"flip": True, "augment": {"probability": 1}})):
        # At this rate nothing is learnt, so that the two are of the same weights.
        still: dict[str, Any] = {"lr": 1e-30, "images": 16, "validation": {"every_images": 8}}
        run = train(tiny_config(pack, name=name, **still, **changes), tmp_path).run
        lines = RunFolder(tmp_path, run.name).read_stats()
        measured.append([line["validation"] for line in lines if "validation" in line])
    assert len(measured[0]) == 2
    assert measured[0] == pytest.approx(measured[1], rel=1e-6)


# Around it --------------------------------------------------------------------------------------


def test_how_long_it_will_take_is_said_while_it_lasts(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--config", "tiny", "--packed", str(pack), "--runs", str(tmp_path)]
    options = ["--device", "cpu", "--set", "preview.steps=1", "--progress", "json"]
    short = ["--set", "images=32", "--set", "batch=8"]
    try:
        assert main([*command, *options, *short]) == 0
    finally:
        set_progress_mode("auto")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    last = [json.loads(line) for line in lines if json.loads(line)["title"] == "train"][-1]
    assert (last["done"], last["total"], last["unit"]) == (32, 32, "images")
    assert last["rate"] > 0
    assert last["eta_s"] == 0
