import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from dataset.errors import WorldError
from tests.train.kept_run import (
    facts,
    files_no_larger_than,
    files_of,
    small_config,
    small_network,
    wander,
)
from train.checkpoint import MODEL, STATE, checkpoint_folders, load_checkpoint, raw_weights
from train.ema import WeightAverages
from train.retention import BEST
from train.saver import BackgroundSaver
from train.snapshots import read_snapshots, snapshot_files


@pytest.fixture
def network() -> nn.Module:
    return small_network()


@pytest.fixture
def averages(network: nn.Module) -> WeightAverages:
    return WeightAverages(network, (0.05, 0.1))


def test_a_checkpoint_is_of_the_moment_it_was_asked_for(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with BackgroundSaver(tmp_path, small_config()) as saver:
        saver.save(files_of(network, averages), facts(8))
        wander(network, 1, size=1.0)  # the training goes on while it is being written
    saved = raw_weights(load_checkpoint(tmp_path).state_tensors())
    assert saved.keys() == before.keys()
    assert all(torch.equal(saved[name], tensor) for name, tensor in before.items())


def test_leaving_waits_for_what_is_being_written(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    with BackgroundSaver(tmp_path, small_config()) as saver:
        saver.save(files_of(network, averages), facts(8))
        saver.snapshot(snapshot_files(averages), 8)
    assert load_checkpoint(tmp_path).images_seen == 8
    assert [snapshot.images_seen for snapshot in read_snapshots(tmp_path)] == [8]


def test_leaving_by_ctrl_c_waits_as_well(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        BackgroundSaver(tmp_path, small_config()) as saver,
    ):
        saver.save(files_of(network, averages), facts(8))
        signal.raise_signal(signal.SIGINT)
    assert load_checkpoint(tmp_path).images_seen == 8


def test_what_was_written_is_said_once(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    with BackgroundSaver(tmp_path, small_config()) as saver:
        assert saver.poll() == []
        saver.save(files_of(network, averages), facts(8))
        saver.save(files_of(network, averages), facts(16))
        paths = [tmp_path / "checkpoints" / name for name in ("000000008", "000000016")]
        assert saver.wait() == paths
        assert saver.wait() == saver.poll() == []


def test_old_ones_are_removed_and_the_best_is_pointed_to(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    with BackgroundSaver(tmp_path, small_config(keep_last=1)) as saver:
        for number, loss in enumerate((0.3, 0.1, 0.2, 0.4), start=1):
            saver.save(files_of(network, averages), facts(8 * number, validation_loss=loss))
    assert [folder.name for folder in checkpoint_folders(tmp_path)] == ["000000016", "000000032"]
    assert load_checkpoint(tmp_path / BEST).images_seen == 16


def test_saves_in_quick_succession_are_each_of_their_own_moment(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    name, parameter = next(iter(network.named_parameters()))
    with BackgroundSaver(tmp_path, small_config(keep_last=20)) as saver:
        for number in range(1, 11):
            with torch.no_grad():
                parameter.fill_(number)
            averages.update(network, 8, 8)
            saver.save(files_of(network, averages), facts(8 * number))
            saver.snapshot(snapshot_files(averages), 8 * number)
    for number, folder in enumerate(checkpoint_folders(tmp_path), start=1):
        assert (load_checkpoint(folder).model_tensors()[name] == number).all()
    for number, snapshot in enumerate(read_snapshots(tmp_path), start=1):
        assert (snapshot.tensors()[f"0.1.{name}"] == number).all()


@pytest.mark.parametrize("call", ["save", "poll", "wait", "leave"])
def test_a_disk_that_is_full_is_one_line_in_the_training_thread(
    network: nn.Module, averages: WeightAverages, tmp_path: Path, call: str
) -> None:
    saver = BackgroundSaver(tmp_path, small_config())
    with (
        pytest.raises(WorldError, match="the checkpoint of image 16 could not be written") as told,
        saver,
    ):
        saver.save(files_of(network, averages), facts(8))
        saver.wait()
        with files_no_larger_than(20_000):
            saver.save(files_of(network, averages), facts(16))
            while not saver._checkpoint.done:
                threading.Event().wait(0.001)
        if call == "save":
            saver.save(files_of(network, averages), facts(24))
        elif call in ("poll", "wait"):
            getattr(saver, call)()
    assert "File too large" in str(told.value)
    assert "\n" not in str(told.value)
    assert load_checkpoint(tmp_path).images_seen == 8
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000008"]


def test_once_there_is_space_again_saving_goes_on(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    with BackgroundSaver(tmp_path, small_config()) as saver:
        with files_no_larger_than(20_000), pytest.raises(WorldError):
            saver.save(files_of(network, averages), facts(8))
            saver.wait()
        saver.save(files_of(network, averages), facts(16))
    assert load_checkpoint(tmp_path).images_seen == 16


def test_a_snapshot_that_cannot_be_written_is_said_too(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    with (
        files_no_larger_than(20_000),
        pytest.raises(WorldError, match="the snapshot of image 8 could not be written"),
        BackgroundSaver(tmp_path, small_config()) as saver,
    ):
        saver.snapshot(snapshot_files(averages), 8)
    assert read_snapshots(tmp_path) == []


def test_an_error_of_the_training_is_not_hidden_by_one_of_the_disk(
    network: nn.Module, averages: WeightAverages, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        files_no_larger_than(20_000),
        pytest.raises(ZeroDivisionError),
        BackgroundSaver(tmp_path, small_config()) as saver,
    ):
        saver.save(files_of(network, averages), facts(8))
        raise ZeroDivisionError
    assert "the checkpoint of image 8 could not be written" in caplog.text


def test_a_run_folder_that_may_not_be_written_to_is_one_line(
    network: nn.Module, averages: WeightAverages, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").write_text("a file where a folder should be")
    with (
        pytest.raises(WorldError, match="could not be written"),
        BackgroundSaver(tmp_path, small_config()) as saver,
    ):
        saver.save(files_of(network, averages), facts(8))


_EXITING = """
import sys, torch
from pathlib import Path
from tests.train.kept_run import facts, small_config
from train.saver import BackgroundSaver

saver = BackgroundSaver(Path(sys.argv[1]), small_config())
saver.save({"model.safetensors": {"w": torch.ones(20_000_000)}}, facts(8))
sys.exit(3)  # without a word to the saver
"""


def test_a_process_that_exits_without_waiting_still_finishes_the_file(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _EXITING, str(tmp_path)], check=False)
    assert ended.returncode == 3
    assert (load_checkpoint(tmp_path).path / MODEL).stat().st_size > 80_000_000


@pytest.mark.gpu
def test_on_a_gpu_the_copies_are_of_the_moment_too(tmp_path: Path) -> None:
    """The copying is only queued there, and steps are queued behind it."""
    weights = torch.zeros(50_000_000, device="cuda")
    with BackgroundSaver(tmp_path, small_config(keep_last=5)) as saver:
        for number in range(1, 6):
            saver.save({MODEL: {"w": weights.fill_(number)}, STATE: {}}, facts(8 * number))
            weights.fill_(-1.0)
    for number, folder in enumerate(checkpoint_folders(tmp_path), start=1):
        assert (load_checkpoint(folder).model_tensors()["w"] == number).all()
