"""Bugs that earlier trainers of small pictures had, each as a rule that holds here.

The name above a group is the project in which the bugs were found. Complaints of the users of the
well-known trainers are in test_complaints_about_others.py.
"""

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.config import load_config
from dataset.errors import ConfigError
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from tests.train.drawn_pack import CLASSES, drawn_pictures, tiny_config, write_drawn_pack
from tests.train.short_runs import (
    CPU,
    SUBJECT,
    assert_same,
    batches_of,
    first_moments,
    learner_of,
    lines_of,
    train_until,
)
from tests.train.small_denoiser import Rightly, noisy, small_denoiser
from train.batches import DeviceBatches, load_split
from train.checkpoint import MODEL, STATE, checkpoint_folders, load_checkpoint
from train.cli import main
from train.condition import NO_LABEL, Condition, of_labels
from train.config import TrainConfig
from train.denoiser import Denoiser, everywhere
from train.device import find_device
from train.diffusion_config import DiffusionConfig
from train.drawing import Sampling, draw_pictures
from train.guidance import Guidance, guided
from train.inputs import Inputs
from train.learners import make_learner
from train.loop import train
from train.networks.blocks import Attention
from train.noise_schedule import NoiseSchedule
from train.picture_noise import PictureNoise
from train.preview import drawn_panel, side_by_side
from train.samplers import SAMPLERS, Prediction
from train.subject import Subject

