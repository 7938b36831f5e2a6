from pathlib import Path

import pytest
import torch
from torch import Tensor

from dataset.errors import ConfigError, DataError
from tests.train.drawn_pack import tiny_config
from tests.train.kept_run import (
    SUBJECT,
    facts,
    files_of,
    small_config,
    small_network,
    wander,
    write_small_checkpoint,
)
from train.averaging import average, kept_averages
from train.checkpoint import (
    MODEL,
    STATE,
    checkpoint_files,
    checkpoint_folders,
    load_checkpoint,
    raw_weights,
    write_checkpoint,
)
from train.condition import of_labels
from train.drawing import Sampling, draw_pictures
from train.ema import WeightAverages
from train.loop import train
from train.snapshots import AVERAGES, read_snapshots, snapshot_files, write_snapshot

BATCH, STEPS = 8, 320
END = BATCH * STEPS
REALLY_TRACKED = (0.03, 0.08, 0.15)


class History:
    """A run with averages of widths 0.05 and 0.1, snapshots, one checkpoint, and what others
    would have been had they been tracked."""

    def __init__(self, run: Path, snapshots: int) -> None:
        self.run = run
        network = small_network()
        averages = WeightAverages(network, (0.05, 0.1))
        others = WeightAverages(network, REALLY_TRACKED)
        for step in range(1, STEPS + 1):
            wander(network, step)
            for each in (averages, others):
                each.update(network, step * BATCH, BATCH)
            if snapshots and step % (STEPS // snapshots) == 0:
                files = snapshot_files(averages)
                write_snapshot(run, files, averages.widths, step * BATCH, small_config())
        about = facts(END, validation_loss=0.5)
        write_checkpoint(run / "checkpoints", files_of(network, averages), about, small_config())
        self.tracked = {w: _flat(named) for w, named in others.by_width().items()}
        self.now = _flat(dict(network.named_parameters()))

    def error(self, width: float) -> float:
        """How far the average worked out is from the tracked one, as a share of how far that is
        from the last weights."""
        found = load_checkpoint(average(self.run, width).path).model_tensors()
        tracked = self.tracked[width]
        distance = (_flat(found) - tracked).norm() / (self.now - tracked).norm()
        return float(distance)


def _flat(named: dict[str, Tensor]) -> Tensor:
    return torch.cat([named[name].detach().double().flatten() for name in sorted(named)])


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("run"), snapshots=32)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A run that kept no snapshots."""
    return History(tmp_path_factory.mktemp("run"), snapshots=0)


# Relative errors, measured: far below what a step of training changes.
KNOWN_ERRORS = {0.03: 5.8e-3, 0.08: 1.4e-4, 0.15: 1.5e-4}


@pytest.mark.parametrize(("width", "error"), KNOWN_ERRORS.items())
def test_what_is_worked_out_is_what_tracking_would_have_given(
    history: History, width: float, error: float
) -> None:
    assert history.error(width) == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize("width", [0.05, 0.1])
def test_a_tracked_width_comes_out_as_it_was_tracked(history: History, width: float) -> None:
    found = load_checkpoint(average(history.run, width).path).model_tensors()
    checkpoint = load_checkpoint(history.run)
    state = {k: v for k, v in checkpoint.state_tensors().items() if k.startswith("average.0.1.")}
    further = {name.removeprefix("average.0.1."): tensor for name, tensor in state.items()}
    tracked = checkpoint.model_tensors() if width == 0.05 else further
    for name, tensor in tracked.items():
        assert torch.allclose(found[name], tensor, rtol=1e-6, atol=1e-7), name


def test_without_snapshots_two_widths_still_give_those_between_them_roughly(
    bare: History, caplog: pytest.LogCaptureFixture
) -> None:
    assert bare.error(0.08) == pytest.approx(0.070, rel=0.1)
    assert caplog.text == ""
    done = average(bare.run, 0.13)
    assert done.error == pytest.approx(0.1327, abs=1e-3)
    assert "only had within 13%" in caplog.text


def test_a_width_that_cannot_be_had_is_refused_with_a_cure(bare: History) -> None:
    with pytest.raises(ConfigError, match=r"width 0\.2 is only had within 60%.*snapshot_every"):
        average(bare.run, 0.2)


@pytest.mark.parametrize("width", [0.0, -0.1, 0.25, 1.0, float("nan"), float("inf")])
def test_a_width_out_of_range_is_refused(history: History, width: float) -> None:
    with pytest.raises(ConfigError, match=r"above 0 and below 0\.25"):
        average(history.run, width)


def test_the_average_is_a_checkpoint_that_says_what_it_is(history: History) -> None:
    done = average(history.run, 0.08)
    assert done.path == history.run / "averages" / "000002560-0.08"
    assert (done.sources, done.images_seen) == (64, END)
    checkpoint = load_checkpoint(done.path)
    assert checkpoint.width == 0.08
    assert checkpoint.images_seen == END
    assert checkpoint.validation_loss == float("inf")  # that was of other weights
    assert checkpoint.fingerprint != load_checkpoint(history.run).fingerprint
    assert checkpoint.run == history.run


def test_it_is_drawn_from_like_any_checkpoint(history: History) -> None:
    denoiser = load_checkpoint(average(history.run, 0.08).path).denoiser()
    drawn = draw_pictures(
        denoiser, of_labels(torch.tensor([0, 1])), [1, 2], Sampling(sampler="ddim", steps=2)
    )
    assert drawn.shape == (2, *SUBJECT.picture)


def test_it_cannot_be_trained_on_and_says_so(history: History) -> None:
    checkpoint = load_checkpoint(average(history.run, 0.08).path)
    for ask in (checkpoint.state_tensors, lambda: checkpoint.denoiser(ema=False)):
        with pytest.raises(ConfigError, match=f"no {STATE}; give a checkpoint that the training"):
            ask()


def test_the_run_s_own_checkpoints_are_left_as_they_are(history: History) -> None:
    before = [folder.name for folder in checkpoint_folders(history.run)]
    average(history.run, 0.08)
    assert [folder.name for folder in checkpoint_folders(history.run)] == before
    assert load_checkpoint(history.run).facts["files"].keys() == {MODEL, STATE}


def test_it_is_written_where_it_is_wanted_and_again_if_asked_again(
    history: History, tmp_path: Path
) -> None:
    done = average(history.run, 0.08, tmp_path / "mine")
    again = average(history.run, 0.08, tmp_path / "mine")
    assert done == again
    assert done.path == tmp_path / "mine"
    assert load_checkpoint(tmp_path / "mine").width == 0.08


@pytest.mark.parametrize("there", ["a file", "a folder", "a checkpoint"])
def test_nothing_but_an_average_is_ever_replaced(
    history: History, tmp_path: Path, there: str
) -> None:
    out = tmp_path / "mine"
    if there == "a file":
        out.write_text("a pack")
    elif there == "a folder":
        (out / "runs").mkdir(parents=True)
    else:
        out.symlink_to(checkpoint_folders(history.run)[-1])
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match="mine is there already and is no average; give another"):
        average(history.run, 0.08, out)
    assert contents(tmp_path) == before


def test_an_empty_folder_may_be_filled_and_a_replaced_average_leaves_nothing(
    history: History, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    for width in (0.08, 0.06):
        assert average(history.run, width, tmp_path / "mine").path == tmp_path / "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert load_checkpoint(tmp_path / "mine").width == 0.06


def contents(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_damaged_snapshots_are_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = History(tmp_path, snapshots=16)
    for snapshot in read_snapshots(tmp_path)[::4]:
        (snapshot.path / AVERAGES).write_bytes(b"damaged")
    assert history.error(0.08) < 5e-3
    assert caplog.text.count("it is left out") == 4


def test_snapshots_of_later_images_do_not_count(tmp_path: Path) -> None:
    """As where a run went back, and has not come so far again."""
    history = History(tmp_path, snapshots=16)
    network = small_network()
    averages = WeightAverages(network, (0.05, 0.1))
    files = snapshot_files(averages)
    write_snapshot(tmp_path, files, averages.widths, END + 8, small_config())
    assert {s.images_seen for s in kept_averages(load_checkpoint(tmp_path))} <= set(range(END + 1))
    assert history.error(0.08) < 5e-3


def test_earlier_checkpoints_serve_as_snapshots_do(tmp_path: Path) -> None:
    for images in (8, 16, 24):
        write_small_checkpoint(tmp_path, images)
    sources = kept_averages(load_checkpoint(tmp_path / "checkpoints" / "000000016"))
    assert [(s.images_seen, s.width) for s in sources] == [
        (8, 0.05),
        (8, 0.1),
        (16, 0.05),
        (16, 0.1),
    ]


def test_one_average_alone_gives_no_other(tmp_path: Path) -> None:
    network, config = small_network(), small_config(ema_widths=[0.05])
    files = files_of(network, WeightAverages(network, config.ema_widths))
    write_checkpoint(tmp_path / "checkpoints", files, facts(8), config)
    assert average(tmp_path, 0.05).sources == 1
    with pytest.raises(ConfigError, match="choose a width nearer"):
        average(tmp_path, 0.1)


def test_snapshots_of_another_network_are_bad_data(tmp_path: Path) -> None:
    write_small_checkpoint(tmp_path, 80)
    other = WeightAverages(torch.nn.Linear(2, 2), (0.05, 0.1))
    write_snapshot(tmp_path, snapshot_files(other), other.widths, 40, small_config())
    with pytest.raises(DataError, match="another architecture"):
        average(tmp_path, 0.08)


def test_the_autoencoder_of_latents_goes_along(tmp_path: Path) -> None:
    network, fixed = small_network(), {"vae.weight": torch.ones(3)}
    averages = WeightAverages(network, (0.05, 0.1))
    files = checkpoint_files(network, averages, {}, fixed=fixed)
    write_checkpoint(tmp_path / "checkpoints", files, facts(8), small_config())
    found = load_checkpoint(average(tmp_path, 0.08).path).fixed_tensors()
    assert torch.equal(found["vae.weight"], torch.ones(3))


@pytest.mark.slow
def test_after_a_real_training_it_is_what_another_run_tracked(pack: Path, tmp_path: Path) -> None:
    """Averages change nothing that is learnt, so two runs of other widths are of equal weights."""
    common = {"images": 80 * 8, "checkpoint_every_images": 80 * 8, "stats_every_steps": 50}
    worked_out = tiny_config(pack, snapshot_every_images=5 * 8, **common)
    tracking = tiny_config(pack, ema_widths=[0.08], **common)
    found = load_checkpoint(average(train(worked_out, tmp_path / "a").run, 0.08).path)
    other = load_checkpoint(train(tracking, tmp_path / "b").run)
    ours, tracked = _flat(found.model_tensors()), _flat(other.model_tensors())
    raw = _flat(raw_weights(other.state_tensors()))
    # What is left is the half width that snapshots are kept at: these weights hardly moved yet.
    assert float((ours - tracked).norm() / tracked.norm()) < 1e-4
    assert float((ours - tracked).norm() / (raw - tracked).norm()) < 0.05
