import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dataset.errors import ConfigError, DataError
from tests.train.kept_run import (
    facts,
    files_of,
    small_config,
    small_network,
    wander,
    write_small_checkpoint,
)
from train.checkpoint import (
    MANIFEST,
    MODEL,
    STATE,
    checkpoint_files,
    checkpoint_folders,
    load_checkpoint,
    write_checkpoint,
)
from train.condition import of_labels
from train.ema import WeightAverages
from train.retention import keep_checkpoints


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with checkpoints at 24 and 48 images."""
    run = tmp_path / "runs" / "test"
    network = small_network()
    averages = WeightAverages(network, small_config().ema_widths)
    for step in range(1, 7):
        wander(network, step)
        averages.update(network, step * 8, 8)
        if step in (3, 6):
            files, about = files_of(network, averages), facts(step * 8, validation_loss=1.0 / step)
            write_checkpoint(run / "checkpoints", files, about, small_config())
    return run


def edit_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))


def edit_weights(folder: Path, **changes: torch.Tensor) -> None:
    """Rewrite the averaged weights and their digest, as a program of another kind would."""
    save_file(load_file(folder / MODEL) | changes, folder / MODEL)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    files[MODEL] = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    edit_manifest(folder, files=files)


def test_a_checkpoint_knows_what_it_is(run: Path) -> None:
    checkpoint = load_checkpoint(run)
    assert checkpoint.path == run / "checkpoints" / "000000048"
    assert checkpoint.images_seen == 48
    assert checkpoint.shape == (3, 8, 8)
    assert checkpoint.label_names == ["bar", "block"]
    assert checkpoint.config == small_config()
    assert checkpoint.width == small_config().ema_widths[0]
    assert checkpoint.validation_loss == pytest.approx(1 / 6)
    assert checkpoint.run == run
    assert len(checkpoint.fingerprint) == len(checkpoint.pack_hash) == 64


def test_a_checkpoint_s_own_folder_may_be_given(run: Path) -> None:
    assert load_checkpoint(run / "checkpoints" / "000000024").images_seen == 24


def test_averaged_and_raw_weights_differ_and_both_predict(run: Path) -> None:
    checkpoint = load_checkpoint(run)
    x, sigma = torch.randn(2, 3, 8, 8), torch.tensor([0.1, 5.0])
    averaged, raw = (
        checkpoint.denoiser(ema=ema).denoise(x, sigma, of_labels(torch.tensor([0, 1])))
        for ema in (True, False)
    )
    assert averaged.shape == (2, 3, 8, 8)
    assert not torch.equal(averaged, raw)


def test_what_never_changes_is_kept_beside_and_only_where_there_is_any(run: Path) -> None:
    assert load_checkpoint(run).fixed_tensors() == {}
    network = small_network()
    averages, fixed = WeightAverages(network, (0.05, 0.1)), {"vae.weight": torch.ones(3)}
    files = checkpoint_files(network, averages, {}, fixed=fixed)
    path = write_checkpoint(run / "checkpoints", files, facts(96), small_config())
    assert torch.equal(load_checkpoint(path).fixed_tensors()["vae.weight"], torch.ones(3))


def test_parts_are_gathered_into_whole_weights() -> None:
    network = small_network()
    averages = WeightAverages(network, (0.05, 0.1))
    whole = checkpoint_files(network, averages, {})
    name, parameter = next(iter(network.named_parameters()))
    averages.shard({name: parameter.detach()[:4]})
    rest = parameter.detach()[4:]
    files = checkpoint_files(
        network,
        averages,
        {},
        gathered=lambda parts: {name: torch.cat([part, rest]) for name, part in parts.items()},
    )
    for file, tensors in files.items():
        assert all(torch.equal(tensor, whole[file][name]) for name, tensor in tensors.items())


def test_an_autoencoder_s_checkpoint_is_not_drawn_from_as_a_denoiser(run: Path) -> None:
    folder = run / "checkpoints" / "000000048"
    config = json.loads((folder / MANIFEST).read_text())["config"]
    edit_manifest(folder, config=config | {"kind": "vae"})
    with pytest.raises(ConfigError, match="is of an autoencoder"):
        load_checkpoint(folder).denoiser()


def test_a_link_to_a_checkpoint_is_that_checkpoint(run: Path) -> None:
    keep_checkpoints(run, 3)
    checkpoint = load_checkpoint(run / "best")
    assert checkpoint.path == run.resolve() / "checkpoints" / "000000048"


@pytest.mark.parametrize("loss", [None, "low", float("nan"), float("inf")])
def test_a_loss_that_is_no_number_counts_as_not_measured(run: Path, loss: Any) -> None:
    folder = run / "checkpoints" / "000000048"
    edit_manifest(folder, validation_loss=loss)
    assert load_checkpoint(folder).validation_loss == float("inf")


@pytest.mark.parametrize("name", [MODEL, STATE])
@pytest.mark.parametrize("damage", ["flipped byte", "cut short", "missing"])
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    run: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = run / "checkpoints" / "000000048" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flipped byte" else content[:-100])
    assert load_checkpoint(run).images_seen == 24
    assert f"{name} is not what was written" in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', "\x00\x01"])
def test_a_damaged_manifest_is_passed_over(run: Path, text: str) -> None:
    (run / "checkpoints" / "000000048" / MANIFEST).write_text(text)
    assert load_checkpoint(run).images_seen == 24


def test_a_folder_without_manifest_is_no_checkpoint(run: Path) -> None:
    (run / "checkpoints" / "000000048" / MANIFEST).unlink()
    assert [folder.name for folder in checkpoint_folders(run)] == ["000000024"]


def test_a_damaged_checkpoint_given_by_itself_is_bad_data(run: Path) -> None:
    folder = run / "checkpoints" / "000000048"
    (folder / MODEL).write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint(folder)


def test_with_all_checkpoints_damaged_there_is_nothing_to_load(run: Path) -> None:
    for folder in checkpoint_folders(run):
        (folder / MODEL).write_bytes(b"")
    with pytest.raises(DataError, match="no usable checkpoint"):
        load_checkpoint(run)


def test_without_any_checkpoint_the_user_is_told_to_train(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="train first"):
        load_checkpoint(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="train first"):
        load_checkpoint(tmp_path)


def test_weights_of_another_architecture_are_named(run: Path) -> None:
    folder = run / "checkpoints" / "000000048"
    edit_weights(folder, **{"stem.weight": torch.zeros(16, 3, 3, 3)})
    with pytest.raises(DataError, match=r"another architecture: stem\.weight is \(16, 3, 3, 3\)"):
        load_checkpoint(folder).denoiser()


def test_a_weight_that_the_network_does_not_have_is_named(run: Path) -> None:
    folder = run / "checkpoints" / "000000048"
    edit_weights(folder, **{"attention.extra": torch.zeros(2)})
    with pytest.raises(DataError, match=r"attention\.extra"):
        load_checkpoint(folder).denoiser()


def test_a_checkpoint_of_another_format_or_version_says_so(run: Path) -> None:
    folder = run / "checkpoints" / "000000048"
    config = json.loads((folder / MANIFEST).read_text())["config"]
    edit_manifest(folder, config=config | {"moon_phase": 1})
    with pytest.raises(DataError, match="moon_phase"):
        load_checkpoint(folder)
    edit_manifest(folder, config=config, format=99)
    with pytest.raises(DataError, match="format 99"):
        load_checkpoint(folder)


_WRITER = """
import sys, torch
from pathlib import Path
from tests.train.kept_run import facts, small_config
from train.checkpoint import write_checkpoint