ROOT = Path(__file__).parents[2]
NOISY_SAMPLERS = ("ddpm", "ddim", "dpm++2m-sde", "heun")


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same run twice: at one stretch, and killed in the middle and gone on with."""
    folder = tmp_path_factory.mktemp("resumed")
    pack = write_drawn_pack(folder / "pack.h5")
    config = tiny_config(pack, flip=True, unet={"dropout": 0.1}, lr=0.01, decay="cosine")
    whole = train(config, folder / "whole").run
    train_until(24, config, folder / "parts")
    return whole, train(config, folder / "parts").run


# FaviconGen -------------------------------------------------------------------------------------


def test_every_preview_of_a_run_is_kept_and_not_the_last_alone(pack: Path, tmp_path: Path) -> None:
    run = train(tiny_config(pack, preview={"every_images": 16}), tmp_path).run
    sheets = {path.stem: path.read_bytes() for path in (run / "previews").glob("*.png")}
    assert {"000000016", "000000032", "000000048"} <= sheets.keys()


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_of_a_drawing_is_shown_and_stays_as_it_was(name: str) -> None:
    frames: list[Tensor] = []
    copies: list[Tensor] = []

    def look(_done: int, x: Tensor, _x0: Tensor) -> None:
        frames.append(x)
        copies.append(x.clone())

    condition = of_labels(torch.tensor([0, 1]))
    sampling = Sampling(sampler=name, steps=6)
    draw_pictures(small_denoiser(), condition, [1, 2], sampling, on_step=look)
    assert len(frames) == 6
    for frame, copy in zip(frames, copies, strict=True):
        assert torch.equal(frame, copy)  # none was drawn over by the next
    assert all(not torch.equal(a, b) for a, b in pairwise(frames))


def test_guidance_goes_beyond_the_conditional_prediction() -> None:
    denoiser = small_denoiser(prediction="x0")
    x, _, condition = noisy()
    asked = denoiser.denoise(x, everywhere(3.0, x), condition)
    unasked = denoiser.denoise(x, everywhere(3.0, x), condition.without())
    found = guided(denoiser, condition, Guidance(scale=3.0))(x, 3.0).x0
    beyond = unasked + 3.0 * (asked - unasked)
    assert torch.allclose(found, beyond.clamp(-1, 1), atol=1e-5)
    assert ((beyond - asked).sign() == (asked - unasked).sign()).all()


def test_conditions_are_dropped_picture_by_picture_and_not_batch_by_batch(pack: Path) -> None:
    config = tiny_config(pack, label_dropout=0.5)
    batches, inputs = batches_of(config), Inputs(config)
    kept = []
    for seen in range(0, 320, 8):
        _, condition = inputs.prepared(batches.batch(seen, 8), seen)
        kept.append(int((condition.labels != NO_LABEL).sum()))
    assert set(kept) > {2, 3, 4, 5, 6}
    assert 0 < sum(1 for count in kept if 0 < count < 8) > 35


def test_training_is_imported_anywhere_with_nothing_foreign_and_reads_no_file_then(
    tmp_path: Path,
) -> None:
    foreign = ["mpi4py", "accelerate", "diffusers", "torchvision", "wandb", "hydra", "dacite"]
    code = (
        "import sys, train.cli, train.loop, train.distributed, sample.draw;"
        f"print([name for name in {foreign!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[]\n")
    assert list(tmp_path.iterdir()) == []


def test_starting_a_run_removes_nothing_of_an_older_one(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=16)
    run = train(config, tmp_path).run
    (run / "notes.txt").write_text("ours")
    before = {path.name: path.read_bytes() for path in run.rglob("*.safetensors")}
    train(config, tmp_path)
    assert (run / "notes.txt").exists()
    train(tiny_config(pack, images=16, lr=5e-4), tmp_path, restart=True)
    aside = tmp_path / "test.1"
    assert (aside / "notes.txt").read_text() == "ours"
    assert before == {path.name: path.read_bytes() for path in aside.rglob("*.safetensors")}


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_seed_decides_the_noise_of_every_step_and_not_the_first_alone(name: str) -> None:
    table = {"sampler": name, "steps": 6, "options": {}}
    if name == "ddim":
        table["options"] = {"eta": 1.0}
    if name == "heun":
        table["options"] = {"churn": 2.0}
    sampling = load_config(Sampling, table)
    denoiser, condition = small_denoiser(), of_labels(torch.tensor([0, 1]))
    drawn = []
    for disturbance in (1, 2):
        torch.manual_seed(disturbance)  # whatever else is drawn in the process
        torch.randn(disturbance)
        drawn.append(draw_pictures(denoiser, condition, [5, 6], sampling))
    assert torch.equal(drawn[0], drawn[1])
    other = draw_pictures(denoiser, condition, [5, 7], sampling)
    assert torch.equal(drawn[0][0], other[0])
    assert not torch.equal(drawn[0][1], other[1])


@pytest.mark.parametrize("name", NOISY_SAMPLERS)
def test_the_noise_of_every_step_is_another(name: str) -> None:
    noise = PictureNoise([5], (3, 8, 8), CPU)
    draws = [noise.draw(number) for number in range(8)]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert abs(float((one * other).mean())) < 0.4


def test_pictures_are_learnt_upright(tmp_path: Path) -> None:
    data = np.zeros((4, 3, 8, 12), np.uint8)
    data[:, 0, 1, :] = 255  # a red line below the upper edge
    write_pack(tmp_path / "pack.h5", data, np.zeros(4, np.int64), ["line"], [], {})
    pack = PackedDataset(tmp_path / "pack.h5")
    batches = load_split(pack, "train", seed=0, flip=False, device=CPU)
    batch = batches.batch(0, 4)
    assert batch.pictures.shape == (4, 3, 8, 12)
    assert (batch.pictures[:, 0, 1, :] == 1).all()
    assert int((batch.pictures == 1).sum()) == 4 * 12


def test_a_few_pictures_are_not_repeated_to_make_an_epoch(pack: Path) -> None:
    batches = batches_of(tiny_config(pack), count=5)
    assert len(batches) == 5
    for epoch in range(4):
        assert sorted(batches.rows(5 * epoch, 5).tolist()) == [0, 1, 2, 3, 4]


def test_the_rate_of_learning_does_not_hang_on_the_loss_of_one_batch(
    pack: Path, tmp_path: Path
) -> None:
    other = write_drawn_pack(tmp_path / "other.h5", seed=9)
    runs = [
        train(tiny_config(path, decay="cosine"), tmp_path / path.stem).run for path in (pack, other)
    ]
    one, two = (lines_of(run) for run in runs)
    assert [line["lr"] for line in one] == [line["lr"] for line in two]
    assert [line["loss"] for line in one] != [line["loss"] for line in two]


def test_the_same_config_is_the_same_run(pack: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(tiny_config(pack), tmp_path / name)
    assert_same(tmp_path / "one" / "test", tmp_path / "two" / "test")
    train(tiny_config(pack, seed=1), tmp_path / "three")
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "one" / "test", tmp_path / "three" / "test")


@pytest.mark.parametrize("kind", ["diffusion", "vae"])
def test_one_command_learns_either_kind_of_model(pack: Path, tmp_path: Path, kind: str) -> None:
    command = ["run", "--config", "tiny", "--packed", str(pack), "--runs", str(tmp_path)]
    settings = (f"kind={kind}", "images=16", "batch=8", "preview.steps=1")
    options = [text for setting in settings for text in ("--set", setting)]
    assert main([*command, "--device", "cpu", *options]) == 0
    assert load_checkpoint(tmp_path / "tiny").config.kind == kind


# simple-diffusion -------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [{"shares": 4}, {"micro_batch": 2}, {"micro_batch": 3}])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(pack: Path, split: dict[str, int]) -> None:
    found = []
    for parts in ({"shares": 1}, split):
        # With a first beta of 0 the first moment is the gradient that the optimiser was given.
        learner = learner_of(tiny_config(pack, clip=1e6, betas=[0.0, 0.9], **parts))
        learner.step(batches_of(learner.config))
        found.append((learner.images_seen, learner.read_figures(), first_moments(learner)))
    (seen, figures, whole), (other_seen, other_figures, in_parts) = found
    assert (seen, other_seen) == (8, 8)
    assert other_figures.loss == pytest.approx(figures.loss, rel=1e-5)
    assert other_figures.grad_norm == pytest.approx(figures.grad_norm, rel=1e-4)
    for name, moment in whole.items():
        assert torch.allclose(moment, in_parts[name], rtol=1e-3, atol=1e-6), name


def test_gradients_are_clipped_before_the_step_and_not_after_it(pack: Path) -> None:
    norms = []
    for clip in (1e-6, 1e6):
        learner = learner_of(tiny_config(pack, clip=clip, betas=[0.0, 0.9]))
        learner.step(batches_of(learner.config))
        moments = first_moments(learner).values()
        norms.append(math.sqrt(sum(float(moment.square().sum()) for moment in moments)))
    assert norms[0] == pytest.approx(1e-6, rel=1e-3)
    assert norms[1] > 1e-3


@pytest.mark.parametrize("kind", ["raw.", "optimiser.exp_avg.", "optimiser.step.", ""])
def test_a_resumed_run_has_the_weights_and_moments_of_the_uninterrupted_one(
    resumed: tuple[Path, Path], kind: str
) -> None:
    assert_same(*resumed, prefix=kind)


def test_a_resumed_run_has_the_steps_rates_and_losses_of_the_uninterrupted_one(
    resumed: tuple[Path, Path],
) -> None:
    whole, parts = resumed
    lines = lines_of(whole)
    assert lines == lines_of(parts)
    assert lines[-1]["images"] == 48
    assert lines[-1]["lr"] < lines[0]["lr"]  # the decay went on as well


def test_attention_mixes_places_and_not_channels() -> None:
    torch.manual_seed(0)
    attention = Attention(16, 8)
    nn.init.normal_(attention.out.weight)
    x = torch.randn(1, 16, 2, 6)
    order = torch.randperm(12)
    mixed = attention(x).flatten(2)
    moved = attention(x.flatten(2)[:, :, order].view(1, 16, 2, 6)).flatten(2)
    assert torch.allclose(moved, mixed[:, :, order], atol=1e-5)  # no place is special
    touched = x.clone()
    touched[0, :, 1, 5] += 1.0
    change = (attention(touched) - attention(x)).flatten(2).abs().amax(dim=1)[0]
    assert (change > 1e-6).all()  # and every place hears of every other


@pytest.mark.parametrize("network", ["unet", "favicon"])
def test_every_weight_is_averaged_whatever_it_is(pack: Path, network: str) -> None:
    subject = Subject.of_pictures((3, 32, 32), CLASSES)
    learner = learner_of(tiny_config(pack, network=network, batch=2), subject)
    averaged = dict(learner.averages.model.named_parameters())
    assert averaged.keys() == dict(learner.network.named_parameters()).keys()
    before = {name: tensor.clone() for name, tensor in averaged.items()}
    with torch.no_grad():
        for parameter in learner.network.parameters():
            parameter.add_(1.0)
    learner.averages.update(learner.network, images_seen=80, batch=8)
    for name, tensor in averaged.items():
        assert not torch.equal(tensor, before[name]), name


# Generative-Animals -----------------------------------------------------------------------------


def test_every_epoch_has_an_order_of_its_own(pack: Path) -> None:
    config = tiny_config(pack)
    batches = batches_of(config)
    epochs = [
        torch.cat([batches.rows(40 * epoch + start, 8) for start in range(0, 40, 8)])
        for epoch in range(4)
    ]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(40))
    for i, epoch in enumerate(epochs):
        assert not any(torch.equal(epoch, other) for other in epochs[:i])
    first, second = (batches.batch(seen, 40).pictures for seen in (0, 40))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_the_seed_holds_however_the_device_is_named(pack: Path, device: str) -> None:
    found = find_device(device)
    assert isinstance(found, torch.device)
    one, two, other = (
        make_learner(tiny_config(pack, seed=seed), SUBJECT, found) for seed in (3, 3, 4)
    )
    first = [parameter.clone() for parameter in one.network.parameters()]
    assert all(map(torch.equal, first, two.network.parameters()))
    assert not all(map(torch.equal, first, other.network.parameters()))


def test_a_checkpoint_is_loaded_onto_a_device_or_its_name_alike(
    resumed: tuple[Path, Path],
) -> None:
    checkpoint, (x, sigma, condition) = load_checkpoint(resumed[0]), noisy(2)
    one, two = (checkpoint.denoiser(device) for device in ("cpu", CPU))
    assert torch.equal(one.denoise(x, sigma, condition), two.denoise(x, sigma, condition))


def test_a_guided_step_asks_the_network_once() -> None:
    network = Rightly(lambda x, _time: x)
    denoiser = Denoiser(network, DiffusionConfig(), (3, 8, 8))
    guided(denoiser, noisy()[2], Guidance(scale=2.5))(noisy()[0], 3.0)
    assert [len(asked) for asked in network.asked] == [8]


def test_mirrored_pictures_take_no_room_and_are_not_counted(pack: Path) -> None:
    plain, mirrored = (batches_of(tiny_config(pack, flip=flip)) for flip in (False, True))
    assert len(plain) == len(mirrored) == 40
    ours, theirs = (batches.batch(0, 40).pictures for batches in (plain, mirrored))
    same = (ours == theirs).flatten(1).all(dim=1)
    turned = (ours.flip(3) == theirs).flatten(1).all(dim=1)
    assert (same | turned).all()
    assert 8 < int(turned.sum()) < 36


def test_an_unknown_class_is_one_line_that_names_the_known_ones(
    resumed: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from sample.cli import main as sample

    out = ["--out", str(tmp_path / "drawn"), "--label", "baar"]
    assert sample(["draw", str(resumed[0]), *out]) == 2
    said = capsys.readouterr().err
    assert "baar" in said
    assert "did you mean bar?" in said
    assert "Traceback" not in said


# dogs-image-generator-DDPM ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("false", False), ("False", None), ("no", None)]
)
def test_not_every_text_is_true(text: str, value: bool | None) -> None:
    if value is None:
        with pytest.raises(ConfigError, match="flip"):
            load_config(TrainConfig, None, ["name=test", f"flip={text}"])
    else:
        assert load_config(TrainConfig, None, ["name=test", f"flip={text}"]).flip is value


def test_learning_changes_nothing_of_the_pack(pack: Path, tmp_path: Path) -> None:
    before = pack.read_bytes(), pack.stat().st_mtime_ns
    train(tiny_config(pack, images=16, flip=True, augment={"probability": 0.5}), tmp_path)
    assert (pack.read_bytes(), pack.stat().st_mtime_ns) == before


@pytest.mark.parametrize("steps", [50, 250, 1000, 4000])
def test_the_linear_schedule_ends_in_noise_however_many_steps_it_has(steps: int) -> None:
    schedule = NoiseSchedule(DiffusionConfig(schedule="linear", steps=steps))
    assert float(schedule.sigmas[-1]) > 70  # 4.5 for 200 steps that keep DDPM's betas
    assert float(schedule.alphas_cumprod[steps // 2]) == pytest.approx(0.0786, abs=0.03)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_the_noised_picture_is_never_clamped(pack: Path, prediction: str) -> None:
    learner = learner_of(tiny_config(pack, batch=40, diffusion={"prediction": prediction}))
    shown: list[Tensor] = []
    learner.network.register_forward_pre_hook(lambda _module, args: shown.append(args[0]))
    learner.step(batches_of(learner.config))
    pictures = torch.cat(shown)
    assert len(pictures) == 40
    assert float(pictures.abs().max()) > 2.5
    # Half of the pictures are mostly noise: as many places lie beyond 1 as of a normal curve.
    assert float((pictures.abs() > 1).float().mean()) > 0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_x_t_is_never_clamped_while_drawing(name: str) -> None:
    denoiser, sampling = small_denoiser(), Sampling(sampler=name, steps=16)
    frames: list[Tensor] = []
    labels = of_labels(torch.tensor([0]))
    draw_pictures(denoiser, labels, [1], sampling, on_step=lambda _done, x, _x0: frames.append(x))
    sigmas = sampling.sigmas(denoiser.schedule)
    for x, sigma in list(zip(frames, sigmas, strict=False))[1:5]:  # still mostly noise
        assert float(x.abs().max()) / math.sqrt(1 + sigma**2) > 1.8  # DDPM's x_t


def test_an_ancestral_step_has_the_posterior_s_variance_and_not_beta() -> None:
    schedule = NoiseSchedule(DiffusionConfig(schedule="linear"))
    now, then = (float(schedule.sigmas[t]) for t in (1, 0))
    x0 = torch.full((1, 1, 256, 256), 0.4)
    noise = PictureNoise([3], (1, 256, 256), CPU)

    def knowing(x: Tensor, _sigma: float) -> Prediction:
        return Prediction(x0.expand_as(x))

    x = x0 + now * noise.draw(0)
    after = SAMPLERS["ddpm"](knowing, x, [now, then], noise)
    alpha_now, alpha_then = (float(schedule.alphas_cumprod[t]) for t in (1, 0))
    beta = 1 - alpha_now / alpha_then
    posterior = beta * (1 - alpha_then) / (1 - alpha_now)
    mean = x0 + (then / now) ** 2 * (x - x0)
    found = float((after - mean).var()) * alpha_then  # in DDPM's own frame
    assert found == pytest.approx(posterior, rel=0.03)
    assert posterior < 0.5 * beta


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_picture_starts_from_noise_of_its_own(name: str) -> None:
    denoiser, sampling = small_denoiser(), Sampling(sampler=name, steps=4)
    starts: list[Tensor] = []

    def look(done: int, x: Tensor, _x0: Tensor) -> None:
        if done == 1:
            starts.append(x.clone())

    labels = torch.tensor([0, 0, 0])
    together = draw_pictures(denoiser, of_labels(labels), [1, 2, 3], sampling, on_step=look)
    flat = starts[0].flatten(1)
    assert torch.corrcoef(flat).sub(torch.eye(3)).abs().max() < 0.5
    for i, seed in enumerate([1, 2, 3]):  # one after the other, the same again
        alone = draw_pictures(denoiser, of_labels(labels[:1]), [seed], sampling)
        assert torch.allclose(alone[0], together[i], atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.01)


def test_an_average_that_is_gone_on_with_is_the_average_and_not_a_new_one(
    resumed: tuple[Path, Path],
) -> None:
    whole, parts = (checkpoint_folders(run)[-1] for run in resumed)
    ours, theirs = load_file(whole / MODEL), load_file(parts / MODEL)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    raw = load_file(parts / STATE)
    assert any(not torch.equal(theirs[name], raw[f"raw.{name}"]) for name in theirs)


def test_the_sheet_of_the_average_is_drawn_with_the_average(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, lr=0.02)
    run = train(config, tmp_path).run
    checkpoint = load_checkpoint(run)
    averaged, raw = (
        drawn_panel(checkpoint.denoiser(ema=ema), config.preview, CLASSES, config.seed)
        for ema in (True, False)
    )
    assert not np.array_equal(averaged.pictures, raw.pictures)
    with Image.open(run / "previews" / "000000048.png") as shown:
        right = side_by_side({"averaged": averaged, "raw": raw})
        wrong = side_by_side({"averaged": raw, "raw": averaged})
        assert shown.convert("RGB").tobytes() == right.tobytes() != wrong.tobytes()


def test_a_run_asked_for_the_cpu_asks_nothing_of_a_gpu(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used(*_arguments: object) -> None:
        raise AssertionError("a GPU was asked for")

    monkeypatch.setattr(torch.cuda, "_lazy_init", used)
    options = ["--packed", str(pack), "--runs", str(tmp_path), "--device", "cpu"]
    tiny = ["--set", "images=16", "--set", "batch=8", "--set", "preview.steps=1"]
    assert main(["run", "--config", "tiny", *options, *tiny]) == 0


@pytest.mark.parametrize("told", ["classes", "nothing"])
def test_no_weight_is_kept_that_is_never_learnt(pack: Path, told: str) -> None:
    subject = SUBJECT if told == "classes" else Subject.of_pictures((3, 8, 8))
    # At least two channels in each group, or normalisation would undo the biases before it.
    wide = tiny_config(pack, label_dropout=0.5, weight_decay=0.0, unet={"base_channels": 16})
    learner = learner_of(wide, subject)
    data, labels = drawn_pictures()
    labels = labels if told == "classes" else np.full_like(labels, NO_LABEL)
    batches = DeviceBatches(data, labels, seed=0, flip=False, device=CPU)
    first = {name: tensor.detach().clone() for name, tensor in learner.network.named_parameters()}
    for _ in range(6):  # layers that start at zero hide those before them for a step or two
        learner.step(batches)
    for name, tensor in learner.network.named_parameters():
        assert float((tensor.detach() - first[name]).abs().max()) > 1e-5, name


@pytest.mark.parametrize("network", ["favicon", "dogs93m"])
def test_a_network_that_must_keep_such_weights_is_learnt_all_the_same(
    pack: Path, network: str
) -> None:
    subject = Subject.of_pictures((3, 32, 32), CLASSES)
    config = tiny_config(pack, network=network, batch=2)
    data, labels = drawn_pictures(4, (3, 32, 32))
    learner = learner_of(config, subject)
    learner.step(DeviceBatches(data, labels, seed=0, flip=False, device=CPU))
    figures = learner.read_figures()
    assert figures.skipped == 0
    assert math.isfinite(figures.loss)


def test_noise_is_added_to_the_clean_picture_and_not_to_one_noised_before(pack: Path) -> None:
    learner = learner_of(tiny_config(pack, batch=40, shares=1, diffusion={"schedule": "linear"}))
    batches = batches_of(learner.config)
    shown: list[Tensor] = []
    learner.network.register_forward_pre_hook(lambda _module, args: shown.append(args[0]))
    learner.step(batches)
    # Levels rise within a batch. At the highest nothing is left but noise of deviation one.
    noised = torch.cat(shown)
    assert float(noised[-4:].std()) == pytest.approx(1.0, abs=0.1)
    clean = batches.batch(0, 40).pictures
    assert torch.allclose(noised[0], clean[0], atol=0.3)


def test_what_was_used_is_what_the_checkpoint_says(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=16, ema_widths=[0.07, 0.2])
    run = train(config, tmp_path).run
    assert load_checkpoint(run).config == config
    assert json.loads((run / "config.json").read_text())["ema_widths"] == [0.07, 0.2]


def test_nothing_is_written_outside_the_run_s_folder(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    train(tiny_config(pack, images=16, preview={"every_images": 8}), tmp_path / "runs")
    assert list(here.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "pack.h5", "runs"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["test"]


def test_the_learner_of_a_class_is_told_the_class(pack: Path) -> None:
    """Conditions reach the network: another label gives another picture once it has learnt."""
    denoiser: Denoiser = small_denoiser()
    x, sigma, _ = noisy()
    one, two = (
        denoiser.denoise(x, sigma, Condition(labels=torch.full((4,), label))) for label in (0, 1)
    )
    assert not torch.allclose(one, two, atol=1e-3)
