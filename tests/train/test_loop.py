import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from dataset.errors import ConfigError, DataError, WorldError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.checkpoint import MODEL, STATE, checkpoint_folders, load_checkpoint
from train.diffusion import Denoiser
from train.loop import Run, find_device, stop_requests, train
from train.preview import draw_preview
from train.run_folder import RunFolder


def weights(run: Path) -> dict[str, torch.Tensor]:
    """Everything that the latest checkpoint holds."""
    folder = checkpoint_folders(run)[-1]
    return load_file(folder / MODEL) | load_file(folder / STATE)


def assert_same(one: Path, other: Path) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def figures(run: Path) -> list[tuple[int, float]]:
    """Images and loss of each line of figures."""
    lines = RunFolder(run.parent, run.name).read_stats()
    return [(line["images"], line["loss"]) for line in lines]


class Stop(Exception):
    """Ends a run from within, at a checkpoint."""


def train_until(images: int, config: Any, runs: Path) -> None:
    """Train, and die as soon as the checkpoint of `images` is written."""

    def die(path: Path) -> None:
        if path.name == f"{images:09d}":
            raise Stop

    with pytest.raises(Stop):
        train(config, runs, on_checkpoint=die)


def test_a_run_leaves_config_figures_previews_and_checkpoints(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, preview={"every_images": 24})
    outcome = train(config, tmp_path)
    run = tmp_path / "test"
    assert outcome.run == run
    assert outcome.images_seen == 48
    assert not outcome.was_finished
    assert json.loads((run / "config.json").read_text())["unet"]["base_channels"] == 8
    assert [folder.name for folder in checkpoint_folders(run)] == ["000000024", "000000048"]
    assert sorted(path.name for path in (run / "previews").iterdir()) == [
        "000000024.png",
        "000000048.png",
    ]
    assert [images for images, _ in figures(run)] == [16, 24, 40, 48]
    line = RunFolder(tmp_path, "test").read_stats()[0]
    assert line.keys() == {"images", "loss", "lr", "images_per_s", "grad_norm", "skipped"}


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_resumed_run_is_the_uninterrupted_run_to_the_bit(
    pack: Path, tmp_path: Path, dropout: float
) -> None:
    config = tiny_config(pack, flip=True, unet={"dropout": dropout})
    whole = train(config, tmp_path / "whole").run
    train_until(24, config, tmp_path / "parts")
    parts = train(config, tmp_path / "parts").run
    assert_same(whole, parts)
    assert figures(whole) == figures(parts)


def test_work_after_the_last_checkpoint_is_done_again_alike(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=80, checkpoint_every_images=40)
    whole = train(config, tmp_path / "whole").run
    parts = train(config, tmp_path / "parts").run
    (parts / "checkpoints" / "000000080" / MODEL).write_bytes(b"damaged")
    with (parts / "stats.jsonl").open("a") as stats:
        stats.write('{"images": 99')  # torn by a kill
    train(config, tmp_path / "parts")
    assert_same(whole, parts)
    assert figures(whole) == figures(parts)


def test_ctrl_c_writes_a_checkpoint_and_the_run_goes_on_from_it(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack)
    whole = train(config, tmp_path / "whole").run
    with pytest.raises(KeyboardInterrupt):
        train(
            config, tmp_path / "parts", on_checkpoint=lambda _: signal.raise_signal(signal.SIGINT)
        )
    parts = tmp_path / "parts" / "test"
    names = [folder.name for folder in checkpoint_folders(parts)]
    assert names == ["000000024", "000000032"]  # the second is the one of the stop
    train(config, tmp_path / "parts")
    assert_same(whole, parts)


class StoppingFolder(RunFolder):
    """Ctrl-C comes while the second line of figures is written."""

    lines = 0

    def add_stats(self, line: Mapping[str, Any]) -> None:
        super().add_stats(line)
        self.lines += 1
        if self.lines == 2:
            signal.raise_signal(signal.SIGTERM)


def test_a_stop_between_checkpoints_loses_no_step(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=80, checkpoint_every_images=80)
    whole = train(config, tmp_path / "whole").run
    folder = StoppingFolder(tmp_path / "parts", "test")
    run = Run(config, folder, PackedDataset(pack), torch.device("cpu"))
    with folder.locked(), pytest.raises(KeyboardInterrupt):
        run.go()
    assert load_checkpoint(folder.path).images_seen == 40  # one step after the signal
    train(config, tmp_path / "parts")
    assert_same(whole, folder.path)