size, folder = int(sys.argv[1]), Path(sys.argv[2])
for images in (24, 48):
    files = {"model.safetensors": {"w": torch.ones(size)}, "state.safetensors": {}}
    write_checkpoint(folder, files, facts(images), small_config())
    size *= 50
"""


def test_a_writer_killed_in_the_midst_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-c", _WRITER, "1000000", str(run / "checkpoints")]
    with subprocess.Popen(command) as writer:
        while not list((run / "checkpoints").glob(".000000048.*.partial/model.safetensors")):
            assert writer.poll() is None
            time.sleep(0.001)
        writer.send_signal(signal.SIGKILL)
    assert [folder.name for folder in checkpoint_folders(run)] == ["000000024"]
    assert load_checkpoint(run).images_seen == 24
    assert list((run / "checkpoints").glob(".*.partial")) != []
    keep_checkpoints(run, 3)
    assert list((run / "checkpoints").glob(".*.partial")) == []
    assert load_checkpoint(run).images_seen == 24


def test_a_failed_save_leaves_the_checkpoint_before_and_no_litter(run: Path) -> None:
    names = {path.name for path in (run / "checkpoints").iterdir()}
    with pytest.raises(TypeError):
        write_small_checkpoint(run, 96, shape={1, 2})
    assert {path.name for path in (run / "checkpoints").iterdir()} == names
    assert load_checkpoint(run).images_seen == 48


def test_a_checkpoint_written_again_replaces_the_one_that_was_there(run: Path) -> None:
    (run / "checkpoints" / "000000048" / MODEL).write_bytes(b"damaged")
    write_small_checkpoint(run, 48)
    assert load_checkpoint(run).images_seen == 48


def test_a_copied_checkpoint_loads_away_from_its_run(run: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(run / "checkpoints" / "000000048", tmp_path / "elsewhere" / "mine")
    assert load_checkpoint(copied).images_seen == 48
