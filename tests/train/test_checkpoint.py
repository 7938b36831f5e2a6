import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dataset.errors import ConfigError, DataError
from tests.train.drawn_pack import tiny_config
from train.checkpoint import (
    MANIFEST,
    MODEL,
    STATE,
    checkpoint_folders,
    load_checkpoint,
    save_checkpoint,
)
from train.loop import train


@pytest.fixture
def run(pack: Path, tmp_path: Path) -> Path:
    """A finished run with checkpoints at 24 and 48 images."""
    return train(tiny_config(pack), tmp_path / "runs").run


def edit_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))


def edit_weights(folder: Path, **changes: torch.Tensor) -> None:
    """Rewrite the averaged weights and their digest, as a program of another kind would."""
    import hashlib

    save_file(load_file(folder / MODEL) | changes, folder / MODEL)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    files[MODEL] = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    edit_manifest(folder, files=files)


def test_a_checkpoint_knows_what_it_is(run: Path, pack: Path) -> None:
    checkpoint = load_checkpoint(run)
    assert checkpoint.path == run / "checkpoints" / "000000048"
    assert checkpoint.images_seen == 48
    assert checkpoint.shape == (3, 8, 8)
    assert checkpoint.label_names == ["bar", "block"]
    assert checkpoint.config == tiny_config(pack)
    assert len(checkpoint.fingerprint) == len(checkpoint.pack_hash) == 64


def test_a_checkpoint_s_own_folder_may_be_given(run: Path) -> None:
    assert load_checkpoint(run / "checkpoints" / "000000024").images_seen == 24


def test_averaged_and_raw_weights_differ_and_both_predict(run: Path) -> None:
    checkpoint = load_checkpoint(run)
    x, t = torch.randn(2, 3, 8, 8), torch.tensor([10, 900])
    averaged, raw = (checkpoint.denoiser(ema=ema).predict(x, t)[0] for ema in (True, False))
    assert averaged.shape == (2, 3, 8, 8)
    assert not torch.equal(averaged, raw)


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


def test_what_a_killed_writer_left_is_not_seen_and_is_swept_up(pack: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    stale = runs / "test" / "checkpoints" / ".000000099.1.partial"
    stale.mkdir(parents=True)
    (stale / MODEL).write_bytes(b"half")
    run = train(tiny_config(pack), runs).run
    assert not stale.exists()
    assert load_checkpoint(run).images_seen == 48


def test_a_failed_save_leaves_the_checkpoint_before_and_no_litter(run: Path, pack: Path) -> None:
    names = {path.name for path in (run / "checkpoints").iterdir()}
    unserialisable: dict[str, Any] = {"images_seen": 96, "shape": {1, 2}}
    with pytest.raises(TypeError):
        save_checkpoint(
            run / "checkpoints",
            model={},
            raw={},
            optimiser={},
            facts=unserialisable,
            config=tiny_config(pack),
        )
    assert {path.name for path in (run / "checkpoints").iterdir()} == names
    assert load_checkpoint(run).images_seen == 48


def test_a_copied_checkpoint_loads_away_from_its_run(run: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(run / "checkpoints" / "000000048", tmp_path / "elsewhere" / "mine")
    assert load_checkpoint(copied).images_seen == 48