def test_a_second_ctrl_c_stops_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stop_requests():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_finished_run_says_so_and_is_left_alone(pack: Path, tmp_path: Path) -> None:
    first = train(tiny_config(pack), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.run.rglob("*.safetensors")}
    again = train(tiny_config(pack), tmp_path)
    assert again.was_finished
    assert again.checkpoint == first.checkpoint
    assert before == {path: path.stat().st_mtime_ns for path in first.run.rglob("*.safetensors")}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"lr": 5e-4}, "lr"),
        ({"images": 96}, "images"),
        ({"unet": {"base_channels": 16}}, "unet.base_channels"),
        ({"diffusion": {"schedule": "linear"}}, "diffusion.schedule"),
    ],
)
def test_a_run_of_another_config_is_refused_with_the_key(
    pack: Path, tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    train(tiny_config(pack), tmp_path)
    with pytest.raises(ConfigError, match=f"{key} = .*--restart"):
        train(tiny_config(pack, **changes), tmp_path)


def test_keys_that_change_nothing_learnt_may_change(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack)
    whole = train(config, tmp_path / "whole").run
    train_until(24, config, tmp_path / "parts")
    moved = pack.rename(tmp_path / "moved.h5")
    other = tiny_config(moved, checkpoint_every_images=16, keep_last=1, preview={"steps": 3})
    parts = train(other, tmp_path / "parts").run
    assert_same(whole, parts)


def test_a_run_of_a_version_without_a_key_goes_on_unless_the_key_changes_something(
    pack: Path, tmp_path: Path
) -> None:
    train(tiny_config(pack), tmp_path)
    written = tmp_path / "test" / "config.json"
    older = json.loads(written.read_text())
    del older["augment"], older["reading"]
    written.write_text(json.dumps(older))
    with pytest.raises(ConfigError, match=r"augment\.probability = 0\.0, now it is 0\.5"):
        train(tiny_config(pack, augment={"probability": 0.5}), tmp_path)
    assert train(tiny_config(pack), tmp_path).was_finished


def test_a_run_of_another_pack_is_refused(pack: Path, tmp_path: Path) -> None:
    train(tiny_config(pack), tmp_path)
    other = write_drawn_pack(tmp_path / "other.h5", seed=2)
    with pytest.raises(ConfigError, match="another pack"):
        train(tiny_config(other), tmp_path)


def test_restart_sets_the_old_run_aside(pack: Path, tmp_path: Path) -> None:
    train(tiny_config(pack), tmp_path)
    outcome = train(tiny_config(pack, lr=5e-4), tmp_path, restart=True)
    assert not outcome.was_finished
    assert load_checkpoint(tmp_path / "test.1").config.lr == 1e-3
    assert load_checkpoint(tmp_path / "test").config.lr == 5e-4
    train(tiny_config(pack), tmp_path, restart=True)
    assert load_checkpoint(tmp_path / "test.2").config.lr == 5e-4


def test_two_processes_never_train_one_run(pack: Path, tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path, "test").locked(),
        pytest.raises(ConfigError, match="another process"),
    ):
        train(tiny_config(pack), tmp_path)


def test_only_the_last_checkpoints_are_kept(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=80, checkpoint_every_images=8, keep_last=2)
    run = train(config, tmp_path).run
    assert [folder.name for folder in checkpoint_folders(run)] == ["000000072", "000000080"]
    assert [path.name for path in (run / "checkpoints").glob(".*")] == []


def test_previews_are_drawn_with_the_averaged_weights(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, lr=0.02, ema_half_life_images=1000, ema_ramp=100.0)
    run = train(config, tmp_path).run
    shown = Image.open(run / "previews" / "000000048.png").convert("RGB").tobytes()
    checkpoint = load_checkpoint(run)

    def sheet(denoiser: Denoiser) -> bytes:
        names = checkpoint.label_names
        return draw_preview(denoiser, config.preview, names, config.seed).tobytes()

    assert shown == sheet(checkpoint.denoiser(ema=True))
    assert shown != sheet(checkpoint.denoiser(ema=False))


def test_the_average_goes_on_where_it_was_and_not_from_the_start(
    pack: Path, tmp_path: Path
) -> None:
    config = tiny_config(pack)
    train_until(24, config, tmp_path)
    before = load_file(checkpoint_folders(tmp_path / "test")[-1] / MODEL)
    train(config, tmp_path)
    after = load_file(checkpoint_folders(tmp_path / "test")[-1] / MODEL)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.isfinite(tensor).all() for tensor in after.values())


@pytest.mark.parametrize("shape", [(1, 8, 8), (4, 8, 8), (3, 8, 12), (3, 28, 20)])
def test_grey_transparent_and_oblong_pictures_are_learnt(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", shape=shape)
    outcome = train(tiny_config(pack, images=16), tmp_path)
    assert load_checkpoint(outcome.run).shape == shape


def test_a_pack_without_labels_is_learnt(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", labelled=False)
    outcome = train(tiny_config(pack, images=16), tmp_path)
    assert load_checkpoint(outcome.run).label_names == []


def test_a_pack_smaller_than_a_batch_is_learnt(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", count=3)
    assert train(tiny_config(pack), tmp_path).images_seen == 48


def test_a_network_that_does_not_fit_the_pack_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", shape=(3, 9, 8))
    with pytest.raises(ConfigError, match="8 x 9"):
        train(tiny_config(pack), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_missing_pack_empty_split_and_wrong_pack_are_one_line(tmp_path: Path, pack: Path) -> None:
    with pytest.raises(ConfigError, match="no pack at"):
        train(tiny_config(tmp_path / "absent.h5"), tmp_path)
    with pytest.raises(DataError, match="split test"):
        train(tiny_config(pack, split="test"), tmp_path)
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    with pytest.raises(DataError, match=r"text\.h5"):
        train(tiny_config(text), tmp_path)


def test_twenty_unusable_batches_in_a_row_end_the_run(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, images=800, lr=1e30, warmup_images=0, decay="constant")
    with pytest.raises(DataError, match=r"not finite.*lower lr"):
        train(config, tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_one_line(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no CUDA device"):
        train(tiny_config(pack, device="cuda"), tmp_path)
    assert find_device("auto") == torch.device("cpu")


@pytest.mark.gpu
def test_a_run_on_the_gpu_is_resumed(pack: Path, tmp_path: Path) -> None:
    config = tiny_config(pack, device="cuda")
    train_until(24, config, tmp_path)
    outcome = train(config, tmp_path)
    assert outcome.images_seen == 48
    assert load_checkpoint(outcome.run).denoiser("cuda").device.type == "cuda"
