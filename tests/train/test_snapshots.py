import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.train.kept_run import small_config, small_network, wander
from train.ema import WeightAverages
from train.snapshots import (
    AVERAGES,
    MANIFEST,
    read_snapshots,
    snapshot_files,
    snapshot_name,
    write_snapshot,
)


def write(run: Path, averages: WeightAverages, images_seen: int) -> Path:
    files = snapshot_files(averages)
    return write_snapshot(run, files, averages.widths, images_seen, small_config())


@pytest.fixture
def averages() -> WeightAverages:
    network = small_network()
    averages = WeightAverages(network, (0.05, 0.1))
    for step in (1, 2):
        wander(network, step)
        averages.update(network, 8 * step, 8)
    return averages


def test_all_averages_are_kept_at_half_width(averages: WeightAverages, tmp_path: Path) -> None:
    write(tmp_path, averages, 16)
    (snapshot,) = read_snapshots(tmp_path)
    assert (snapshot.images_seen, snapshot.widths) == (16, (0.05, 0.1))
    found = snapshot.tensors()
    for width, named in averages.by_width().items():
        for name, tensor in named.items():
            half = found.pop(snapshot_name(width, name))
            assert half.dtype == torch.float16
            assert torch.equal(half, tensor.half())
    assert found == {}


def test_weights_too_large_for_half_width_are_kept_whole(tmp_path: Path) -> None:
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.fill_(1e5)
    write(tmp_path, WeightAverages(network, (0.05,)), 8)
    tensors = read_snapshots(tmp_path)[0].tensors()
    assert torch.equal(tensors["0.05.weight"], network.weight)
    assert tensors["0.05.bias"].dtype == torch.float16


def test_snapshots_are_read_from_the_oldest_on(averages: WeightAverages, tmp_path: Path) -> None:
    for images in (1_000_000_000_000, 80, 8):
        write(tmp_path, averages, images)
    assert [s.images_seen for s in read_snapshots(tmp_path)] == [8, 80, 1_000_000_000_000]


def test_one_of_the_same_image_is_replaced(averages: WeightAverages, tmp_path: Path) -> None:
    write(tmp_path, averages, 8)
    for parameter in averages.model.parameters():
        parameter.zero_()
    write(tmp_path, averages, 8)
    (snapshot,) = read_snapshots(tmp_path)
    assert all((t == 0).all() for name, t in snapshot.tensors().items() if name.startswith("0.05"))
    assert len(list((tmp_path / "snapshots").iterdir())) <= 2  # the old one may wait to be swept
    write(tmp_path, averages, 16)
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == [
        "000000008",
        "000000016",
    ]


@pytest.mark.parametrize("damage", ["weights", "manifest", "widths", "format", "unfinished"])
def test_a_damaged_one_is_left_out_with_a_warning(
    averages: WeightAverages, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, averages, 8)
    folder = write(tmp_path, averages, 16)
    manifest = json.loads((folder / MANIFEST).read_text())
    if damage == "weights":
        (folder / AVERAGES).write_bytes(b"")
    elif damage == "manifest":
        (folder / MANIFEST).write_text("{")
    elif damage == "widths":
        (folder / MANIFEST).write_text(json.dumps(manifest | {"widths": "wide"}))
    elif damage == "format":
        (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    else:
        (folder / MANIFEST).unlink()
    assert [snapshot.images_seen for snapshot in read_snapshots(tmp_path)] == [8]
    assert ("left out" in caplog.text) == (damage != "unfinished")


def test_a_run_without_snapshots_has_none(tmp_path: Path) -> None:
    assert read_snapshots(tmp_path) == []
