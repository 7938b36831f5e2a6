"""The benchmarks of the pack: peers read the same pictures, memory is told as it is, bars judge."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.packed import PackedDataset
from dataset.provenance import NUMBER_COLUMNS, REAL_COLUMNS
from tests.bench.batch_readers import (
    PictureFolder,
    drawn,
    epoch,
    folder_batches,
    pngs,
    webdataset,
    webdataset_packages,
    write_folder,
    write_tars,
)
from tests.bench.bench_pack import fact
from tests.bench.fresh_process import watched
from tests.bench.pack_at_scale import from_arrays, with_facts
from tests.bench.stopwatch import at_least, at_most, race

COUNT = 40


def test_drawn_pictures_all_differ() -> None:
    found = drawn(1200)
    assert found.shape == (1200, 3, 32, 32)
    assert len({picture.tobytes() for picture in found}) == 1200


def test_a_folder_hands_out_the_pictures_that_were_written(tmp_path: Path) -> None:
    data = drawn(COUNT)
    write_folder(tmp_path / "files", list(pngs(data)))
    dataset = PictureFolder(tmp_path / "files")
    found = {dataset[place][0].numpy().tobytes(): dataset[place][1] for place in range(COUNT)}
    assert found == {picture.tobytes(): number % 10 for number, picture in enumerate(data)}


def test_an_epoch_of_the_folder_brings_every_picture_once(tmp_path: Path) -> None:
    write_folder(tmp_path / "files", list(pngs(drawn(COUNT))))
    torch.set_num_threads(1)
    assert epoch(folder_batches(tmp_path / "files", 16)) == COUNT


def test_an_epoch_of_webdataset_brings_every_picture_once(tmp_path: Path) -> None:
    packages = webdataset_packages()
    if packages is None:
        pytest.skip("WebDataset is not installed")
    with webdataset(packages, write_tars(tmp_path / "t", list(pngs(drawn(COUNT)))), 16) as epochs:
        assert [epochs(), epochs()] == [COUNT, COUNT]


def test_a_fact_says_all_that_a_pack_can_hold_but_ratings() -> None:
    said = vars(fact(7))
    unsaid = {name for name, value in said.items() if value in ("", None, 0)}
    assert unsaid <= {"author_url", "attribution", "votes", "stars", *REAL_COLUMNS}
    assert set(NUMBER_COLUMNS) <= set(said)


@pytest.mark.parametrize("write", [from_arrays, with_facts])
def test_packs_at_scale_are_whole(write: object, tmp_path: Path) -> None:
    assert callable(write)
    path = tmp_path / "pack.h5"
    write(str(path), 5000)
    packed = PackedDataset(path)
    assert len(packed) == 5000
    assert packed.labels.tolist() == [row % 40 for row in range(5000)]
    assert len(np.unique(packed.data[::100], axis=0)) == 50


def test_memory_is_that_of_the_process_not_of_its_parent() -> None:
    held = np.ones(300_000_000, np.uint8)  # what ru_maxrss of a child would begin with
    small = watched("sum(range(1000))")
    assert held.nbytes / 1e6 > 5 * small.peak_mb
    large = watched("held = b'1' * 200_000_000")
    assert 200 < large.peak_mb < 260


def test_work_that_fails_is_told() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        watched("raise SystemExit(3)")


def test_each_contestant_has_a_rate_of_its_own_number_of_items() -> None:
    work = {"one": lambda: sum(range(20_000)), "two": lambda: sum(range(20_000))}
    one, two = race(work, {"one": 1, "two": 1000}, rounds=3)
    assert one.ratio == 1.0
    assert two.per_second > 20 * one.per_second


def test_bars_are_met_at_the_bar_itself(capsys: pytest.CaptureFixture[str]) -> None:
    at_least("a", 300.0, 300)
    at_least("b", 299.9, 300)
    at_most("c", 400.0, 400)
    at_most("d", 400.1, 400)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["met", "MISSED", "met", "MISSED"]
