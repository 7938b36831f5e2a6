"""One drawn pack, its checker and one really trained tiny model for all tests of the stage."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dataset.packed import PackedDataset
from sample.embed import LumaChroma
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.novelty_index import NoveltyIndex, build_index
from tests.sample.drawings import write_drawn_pack
from tests.train.drawn_pack import tiny_config
from tests.train.drawn_pack import write_drawn_pack as write_training_pack
from train.loop import train


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """120 pictures to train on, 60 to calibrate with, 30 to test with."""
    return PackedDataset(write_drawn_pack(tmp_path_factory.mktemp("pack") / "drawn.h5"))


@pytest.fixture(scope="session")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """As small as can still be judged by: 25 pictures to train on, 20 to calibrate with."""
    path = tmp_path_factory.mktemp("pack") / "small.h5"
    return PackedDataset(write_drawn_pack(path, train=25, cal=20, test=4))


@pytest.fixture(scope="session")
def index(pack: PackedDataset) -> NoveltyIndex:
    return build_index(pack, LumaChroma())


@pytest.fixture(scope="session")
def checker(pack: PackedDataset, index: NoveltyIndex) -> NoveltyChecker:
    return NoveltyChecker(pack, index, NoveltyConfig(audit=12))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run: 8x8 px, the classes bar and block, a few steps."""
    folder = tmp_path_factory.mktemp("run")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        config = tiny_config(write_training_pack(folder / "pack.h5"))
        outcome = train(config, folder / "runs")
    torch.set_num_threads(threads)
    return outcome.run
