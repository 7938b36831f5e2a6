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
from dataset.progress import set_progress_mode
from tests.train.compared_runs import assert_same, figures
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.checkpoint import MODEL, checkpoint_folders, load_checkpoint
from train.denoiser import Denoiser
from train.device import find_device
from train.loop import Run, train
from train.preparation import prepare
from train.preview import drawn_panel, side_by_side
from train.run_folder import RunFolder
from train.stopping import stop_requests


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
    assert line.keys() == {
        "images",
        "loss",
        "lr",
        "images_per_s",
        "grad_norm",
        "skipped",
        "gflops",
    }


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
    run = Run(config, folder, prepare(config), torch.device("cpu"))
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


def test_previews_show_averaged_and_raw_weights_beside_each_other(
    pack: Path, tmp_path: Path
) -> None:
    config = tiny_config(pack, lr=0.02, ema_widths=[0.2])
    run = train(config, tmp_path).run
    shown = Image.open(run / "previews" / "000000048.png").convert("RGB").tobytes()
    checkpoint = load_checkpoint(run)

    def sheet(left: Denoiser, right: Denoiser) -> bytes:
        panels = {
            name: drawn_panel(denoiser, config.preview, checkpoint.label_names, config.seed)
            for name, denoiser in (("averaged", left), ("raw", right))
        }
        return side_by_side(panels).tobytes()

    averaged, raw = checkpoint.denoiser(ema=True), checkpoint.denoiser(ema=False)
    assert shown == sheet(averaged, raw)
    assert shown != sheet(averaged, averaged)


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


def test_a_budget_that_is_no_whole_number_of_batches_is_never_overrun(
    pack: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_progress_mode("json")
    try:
        outcome = train(tiny_config(pack, images=20), tmp_path)
    finally:
        set_progress_mode("auto")
    assert outcome.images_seen == 24
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    last = [line for line in told if line["title"] == "train"][-1]
    assert (last["done"], last["total"]) == (24, 24)
    assert "GFLOP/s" in last["note"]
    assert train(tiny_config(pack, images=20), tmp_path).was_finished


@pytest.mark.parametrize("decay", ["constant", "sqrt"])
def test_a_prolonged_run_is_the_longer_run_to_the_bit(
    pack: Path, tmp_path: Path, decay: str
) -> None:
    long = tiny_config(pack, decay=decay, images=96)
    whole = train(long, tmp_path / "whole").run
    train(tiny_config(pack, decay=decay, images=44), tmp_path / "parts")  # ends at 48
    parts = train(long, tmp_path / "parts").run
    assert_same(whole, parts)
    assert figures(whole) == figures(parts)


def test_a_prolonged_cosine_goes_on_and_says_what_that_is(
    pack: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(tiny_config(pack), tmp_path)
    outcome = train(tiny_config(pack, images=96), tmp_path)
    assert outcome.images_seen == 96
    assert "learning rate jumps" in caplog.text


def test_a_run_may_end_sooner_than_it_was_meant_to_but_not_before_now(
    pack: Path, tmp_path: Path
) -> None:
    train_until(24, tiny_config(pack, decay="constant", images=96), tmp_path)
    assert train(tiny_config(pack, decay="constant", images=48), tmp_path).images_seen == 48
    with pytest.raises(ConfigError, match="has seen 48 images already"):
        train(tiny_config(pack, decay="constant", images=24), tmp_path)


@pytest.mark.parametrize("at", [24, 48])
def test_a_preview_lost_to_a_kill_after_its_checkpoint_is_drawn_on_going_on(
    pack: Path, tmp_path: Path, at: int
) -> None:
    config = tiny_config(pack, preview={"every_images": 24})
    whole = train(config, tmp_path / "whole").run
    train_until(at, config, tmp_path / "parts")
    missing = tmp_path / "parts" / "test" / "previews" / f"{at:09d}.png"
    assert not missing.exists()
    train(config, tmp_path / "parts")
    drawn = missing.read_bytes()
    assert drawn == (whole / "previews" / missing.name).read_bytes()
    assert train(config, tmp_path / "parts").was_finished


def test_a_preview_that_is_there_is_not_drawn_again(pack: Path, tmp_path: Path) -> None:
    run = train(tiny_config(pack), tmp_path).run
    preview = run / "previews" / "000000048.png"
    before = preview.stat().st_mtime_ns
    train(tiny_config(pack), tmp_path)
    assert preview.stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["diffusion", "vae"])
def test_every_kind_is_learnt_resumed_and_shown(pack: Path, tmp_path: Path, kind: str) -> None:
    vae = {"base_channels": 8, "multipliers": [1, 2], "latent_channels": 2}
    config = tiny_config(pack, kind=kind, vae=vae, snapshot_every_images=24)
    whole = train(config, tmp_path / "whole").run
    train_until(24, config, tmp_path / "parts")
    parts = train(config, tmp_path / "parts").run
    assert_same(whole, parts)
    assert (parts / "previews" / "000000048.png").exists()
    assert sorted(path.name for path in (parts / "snapshots").iterdir()) == [
        "000000024",
        "000000048",
    ]


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
